"""What the viewer shows as a folder of files, which any web server and a USB stick show: to look at, not to correct.

::

    index.html                     opens by double-click
    page/                          its script and style
    slides.json.js                 what the server answers by that address, as a script: see page/source.js
    slide/<n>/info.json.js         and so on
    slide/<n>/tiles/<level>/<column>_<row>.jpg
    wsi-edt-export.json            says that this folder is an export, which another may replace

index.html is written last: a folder without it isn't whole.
"""

from __future__ import annotations

import base64
import math
import os
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import orjson

from wsi_edt import files
from wsi_edt.corrections.wire import record_to_json
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.viewer.cells_bin import packed
from wsi_edt.viewer.deep_zoom import DeepZoom
from wsi_edt.viewer.exported_page import page_of_export
from wsi_edt.viewer.heat import heat_fields
from wsi_edt.viewer.info import score_fields, slide_info
from wsi_edt.viewer.opened import OpenedResults, OpenedSlide

MPP: Final = 0.5  # of the finest level: nuclei are told apart, and a slide of 0.25 is a quarter as large
_MARK: Final = "wsi-edt-export.json"
_INDEX: Final = "index.html"
_OWN: Final = (_INDEX, "page", "slides.json.js", "slide", _MARK)  # index.html goes first, the mark last
_GONE: Final = "its file wasn't within reach, or was another, when this folder was made"
_TRIED: Final = 16  # tiles of a slide that are made to estimate the whole
_SPARE: Final = 1.2  # how much more room than the estimate must be there
_BLOCK: Final = 4096  # bytes that a disk gives a file at least, or a part of
_JSON_BYTES: Final = 18  # of a cell in base64 with a little for the rest

