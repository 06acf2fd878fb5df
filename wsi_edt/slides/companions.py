"""Formats of several files: which files belong to a slide that another file stands for, and whether all are there.

Their companions are often JPEGs or TIFFs, which would otherwise pass for slides of their own.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from wsi_edt.errors import SlideError
from wsi_edt.slides.ome_files import further_files

_MIRAX, _MIRAX_INDEX = ".mrxs", "Slidedat.ini"
_HAMAMATSU = (".vms", ".vmu")
_HAMAMATSU_FILE = re.compile(r"^\s*(\w*(?:File|Image)\w*(?:\([\d,\s]+\))?)\s*=\s*(.*?)\s*$", re.MULTILINE)
_OPTIONAL = "OptimisationFile"  # openslide does without
_LARGEST_KEY_FILE = 1 << 20


def companions(path: Path) -> tuple[Path, ...]:
    """The files that a slide consists of beside its own, of those that are there; none for formats of one file."""
    suffix = path.suffix.lower()
    if suffix == _MIRAX:
        folder = path.with_suffix("")
        return tuple(sorted(one for one in folder.iterdir() if one.is_file())) if folder.is_dir() else ()
    if suffix in _HAMAMATSU:
        return tuple(one for _, one in _named_in(path) if one.is_file())
    return ()


def refuse_incomplete(path: Path) -> None:
    """Raise SlideError for a slide of several files of which some are missing.

    openslide takes none of these for slides then, and the .mrxs itself is a JPEG: a small picture of the slide.
    """
    suffix = path.suffix.lower()
    if suffix == _MIRAX:
        folder = path.with_suffix("")
        if not (folder / _MIRAX_INDEX).is_file():
            lacks = f"lacks {_MIRAX_INDEX} in its folder" if folder.is_dir() else "lacks its folder"
            raise SlideError(
                f"{lacks} {folder.name}, which holds the slide's pixels",
                where=path,
                remedy=f"copy the whole folder {folder.name} beside it",
            )
    if suffix in _HAMAMATSU:
        missing = [one.name for key, one in _named_in(path) if key != _OPTIONAL and not one.is_file()]
        if missing:
            more = f" and {len(missing) - 1} more" if len(missing) > 1 else ""
            raise SlideError(
                f"names files that aren't beside it: {missing[0]}{more}",
                where=path,
                remedy="copy them beside it",
            )


def belonging_to_others(paths: Iterable[Path]) -> frozenset[Path]:
    """Those of the files that belong to a slide which another file stands for, whether or not that one can be read."""
    everything = list(paths)
    folders = {path.parent for path in everything if path.name == _MIRAX_INDEX}
    folders |= {path.with_suffix("") for path in everything if path.suffix.lower() == _MIRAX}
    folders |= {path.with_name(f"{path.stem}_files") for path in everything if path.suffix.lower() == ".dzi"}
    folders |= {path.with_name(f"_{path.stem}_") for path in everything if path.suffix.lower() == ".vsi"}
    zoomify = {path.parent for path in everything if path.name == "ImageProperties.xml"}
    named = {
        one
        for path in everything
        if path.suffix.lower() in _HAMAMATSU
        for one in companions(path)
        if one != path
    }
    named |= further_files(everything)
    if not (folders or zoomify or named):
        return frozenset()
    return frozenset(
        path
        for path in everything
        if path in named
        or not folders.isdisjoint(path.parents)
        or any(parent.name.startswith("TileGroup") and parent.parent in zoomify for parent in path.parents)
    )


def lone_folders(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The folders of MRXS slides whose .mrxs, the file that is opened, isn't beside them."""
    everything = list(paths)
    folders = {path.parent for path in everything if path.name == _MIRAX_INDEX}
    folders -= {path.with_suffix("") for path in everything if path.suffix.lower() == _MIRAX}
    return tuple(sorted(one for one in folders if not one.with_name(f"{one.name}{_MIRAX}").exists()))


def _named_in(path: Path) -> Iterator[tuple[str, Path]]:
    """The keys and the files that a Hamamatsu key file names, beside it."""
    try:
        with path.open("rb") as file:
            text = file.read(_LARGEST_KEY_FILE).decode("utf-8", errors="replace")
    except OSError:
        return
    for key, name in _HAMAMATSU_FILE.findall(text):
        # A name alone: what a file says must not lead out of its folder.
        if name and PurePosixPath(name.replace("\\", "/")).name == name and "." in name:
            yield key, path.with_name(name)
