"""The figures of a slide's page."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from markupsafe import Markup

from wsi_edt.errors import SlideError
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.ki67.areas import AreaKind, areas_of
from wsi_edt.ki67.hotspots import Hotspots, Order
from wsi_edt.report.axis import index_axis
from wsi_edt.report.crops import Crop, crop_of
from wsi_edt.report.histogram import density_histogram
from wsi_edt.report.maps import Maps, draw_maps
from wsi_edt.report.shown import Shown
from wsi_edt.slides.protocol import Slide

_CROPS = {Order.INDEX: 3, Order.POSITIVES: 1}  # hotspots that are shown; both orders often find one place


@dataclass(frozen=True, slots=True)
class SlideFigures:
    """The figures; None where there is nothing to show.

    Attributes
    ----------
    axis : the index on its axis
    crops : by the name of the hotspot's or field's area
    histogram : of optical densities
    slide_missing : why the slide isn't shown, in a sentence; None if it is
    """

    axis: Markup | None
    maps: Maps
    crops: dict[str, Crop]
    histogram: Markup | None
    slide_missing: str | None = None


def slide_figures(findings: SlideFindings, result: Ki67Result) -> SlideFigures:
    """The figures of a slide. Those that need no slide are there also when it can't be opened any more.

    Raises
    ------
    SlideError
        If the slide can be opened but not read.
    """
    missing, opened = None, None
    try:
        opened = findings.source.open()
    except SlideError as error:
        missing = error.sentence(with_remedy=False)
    with opened or nullcontext():
        area = next(iter(areas_of(findings)))
        return SlideFigures(
            index_axis(result.whole, result.conventions.profile) if result.whole.assessable else None,
            draw_maps(Shown.of(area, findings), findings, result, opened),
            {} if opened is None else dict(_crops(findings, result, opened)),
            density_histogram(area.cells, result.conventions.dab_cutoffs)
            if result.whole.assessable
            else None,
            missing,
        )


def _crops(findings: SlideFindings, result: Ki67Result, slide: Slide) -> Iterator[tuple[str, Crop]]:
    wanted, shown = set(_shown_hotspots(result.hotspots)), set()
    for area in (*result.of_kind(AreaKind.HOTSPOT), *result.of_kind(AreaKind.FIELD)):
        if area.kind is AreaKind.HOTSPOT and (area.name not in wanted or area.place in shown):
            continue
        if area.place is not None:
            shown.add(area.place)
            yield area.name, crop_of(slide, area.place, findings.cells)


def _shown_hotspots(hotspots: Hotspots | None) -> Iterator[str]:
    for spot in () if hotspots is None else hotspots.found:
        if spot.rank <= _CROPS[spot.order]:
            yield spot.area
