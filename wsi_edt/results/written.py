"""The files of a slide as they were written, by size and sha256, so that what came to harm later is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsi_edt import files


@dataclass(frozen=True, slots=True)
class Written:
    """A file's size in bytes and the sha256 of its content."""

    size: int
    sha256: str


def as_written(folder: Path, names: Iterable[str]) -> dict[str, Written]:
    """What these files of a folder are now, by their names.

    Raises
    ------
    OutputError
        If one can't be read.
    """
    with files.writing(folder):
        return {name: _state(folder / name) for name in names}


def other_than_written(folder: Path, written: Mapping[str, Written]) -> tuple[str, ...]:
    """The names of those files that are there, but aren't what was written."""
    return tuple(name for name, state in written.items() if not _is(folder / name, state, absent=True))


def is_as_written(folder: Path, names: Iterable[str], written: Mapping[str, Written]) -> bool:
    """Whether all of these files were written, are there, and are what was written."""
    return all(name in written and _is(folder / name, written[name], absent=False) for name in names)


def keep_aside(folder: Path, names: Iterable[str]) -> None:
    """Give files other names, `aside_name`, so that new ones don't replace them; a person may have changed them.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    for name in names:
        aside = folder / aside_name(name)
        with files.writing(aside):
            (folder / name).replace(aside)


def aside_name(name: str) -> str:
    """What a file is called that was changed after it was written: cells.geojson becomes cells.changed.geojson."""
    stem, dot, suffixes = name.partition(".")
    return f"{stem}.changed{dot}{suffixes}"


def keep_earlier(folder: Path, name: str) -> str:
    """Give a file a name that no other has, such as corrections.earlier.json or corrections.earlier-2.json; which.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    stem, dot, suffixes = name.partition(".")
    number = 1
    while (aside := folder / f"{stem}.earlier{f'-{number}' if number > 1 else ''}{dot}{suffixes}").exists():
        number += 1
    with files.writing(aside):
        (folder / name).replace(aside)
    return aside.name


def _is(path: Path, written: Written, *, absent: bool) -> bool:
    """Whether a file is what was written; `absent` if it isn't there."""
    try:
        return path.stat().st_size == written.size and _state(path) == written
    except FileNotFoundError:
        return absent
    except OSError:
        return False


def _state(path: Path) -> Written:
    with path.open("rb") as file:
        return Written(path.stat().st_size, hashlib.file_digest(file, "sha256").hexdigest())
