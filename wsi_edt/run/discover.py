"""Which slides a run is about: files that were named, and what lies in folders that were named; paths or URLs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath

from wsi_edt.errors import UsageError
from wsi_edt.results import names
from wsi_edt.slides.location import SlidePath, file_name, files_below, is_folder, location
from wsi_edt.slides.metadata import refuse_implausible_mpp
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES
from wsi_edt.slides.source import SlideSource


@dataclass(frozen=True, slots=True)
class SlideRef:
    """A slide (its path is absolute), and its name: the path below the folder that was given, POSIX, with extension."""

    source: SlideSource
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """The slides found, sorted by name, and how many plain images were skipped."""

    slides: tuple[SlideRef, ...]
    images_left_out: int


def find_slides(
    inputs: Sequence[str | SlidePath], *, out: Path, fallback_mpp: float | None = None
) -> Discovery:
    """The slides among files and folders (searched to any depth; hidden files and folders are skipped).

    Parameters
    ----------
    inputs : paths and URLs; a text with :// in it is a URL
    out : the results folder; neither it nor another results folder is searched
    fallback_mpp : µm per level-0 px of slides that state none. Plain images (PNG, JPEG) state none: without it, those in
        folders are skipped. A file that is named is always taken

    Raises
    ------
    UsageError
        If an input is missing or can't be reached, if two slides would have the same name, or if there is no slide at
        all.
    """
    if fallback_mpp is not None:
        refuse_implausible_mpp(fallback_mpp)
    found: dict[SlidePath, tuple[SlidePath, str]] = {}
    images_left_out = 0
    for given in inputs:
        if given == "":
            raise UsageError(
                "an empty text doesn't name a slide (an unset variable?)", remedy="for this folder give ."
            )
        base = location(given)
        if not is_folder(base):
            path, name = _named(base)
            found.setdefault(_identity(path), (path, name))
            continue
        for path, name in _below(base, out=out):
            suffix = PurePath(name).suffix.lower()
            if suffix in IMAGE_SUFFIXES and fallback_mpp is None:
                images_left_out += 1
            elif suffix in SLIDE_SUFFIXES or suffix in IMAGE_SUFFIXES:
                found.setdefault(_identity(path), (path, name))
    if not found:
        raise _nothing_found(inputs, images_left_out, out=out)
    named = sorted(found.values(), key=lambda one: one[1])
    for (first, name), (second, other) in pairwise(named):
        if name == other:
            raise UsageError(
                f"{first} and {second} would both have their results in {name}",
                remedy="give the folder above them, or run them into two results folders",
            )
    slides = tuple(SlideRef(SlideSource(path, fallback_mpp), name) for path, name in named)
    return Discovery(slides, images_left_out)


def _named(path: SlidePath) -> tuple[SlidePath, str]:
    """The path and the name of a slide that was given itself."""
    name = file_name(path)
    if name in ("", ".."):  # a web server answers to any address
        raise UsageError("doesn't name a file", where=path, remedy="give the address of a slide")
    return path.absolute() if isinstance(path, Path) else path, name


def _identity(path: SlidePath) -> SlidePath:
    """The same for all ways to name one file."""
    return path.resolve() if isinstance(path, Path) else path


def _below(folder: SlidePath, *, out: Path) -> Iterator[tuple[SlidePath, str]]:
    """The path and the name of each file below a folder, but for hidden ones and results."""
    if not isinstance(folder, Path):
        yield from files_below(folder)
        return
    base = folder.absolute()
    for path in _files(base, out=out):
        yield path, path.relative_to(base).as_posix()


def _files(base: Path, *, out: Path) -> Iterator[Path]:
    """All files below a folder but hidden ones and results; links to folders are followed, each folder once."""
    visited = {out.resolve()}
    for folder, subfolders, files in os.walk(base, followlinks=True):
        here = Path(folder).resolve()
        if here in visited or names.LOCK in files:  # the lock marks results, whose pictures aren't slides
            subfolders.clear()
            continue
        visited.add(here)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(files):
            path = Path(folder, name)
            # A link that leads nowhere is a slide that can't be read, rather than nothing.
            if not name.startswith(".") and (path.is_file() or (path.is_symlink() and not path.exists())):
                yield path


def _nothing_found(inputs: Sequence[str | SlidePath], images_left_out: int, *, out: Path) -> UsageError:
    where = ", ".join(map(str, inputs))
    if any(_identity(location(given)) == out.resolve() for given in inputs):
        return UsageError(
            f"--out {out} is the slides' own folder, and results aren't searched for slides",
            remedy="choose another --out",
        )
    if images_left_out:
        return UsageError(
            f"no slides in {where}, but {images_left_out} PNG or JPEG image{'' if images_left_out == 1 else 's'}",
            remedy="pass --mpp (for example 0.25) to take PNG and JPEG as slides",
        )
    return UsageError(f"no slides in {where}", remedy=f"looked for {' '.join(sorted(SLIDE_SUFFIXES))}")
