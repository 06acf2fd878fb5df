"""OME-TIFF of several files: which of them belong to a slide that another file stands for."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from xml.etree import ElementTree

import tifffile

_IS_OME = re.compile(r"\.ome\.\w+$", re.IGNORECASE)
_FILE = re.compile(r'FileName\s*=\s*"([^"]*)"')
_FIRST = ("FirstC", "FirstZ", "FirstT")


def further_files(paths: Iterable[Path]) -> frozenset[Path]:
    """Those that hold other planes or channels of a picture whose first plane is in another of the files.

    The file with the first plane says which. Only files named .ome.tif and the like are looked into, and only in folders
    that hold several.
    """
    folders: dict[Path, list[Path]] = defaultdict(list)
    for path in paths:
        if _IS_OME.search(path.name):
            folders[path.parent].append(path)
    return frozenset(
        path.with_name(name)
        for members in folders.values()
        if len(members) > 1
        for path in members
        for name in _named_in(path)
    )


def _named_in(path: Path) -> set[str]:
    """The other files of the picture whose first plane a file holds, as its OME-XML names them."""
    with suppress(Exception):  # tifffile raises what it likes for what is no TIFF; opening it tells
        with tifffile.TiffFile(path, is_ome=False) as tiff:
            text = tiff.pages.first.description
        if len(set(_FILE.findall(text))) < 2:
            return set()
        for pixels in ElementTree.fromstring(text).iterfind("{*}Image/{*}Pixels"):
            data = pixels.findall("{*}TiffData")
            files = [(one, uuid.get("FileName", "")) for one in data for uuid in one.findall("{*}UUID")]
            first = [name for one, name in files if all(one.get(axis, "0") == "0" for axis in _FIRST)]
            if first == [path.name]:
                return {name for _, name in files if name == Path(name).name} - {path.name}
    return set()
