"""A training goes on only with the data that it began with, and a model's folder only gives way when told to.

All through the commands, on fields of 96 px with a CSV of points each.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.training.sets import spots, write_rgb
from wsi_edt.cli.main import run_command
from wsi_edt.networks import NetworkSpec
from wsi_edt.networks.hrnet import HRNet

CONFIG = """
mpp = 0.25
maps.names = ["nucleus"]
[schedule]
steps = 2
epoch_steps = 1
batch_size = 1
crop_px = 64
[[sets]]
name = "ours"
format = "points"
weight = 1
mpp = 0.25
[[validation]]
name = "theirs"
format = "points"
mpp = 0.25
"""


def write_field(folder: Path, name: str, seed: int) -> None:
    points = np.random.default_rng(seed).integers(8, 88, (9, 2))
    write_rgb(folder / "images" / f"{name}.png", spots(points, 96, [(110, 60, 20)] * 9))
    table = folder / "points" / f"{name}.csv"
    table.parent.mkdir(exist_ok=True)
    table.write_text("x,y\n" + "".join(f"{x + 0.5},{y + 0.5}\n" for x, y in points.tolist()))


def small_network(spec: NetworkSpec) -> HRNet:
    """A network that is trained in a moment."""
    return HRNet(4, maps=spec.maps, theta=0.7 if spec.architecture == "m_hrnet" else None)


@pytest.fixture(scope="module", autouse=True)
def _small_networks() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for name in ("training.trainer", "training.checkpoint", "training.bundling", "bundles.weights"):
            module = import_module(f"wsi_edt.{name}")
            if hasattr(module, "build_network"):
                patch.setattr(module, "build_network", small_network)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)  # so small a network's threads would wait for each other most of the time
        yield
        torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with data, the results of a training that was stopped after an epoch, and those of the whole one."""
    home = tmp_path_factory.mktemp("made")
    for place, (folder, name) in enumerate([("ours", "a"), ("ours", "b"), ("theirs", "c")]):
        write_field(home / "data" / folder, name, place)
    (home / "train.toml").write_text(CONFIG)
    command = ["train", str(home / "train.toml"), "--data", str(home / "data"), "--device", "cpu", "--out"]
    save = import_module("wsi_edt.training.trainer").save_checkpoint

    def saving(*arguments: object, **named: object) -> None:
        save(*arguments, **named)
        raise KeyboardInterrupt

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("wsi_edt.training.trainer.save_checkpoint", saving)
        assert run_command([*command, str(home / "stopped")]) == 130
    shutil.copytree(home / "stopped", home / "finished")
    assert run_command([*command, str(home / "finished")]) == 0
    return home


@pytest.fixture
def data(made: Path, tmp_path: Path) -> Path:
    shutil.copytree(made, tmp_path, dirs_exist_ok=True)
    return tmp_path / "data"


