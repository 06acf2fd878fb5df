"""The slide as it looks, with the outlines of its tissue and regions, and its hotspots and fields."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from markupsafe import Markup

from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.qupath.regions import Polygons
from wsi_edt.report.frame import Frame
from wsi_edt.report.heat_maps import FloatArray
from wsi_edt.report.labels import place_labels, region_labels
from wsi_edt.report.map_figure import Label, Mark, map_figure
from wsi_edt.report.palette import ByteArray
from wsi_edt.report.pictures import jpeg
from wsi_edt.report.shown import Shown
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tissue import UNIT_PX
from wsi_edt.slides.window import read_in_blocks

_PICTURE_PX = 1000  # of the longer side: twice what a screen shows it at, and 270 px an inch on paper
_TISSUE_LINE = (70, 70, 70)
_REGION_LINE = (0, 90, 60)
_VEIL = (110, 116, 124)  # over excluded areas
_VEIL_SHARE = 0.55
_LEAST_REACH = 2.5  # of a place on a figure: what is smaller can't be seen
_SIDES = {"H": (-1, -1), "D": (1, -1), "F": (0, 1)}  # where the label of a place stands: right, down
MARKED_HOTSPOTS = 3  # of each order: more hide each other and the tissue
_LABEL_ROOM = 30.0  # that a region must have on a figure to be labelled


def slide_map(shown: Shown, result: Ki67Result, scale: Scale, slide: Slide) -> Markup:
    """The slide with outlines of tissue and regions, and its places numbered; SlideError if it can't be read."""
    view = shown.frame.view
    mpp = max(scale.slide_mpp * max(view.width, view.height) / _PICTURE_PX, scale.slide_mpp)
    per_px = mpp / scale.slide_mpp
    window = Window(
        *(int(side / per_px) for side in (view.x, view.y)),
        *(max(round(side / per_px), 1) for side in (view.width, view.height)),
    )
    picture = read_in_blocks(slide, window, wanted_mpp=mpp)
    _outline_tissue(picture, shown.tissue, view, scale)
    names = region_labels(result)
    if shown.excluded is not None:
        _veil(picture, shown.excluded, view, per_px)
    for _, shape in shown.regions:
        _outline(picture, shape, view, per_px)
    labelled = [
        Label(names[name], *_inside(visible, shown.frame))
        for name, shape in shown.regions
        if name in names and _has_room(visible := _visible(shape, view), shown.frame)
    ]
    return map_figure(
        shown.frame,
        _alt(shown, result),
        picture=jpeg(picture),
        marks=list(_marks(result, shown.frame)),
        labels=labelled,
    )


def _alt(shown: Shown, result: Ki67Result) -> str:
    counted = {
        kind: len(result.of_kind(kind)) for kind in (AreaKind.REGION, AreaKind.HOTSPOT, AreaKind.FIELD)
    }
    what = ", ".join(f"{many} {kind}{'s' if many > 1 else ''}" for kind, many in counted.items() if many)
    return f"The slide with the outline of its tissue{', with ' if what else ''}{what}"


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
    rings = _rings(shape, view, per_px)
    cv2.polylines(picture, rings, True, (255, 255, 255), _line(picture) + 3, cv2.LINE_AA)
    cv2.polylines(picture, rings, True, _REGION_LINE, _line(picture) + 1, cv2.LINE_AA)


def _veil(picture: ByteArray, shape: Polygons, view: Window, per_px: float) -> None:
    """Draw an area grey, in place."""
    inside = np.zeros(picture.shape[:2], np.uint8)
    cv2.fillPoly(inside, _rings(shape, view, per_px), 1)
    hidden = inside > 0
    picture[hidden] = np.rint(picture[hidden] * (1 - _VEIL_SHARE) + np.array(_VEIL) * _VEIL_SHARE)


def _rings(shape: Polygons, view: Window, per_px: float) -> list[npt.NDArray[np.int32]]:
    """The rings of a shape on a picture."""
    return [
        np.rint((shapely.get_coordinates(ring) - (view.x, view.y)) / per_px - 0.5).astype(np.int32)
        for ring in shapely.get_rings(shapely.get_parts(shape))
    ]


def _line(picture: npt.NDArray[np.uint8]) -> int:
    return max(1, int(max(picture.shape)) // 450)


def _visible(shape: Polygons, view: Window) -> shapely.Geometry:
    """What the picture shows of a region, which may reach beyond the slide."""
    right, bottom = view.x + view.width, view.y + view.height
    return shapely.intersection(shapely.make_valid(shape), shapely.box(view.x, view.y, right, bottom))


def _has_room(shape: shapely.Geometry, frame: Frame) -> bool:
    if shape.is_empty:
        return False
    left, top, right, bottom = shape.bounds
    return bool(min(right - left, bottom - top) * frame.units_per_px >= _LABEL_ROOM)


def _inside(shape: shapely.Geometry, frame: Frame) -> tuple[float, float]:
    point = shapely.point_on_surface(shape)
    return _kept(frame.x(point.x), frame.width, 15.0), _kept(frame.y(point.y), frame.height, 10.0)


def _kept(at: float, end: float, reach: float) -> float:
    """A label's middle, moved so that all of it lies on the picture."""
    return min(max(at, reach), end - reach)


def _marks(result: Ki67Result, frame: Frame) -> Iterator[Mark]:
    """The first hotspots and the fields, each with its label at a side of its own: both orders may find one place."""
    labels = place_labels(result)
    found = () if result.hotspots is None else result.hotspots.found
    left_out = {spot.area for spot in found if spot.rank > MARKED_HOTSPOTS}
    for area in (*result.of_kind(AreaKind.HOTSPOT), *result.of_kind(AreaKind.FIELD)):
        if area.place is not None and area.name in labels and area.name not in left_out:
            yield _mark(labels[area.name], area.place, frame)


def _mark(label: str, place: Place, frame: Frame) -> Mark:
    x, y = frame.x(place.x), frame.y(place.y)
    reach = max(place.size_px / 2 * frame.units_per_px, _LEAST_REACH)
    right, down = _SIDES[label[0]]
    # At the corner of a round place its edge is nearer, and a label is wider than high.
    aside = (0.7 * reach + 12, 0.7 * reach + 9) if right else (0.0, reach + 11)
    label_x = _kept(x + right * aside[0], frame.width, 12.0)
    label_y = _kept(y + down * aside[1], frame.height, 10.0)
    return Mark(label, place.shape is Shape.DISC, x, y, reach, label_x, label_y)
