"""A model takes another's place whole, at one moment, and nobody else's."""

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import Bundle, read_bundle
from wsi_edt.bundles.replacing import refuse_to_replace
from wsi_edt.bundles.weights import load_network, write_bundle
from wsi_edt.errors import OutputError, UsageError


class KilledError(BaseException):
    pass


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def test_a_kill_at_any_step_leaves_the_old_model_or_the_new(
    old: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = {name: value + 1 for name, value in load_network(old).state_dict().items()}
    steps: list[str] = []
    room = [0]
    replacing = Path.replace

    def killed(path: Path, target: Path) -> Path:
        """As `Path.replace`, through which all that appears in a model's folder goes; then the process ends."""
        if len(steps) == room[0]:
            raise KilledError
        steps.append(Path(target).name)
        return replacing(path, target)

    found = []
    for room[0] in range(4):
        folder = tmp_path / str(room[0])
        shutil.copytree(old.directory, folder)
        (folder / "notes.txt").write_text("mine")
        steps.clear()
        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            try:
                write_bundle(replace(old, directory=folder, version="2"), weights)
            except KilledError:
                assert room[0] < 3
            else:
                assert room[0] == 3
        left = read_bundle(folder)
        left.verify()
        first = next(iter(weights))
        expected = (
            weights[first].half().float() if left.version == "2" else load_network(old).state_dict()[first]
        )
        assert torch.equal(load_network(left).state_dict()[first], expected)
        found.append((list(steps), left.version))
        # The same command again ends with the new model and no leftovers.
        assert refuse_to_replace(folder, overwrite=True)
        write_bundle(replace(old, directory=folder, version="2"), weights)
        assert read_bundle(folder).version == "2"
        assert sorted(path.name for path in folder.iterdir()) == [
            "model.toml",
            "notes.txt",
            "weights.safetensors",
        ]
    arriving = found[-1][0][0]
    assert arriving.startswith("weights-")
    assert found == [
        ([], "1"),
        ([arriving], "1"),
        ([arriving, "model.toml"], "2"),
        ([arriving, "model.toml", "weights.safetensors"], "2"),
    ]


def test_what_a_kill_left_of_a_first_model_is_in_nobodys_way(tmp_path: Path) -> None:
    (tmp_path / f"weights-{'0' * 12}.safetensors").write_text("")
    (tmp_path / ".model.toml.partial").write_text("")
    assert not refuse_to_replace(tmp_path, overwrite=False)
    tiny_bundle(tmp_path)
    assert sorted(path.name for path in tmp_path.glob("[!.]*")) == ["model.toml", "weights.safetensors"]


def test_a_kill_in_a_new_folder_leaves_what_the_same_command_replaces(
    old: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weights = load_network(old).state_dict()
    replacing = Path.replace
    left = []
    for steps in range(3):
        folder = tmp_path / str(steps)
        room = iter(range(steps))

        def killed(path: Path, target: Path, room: Iterator[int] = room) -> Path:
            if next(room, None) is None:
                raise KilledError
            return replacing(path, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, "replace", killed)
            with pytest.raises(KilledError):
                write_bundle(replace(old, directory=folder), weights)
        left.append([path.name for path in sorted(folder.glob("[!.]*"))])
        if steps < 2:  # then it is a model
            assert not refuse_to_replace(folder, overwrite=False)
        assert refuse_to_replace(folder, overwrite=True) == (steps == 2)
    arriving = f"weights-{old.sha256[:12]}.safetensors"
    assert left == [[], [arriving], ["model.toml", arriving]]


def test_weights_of_no_model_give_way_when_told(old: Bundle, tmp_path: Path) -> None:
    (tmp_path / "weights.safetensors").write_text("another program's")
    assert refuse_to_replace(tmp_path, overwrite=True)
    write_bundle(replace(old, directory=tmp_path), load_network(old).state_dict())
    read_bundle(tmp_path).verify()


@pytest.mark.parametrize(
    ("prepare", "overwrite", "says"),
    [
        pytest.param(
            lambda folder: None, False, "holds the model tiny version 1; pass --overwrite", id="a model"
        ),
        pytest.param(
            lambda folder: (folder / "model.toml").write_text("[package]\nname = 'x'"),
            True,
            "isn't replaced: its model.toml doesn't describe a model",
            id="another program's model.toml",
        ),
        pytest.param(
            lambda folder: [(folder / "model.toml").unlink(), (folder / "a.txt").write_text("")],
            True,
            r"isn't a model's folder: it holds a\.txt but no model\.toml; give the model a folder of its own",
            id="something else",
        ),
        pytest.param(
            lambda folder: (folder / "model.toml").unlink(),
            False,
            r"holds weights\.safetensors but no model\.toml; pass --overwrite to replace it, or write elsewhere",
            id="weights alone",
        ),
    ],
)
def test_what_is_not_replaced(
    old: Bundle, tmp_path: Path, prepare: Callable[[Path], object], overwrite: bool, says: str
) -> None:
    folder = tmp_path / "model"
    shutil.copytree(old.directory, folder)
    prepare(folder)
    with pytest.raises(UsageError, match=says):
        refuse_to_replace(folder, overwrite=overwrite)


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="permissions don't hold for root")
def test_a_folder_above_that_is_read_only_is_known_beforehand(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir(mode=0o555)
    with pytest.raises(OutputError, match=r"models/new/mine can't be written: .*models is read-only here"):
        refuse_to_replace(tmp_path / "models" / "new" / "mine", overwrite=False)


def test_a_disk_that_is_read_only_is_known_beforehand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def access(path: Path, mode: int) -> bool:
        asked.append(path)
        assert mode & os.W_OK
        return False

    monkeypatch.setattr(os, "access", access)
    with pytest.raises(
        OutputError, match=r"new/mine can't be written: .* is read-only here; write the model"
    ):
        refuse_to_replace(tmp_path / "new" / "mine", overwrite=False)
    assert asked == [tmp_path]


def test_free_places(old: Bundle, tmp_path: Path) -> None:
    assert not refuse_to_replace(tmp_path / "new", overwrite=False)
    assert not refuse_to_replace(tmp_path, overwrite=False)
    (tmp_path / "README.md").write_text("a card that waits for its model")
    (tmp_path / ".DS_Store").write_text("")
    assert not refuse_to_replace(tmp_path, overwrite=False)
    assert refuse_to_replace(old.directory, overwrite=True)
