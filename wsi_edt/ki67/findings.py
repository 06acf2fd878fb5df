"""What was found on one slide: all that its numbers and its files are made from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67.corrections_made import CorrectionsMade
from wsi_edt.ki67.drawn import counted_cells
from wsi_edt.qupath.regions import Region
from wsi_edt.slides.quality import SlideQuality
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import TissueMask


@dataclass(frozen=True, slots=True)
class CountedBy:
    """The model that found the cells.

    Attributes
    ----------
    model : its name and version
    sentence : what it counts, in its bundle's own words
    threshold : the score that a cell exceeds; None of findings that no run made
    model_threshold : the model's own, which its accuracy was measured with; None if that isn't known
    model_median_score : of the cells that it found on the pictures that its threshold was chosen on; None if it doesn't say
    """

    model: str
    sentence: str
    threshold: float | None = None
    model_threshold: float | None = None
    model_median_score: float | None = None

    @property
    def changed_threshold(self) -> str:
        """The threshold and the model's own, in words, where somebody chose another; else empty."""
        if self.threshold is None or self.model_threshold in (None, self.threshold):
            return ""
        return f"the threshold {self.threshold:g} (the model's own is {self.model_threshold:g})"

    @property
    def threshold_is_raised(self) -> bool:
        """Whether fewer cells count than by the model's own threshold."""
        own, used = self.model_threshold, self.threshold
        return own is not None and used is not None and used > own


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a result can be made again from.

    Attributes
    ----------
    version : of this program
    model_sha256 : of the model's weights
    settings_sha256 : of all settings that change cells
    slide_fingerprint : tells the slide's content from another's, see `FileState`
    regions_file, regions_sha256 : the name of the file that regions were drawn in, and of its bytes; None without one
    """

    version: str
    model_sha256: str
    settings_sha256: str
    slide_fingerprint: str
    regions_file: str | None = None
    regions_sha256: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class SlideFindings:
    """One slide's findings.

    Attributes
    ----------
    slide : its relative path, POSIX, extension included
    source : the slide itself, for outputs that show it
    cells : those that count, level-0 px, ordered by y, x and class; without DAB none of them has a class, see
        `classes_of_stain`; of what was drawn, see `with_regions`
    tissue : of the whole slide
    scale : of the slide against the model
    mpp_stated : whether the file states its µm/px; if not, the user gave it
    bounds : what QuPath shows of the slide, level-0 px
    remark : what the user should know of how the slide was read (which of several planes, an orientation), if anything
    regions : drawn on the slide by the user, level-0 px
    provenance : None of findings that no run made
    only_regions : whether the slide is reported by its regions alone, see `with_regions`
    corrections : what a person corrected of it; None if nothing
    """

    slide: str
    source: SlideSource
    cells: Cells
    tissue: TissueMask
    staining: Staining
    quality: SlideQuality
    scale: Scale
    mpp_stated: bool
    bounds: Window
    counted_by: CountedBy
    remark: str | None = None
    regions: tuple[Region, ...] = ()
    provenance: Provenance | None = None
    only_regions: bool = False
    corrections: CorrectionsMade | None = None


def with_regions(findings: SlideFindings, regions: Sequence[Region], *, restrict: bool) -> SlideFindings:
    """The findings of all tissue with what was drawn on the slide.

    Cells in regions of class Ignore* count nowhere and are left out. With `restrict` so are those in no other region, if
    there is any other.

    Parameters
    ----------
    findings : without regions: what is left out here doesn't come back
    regions : level-0 px
    """
    cells = counted_cells(findings.cells, regions, only_regions=restrict)
    return replace(findings, cells=cells, regions=tuple(regions), only_regions=restrict)


def classes_of_stain(cells: Cells, staining: Staining) -> Cells:
    """The cells with the classes that the stain allows: without DAB none, or QuPath would make a "Positive %" of them."""
    if staining is Staining.DAB:
        return cells
    return replace(cells, class_id=np.full(len(cells), CellClass.NUCLEUS, np.uint8))
