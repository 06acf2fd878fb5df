"""What searching folders finds, passes over, and can't reach."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fsspec.spec import AbstractFileSystem
from upath import UPath

from wsi_edt.errors import UsageError
from wsi_edt.results import names
from wsi_edt.run.discover import Discovery, find_slides


def touch(folder: Path, *paths: str) -> None:
    for name in paths:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def find(*inputs: Path | str, out: Path = Path("nowhere"), mpp: float | None = None) -> Discovery:
    return find_slides(inputs, out=out, fallback_mpp=mpp)


def found(discovery: Discovery) -> list[str]:
    return [slide.name for slide in discovery.slides]


def faults(discovery: Discovery) -> dict[str, str]:
    return {fault.name: fault.error.what for fault in discovery.faults}


class Entries:
    """A folder's listing that fails after some entries."""

    def __init__(self, entries: Any, count: int, error: OSError) -> None:
        self.entries, self.count, self.error = entries, count, error

    def __enter__(self) -> Entries:
        return self

    def __exit__(self, *_: object) -> None:
        self.entries.close()

    def __iter__(self) -> Iterator[os.DirEntry[str]]:
        for _ in range(self.count):
            yield next(self.entries)
        raise self.error


def failing(monkeypatch: pytest.MonkeyPatch, name: str, number: int, *, after: int | None = None) -> None:
    """Listing the folder of that name fails, at once or after some entries."""
    real = os.scandir

    def scandir(path: Path) -> object:
        if path.name != name:
            return real(path)
        error = OSError(number, os.strerror(number), str(path))
        if after is None:
            raise error
        return Entries(real(path), after, error)

    monkeypatch.setattr(os, "scandir", scandir)


@pytest.mark.parametrize("number", [errno.EACCES, errno.EIO, errno.ESTALE, errno.ENOTCONN])
def test_a_folder_that_cannot_be_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    touch(tmp_path, "a.svs", "x/lost/b.svs", "x/c.svs")
    failing(monkeypatch, "lost", number)
    seen = find(tmp_path)
    assert found(seen) == ["a.svs", "x/c.svs"]
    assert faults(seen) == {"x/lost/": f"can't be read ({os.strerror(number)}): what is in it is left out"}
    with pytest.raises(UsageError, match=r"no slides in .*lost can't be read"):
        find(tmp_path / "x/lost")


def test_what_was_listed_before_the_disk_failed_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, *(f"x/{number}.svs" for number in range(5)))
    failing(monkeypatch, "x", errno.EIO, after=3)
    seen = find(tmp_path)
    assert len(seen.slides) == 3
    assert faults(seen) == {"x/": "can't be read to its end (Input/output error): what is in it is left out"}


def test_links_that_lead_nowhere(tmp_path: Path) -> None:
    """A slide's is a slide that fails, a text's is a text, and any other may be a folder of slides."""
    touch(tmp_path, "a.svs")
    for name, target in (
        ("b.svs", "gone.svs"),
        ("readme.txt", "gone.txt"),
        ("2019.01", "/not mounted/2019"),
        ("loop", "loop"),
    ):
        (tmp_path / name).symlink_to(target)
    seen = find(tmp_path)
    assert found(seen) == ["a.svs", "b.svs"]
    left = "what should be in it is left out"
    assert faults(seen) == {
        "2019.01/": f"is a link to /not mounted/2019, which isn't there: {left}",
        "loop/": f"is a link to loop, which leads in a circle: {left}",
    }
    assert seen.notes == ("1 file passed over: .txt",)
    assert faults(find(tmp_path / "*.svs")) == {}, "the pattern doesn't lead there"
    assert len(faults(find(tmp_path / "**/*.svs"))) == 2


def test_folders_of_one_name_are_told_apart(tmp_path: Path) -> None:
    for name in ("x", "y"):
        touch(tmp_path, f"{name}/{name}.svs")
        (tmp_path / name / "archive").symlink_to("/not mounted")
    seen = find(tmp_path / "x", tmp_path / "y", tmp_path / "x")
    assert sorted(faults(seen)) == [f"{tmp_path}/x/archive/", f"{tmp_path}/y/archive/"]


def test_results_are_known_by_what_a_run_writes(tmp_path: Path) -> None:
    """A lock is no result; slides among results are slides, and a run's pictures and stores are none."""
    touch(
        tmp_path,
        "stale/a.png",
        f"stale/{names.LOCK}",
        f"done/{names.SUMMARY}",
        "done/copy/b.png",
        "done/c.svs",
    )
    touch(tmp_path, *(f"done/b.png/{name}" for name in (names.OVERVIEW, names.TISSUE, names.KI67)))
    touch(
        tmp_path,
        "done/b.png/overview.changed.png",
        "alone/overview.png",
        f"begun/d.svs/{names.STORE}/shards/0",
    )
    (tmp_path / f"begun/d.svs/{names.STORE}/zarr.json").write_text(
        json.dumps({"attributes": {"cells_hash": ""}})
    )
    seen = find(tmp_path, mpp=0.25)
    assert found(seen) == ["alone/overview.png", "done/c.svs", "done/copy/b.png", "stale/a.png"]
    assert seen.notes == ("results of a run, whose files are no slides: 1 (done/)",)


