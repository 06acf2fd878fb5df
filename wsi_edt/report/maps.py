"""The maps of a slide: the slide itself with its outlines and places, index, density, and the hexagons of the index."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from markupsafe import Markup

from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Ki67Result, SlideFindings
from wsi_edt.ki67.areas import Area, AreaKind
from wsi_edt.ki67.drawn import drawn_areas
from wsi_edt.ki67.heterogeneity import Heterogeneity
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.ki67.region_areas import tissue_raster
from wsi_edt.ki67.text import count
from wsi_edt.qupath.regions import Polygons
from wsi_edt.report import palette
from wsi_edt.report.frame import WIDTH, Frame, view_of
from wsi_edt.report.heat_maps import FloatArray, HeatMaps, smooth
from wsi_edt.report.labels import place_labels, region_labels
from wsi_edt.report.palette import ByteArray, hexadecimal, step_of
from wsi_edt.report.pictures import jpeg, png
from wsi_edt.report.scales import round_up, ticks
from wsi_edt.report.templating import figure
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tissue import UNIT_PX
from wsi_edt.slides.window import read_in_blocks

_PICTURE_PX = 1000  # of the longer side: twice what a screen shows it at, and 270 px an inch on paper
_TISSUE_LINE = (70, 70, 70)
_REGION_LINE = (0, 90, 60)
_HIGHEST = 99.5  # percentile of a map that its scale reaches: single px don't set it
_BAR_WIDTH = 240.0
_LEAST_HEXAGONS = 7  # one and those around it: fewer show nothing
_LABELLED_REGIONS = 24  # more of them hide the slide


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a figure, in its units."""

    label: str
    is_disc: bool
    x: float
    y: float
    reach: float
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Label:
    """A region's label on a figure."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class ColourBar:
    """The scale of a map: its colours from 0 to `upper`, and what they are."""

    colours: tuple[str, ...]
    upper: float
    title: str
    unit: str

    @property
    def step(self) -> float:
        """The width of one colour."""
        return _BAR_WIDTH / len(self.colours)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Where values stand on the bar, and which."""
        return tuple(
            (_BAR_WIDTH * value / self.upper, count(value) if value >= 1000 else f"{value:g}")
            for value in ticks(self.upper)
        )


@dataclass(frozen=True, slots=True)
class Maps:
    """The figures; None where there is nothing to show, and why the smoothed ones are smoothed as they are.

    Attributes
    ----------
    slide : with its outlines
    index, density, hexagons : of cells
    sigma_um : the standard deviation of the Gaussian behind index and density
    """

    slide: Markup | None
    index: Markup | None
    density: Markup | None
    hexagons: Markup | None
    sigma_um: float


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """What the maps of a slide show.

    Attributes
    ----------
    area : that the slide is reported by
    tissue : its tissue, (rows, columns) shares of the mask's units
    regions : what was drawn, by name
    frame : where it lies on a figure
    """

    area: Area
    tissue: FloatArray
    regions: tuple[tuple[str, Polygons], ...]
    frame: Frame

    @classmethod
    def of(cls, area: Area, findings: SlideFindings) -> Shown:
        """What is shown of a slide that is reported by that area."""
        tissue = tissue_raster(area.shape, findings.tissue, findings.scale)
        drawn = drawn_areas(findings.regions)
        regions = tuple((area.name, area.shape) for area in drawn if area.shape is not None)
        shapes = [shape for _, shape in regions]
        view = view_of(tissue, shapes, findings.tissue.extent, findings.scale)
        return cls(area, tissue, regions, Frame.of(view, slide_mpp=findings.scale.slide_mpp))


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
    index_bar = _bar(palette.VIRIDIS, upper, "Ki-67 index", "%")
    return Maps(
        None if slide is None else _slide_map(shown, result, findings.scale, slide),
        _index_map(smoothed, frame, index_bar) if assessable else None,
        _density_map(smoothed, frame) if len(shown.area.cells) else None,
        _hexagon_map(heterogeneity, frame, index_bar) if heterogeneity is not None else None,
        smoothed.sigma_um,
    )


