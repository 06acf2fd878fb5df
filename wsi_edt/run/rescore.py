"""A slide that is loaded once and scored again after each correction, by the function that scored it in its run."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime

import shapely

from wsi_edt.cells import Cells
from wsi_edt.corrections import (
    NOTHING,
    Add,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    Record,
    Threshold,
)
from wsi_edt.errors import UsageError
from wsi_edt.geometry import Window
from wsi_edt.ki67 import Ki67Result, SlideFindings, assess
from wsi_edt.qupath.regions import Region
from wsi_edt.run.corrected import corrected_findings, is_looked_at
from wsi_edt.run.finalise import found_on
from wsi_edt.run.stored import StoredSlide

_NOBODY = "(not recorded)"


class Rescorer:
    """Scores one slide again. Threads may share it.

    Parameters
    ----------
    slide : finished
    cells : its `StoredSlide.every_cell`
    """

    def __init__(self, slide: StoredSlide, cells: Cells) -> None:
        self._slide = slide
        self._found = replace(found_on(slide.seen, Cells.empty(), slide.cells), cells=cells)
        self._lock = threading.Lock()
        self._before: Ki67Result | None = None

    def before(self) -> Ki67Result:
        """The result without corrections, by the rules, regions and threshold of the last report."""
        with self._lock:
            if self._before is None:
                findings = replace(self.findings(NOTHING), corrections=None)
                self._before = assess(findings, self._slide.conventions, at_once=True)
            return self._before

    def after(self, record: Record, *, threshold: float | None = None) -> Ki67Result:
        """The result with corrections; a pure function of its arguments.

        Parameters
        ----------
        threshold : instead of the record's: what would be if it were set

        Raises
        ------
        UsageError
            If the threshold isn't possible, see `refuse`.
        """
        if threshold is not None:
            set_to = Threshold(threshold)
            self.refuse(set_to)
            record = record.with_new([set_to], who=_NOBODY, when=datetime.now(UTC))
        before = self.before()
        if not record.revision:
            return before
        result = assess(self.findings(record), self._slide.conventions, at_once=True)
        return replace(result, before=before.areas)

    def refuse(self, correction: Correction) -> None:
        """UsageError if the slide's stored cells can't show what a correction asks for, or it lies off the slide."""
        _refuse_off(correction, self._slide.seen.bounds)
        if isinstance(correction, Flip | Delete):
            largest = max(correction.cells.index, default=0)
            if largest >= len(self._found.cells):
                raise UsageError(f"there is no cell {largest}: the run found {len(self._found.cells):,}")
        if isinstance(correction, Threshold):
            self._slide.cells.with_threshold(correction.value)
        elif isinstance(correction, MakeRegion):
            region = Region(correction.name, correction.polygon, correction.class_name)
            if not is_looked_at(region, self._slide.seen.drawn, self._found):
                raise UsageError(
                    f"the region {correction.name!r} lies where the network didn't look",
                    remedy="draw it within the regions that were given to the run, or run the whole slide",
                )

    def findings(self, record: Record) -> SlideFindings:
        """What the corrections leave of the slide's cells, and where they count."""
        slide = self._slide
        return corrected_findings(
            self._found, slide.seen.drawn, record, slide.cells, threshold=slide.threshold
        )


def _refuse_off(correction: Correction, bounds: Window) -> None:
    """UsageError if an added cell, or all of an area, lies off what is seen of the slide."""
    seen = shapely.box(bounds.x, bounds.y, bounds.right, bounds.bottom)
    if isinstance(correction, Add):
        what, is_off = "a cell", not seen.covers(shapely.Point(correction.x, correction.y))
        place = f"({correction.x:.0f}, {correction.y:.0f})"
    elif isinstance(correction, MakeRegion | Exclude):
        name = f" {correction.name!r}" if isinstance(correction, MakeRegion) else ""
        what, is_off = f"an area{name}", not seen.intersects(correction.polygon)
        place = f"({correction.polygon.bounds[0]:.0f}, {correction.polygon.bounds[1]:.0f})"
    else:
        return
    if is_off:
        raise UsageError(
            f"{what} at {place} px lies off the slide, which has {bounds.width} × {bounds.height} px",
            remedy="was it drawn on another slide, or in µm? Leave it out",
        )
