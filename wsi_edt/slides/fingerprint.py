"""What tells a slide's files from others of the same name: their sizes, and their content or blocks spread over it.

A slide may have 5 GB and lie on a network disk, so it isn't read whole. 64 blocks see every change of a stretch of more
than a 63rd of it: a copy in progress whose size was set beforehand, a new export, another slide. What is smaller shows in
the time of its last change alone, which copies may lose; files that are read whole don't need it.
"""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from upath import UPath

from wsi_edt.errors import SlideError
from wsi_edt.slides.companions import companions
from wsi_edt.slides.dicom import level_files
from wsi_edt.slides.location import SlidePath, open_binary, read_failure
from wsi_edt.slides.zarr_reader import is_zarr

_BLOCK_BYTES = 1 << 14
_ZEROS = bytes(_BLOCK_BYTES)
_START_BYTES = 1 << 20  # of the slide's first file: most of its metadata


@dataclass(frozen=True, slots=True)
class _Effort:
    """Up to which size a slide is read whole, and how many blocks of a larger one."""

    whole_bytes: int
    blocks: int


_ON_DISK = _Effort(whole_bytes=1 << 24, blocks=64)
_AT_URL = _Effort(whole_bytes=1 << 21, blocks=8)  # each block is a request of half a MiB
# What servers tell of an object that changes with its content, as their drivers call it.
_VERSIONS = ("ETag", "etag", "md5Hash", "content_md5", "Content-MD5")


@dataclass(frozen=True, slots=True)
class FileState:
    """A slide's files at a moment.

    Attributes
    ----------
    fingerprint : the same for the same content, wherever it lies
    modified : when the youngest of the files was last changed, s since 1970; None where the fingerprint covers every byte
    zero_share : of the blocks that were looked at, how many hold nothing but zeros
    """

    fingerprint: str
    modified: float | None
    zero_share: float


@dataclass(frozen=True, slots=True)
class _File:
    """One of a slide's files, under the name that counts."""

    path: SlidePath
    name: str
    size: int


def file_state(path: SlidePath, series: int | None = None) -> FileState:
    """The state of a slide's files: its own, and those that belong to it (DICOM, MRXS, VMS, Zarr).

    Parameters
    ----------
    series : the number of its picture, if one was asked for: another picture is another slide

    Raises
    ------
    SlideError
        If a file can't be read.
    """
    number = "" if series is None else f"-{series}"
    try:
        if not isinstance(path, Path):
            return _at_url(path, number)
        files, modified = _files(path)
        content, zero_share, whole = _content(files, _ON_DISK)
    except SlideError:
        raise
    except Exception as error:  # OSError for a path; the drivers of URLs raise what they like
        raise read_failure(path, error) from error
    size = sum(file.size for file in files)
    return FileState(f"{size}-{content}{number}", None if whole else modified, zero_share)


def _at_url(url: UPath, number: str) -> FileState:
    with open_binary(url) as file:
        size = file.seek(0, os.SEEK_END)
    told = url.fs.info(url.path)
    version = next((str(told[key]) for key in _VERSIONS if told.get(key)), "")
    if version and not version.startswith("W/"):  # a weak one may outlast a change
        return FileState(f"{size}-{hashlib.sha256(version.encode()).hexdigest()}{number}", None, 0.0)
    content, zero_share, _ = _content([_File(url, "", size)], _AT_URL)
    return FileState(f"{size}-{content}{number}", None, zero_share)


def _files(path: Path) -> tuple[list[_File], float]:
    """The files of a slide on a disk, its own first, and the time of the youngest."""
    if is_zarr(path):
        paths = sorted(Path(folder, name) for folder, _, names in os.walk(path) for name in names)
        named = [(one, one.relative_to(path).as_posix()) for one in paths]
    else:
        with open_binary(path):  # says what is wrong with an empty or missing one
            pass
        # A slide may be renamed, and its companions may not.
        named = [(path, ""), *((one, one.name) for one in (*companions(path), *level_files(path)))]
    states = [one.stat() for one, _ in named]
    files = [_File(one, name, state.st_size) for (one, name), state in zip(named, states, strict=True)]
    return files, max((state.st_mtime for state in states), default=0.0)


def _content(files: Sequence[_File], effort: _Effort) -> tuple[str, float, bool]:
    """The sha256 of the files' names, sizes and content, the share of zeros, and whether all of the content was read."""
    found = hashlib.sha256()
    for file in files:
        found.update(f"{file.name} {file.size}\n".encode(errors="surrogateescape"))
    whole = sum(file.size for file in files) <= effort.whole_bytes
    zeros = blocks = 0
    for block in _blocks(files, _every_place(files) if whole else _some_places(files, effort.blocks)):
        found.update(block)
        zeros += bool(block) and block == _ZEROS[: len(block)]
        blocks += 1
    if not whole:
        with open_binary(files[0].path) as start:
            found.update(start.read(_START_BYTES))
    return found.hexdigest(), zeros / max(blocks, 1), whole


def _every_place(files: Sequence[_File]) -> Iterator[tuple[int, int]]:
    """Each block of each file: the file's index, and the place in it."""
    for index, file in enumerate(files):
        yield from ((index, place) for place in range(0, file.size, _BLOCK_BYTES))


def _some_places(files: Sequence[_File], blocks: int) -> Iterator[tuple[int, int]]:
    """As many blocks, evenly spread over all files one after another, with the very last."""
    ends = list(accumulate(file.size for file in files))
    last = max(ends[-1] - _BLOCK_BYTES, 0)
    for number in range(blocks):
        place = last * number // (blocks - 1)
        index = bisect_right(ends, place)
        yield index, place - (ends[index] - files[index].size)


def _blocks(files: Sequence[_File], places: Iterator[tuple[int, int]]) -> Iterator[bytes]:
    """The blocks at these places, ordered by file; each file is opened once."""
    opened: tuple[int, BinaryIO] | None = None
    with ExitStack() as stack:
        for index, place in places:
            if opened is None or opened[0] != index:
                stack.close()
                opened = index, stack.enter_context(open_binary(files[index].path))
            opened[1].seek(place)
            yield opened[1].read(_BLOCK_BYTES)
