"""What a training leaves behind to look at: log.csv, validation.csv, TensorBoard's files, pictures of predictions."""

from __future__ import annotations

import csv
import io
import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import cv2
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tensorboardX.proto.summary_pb2 import Summary

from wsi_edt.datasets import ImageArray
from wsi_edt.files import append, remove, write_atomically, writing
from wsi_edt.training.progress import LogRow
from wsi_edt.training.validation import THRESHOLDS, Validation

LOG, VALIDATION_LOG = "log.csv", "validation.csv"
TENSORBOARD, PREDICTIONS = "tensorboard", "predictions"


class Logbook:
    """The logs of one training folder. Use it as a context manager: leaving it closes TensorBoard's file.

    Rows are on the disk when a method returns. If the logs go further than the state to continue from, their later rows
    are removed: those steps will be made again.

    Parameters
    ----------
    out : the training's folder
    step : the step to continue from; 0 starts over
    """

    def __init__(self, out: Path, *, step: int) -> None:
        self._out = out
        rows = _forget_after(out / LOG, step)
        _forget_after(out / VALIDATION_LOG, step)
        self.seconds = float(rows[-1]["seconds"]) if rows else 0.0
        self._board = _Board(out / TENSORBOARD, step=step)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._board.close()

    def training(self, row: LogRow) -> None:
        """Log the means over some steps."""
        entries = asdict(row)
        _append(self._out / LOG, entries)
        for name, value in entries.items():
            if name not in ("step", "seconds"):
                self._board.scalar(f"training/{name}", value, row.step)
        self._board.flush()

    def validation(self, step: int, result: Validation, pictures: Mapping[str, ImageArray]) -> None:
        """Log a validation, and put its pictures in place of the last one's."""
        best = THRESHOLDS.index(result.threshold)
        by_set = {f"f1_{one.name}": one.metrics[best].f1 for one in result.sets}
        entries = {"step": step, "f1": result.f1, "threshold": result.threshold} | by_set
        _append(self._out / VALIDATION_LOG, entries)
        for name, value in entries.items():
            if name != "step":
                self._board.scalar(f"validation/{name}", value, step)
        for name, picture in pictures.items():
            encoded = cv2.imencode(".png", picture[:, :, ::-1])[1]
            write_atomically(self._out / PREDICTIONS / f"{name}.png", encoded.tobytes())
        self._board.flush()

    def best(self, step: int, pictures: Mapping[str, ImageArray]) -> None:
        """Keep the pictures of the best state so far in TensorBoard too."""
        for name, picture in pictures.items():
            self._board.picture(f"predictions/{name}", picture, step)
        self._board.flush()


class _Board:
    """TensorBoard's event file, written in the caller's thread.

    tensorboardX's SummaryWriter writes in a thread of its own: on a full disk that thread dies, and the training would
    wait for it forever.
    """

    def __init__(self, folder: Path, *, step: int) -> None:
        self._folder = folder
        with writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            # Two writers within a second would choose the same name.
            self._writer = EventsWriter(str(folder / "events"), f".{os.getpid()}.{step}")
            # What TensorBoard has read about later steps is void.
            self._writer.write_event(Event(step=step + 1, session_log=SessionLog(status=SessionLog.START)))

    def scalar(self, name: str, value: float, step: int) -> None:
        self._write(Event(summary=summary.scalar(name, value), step=step))

    def picture(self, name: str, picture: ImageArray, step: int) -> None:
        height, width, _ = picture.shape
        # summary.image() would write PNG, five times as large.
        encoded = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes()
        image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=encoded)
        self._write(Event(summary=Summary(value=[Summary.Value(tag=name, image=image)]), step=step))

    def flush(self) -> None:
        with writing(self._folder):
            self._writer.flush()

    def close(self) -> None:
        with writing(self._folder):
            self._writer.close()

    def _write(self, event: Event) -> None:
        event.wall_time = time.time()
        with writing(self._folder):
            self._writer.write_event(event)


def _append(path: Path, row: Mapping[str, float]) -> None:
    """Add a row to a log, below a header if it is the first."""
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not path.exists():
        writer.writerow(row)
    writer.writerow(row.values())
    append(path, text.getvalue().encode())


def _forget_after(path: Path, step: int) -> list[dict[str, str]]:
    """Remove a log's rows of later steps, and one that a kill cut off; return what is left."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        names = list(reader.fieldnames or ())
        rows = [row for row in reader if _is_whole(row) and int(row["step"]) <= step]
    if not rows:
        remove(path)
        return []
    text = io.StringIO()
    writer = csv.DictWriter(text, names)
    writer.writeheader()
    writer.writerows(rows)
    write_atomically(path, text.getvalue().encode())
    return rows


def _is_whole(row: dict[str, str]) -> bool:
    return None not in row and None not in row.values() and row.get("step", "").isdecimal()