Json = dict[str, Any]
Place = tuple[int, int, int]  # level, column, row


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an export will take, judged by some tiles of each slide.

    Attributes
    ----------
    size : bytes
    seconds : about
    tiles : of all slides
    """

    size: int
    seconds: float
    tiles: int


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """How an export is made.

    Attributes
    ----------
    mpp : µm/px of the finest level; of a slide's levels the one nearest to it is taken
    planned : is told the estimate, before anything is written
    note : is told what a user should know
    """

    mpp: float = MPP
    planned: Callable[[Estimate], None] = field(default=lambda estimate: None)
    note: Callable[[str], None] = field(default=lambda line: None)

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mpp) and self.mpp > 0):
            raise UsageError(
                f"--export-mpp {self.mpp:g} isn't a size of a px", remedy=f"give, for example, {MPP}"
            )


def export(results: Path, folder: Path, options: ExportOptions) -> int:
    """Write the slides of a results folder as files; how many bytes they are.

    An error removes what was written of it, and index.html is written last: no part of an export looks whole.

    Parameters
    ----------
    folder : new, empty, or an earlier export, which is replaced

    Raises
    ------
    UsageError
        If there are no results, or the folder holds something else.
    OutputError
        If no slide is finished, there isn't room, or the system refuses.
    SlideError
        If a slide can't be read.
    """
    opened = OpenedResults(results)
    try:
        _refuse(folder, opened.root)
        estimate = _estimated(opened, options)
        options.planned(estimate)
        _refuse_without_room(folder, estimate)
        is_new = not folder.exists()
        try:
            return _Writer(folder).write(opened, options)
        except BaseException:  # also an interrupt
            _remove_own(folder)
            if is_new:
                with suppress(OSError):
                    folder.rmdir()
            raise
    finally:
        opened.close()


def _refuse(folder: Path, root: Path) -> None:
    place = folder.resolve()
    if place.is_relative_to(root.resolve()):
        raise UsageError("lies in the results", where=f"--export {folder}", remedy="choose a place elsewhere")
    with files.writing(folder):
        is_other = folder.is_dir() and any(folder.iterdir()) and not (folder / _MARK).is_file()
    if is_other:
        raise UsageError("isn't empty", where=f"--export {folder}", remedy="choose a new folder")


def _finest(slide: OpenedSlide, mpp: float) -> int:
    """The level nearest to that many µm/px, by ratio; never one of which the whole slide is less than a tile."""
    zoom, own = slide.zoom, slide.stored.seen.scale.slide_mpp
    steps = max(0, round(math.log2(mpp / own)))
    return max(zoom.top_level - steps, zoom.first_level)


def _places(zoom: DeepZoom, finest: int) -> Iterator[Place]:
    for level in range(finest, zoom.first_level - 1, -1):
        for row in range(-(-zoom.size(level)[1] // zoom.tile_px)):
            for column in range(-(-zoom.size(level)[0] // zoom.tile_px)):
                yield level, column, row


def _count(zoom: DeepZoom, finest: int) -> int:
    return sum(
        math.prod(-(-side // zoom.tile_px) for side in zoom.size(level))
        for level in range(zoom.first_level, finest + 1)
    )


def _each(opened: OpenedResults) -> Iterator[OpenedSlide]:
    for number in range(len(opened.listed())):
        slide = opened.slide(number)
        assert slide is not None
        yield slide


def _estimated(opened: OpenedResults, options: ExportOptions) -> Estimate:
    size, seconds, tiles = 0.0, 0.0, 0
    for slide in _each(opened):
        size += _JSON_BYTES * len(slide.cells())
        if slide.why_gone is not None:
            options.note(f"{slide.stored.name} is shown without its picture: {slide.why_gone}")
            continue
        finest = _finest(slide, options.mpp)
        count = _count(slide.zoom, finest)
        begun = time.perf_counter()
        tried = [
            _tile(slide, place) for place in islice(_places(slide.zoom, finest), 0, None, -(-count // _TRIED))
        ]
        seconds += (time.perf_counter() - begun) / len(tried) * count / _threads()
        size += sum(-(-len(tile) // _BLOCK) * _BLOCK for tile in tried) / len(tried) * count
        tiles += count
    return Estimate(round(size), seconds, tiles)


def _refuse_without_room(folder: Path, estimate: Estimate) -> None:
    held = next(one for one in (folder.absolute(), *folder.absolute().parents) if one.is_dir())
    freed = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) if held == folder else 0
    free = shutil.disk_usage(held).free + freed
    if free < _SPARE * estimate.size:
        raise OutputError(
            f"has room for {free / 1e9:.2g} GB, and about {_SPARE * estimate.size / 1e9:.2g} GB are needed",
            where=folder,
            remedy="make room there, or give a larger --export-mpp",
        )


def _remove_own(folder: Path) -> None:
    for name in _OWN:
        files.remove(folder / name)


def _threads() -> int:
    return min(os.cpu_count() or 1, 8)


def _tile(slide: OpenedSlide, place: Place) -> bytes:
    tile = slide.tile(*place)
    assert tile is not None, place
    return tile


class _Writer:
    """Writes below one folder, and counts the bytes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._written = 0

    def write(self, opened: OpenedResults, options: ExportOptions) -> int:
        _remove_own(self._folder)
        self._put(_MARK, orjson.dumps({"format": 1, "made_by": "wsi-edt view --export"}))
        page = page_of_export()
        for name, content in page.items():
            if name != _INDEX:
                self._put(name, content)
        listed = [{"name": one.name, "case": one.case} for one in opened.listed()]
        self._script("slides.json", orjson.dumps({"slides": listed}))
        for slide in _each(opened):
            self._slide(slide, options.mpp)
        files.write_atomically(self._folder / _INDEX, page[_INDEX])
        return self._written + len(page[_INDEX])

    def _slide(self, slide: OpenedSlide, mpp: float) -> None:
        base, info = f"slide/{slide.number}", slide_info(slide)
        finest = _finest(slide, mpp)
        info["zoom"]["finest_level"] = finest
        if info["gone"]:
            info["gone"] = _GONE  # what it says otherwise has the path on this machine
        self._script(f"{base}/info.json", orjson.dumps(info))
        self._script(f"{base}/heat.json", orjson.dumps(heat_fields(slide)))
        self._script(f"{base}/score.json", orjson.dumps(score_fields(slide)))
        self._script(f"{base}/corrections.json", record_to_json(slide.stored.corrections.read()))
        self._script(
            f"{base}/cells.bin", b'"' + base64.b64encode(packed(slide.cells(), slide.counts())) + b'"'
        )
        if not info["gone"]:
            self._tiles(slide, base, tuple(_places(slide.zoom, finest)))

    def _tiles(self, slide: OpenedSlide, base: str, places: Sequence[Place]) -> None:
        for level in {level for level, _, _ in places}:
            with files.writing(self._folder):
                (self._folder / base / "tiles" / str(level)).mkdir(parents=True, exist_ok=True)

        def write(place: Place) -> int:
            tile = _tile(slide, place)
            level, column, row = place
            path = self._folder / base / f"tiles/{level}/{column}_{row}.jpg"
            with files.writing(path):
                path.write_bytes(tile)
            return len(tile)

        threads = ThreadPoolExecutor(_threads(), "tiles")
        try:
            for written in as_completed([threads.submit(write, place) for place in places]):
                self._written += written.result()
        finally:
            threads.shutdown(cancel_futures=True)

    def _script(self, address: str, content: bytes) -> None:
        """What an address answers, as JSON, as a script that a page on a disk can load."""
        self._put(f"{address}.js", b'wsiEdtFile("%b", %b);\n' % (address.encode(), content))

    def _put(self, name: str, content: bytes) -> None:
        path = self._folder / name
        with files.writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        self._written += len(content)
