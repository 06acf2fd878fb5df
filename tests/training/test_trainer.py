"""The trainer learns, continues from a kill as if nothing had happened, and says in one sentence why it can't go on."""

import csv
import errno
import os
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import wsi_edt.training.trainer
from tests.bundles.tiny import tiny_bundle
from tests.training.sets import make_bcdata
from wsi_edt.bundles import read_bundle, write_description
from wsi_edt.bundles.weights import load_network, write_bundle
from wsi_edt.errors import ModelError, OutputError, UnknownModelError, UsageError
from wsi_edt.networks import NetworkSpec, Normalisation, build_network
from wsi_edt.networks.hrnet import HRNet
from wsi_edt.training import TrainConfig, train
from wsi_edt.training.checkpoint import best_f1, read_trained, save_checkpoint
from wsi_edt.training.progress import NoProgress
from wsi_edt.training.provenance import Provenance

CONFIG = TrainConfig.model_validate(
    {
        "mpp": 0.25,
        "schedule": {
            "steps": 4,
            "epoch_steps": 2,
            "batch_size": 2,
            "crop_px": 64,
            "learning_rate": 1e-3,
            "warmup_steps": 2,
            "ema_decay": 0.9,
        },
        "sets": [{"name": "bcdata", "weight": 1.0}],
    }
)


def changed(**sections: object) -> TrainConfig:
    """`CONFIG` with other values: whole entries, or some of a section's."""
    entries = CONFIG.model_dump()
    for name, value in sections.items():
        entries[name] = (entries[name] or {}) | value if isinstance(value, dict) else value
    return TrainConfig.model_validate(entries)


class KilledError(Exception):
    pass


class Killer(NoProgress):
    """Ends the training at the first note that begins so: when an epoch is validated, and not yet stored."""

    def __init__(self, beginning: str) -> None:
        self._beginning = beginning

    def note(self, line: str) -> None:
        if line.startswith(self._beginning):
            raise KilledError


class Notes(NoProgress):
    """Keeps what is noted."""

    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def small_network(spec: NetworkSpec) -> HRNet:
    """The network of another width than any model has: all that it is made of, and a twentieth of the weights."""
    return HRNet(4, maps=spec.maps, theta=0.7 if spec.architecture == "m_hrnet" else None)