def test_a_zarr_slide_may_be_called_like_a_store_and_a_torn_one_is_told(tmp_path: Path) -> None:
    touch(tmp_path, "x/torn.zarr/0/c/0/0", "y/lab.zarr/b.svs", f"z/{names.STORE}/0/.zarray")
    (tmp_path / f"a/{names.STORE}").mkdir(parents=True)
    (tmp_path / f"a/{names.STORE}/zarr.json").write_text(json.dumps({"attributes": {"ome": {}}}))
    (tmp_path / f"z/{names.STORE}/.zgroup").write_text("{}")
    seen = find(tmp_path)
    assert found(seen) == [f"a/{names.STORE}", "y/lab.zarr/b.svs", f"z/{names.STORE}"]
    assert faults(seen) == {
        "x/torn.zarr/": "is called a slide in Zarr, but has no zarr.json, .zgroup or .zattrs"
    }


def test_what_is_no_file_is_never_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "a.svs")
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    monkeypatch.chdir(tmp_path)  # a socket's path is short
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("s.svs")
        (tmp_path / "null.svs").symlink_to(os.devnull)
        seen = find(tmp_path)
    assert found(seen) == ["a.svs"]
    assert seen.notes == (
        "left out, since it is no file: 3 (null.svs, a device, pipe, a pipe, s.svs, a socket)",
    )


def test_what_is_hidden_is_named_and_what_macos_adds_is_not(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs", "x/.b.svs", ".trash/c.svs", "._a.svs", ".DS_Store", "x/.notes.txt")
    assert find(tmp_path).notes == ("left out as hidden: 2 (.trash/, x/.b.svs)",)


def test_many_are_counted_and_the_first_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs")
    for number in range(7):
        (tmp_path / f"{number}.svs").symlink_to("a.svs")
    names_left = ", ".join(f"{number}.svs, which is 0.svs" for number in range(1, 6))
    assert find(tmp_path).notes == (
        f"left out, since it is here under another name: 7 ({names_left} and 2 more)",
    )


def test_the_results_folder_is_not_searched_and_slides_in_it_are_named(tmp_path: Path) -> None:
    out = tmp_path / "out"
    touch(tmp_path, "a.svs", "out/a.svs/overview.png", "out/b.svs", f"out/a.svs/{names.STORE}/0.tif")
    seen = find(tmp_path, out=out, mpp=0.25)
    assert found(seen) == ["a.svs"]
    assert seen.notes == (f"in --out, which isn't searched for slides: 1 ({out / 'b.svs'})",)


def test_a_slide_in_the_place_of_its_results_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "a.svs", "b.zarr/zarr.json")
    for name in ("a.svs", "b.zarr"):
        with pytest.raises(
            UsageError, match=rf"--out .* is the own folder of {name}: .*; choose another --out"
        ):
            find(tmp_path / name, out=tmp_path)
    (tmp_path / "link").symlink_to(tmp_path)
    with pytest.raises(UsageError, match="is the own folder of"):
        find(tmp_path / "a.svs", out=tmp_path / "link")


@pytest.mark.parametrize("name", ["a.svs", "table.csv", "sheet.xlsx", "folder"])
def test_what_is_named_but_out_of_reach_is_a_slide_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Root reaches everything, so the system is asked to refuse."""
    real, place = os.stat, tmp_path / "locked" / name

    def stat(path: Any, **options: Any) -> os.stat_result:
        if str(path) == str(place):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path, **options)

    touch(tmp_path, "b.svs", f"locked/{name}")
    monkeypatch.setattr(os, "stat", stat)
    assert sorted(found(find(place, tmp_path / "b.svs"))) == sorted([name, "b.svs"])


@pytest.fixture
def memory() -> Iterator[UPath]:
    folder = UPath("memory://wsi-edt-tests/tree")
    yield folder
    folder.fs.rm(folder.path, recursive=True)


def test_urls_alike(memory: UPath) -> None:
    for name in (
        "a.svs",
        ".b.svs",
        "._a.svs",
        "c.xml",
        "d.ome.zarr/zarr.json",
        "d.ome.zarr/0/c/0/0/0",
        "done/run.json",
        "done/a.svs/overview.png",
        f"done/a.svs/{names.STORE}/shards/0/c/0",
        "done/e.svs",
    ):
        memory.fs.pipe_file(f"{memory.path}/{name}", b"x")
    seen = find(str(memory), mpp=0.25)
    assert found(seen) == ["a.svs", "d.ome.zarr", "done/e.svs"]
    assert seen.notes == (
        "results of a run, whose files are no slides: 1 (done/)",
        "left out as hidden: 1 (.b.svs)",
        "1 file passed over: .xml",
    )


def test_a_folder_at_a_url_that_cannot_be_listed(memory: UPath, monkeypatch: pytest.MonkeyPatch) -> None:
    """fsspec's own search leaves it out without a word."""
    for name in ("a.svs", "x/lost/b.svs", "x/c.svs"):
        memory.fs.pipe_file(f"{memory.path}/{name}", b"x")
    kind = type(memory.fs)
    real = kind.ls

    def ls(self: object, path: str, **options: Any) -> object:
        if path.endswith("lost"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return real(self, path, **options)

    monkeypatch.setattr(kind, "ls", ls)
    monkeypatch.setattr(kind, "find", AbstractFileSystem.find)  # as most drivers have it
    assert [name.rpartition("/")[2] for name in memory.fs.find(memory.path)] == ["a.svs", "c.svs"]
    seen = find(str(memory))
    assert found(seen) == ["a.svs", "x/c.svs"]
    assert faults(seen) == {"x/lost/": "can't be listed (Permission denied): what is in it is left out"}
    with pytest.raises(UsageError, match=r"lost can't be read \(Permission denied\)"):
        find(f"{memory}/x/lost")
