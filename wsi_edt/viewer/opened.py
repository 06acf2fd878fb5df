"""The slides of a results folder, each loaded when it is looked at; the one looked at longest ago makes room."""

from __future__ import annotations

import threading
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wsi_edt.cells import Cells
from wsi_edt.errors import OutputError, SlideError, WsiEdtError
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.drawn import which_count
from wsi_edt.qupath.regions import BoolArray
from wsi_edt.results import names
from wsi_edt.results.outputs import read_ki67
from wsi_edt.run.rescore import Rescorer
from wsi_edt.run.stored import StoredResults, StoredSlide, stored_results
from wsi_edt.slides.source import SlideSource
from wsi_edt.viewer.deep_zoom import DeepZoom
from wsi_edt.viewer.handles import Handles
from wsi_edt.viewer.tiles import KeptTiles, tile_jpeg

_MOST_LOADED = 3  # slides: a million cells take 60 MB


class OpenedSlide:
    """One slide as it is looked at.

    Attributes
    ----------
    number : in the list of the results folder's slides, from 0
    stored : the slide in its results folder
    report : what changes with each report of it
    """

    def __init__(self, number: int, stored: StoredSlide, kept_tiles: KeptTiles) -> None:
        self.number = number
        self.stored = stored
        self._kept_tiles = kept_tiles
        self.report = _report_stamp(stored.folder)
        self._handles = Handles(stored.seen.source)
        self._loading = threading.Lock()
        self._looking = threading.Lock()
        self._seen: _Seen | None = None

    @cached_property
    def size(self) -> tuple[int, int]:
        """(width, height) in level-0 px, known without the slide's file."""
        return self.stored.seen.drawn_on.size

    @cached_property
    def zoom(self) -> DeepZoom:
        """Its tiles."""
        return DeepZoom(*self.size)

    @property
    def why_gone(self) -> str | None:
        """Why the slide itself can't be shown, as a clause; None if it can. Its file is looked at again once it changed."""
        with self._looking:
            stamp = _stamp(self.stored.seen.source)
            if self._seen is None or self._seen.stamp != stamp:
                if self._seen is not None:
                    self._handles.close()
                    self._handles = Handles(self.stored.seen.source)
                self._seen = _Seen(stamp, self._look())
            return self._seen.why_gone

    def _look(self) -> str | None:
        source = self.stored.seen.source
        try:
            state = source.state()
            if not self.stored.header.is_of(state.fingerprint, state.modified):
                return f"{source} isn't the file that was counted any more"
            with self._handles.lent() as slide:
                if slide.dimensions != self.size:
                    return f"{source} isn't the file that was counted any more"
        except SlideError as error:
            return error.sentence(with_remedy=False)
        return None

    def tile(self, level: int, column: int, row: int) -> bytes | None:
        """A tile as a JPEG; None if there is none, or the slide is gone.

        Raises
        ------
        SlideError
            If the slide can't be read.
        """
        if self.zoom.window(level, column, row) is None or self.why_gone is not None:
            return None
        name = (self.number, level, column, row)
        tile = self._kept_tiles.get(name)
        if tile is None:
            with self._handles.lent() as slide:
                tile = tile_jpeg(slide, self.zoom, level, column, row)
            assert tile is not None
            self._kept_tiles.put(name, tile)
        return tile

    def cells(self) -> Cells:
        """All cells that the run stored, level-0 px, in the order that corrections count them by.

        Raises
        ------
        OutputError
            If they can't be read.
        """
        with self._loading:
            return self._cells

    def counts(self) -> BoolArray | None:
        """Which of `cells` count by what was drawn for the last report: (N,) bool; None if all do. Corrections aside."""
        drawn = self.stored.seen.drawn
        return which_count(self.cells(), drawn.regions, only_regions=drawn.alone)

    def rescorer(self) -> Rescorer:
        """Scores it again; OutputError if its cells can't be read, or its results were moved away."""
        self._refuse_moved()
        with self._loading:
            return self._rescorer

    @cached_property
    def result(self) -> Ki67Result:
        """The slide's numbers, as it was last reported. OutputError if they can't be read."""
        self._refuse_moved()
        return read_ki67(self.stored.folder / names.KI67)

    def close(self) -> None:
        """Close the slide's file."""
        self._handles.close()

    def _refuse_moved(self) -> None:
        folder = self.stored.folder
        if not folder.is_dir():
            raise OutputError("isn't there any more", where=folder, remedy="was it moved or renamed?")

    @cached_property
    def _cells(self) -> Cells:
        return self.stored.every_cell()

    @cached_property
    def _rescorer(self) -> Rescorer:
        return Rescorer(self.stored, self._cells)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What was seen of a slide's file when it had this stamp."""

    stamp: tuple[int, ...]
    why_gone: str | None


def _report_stamp(folder: Path) -> tuple[int, ...]:
    found = []
    for name in (names.KI67, names.REPORT_RECORD):
        with suppress(OSError):
            found.append((folder / name).stat().st_mtime_ns)
    return tuple(found)


def _stamp(source: SlideSource) -> tuple[int, ...]:
    """What changes with a file on a disk, at the cost of a look; nothing for what isn't there, and for one elsewhere."""
    if not isinstance(source.path, Path):
        return ()
    try:
        state = source.path.stat()
    except OSError:
        return ()
    return state.st_size, state.st_mtime_ns, state.st_ino


@dataclass(frozen=True, slots=True)
class Listed:
    """A slide in the list: its name, and its case as the laboratory calls it ("" if unknown)."""

    name: str
    case: str


class OpenedResults:
    """The finished slides of a results folder.

    Parameters
    ----------
    results : a results folder, or the folder of one slide in it

    Raises
    ------
    UsageError
        If there are no results.
    OutputError
        If no slide is finished.
    """

    def __init__(self, results: Path) -> None:
        found: StoredResults = stored_results(results)
        if not found.slides:
            raise next((error for _, error in found.faults), found.why_none())
        self.root = found.root
        self._results = results
        self._stored = list(found.slides)
        self._loaded: OrderedDict[int, OpenedSlide] = OrderedDict()
        self._lock = threading.Lock()
        self._kept_tiles = KeptTiles()

    def listed(self) -> tuple[Listed, ...]:
        """All slides, those that ended since the first look last; a slide's place is its number."""
        with suppress(WsiEdtError):
            ended = stored_results(self._results).slides
            with self._lock:
                known = {slide.name for slide in self._stored}
                self._stored += [slide for slide in ended if slide.name not in known]
        return tuple(Listed(slide.name, slide.seen.case) for slide in self._stored)

    def slide(self, number: int) -> OpenedSlide | None:
        """The slide of that number, from 0, as it was reported last; None if there is none."""
        if not 0 <= number < len(self._stored):
            return None
        before = None
        with self._lock:
            slide = self._loaded.get(number)
            if slide is not None and slide.report != _report_stamp(slide.stored.folder):
                with suppress(WsiEdtError):  # while it is written, the one before stays
                    self._stored[number] = StoredSlide.read(slide.stored.folder) or slide.stored
                    before, slide = slide, None
            if slide is None:
                slide = OpenedSlide(number, self._stored[number], self._kept_tiles)
                self._loaded[number] = slide
            self._loaded.move_to_end(number)
            oldest = self._loaded.popitem(last=False)[1] if len(self._loaded) > _MOST_LOADED else None
        for one in (before, oldest):
            if one is not None:
                one.close()
        return slide

    def close(self) -> None:
        """Close all slides' files."""
        with self._lock:
            loaded, self._loaded = list(self._loaded.values()), OrderedDict()
        for slide in loaded:
            slide.close()
