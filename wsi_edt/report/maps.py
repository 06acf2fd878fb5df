"""The maps of a slide: the slide itself, index, density, and the hexagons of the index."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from markupsafe import Markup

from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.ki67.heterogeneity import Heterogeneity
from wsi_edt.ki67.text import count
from wsi_edt.report import palette
from wsi_edt.report.frame import Frame
from wsi_edt.report.heat_maps import FloatArray, HeatMaps, smooth
from wsi_edt.report.map_figure import ColourBar, map_figure
from wsi_edt.report.palette import ByteArray, step_of
from wsi_edt.report.pictures import png
from wsi_edt.report.scales import round_up
from wsi_edt.report.shown import Shown
from wsi_edt.report.slide_map import slide_map
from wsi_edt.slides.protocol import Slide

_HIGHEST = 99.5  # percentile of a map that its scale reaches: single px don't set it
_LEAST_HEXAGONS = 7  # one and those around it: fewer show nothing


@dataclass(frozen=True, slots=True)
class Maps:
    """The figures; None where there is nothing to show.

    Attributes
    ----------
    slide : with its outlines
    index, density, hexagons : of cells
    sigma_um : the standard deviation of the Gaussian behind index and density
    excluded : whether the slide shows an area that counts nowhere
    """

    slide: Markup | None
    index: Markup | None
    density: Markup | None
    hexagons: Markup | None
    sigma_um: float
    excluded: bool

    @property
    def leave_a_gap(self) -> bool:
        """Whether the last stands alone in its row of two."""
        return sum(one is not None for one in (self.slide, self.index, self.density, self.hexagons)) % 2 == 1


def draw_maps(shown: Shown, findings: SlideFindings, result: Ki67Result, slide: Slide | None) -> Maps:
    """The maps of a slide.

    Parameters
    ----------
    slide : the open slide; None if it isn't there any more

    Raises
    ------
    SlideError
        If the slide can't be read.
    """
    frame = shown.frame
    smoothed = smooth(shown.area.cells, shown.tissue, frame.view, findings.scale)
    heterogeneity = result.heterogeneity
    assessable = result.whole.assessable
    upper = _index_upper(smoothed, heterogeneity) if assessable else 100.0
    index_bar = ColourBar.of(palette.VIRIDIS, upper, "%")
    return Maps(
        None if slide is None else slide_map(shown, result, findings.scale, slide),
        _index_map(smoothed, frame, index_bar) if assessable else None,
        _density_map(smoothed, frame) if len(shown.area.cells) else None,
        _hexagon_map(heterogeneity, frame, index_bar) if heterogeneity is not None else None,
        smoothed.sigma_um,
        shown.excluded is not None,
    )


def _index_map(maps: HeatMaps, frame: Frame, bar: ColourBar) -> Markup:
    shown = maps.index_percent[np.isfinite(maps.index_percent)]
    alt = "Map of the Ki-67 index: nowhere enough cells"
    if len(shown):
        low, middle, high = np.percentile(shown, [5, 50, 95])
        alt = f"Map of the Ki-67 index: on most of the tissue {low:.0f} to {high:.0f} %, in the middle {middle:.0f} %"
    picture = _coloured(maps.index_percent, maps.per_mm2, bar.upper, palette.VIRIDIS)
    return map_figure(frame, alt, picture=png(picture), bar=bar)


def _density_map(maps: HeatMaps, frame: Frame) -> Markup:
    shown = maps.per_mm2[np.isfinite(maps.per_mm2)]
    upper = round_up(float(np.percentile(shown, _HIGHEST))) if len(shown) else 1.0
    alt = f"Map of the density of cells, up to {count(upper)} per mm²"
    picture = _coloured(maps.per_mm2, maps.per_mm2, upper, palette.CIVIDIS)
    return map_figure(frame, alt, picture=png(picture), bar=ColourBar.of(palette.CIVIDIS, upper))


def _hexagon_map(heterogeneity: Heterogeneity, frame: Frame, bar: ColourBar) -> Markup | None:
    """The hexagons in the colours of their index, those with few cells as outlines; None if there are too few."""
    hexagons = heterogeneity.hexagons
    positive, negative = (
        np.array([getattr(hexagon, name) for hexagon in hexagons], np.float64)
        for name in ("positive", "negative")
    )
    total = positive + negative
    step = step_of(100 * positive / np.maximum(total, 1), bar.upper)
    step[total < heterogeneity.least_cells] = -1
    counted = int((step >= 0).sum())
    if counted < _LEAST_HEXAGONS:
        return None
    width = heterogeneity.width_mm * 1000 / frame.slide_mpp * frame.units_per_px
    paths: dict[int, list[str]] = {}
    for hexagon, colour in zip(hexagons, step.tolist(), strict=True):
        outline = _hexagon(frame.x(hexagon.x), frame.y(hexagon.y), width)
        paths.setdefault(colour, []).append(outline)
    return map_figure(
        frame,
        f"Map of {counted} hexagons of {heterogeneity.width_mm:g} mm in the colour of their Ki-67 index",
        paths=[("none" if at < 0 else bar.colours[at], "".join(paths[at])) for at in sorted(paths)],
        bar=bar,
        line=min(1.0, width / 12),
    )


def _hexagon(x: float, y: float, width: float) -> str:
    """The outline of a hexagon with two upright sides around a point, as an SVG path."""
    half, side = width / 2, width / 3**0.5
    return (
        f"M{x - half:.1f} {y - side / 2:.1f}l{half:.1f} {-side / 2:.1f}l{half:.1f} {side / 2:.1f}"
        f"v{side:.1f}l{-half:.1f} {side / 2:.1f}l{-half:.1f} {-side / 2:.1f}z"
    )


def _index_upper(maps: HeatMaps, heterogeneity: Heterogeneity | None) -> float:
    """The end of the scale that the map and the hexagons share."""
    values = maps.index_percent[np.isfinite(maps.index_percent)]
    highest = [float(np.percentile(values, _HIGHEST))] if len(values) else []
    if heterogeneity is not None:
        least, hexagons = heterogeneity.least_cells, heterogeneity.hexagons
        counted = [one for one in hexagons if one.positive + one.negative >= least]
        highest += [100 * one.positive / (one.positive + one.negative) for one in counted]
    return min(round_up(max(highest, default=100.0)), 100.0)


def _coloured(values: FloatArray, tissue: FloatArray, upper: float, colours: ByteArray) -> ByteArray:
    """A map in colours, clear beside the tissue and grey where there is tissue but no value: (H, W, 4) uint8."""
    known = np.isfinite(values)
    picture = np.zeros((*values.shape, 4), np.uint8)
    picture[np.isfinite(tissue)] = (225, 228, 232, 255)
    picture[known, :3] = colours[step_of(values[known], upper)]
    return picture
