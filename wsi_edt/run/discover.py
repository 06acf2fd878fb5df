"""Which slides a run is about: files that were named, and what lies in folders that were named; paths or URLs."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path, PurePath

from wsi_edt.errors import UsageError
from wsi_edt.results.lock import LOCK_NAME
from wsi_edt.slides.location import SlidePath, file_name, files_below, is_folder, location
from wsi_edt.slides.opening import IMAGE_SUFFIXES, SLIDE_SUFFIXES


@dataclass(frozen=True, slots=True)
class SlideRef:
    """A slide's absolute path or URL, and its name: the path below the folder that was named, POSIX, with extension."""

    path: SlidePath
    name: str


@dataclass(frozen=True, slots=True)
class Discovery:
    """The slides found, sorted by name, and how many plain images were passed over."""

    slides: tuple[SlideRef, ...]
    images_left_out: int


def find_slides(inputs: Sequence[str | SlidePath], *, out: Path, with_images: bool) -> Discovery:
    """Return the slides of files and folders (searched to any depth; hidden files and folders are passed over).

    Parameters
    ----------
    inputs : paths and URLs; a text with :// in it is a URL
    out : the results folder; neither it nor another results folder is searched
    with_images : whether folders give plain images (PNG, JPEG) too; a file that is named is always taken

    Raises
    ------
    UsageError
        Where an input is missing or can't be reached, where two slides would have the same name, or where there is no
        slide at all.
    """
    found: dict[SlidePath, SlideRef] = {}
    images_left_out = 0
    for given in inputs:
        if given == "":
            raise UsageError("an empty text names no slide (an unset variable?); for this folder give .")
        base = location(given)
        if not is_folder(base):
            ref = _named(base)
            found.setdefault(_identity(ref.path), ref)
            continue
        for ref in _below(base, out=out):
            suffix = PurePath(ref.name).suffix.lower()
            if suffix in IMAGE_SUFFIXES and not with_images:
                images_left_out += 1
            elif suffix in SLIDE_SUFFIXES or suffix in IMAGE_SUFFIXES:
                found.setdefault(_identity(ref.path), ref)
    slides = tuple(sorted(found.values(), key=lambda slide: slide.name))
    if not slides:
        raise UsageError(_nothing_found(inputs, images_left_out, out=out))
    for first, second in pairwise(slides):
        if first.name == second.name:
            raise UsageError(
                f"{first.path} and {second.path} would both have their results in {first.name}; "
                "give the folder above them, or run them into two results folders"
            )
    return Discovery(slides, images_left_out)


def _named(path: SlidePath) -> SlideRef:
    """The slide that was named itself."""
    name = file_name(path)
    if name in ("", ".."):  # a web server answers to any address
        raise UsageError(f"{path} names no file; give the address of a slide")
    return SlideRef(path.absolute() if isinstance(path, Path) else path, name)


def _identity(path: SlidePath) -> SlidePath:
    """What is the same for all ways to name one file."""
    return path.resolve() if isinstance(path, Path) else path


def _below(folder: SlidePath, *, out: Path) -> Iterator[SlideRef]:
    """All files below a folder, but hidden ones and results."""
    if not isinstance(folder, Path):
        yield from (SlideRef(url, name) for url, name in files_below(folder))
        return
    base = folder.absolute()
    for path in _files(base, out=out):
        yield SlideRef(path, path.relative_to(base).as_posix())


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
            # A link that leads nowhere is a slide that can't be read, and not none.
            if not name.startswith(".") and (path.is_file() or (path.is_symlink() and not path.exists())):
                yield path


def _nothing_found(inputs: Sequence[str | SlidePath], images_left_out: int, *, out: Path) -> str:
    where = ", ".join(map(str, inputs))
    if any(_identity(location(given)) == out.resolve() for given in inputs):
        return f"--out {out} is the slides' own folder, and results are not searched for slides; choose another --out"
    if images_left_out:
        return (
            f"no slides in {where}, but {images_left_out} PNG or JPEG image{'' if images_left_out == 1 else 's'}: "
            "pass --mpp (for example 0.25) to take PNG and JPEG as slides"
        )
    return f"no slides in {where}; looked for {' '.join(sorted(SLIDE_SUFFIXES))}"
