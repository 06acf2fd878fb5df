"""What tells a slide's files from others of the same name."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from upath import UPath

from wsi_edt.errors import SlideError
from wsi_edt.slides import SlideSource
from wsi_edt.slides.fingerprint import FileState, file_state

MIB = 1 << 20
SMALL, LARGE = 3 * MIB + 7, 20 * MIB + 11


def content(size: int) -> bytes:
    return np.random.default_rng(0).bytes(size)


def written(path: Path, data: bytes, *, at: int = 0) -> FileState:
    """The state of a file after these bytes were written at a place, at the same time as before."""
    before = path.stat() if path.exists() else None
    with path.open("r+b" if before else "wb") as file:
        file.seek(at)
        file.write(data)
    if before:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    return file_state(path)


def test_every_byte_of_a_small_slide_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    before = written(path, content(SMALL))
    assert before.modified is None, "which copies change, and nothing needs"
    for place in (0, 1, MIB, 2 * MIB + 12345, SMALL - 1):
        now = written(path, bytes([path.read_bytes()[place] ^ 1]), at=place)
        assert now.fingerprint != before.fingerprint
        before = now


@pytest.mark.parametrize("place", range(0, LARGE - LARGE // 60, LARGE // 60))
def test_a_stretch_of_a_large_slide_counts_wherever_it_is(tmp_path: Path, place: int) -> None:
    path = tmp_path / "a.svs"
    before = written(path, content(LARGE))
    assert written(path, bytes(LARGE // 60), at=place).fingerprint != before.fingerprint


def test_of_a_large_slide_the_time_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    path.write_bytes(content(LARGE))
    os.utime(path, (1e9, 1e9))
    before = file_state(path)
    os.utime(path, (1e9, 1e9 + 60))
    assert (before.modified, file_state(path).modified) == (1e9, 1e9 + 60)
    assert file_state(path).fingerprint == before.fingerprint


def test_a_copy_that_stopped_shows_in_its_zeros(tmp_path: Path) -> None:
    for size in (SMALL, LARGE):
        path = tmp_path / f"{size}.svs"
        assert written(path, content(size)).zero_share == 0
        state = written(path, bytes(size // 5), at=size - size // 5)
        assert state.zero_share == pytest.approx(0.2, abs=0.02)


def test_where_it_lies_and_what_it_is_called_do_not_count(tmp_path: Path) -> None:
    states = set()
    for name in ("a.svs", "other/b.svs"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content(SMALL))
        states.add(file_state(tmp_path / name).fingerprint)
    assert len(states) == 1


def test_pixels_of_zarr_count(tmp_path: Path) -> None:
    folder = tmp_path / "a.zarr"
    for name, data in (("zarr.json", b"{}"), ("0/c/0", b"abc"), ("0/c/1", b"def")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    seen = {file_state(folder).fingerprint}
    (folder / "0/c/1").write_bytes(b"deF")
    seen.add(file_state(folder).fingerprint)
    (folder / "0/c/1").unlink()  # as a copy in progress lacks it
    seen.add(file_state(folder).fingerprint)
    assert len(seen) == 3


@pytest.mark.parametrize("size", [SMALL, LARGE])
def test_at_a_url_a_change_is_seen(size: int) -> None:
    url = UPath(f"memory://wsi-edt-tests/fingerprint/{size}.svs")
    url.parent.mkdir(parents=True, exist_ok=True)
    url.write_bytes(content(size))
    before = file_state(url).fingerprint
    url.write_bytes(content(size)[: size * 4 // 5] + bytes(size - size * 4 // 5))
    assert file_state(url).fingerprint != before


class _Told:
    """A driver of URLs that tells an object's version."""

    def __init__(self, version: str) -> None:
        self.version = version

    def __call__(self, path: str) -> dict[str, object]:
        return {"name": path, "size": SMALL, "type": "file", "ETag": self.version}


@pytest.mark.parametrize(("etag", "reads"), [('"abc"', False), ('W/"abc"', True), ("", True)])
def test_what_a_server_tells_of_an_object_does(
    monkeypatch: pytest.MonkeyPatch, etag: str, reads: bool
) -> None:
    """An ETag is enough, unless it is a weak one."""
    url = UPath("memory://wsi-edt-tests/fingerprint/told.svs")
    url.parent.mkdir(parents=True, exist_ok=True)
    url.write_bytes(content(SMALL))
    told = _Told(etag)
    monkeypatch.setattr(url.fs, "info", told)
    before = file_state(url).fingerprint
    url.write_bytes(content(SMALL)[:-1] + b"x")
    assert (file_state(url).fingerprint != before) is reads
    told.version = '"abd"'
    assert file_state(url).fingerprint != before


def test_what_cannot_be_read_is_one_sentence(tmp_path: Path) -> None:
    missing: list[Callable[[], object]] = [
        SlideSource(tmp_path / "a.svs").state,
        SlideSource(UPath("memory://wsi-edt-tests/nothing.svs")).state,
    ]
    for state in missing:
        with pytest.raises(SlideError, match=r"doesn.t exist; check the (path|URL)"):
            state()
