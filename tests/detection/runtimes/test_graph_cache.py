"""What is kept in the user's cache folder: found again, made again if damaged, never in the way."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from wsi_edt.detection.runtimes.graph_cache import cache_folder, cached

PARTS = [b"description", b"", b"weights" * 1000]


class Maker:
    def __init__(self, parts: list[bytes] = PARTS) -> None:
        self.calls, self.parts = 0, parts

    def __call__(self) -> list[bytes]:
        self.calls += 1
        return self.parts


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "wsi-edt"


def test_made_once(folder: Path) -> None:
    maker = Maker()
    assert cached("a", maker) == PARTS
    assert cached("a", maker) == PARTS
    assert maker.calls == 1
    assert cached("b", Maker([b"other"])) == [b"other"]
    assert cached("a", maker) == PARTS
    assert [path.name for path in sorted(folder.iterdir())] == ["a.graph", "b.graph"]


@pytest.mark.parametrize("damage", ["cut", "changed", "emptied"])
def test_what_is_damaged_is_made_again(folder: Path, damage: str) -> None:
    maker = Maker()
    cached("a", maker)
    path = folder / "a.graph"
    content = path.read_bytes()
    damaged = {"cut": content[:-1], "changed": content[:-1] + b"?", "emptied": b""}[damage]
    path.write_bytes(damaged)
    assert cached("a", maker) == PARTS
    assert maker.calls == 2
    assert path.read_bytes() == content


def test_a_cache_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    maker = Maker()
    assert cached("a", maker) == cached("a", maker) == PARTS
    assert maker.calls == 2


def test_without_a_home_nothing_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)
    monkeypatch.setattr("platform.system", lambda: "Linux")
    monkeypatch.chdir(tmp_path)
    assert cached("a", Maker()) == PARTS
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_process_left_goes_after_an_hour(folder: Path) -> None:
    folder.mkdir(parents=True)
    old, new = folder / ".1.new.partial", folder / ".2.new.partial"
    for path in (old, new):
        path.write_bytes(b"half")
    os.utime(old, (0, 0))
    cached("a", Maker())
    assert [path.name for path in sorted(folder.iterdir())] == [new.name, "a.graph"]


def test_several_at_once() -> None:
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda _: cached("a", Maker()), range(64)))
    assert found == [PARTS] * 64


def test_those_not_used_for_long_go_first(folder: Path) -> None:
    for number in range(4):
        cached(f"{number}", Maker())
        os.utime(folder / f"{number}.graph", (number, number))
    cached("0", Maker())  # used again
    cached("new", Maker())
    assert {path.stem for path in folder.iterdir()} == {"0", "2", "3", "new"}


def test_where_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert cache_folder() == Path(os.environ["XDG_CACHE_HOME"]) / "wsi-edt"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/somebody")
    monkeypatch.setattr("platform.system", lambda: "Linux")
    assert cache_folder() == Path("/home/somebody/.cache/wsi-edt")