def _slide_map(shown: Shown, result: Ki67Result, scale: Scale, slide: Slide) -> Markup:
    """The slide with outlines of tissue and regions, and its places numbered."""
    view, frame = shown.frame.view, shown.frame
    mpp = max(scale.slide_mpp * max(view.width, view.height) / _PICTURE_PX, scale.slide_mpp)
    per_px = mpp / scale.slide_mpp
    window = Window(
        *(int(side / per_px) for side in (view.x, view.y)),
        *(max(round(side / per_px), 1) for side in (view.width, view.height)),
    )
    picture = read_in_blocks(slide, window, wanted_mpp=mpp)
    _outline_tissue(picture, shown.tissue, view, scale)
    names = region_labels(result)
    for _, shape in shown.regions:
        _outline(picture, shape, view, per_px)
    labelled = [
        Label(names[name], *_inside(shape, frame))
        for name, shape in shown.regions[:_LABELLED_REGIONS]
        if name in names
    ]
    return figure(
        "figures/map.svg",
        frame=frame,
        width=WIDTH,
        picture=jpeg(picture),
        marks=list(_marks(result, frame)),
        labels=labelled,
        bar=None,
        paths=(),
        scale_bar=frame.scale_bar(WIDTH / 4),
        alt=_slide_alt(shown, result),
    )


def _slide_alt(shown: Shown, result: Ki67Result) -> str:
    counted = {
        kind: len(result.of_kind(kind)) for kind in (AreaKind.REGION, AreaKind.HOTSPOT, AreaKind.FIELD)
    }
    what = ", ".join(f"{many} {kind}{'s' if many > 1 else ''}" for kind, many in counted.items() if many)
    return f"The slide with the outline of its tissue{', with ' if what else ''}{what}"


def _index_map(maps: HeatMaps, frame: Frame, bar: ColourBar) -> Markup:
    shown = maps.index_percent[np.isfinite(maps.index_percent)]
    alt = "Map of the Ki-67 index: nowhere enough cells"
    if len(shown):
        low, middle, high = np.percentile(shown, [5, 50, 95])
        alt = f"Map of the Ki-67 index: on most of the tissue {low:.0f} to {high:.0f} %, in the middle {middle:.0f} %"
    picture = _coloured(maps.index_percent, maps.per_mm2, bar.upper, palette.VIRIDIS)
    return _heat_map(picture, frame, bar, alt)


def _density_map(maps: HeatMaps, frame: Frame) -> Markup:
    shown = maps.per_mm2[np.isfinite(maps.per_mm2)]
    upper = round_up(float(np.percentile(shown, _HIGHEST))) if len(shown) else 1.0
    bar = _bar(palette.CIVIDIS, upper, "Cells per mm² of tissue", "/mm²")
    alt = f"Map of the density of cells, up to {count(upper)} per mm²"
    return _heat_map(_coloured(maps.per_mm2, maps.per_mm2, upper, palette.CIVIDIS), frame, bar, alt)


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
    return figure(
        "figures/map.svg",
        frame=frame,
        width=WIDTH,
        picture=None,
        marks=[],
        labels=[],
        bar=bar,
        paths=[("none" if at < 0 else bar.colours[at], "".join(paths[at])) for at in sorted(paths)],
        scale_bar=frame.scale_bar(WIDTH / 4),
        alt=f"Map of {counted} hexagons of {heterogeneity.width_mm:g} mm in the colour of their Ki-67 index",
    )


def _hexagon(x: float, y: float, width: float) -> str:
    """The outline of a hexagon with two upright sides around a point, as an SVG path."""
    half, side = width / 2, width / 3**0.5
    return (
        f"M{x - half:.1f} {y - side / 2:.1f}l{half:.1f} {-side / 2:.1f}l{half:.1f} {side / 2:.1f}"
        f"v{side:.1f}l{-half:.1f} {side / 2:.1f}l{-half:.1f} {-side / 2:.1f}z"
    )