@pytest.fixture(scope="module", autouse=True)
def _small_networks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wsi_edt.training.trainer, "build_network", small_network)
        yield


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata", images=1)
    return folder


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a training that nothing disturbed."""
    return train(CONFIG, data, tmp_path_factory.mktemp("whole")).parent


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [row | {"seconds": ""} for row in csv.DictReader(file)]


def test_continues_as_if_never_killed(
    data: Path, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Killed before anything is stored: the same command begins anew, with the logs' rows forgotten.
    with pytest.raises(KilledError):
        train(CONFIG, data, tmp_path, progress=Killer("step 2"))
    assert (tmp_path / "log.csv").exists()
    assert not (tmp_path / "checkpoint.safetensors").exists()

    # Killed between the best weights and the checkpoint, at the last step.

    def killing(*arguments: object, step: int, **named: object) -> None:
        if step == 4:
            raise KilledError
        save_checkpoint(*arguments, step=step, **named)  # type: ignore[arg-type]

    with monkeypatch.context() as patched:
        patched.setattr(wsi_edt.training.trainer, "save_checkpoint", killing)
        with pytest.raises(KilledError):
            train(CONFIG, data, tmp_path)
    assert read_trained(tmp_path / "checkpoint.safetensors").step == 2

    train(CONFIG, data, tmp_path)
    for name in ("checkpoint.safetensors", "best.safetensors"):
        assert (tmp_path / name).read_bytes() == (whole / name).read_bytes(), name
    for name in ("log.csv", "validation.csv"):
        assert rows(tmp_path / name) == rows(whole / name)
    pictures = sorted(path.name for path in (whole / "predictions").iterdir())
    assert pictures == ["0-bcdata-0.png"]
    picture = Path("predictions") / pictures[0]
    assert (tmp_path / picture).read_bytes() == (whole / picture).read_bytes()


def test_what_a_training_leaves(whole: Path) -> None:
    assert [row["step"] for row in rows(whole / "log.csv")] == ["2", "4"]
    validated = rows(whole / "validation.csv")
    assert [row["step"] for row in validated] == ["2", "4"]
    best = read_trained(whole / "best.safetensors")
    f1 = best_f1(whole / "best.safetensors")
    assert f1 == max(float(row["f1"]) for row in validated)
    assert [float(row["f1"]) for row in validated].index(f1) == best.step // 2 - 1
    last = read_trained(whole / "checkpoint.safetensors")
    assert last.step == 4
    assert last.weights.keys() == best.weights.keys()
    assert TrainConfig.from_json(last.provenance.configuration) == CONFIG
    (one,) = last.provenance.sets
    assert (one.name, one.images, one.positive, one.negative, one.neither) == ("bcdata", 1, 5, 7, 0)


def test_refuses_another_configurations_folder(data: Path, whole: Path) -> None:
    with pytest.raises(ModelError, match=r"another configuration \(seed was 1, is 2\); train into another"):
        train(changed(seed=2), data, whole)
    with pytest.raises(ModelError, match=r"\(schedule\.steps was 4, is 5\)"):
        train(changed(schedule={"steps": 5}), data, whole)


def test_continues_what_a_version_began_that_noted_no_data(whole: Path, data: Path, tmp_path: Path) -> None:
    """As 0.1.0 left it; from then on the data are noted."""

    def killing(*arguments: object, **named: object) -> None:
        save_checkpoint(*arguments, **named)  # type: ignore[arg-type]
        raise KilledError

    def forgetting(*arguments: object, provenance: Provenance, **named: object) -> None:
        killing(*arguments, provenance=provenance.model_copy(update={"data": None}), **named)

    for saving in (forgetting, killing):
        notes = Notes()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(wsi_edt.training.trainer, "save_checkpoint", saving)
            with pytest.raises(KilledError):
                train(changed(schedule={"steps": 4, "epoch_steps": 1}), data, tmp_path, progress=notes)
    assert any("didn't note its data" in line for line in notes.lines)
    now = read_trained(tmp_path / "checkpoint.safetensors").provenance
    assert now.data == read_trained(whole / "checkpoint.safetensors").provenance.data is not None


def test_best_weights_of_other_data_are_not_kept(whole: Path, data: Path, tmp_path: Path) -> None:
    """A user deletes the checkpoint alone: the best F1 of then would never be beaten, or be beaten unfairly."""
    shutil.copy(whole / "best.safetensors", tmp_path)
    shutil.copytree(data, tmp_path / "data")
    shutil.copy(
        data / "bcdata/annotations/train/negative/0.h5", tmp_path / "data/bcdata/annotations/train/positive"
    )
    with pytest.raises(
        ModelError, match=r"best\.safetensors belongs to a training on other data \(set 'bcdata'"
    ):
        train(CONFIG, tmp_path / "data", tmp_path)


def test_pictures_that_are_validated_on_under_another_name_are_said(data: Path, tmp_path: Path) -> None:
    shutil.copytree(data, tmp_path / "data")
    images = tmp_path / "data" / "bcdata" / "images"
    shutil.copy(images / "train" / "0.png", images / "validation" / "0.png")
    notes = Notes()
    train(changed(schedule={"steps": 1}), tmp_path / "data", tmp_path / "run", progress=notes)
    assert notes.lines[0] == (
        "F1 flatters: 1 image (images/validation/0.png) of [[validation]] also trained on, under other names"
    )


def test_the_model_at_the_start_counts_by_what_it_is(data: Path, tmp_path: Path) -> None:
    def begun(init: Path) -> TrainConfig:
        return changed(init=str(init), schedule={"steps": 1, "batch_size": 1}, validation=())

    model = tiny_bundle(tmp_path / "model").directory
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wsi_edt.training.trainer, "build_network", build_network)
        checkpoint = train(begun(model), data, tmp_path / "run")
        shutil.move(model, tmp_path / "moved")
        for init in (tmp_path / "moved", model):  # a training that has begun needs it no more
            train(begun(init), data, tmp_path / "run")
    with pytest.raises(UnknownModelError):
        train(begun(tmp_path / "nothing"), data, tmp_path / "run")
    write_bundle(
        replace(read_bundle(tmp_path / "moved"), version="2"),
        {
            name: value + 1
            for name, value in load_network(read_bundle(tmp_path / "moved")).state_dict().items()
        },
    )
    before = checkpoint.read_bytes()
    with pytest.raises(
        ModelError,
        match=r"started from tiny version 1, sha256 .*\(MIT\), but .*moved is tiny version 2, sha256",
    ):
        train(begun(tmp_path / "moved"), data, tmp_path / "run")
    assert checkpoint.read_bytes() == before


def test_loss_falls(data: Path, tmp_path: Path) -> None:
    schedule = {"steps": 40, "epoch_steps": 40, "learning_rate": 1e-2}
    same_colours = {"stain": 0.0, "hue": 0.0, "gamma": 0.0, "blur": 0.0, "sharpen": 0.0, "jpeg": 0.0}
    train(changed(schedule=schedule, validation=(), augmentation=same_colours), data, tmp_path)
    losses = [float(row["loss"]) for row in rows(tmp_path / "log.csv")]
    assert len(losses) == 2
    assert losses[1] < 0.8 * losses[0], losses  # 0.57 to 0.7 for three seeds
    assert not (tmp_path / "best.safetensors").exists()  # nothing was validated


def test_starts_from_a_model_and_keeps_its_norms(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wsi_edt.training.trainer, "build_network", build_network)
    model = tiny_bundle(tmp_path / "model")
    config = changed(
        init=str(model.directory),
        loss={"consistency": 50.0},
        schedule={"crop_px": 256, "steps": 1, "batch_size": 1, "frozen_norms": True},
        validation=(),
    )
    trained = read_trained(train(config, data, tmp_path / "run"))
    moved = 0
    for name, value in load_network(model).state_dict().items():
        same = torch.equal(value, trained.weights[name])
        if "running_" in name or "num_batches" in name:
            assert same, name
        moved += not same
    assert moved > 100
    assert trained.provenance.started_from.startswith("tiny version 1, sha256 ")
    assert trained.provenance.started_from.endswith("(MIT)")


def test_refuses_a_model_of_another_kind(data: Path, tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "model")
    config = changed(init=str(model.directory), network={"stem_stride": 1})
    with pytest.raises(
        ModelError, match=r"tiny is m_hrnet \(width 18, stem_stride 2, .* asks for .* stem_stride 1, "
    ):
        train(config, data, tmp_path / "run")


def test_refuses_a_model_with_a_normalisation_of_its_own(data: Path, tmp_path: Path) -> None:
    model = tiny_bundle(tmp_path / "model")
    write_description(replace(model, normalisation=Normalisation((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))))
    with pytest.raises(ModelError, match="tiny has a normalisation of its own, and training uses ImageNet's"):
        train(changed(init=str(model.directory)), data, tmp_path / "run")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_gpu_that_is_not_here_is_known_before_data_are_read(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no CUDA device is available"):
        train(TrainConfig(), tmp_path / "nothing", tmp_path / "run", device="cuda")
    assert not (tmp_path / "run").exists()


def test_a_loss_that_becomes_nan_stops(data: Path, tmp_path: Path) -> None:
    config = changed(schedule={"learning_rate": 1e30, "epoch_steps": 4})
    with pytest.raises(ModelError, match=r"became NaN or infinite by step 4; lower schedule\.learning_rate"):
        train(config, data, tmp_path)
    assert not (tmp_path / "checkpoint.safetensors").exists()


def full_disk(handle: int) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize(
    "prepare",
    [
        pytest.param(lambda out, patch: out.write_text("a file"), id="no folder"),
        pytest.param(lambda out, patch: patch.setattr(os, "fsync", full_disk), id="full disk"),
    ],
)
def test_what_cannot_be_written_is_one_sentence(
    data: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Path, pytest.MonkeyPatch], None],
) -> None:
    out = tmp_path / "run"
    prepare(out, monkeypatch)
    with pytest.raises(
        OutputError,
        match=r"run.* can.t be written: (File exists; .*elsewhere|No space left on device.*make room there)",
    ):
        train(changed(schedule={"steps": 1}), data, out)


@pytest.mark.gpu
def test_trains_on_a_gpu(data: Path, tmp_path: Path) -> None:
    """More steps than are made before one is recorded, against the same steps on a CPU."""
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    config = changed(schedule={"steps": 8, "epoch_steps": 4}, augmentation={"jpeg": 0.0})
    notes = Notes()
    on_gpu = train(config, data, tmp_path / "gpu", device="cuda", progress=notes)
    on_cpu = train(config, data, tmp_path / "cpu")
    assert not any("recorded" in line for line in notes.lines), notes.lines
    found, expected = (read_trained(path).weights for path in (on_gpu, on_cpu))
    assert found.keys() == expected.keys()
    for one, other in zip(rows(on_gpu.parent / "log.csv"), rows(on_cpu.parent / "log.csv"), strict=True):
        assert float(one["loss"]) == pytest.approx(float(other["loss"]), rel=0.05)
        assert float(one["learning_rate"]) == pytest.approx(float(other["learning_rate"]))
