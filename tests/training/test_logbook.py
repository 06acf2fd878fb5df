"""Logs hold what happened, once, and TensorBoard's files are what TensorBoard reads."""

import csv
import struct
from pathlib import Path

import cv2
import numpy as np
from tensorboardX.proto.event_pb2 import Event

from wsi_edt.evaluation import DetectionMetrics
from wsi_edt.training.logbook import Logbook
from wsi_edt.training.progress import LogRow
from wsi_edt.training.validation import THRESHOLDS, SetValidation, Validation


def row(step: int) -> LogRow:
    return LogRow(step, 0.25, 0.0, 1.5, 1e-3, float(step))


METRICS = tuple(DetectionMetrics(number, 10 - number, 0) for number in range(len(THRESHOLDS)))
VALIDATION = Validation(0.5, THRESHOLDS[2], (SetValidation("ours", True, METRICS),))
PICTURE = np.full((8, 24, 3), (250, 10, 10), np.uint8)


def events(folder: Path) -> list[Event]:
    """The events of all files in a folder: records of length, its checksum, data, their checksum."""
    found = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        while data:
            (length,) = struct.unpack("<Q", data[:8])
            found.append(Event.FromString(data[12 : 12 + length]))
            data = data[12 + length + 4 :]
    return found


def test_logs(tmp_path: Path) -> None:
    with Logbook(tmp_path, step=0) as logbook:
        logbook.training(row(20))
        logbook.validation(20, VALIDATION, {"0-ours": PICTURE})
        logbook.best(20, {"0-ours": PICTURE})
    with (tmp_path / "log.csv").open(newline="") as file:
        assert list(csv.DictReader(file)) == [
            {
                "step": "20",
                "loss": "0.25",
                "inconsistency": "0.0",
                "gradient_norm": "1.5",
                "learning_rate": "0.001",
                "seconds": "20.0",
            }
        ]
    with (tmp_path / "validation.csv").open(newline="") as file:
        (validated,) = csv.DictReader(file)
    # 2 matched and 8 false at the third threshold, none missed: F1 is 4 / 12.
    assert {name: float(value) for name, value in validated.items()} == {
        "step": 20.0,
        "f1": 0.5,
        "threshold": 0.15,
        "f1_ours": 4 / 12,
    }
    written = cv2.imread(str(tmp_path / "predictions" / "0-ours.png"))
    assert written is not None
    assert np.array_equal(written[:, :, ::-1], PICTURE)
    values = [value for event in events(tmp_path / "tensorboard") for value in event.summary.value]
    scalars = {value.tag: value.simple_value for value in values if not value.HasField("image")}
    assert scalars["training/loss"] == 0.25
    assert scalars["validation/f1"] == 0.5
    assert {"training/learning_rate", "training/gradient_norm", "validation/f1_ours"} < scalars.keys()
    (picture,) = [value for value in values if value.HasField("image")]
    assert (picture.tag, picture.image.width, picture.image.height) == ("predictions/0-ours", 24, 8)
    decoded = cv2.imdecode(np.frombuffer(picture.image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    assert decoded is not None
    assert np.abs(decoded[:, :, ::-1].astype(int) - PICTURE).max() < 12


def test_what_will_be_done_again_is_forgotten(tmp_path: Path) -> None:
    with Logbook(tmp_path, step=0) as logbook:
        for step in (20, 40, 60):
            logbook.training(row(step))
        logbook.validation(60, VALIDATION, {})
    with (tmp_path / "log.csv").open("a") as file:
        file.write("80,0.2")  # a power cut in the middle of a row
    with Logbook(tmp_path, step=40) as logbook:
        assert logbook.seconds == 40.0
        logbook.training(row(60))
    with (tmp_path / "log.csv").open(newline="") as file:
        assert [line["step"] for line in csv.DictReader(file)] == ["20", "40", "60"]
    assert not (tmp_path / "validation.csv").exists()
    starts = [
        event.step for event in events(tmp_path / "tensorboard") if event.WhichOneof("what") == "session_log"
    ]
    assert starts == [1, 41]  # TensorBoard drops what it has of these steps and later ones