def _heat_map(picture: ByteArray, frame: Frame, bar: ColourBar, alt: str) -> Markup:
    return figure(
        "figures/map.svg",
        frame=frame,
        width=WIDTH,
        picture=png(picture),
        marks=[],
        labels=[],
        bar=bar,
        paths=(),
        scale_bar=frame.scale_bar(WIDTH / 4),
        alt=alt,
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


def _bar(colours: ByteArray, upper: float, title: str, unit: str) -> ColourBar:
    steps = tuple(hexadecimal((red, green, blue)) for red, green, blue in colours.tolist())
    return ColourBar(steps, upper, title, unit)


def _coloured(values: FloatArray, tissue: FloatArray, upper: float, colours: ByteArray) -> ByteArray:
    """A map in colours, clear beside the tissue and grey where there is tissue but no value: (H, W, 4) uint8."""
    known = np.isfinite(values)
    picture = np.zeros((*values.shape, 4), np.uint8)
    picture[np.isfinite(tissue)] = (225, 228, 232, 255)
    picture[known, :3] = colours[step_of(values[known], upper)]
    return picture


def _outline_tissue(picture: ByteArray, tissue: FloatArray, view: Window, scale: Scale) -> None:
    """Draw the tissue's outline, in place."""
    height, width = picture.shape[:2]
    per_unit = UNIT_PX * scale.l0_per_model_px * width / view.width  # px of the picture
    shift = np.array(
        [[per_unit, 0, -view.x * width / view.width], [0, per_unit, -view.y * height / view.height]]
    )
    shift[:, 2] += (per_unit - 1) / 2  # OpenCV's coordinates are those of centres
    enlarged = cv2.warpAffine(tissue, shift, (width, height), flags=cv2.INTER_LINEAR)
    outlines, _ = cv2.findContours((enlarged >= 0.5).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
    cv2.drawContours(picture, outlines, -1, _TISSUE_LINE, _line(picture), cv2.LINE_AA)


def _outline(picture: ByteArray, shape: Polygons, view: Window, per_px: float) -> None:
    """Draw a region's outline, in place."""
    rings = [
        np.rint((shapely.get_coordinates(ring) - (view.x, view.y)) / per_px - 0.5).astype(np.int32)
        for ring in shapely.get_rings(shapely.get_parts(shape))
    ]
    cv2.polylines(picture, rings, True, (255, 255, 255), _line(picture) + 3, cv2.LINE_AA)
    cv2.polylines(picture, rings, True, _REGION_LINE, _line(picture) + 1, cv2.LINE_AA)


def _line(picture: npt.NDArray[np.uint8]) -> int:
    return max(1, int(max(picture.shape)) // 450)


def _inside(shape: Polygons, frame: Frame) -> tuple[float, float]:
    point = shapely.point_on_surface(shape)
    return frame.x(point.x), frame.y(point.y)


def _marks(result: Ki67Result, frame: Frame) -> Iterator[Mark]:
    """The hotspots and fields, each with its label at a side of its own: hotspots of both orders may be one place."""
    sides: Mapping[str, tuple[float, float]] = {"H": (-0.75, -0.75), "D": (0.75, -0.75), "F": (0.0, 1.0)}
    labels = place_labels(result)
    areas = [*result.of_kind(AreaKind.HOTSPOT), *result.of_kind(AreaKind.FIELD)]
    for area in areas:
        if area.place is not None and area.name in labels:
            yield _mark(labels[area.name], area.place, frame, sides[labels[area.name][0]])


def _mark(label: str, place: Place, frame: Frame, side: Sequence[float]) -> Mark:
    x, y, reach = frame.x(place.x), frame.y(place.y), place.size_px / 2 * frame.units_per_px
    label_x = min(max(x + side[0] * (reach + 8), 12), frame.width - 12)
    label_y = min(max(y + side[1] * (reach + 8), 10), frame.height - 10)
    return Mark(label, place.shape is Shape.DISC, x, y, reach, label_x, label_y)
