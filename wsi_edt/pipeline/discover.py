"""Which slides a run is about: files that were named, and what lies in folders that were named."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath

from wsi_edt.errors import UsageError
from wsi_edt.pipeline.lock import LOCK_NAME
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES


@dataclass(frozen=True, slots=True)
class SlideRef:
    """A slide's absolute path and its name: the path below the folder that was named, POSIX, extension included."""

    path: Path
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """The slides found, sorted by name, and how many plain images were passed over."""

    slides: tuple[SlideRef, ...]
    images_left_out: int


def find_slides(inputs: Sequence[Path], *, out: Path, with_images: bool) -> Discovery:
    """Return the slides of files and folders (searched to any depth; hidden files and folders are passed over).

    Parameters
    ----------
    out : the results folder; neither it nor another results folder is searched
    with_images : whether folders give plain images (PNG, JPEG) too; a file that is named is always taken

    Raises
    ------
    UsageError
        Where an input is missing, where two slides would have the same name, or where there is no slide at all.
    """
    found: dict[Path, SlideRef] = {}
    images_left_out = 0
    for given in inputs:
        base = given.absolute()
        if base.is_file():
            found.setdefault(base.resolve(), SlideRef(base, base.name))
            continue
        if not base.is_dir():
            raise UsageError(f"{given} is neither a file nor a folder")
        for path in _files(base, out=out):
            suffix = path.suffix.lower()
            if suffix in IMAGE_SUFFIXES and not with_images:
                images_left_out += 1
            elif suffix in SLIDE_SUFFIXES or suffix in IMAGE_SUFFIXES:
                found.setdefault(path.resolve(), SlideRef(path, path.relative_to(base).as_posix()))
    slides = tuple(sorted(found.values(), key=lambda slide: slide.name))
    if not slides:
        raise UsageError(_nothing_found(inputs, images_left_out))
    for first, second in pairwise(slides):
        if first.name == second.name:
            raise UsageError(
                f"{first.path} and {second.path} would both have their results in {first.name}; "
                "give the folder above them, or run them into two results folders"
            )
    return Discovery(slides, images_left_out)


def _files(base: Path, *, out: Path) -> Iterator[Path]:
    """All files below a folder but hidden ones and results, through links to folders, each folder once."""
    visited = {out.resolve()}
    for folder, subfolders, names in os.walk(base, followlinks=True):
        here = Path(folder).resolve()
        if here in visited or LOCK_NAME in names:  # the lock marks results, whose pictures are no slides
            subfolders.clear()
            continue
        visited.add(here)
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            path = Path(folder, name)
            if not name.startswith(".") and path.is_file():
                yield path


def _nothing_found(inputs: Sequence[PurePath], images_left_out: int) -> str:
    where = ", ".join(str(path) for path in inputs)
    if images_left_out:
        return (
            f"no slides in {where}, but {images_left_out} PNG or JPEG image{'' if images_left_out == 1 else 's'}: "
            "pass --mpp (for example 0.25) to take PNG and JPEG as slides"
        )
    return f"no slides in {where}; looked for {' '.join(sorted(SLIDE_SUFFIXES))}"