def contents(folder: Path) -> dict[str, str]:
    """What the checkpoints and models below a folder are."""
    files = [path for path in folder.rglob("*") if path.suffix in (".safetensors", ".toml", ".md")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


class Command:
    """Runs the commands on copies of what was made, and tells their exit code and all that they print."""

    def __init__(self, home: Path, capsys: pytest.CaptureFixture[str], log: pytest.LogCaptureFixture) -> None:
        self.home, self._capsys, self._log = home, capsys, log

    def __call__(self, *words: object) -> tuple[int, str]:
        self._capsys.readouterr()
        self._log.clear()
        code = run_command([str(word) for word in words])
        return code, "".join(self._capsys.readouterr()) + self._log.text

    def train(self, data: Path, out: str) -> tuple[int, str]:
        return self(
            "train", self.home / "train.toml", "--data", data, "--out", self.home / out, "--device", "cpu"
        )

    def bundle(self, data: Path, *options: str) -> tuple[int, str]:
        checkpoint = self.home / "finished" / "checkpoint.safetensors"
        return self("bundle", checkpoint, "--data", data, "--out", self.home / "model", *options)


@pytest.fixture
def command(tmp_path: Path, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Command:
    return Command(tmp_path, capsys, caplog)


def correct_label(data: Path) -> None:
    table = data / "ours" / "points" / "b.csv"
    table.write_text(table.read_text() + "20.5,20.5\n")


def correct_validation_label(data: Path) -> None:
    table = data / "theirs" / "points" / "c.csv"
    table.write_text(table.read_text().rpartition("\n")[0].rpartition("\n")[0] + "\n")


def another_picture(data: Path) -> None:
    write_rgb(data / "ours" / "images" / "a.png", np.full((96, 96, 3), 200, np.uint8))


def one_more(data: Path) -> None:
    write_field(data / "ours", "d", 7)


def one_less(data: Path) -> None:
    for path in (data / "ours").glob("*/a.*"):
        path.unlink()


def test_a_training_of_other_data_is_not_continued(data: Path, command: Command) -> None:
    before = contents(command.home / "stopped")
    for change, says in (
        (correct_validation_label, "validation set 'theirs': the labels of 1 image (images/c.png) changed"),
        (correct_label, "set 'ours': the labels of 1 image (images/b.png) changed"),
        (another_picture, "the picture of 1 image (images/a.png) changed"),
        (one_more, "1 image (images/d.png) added"),
        (one_less, "1 image (images/a.png) removed"),
    ):
        change(data)
        code, told = command.train(data, "stopped")
        assert code == 1, told
        assert "checkpoint.safetensors belongs to a training on other data" in told
        assert says in told
        assert told.count("\n") == 1
    assert contents(command.home / "stopped") == before


def test_corrected_labels_are_not_taken_for_trained_on(data: Path, command: Command) -> None:
    before = contents(command.home / "finished")
    correct_label(data)
    code, told = command.train(data, "finished")
    assert code == 1, told
    assert "set 'ours': the labels of 1 image (images/b.png) changed" in told
    assert "--out" in told
    assert contents(command.home / "finished") == before


def test_the_same_data_elsewhere_continue(data: Path, command: Command) -> None:
    moved = command.home / "elsewhere"
    shutil.copytree(data, moved)
    shutil.rmtree(data)
    for path in moved.rglob("*.*"):
        os.utime(path, (0, 0))
    table = moved / "ours" / "points" / "b.csv"
    table.write_bytes(table.read_bytes().replace(b"\n", b"\r\n"))
    header, *rows = (moved / "ours" / "points" / "a.csv").read_text().splitlines()
    (moved / "ours" / "points" / "a.csv").write_text("\n".join([header, *sorted(rows), ""]))
    write_rgb(moved / "ours" / "roi" / "a.png", np.full((96, 96, 3), 255, np.uint8))  # labels hold everywhere
    code, told = command.train(moved, "stopped")
    assert code == 0, told
    assert "continuing from step 1 of 2" in told
    code, told = command.train(moved, "stopped")
    assert code == 0
    assert "all 2 steps were made already" in told


def test_a_model_is_of_the_data_that_its_training_saw(data: Path, command: Command) -> None:
    correct_label(data)
    code, told = command.bundle(data)
    assert code == 0, told
    assert "the data changed after the training (set 'ours': the labels of 1 image (images/b.png)" in told
    shutil.rmtree(command.home / "model")

    correct_validation_label(data)
    code, told = command.bundle(data)
    assert code == 1
    assert (
        "was validated on other data (validation set 'theirs': the labels of 1 image (images/c.png)" in told
    )
    assert not (command.home / "model").exists()
    code, told = command.bundle(data, "--changed-data")
    assert code == 0, told
    assert (
        "the labels of 1 image (images/c.png) changed" in (command.home / "model" / "README.md").read_text()
    )

    for path in (data / "ours").glob("*/a.*"):
        shutil.copy(path, data / "theirs" / path.parent.name)
    code, told = command.bundle(data, "--changed-data", "--overwrite")
    assert code == 1
    assert "was trained on 1 image (images/a.png), which would be validated on" in told


def test_images_and_labels_without_each_other_are_told_alike(data: Path, command: Command) -> None:
    (data / "theirs" / "points" / "lost.csv").write_text("x,y\n1.5,1.5\n")
    shutil.copy(data / "ours" / "images" / "a.png", data / "theirs" / "images" / "new.png")
    says = "theirs holds 1 image (new.png) without a CSV and 1 CSV (lost.csv) without an image"
    evaluated = ("evaluate", "--model", "ki67-m-hrnet-w18", "--dataset", "points", data / "theirs")
    for code, told in (
        command.train(data, "finished"),
        command.bundle(data),
        command(*evaluated, "--mpp", 0.25),
    ):
        assert code == 1, told
        assert says in told


def test_a_model_gives_way_only_when_told(data: Path, command: Command) -> None:
    assert command.bundle(data, "--version", "1")[0] == 0
    model = command.home / "model"
    (model / "README.md").write_text("by hand")
    (model / "notes.txt").write_text("mine")
    before = contents(model)

    code, told = command.bundle(data, "--version", "2")
    assert code == 2, told
    assert "holds the model model version 1; pass --overwrite to replace it" in told
    assert contents(model) == before

    code, told = command.bundle(data, "--version", "2", "--overwrite")
    assert code == 0, told
    assert 'version = "2"' in (model / "model.toml").read_text()
    assert "README.md stays as it was" in told
    assert [path.name for path in sorted(model.iterdir())] == [
        "README.md",
        "model.toml",
        "notes.txt",
        "weights.safetensors",
    ]
    assert ((model / "README.md").read_text(), (model / "notes.txt").read_text()) == ("by hand", "mine")


def test_a_folder_that_is_no_models_is_never_written_to(data: Path, command: Command) -> None:
    model = command.home / "model"
    model.mkdir()
    (model / "thesis.docx").write_text("years of work")
    (model / "weights.safetensors").write_text("another program's")
    for options in ((), ("--overwrite",)):
        code, told = command.bundle(data, *options)
        assert code == 2, told
        assert "model isn't a model's folder: it holds thesis.docx but no model.toml" in told
    assert sorted(path.name for path in model.iterdir()) == ["thesis.docx", "weights.safetensors"]
    assert (model / "weights.safetensors").read_text() == "another program's"


def test_weights_without_a_description_may_be_somebodys(data: Path, command: Command) -> None:
    model = command.home / "model"
    model.mkdir()
    (model / "weights.safetensors").write_text("another program's")
    code, told = command.bundle(data)
    assert code == 2, told
    assert "holds weights.safetensors but no model.toml; pass --overwrite to replace it" in told
    assert (model / "weights.safetensors").read_text() == "another program's"
    code, told = command.bundle(data, "--overwrite")
    assert code == 0, told
    assert (model / "model.toml").is_file()
