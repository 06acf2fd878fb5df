"""A slide with everything that a report shows: regions, hotspots, fields, intervals, verdicts, densities, hexagons."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import shapely
from PIL import Image

from tests.ki67.made import findings
from wsi_edt.cells import CellClass, Cells
from wsi_edt.geometry import Scale
from wsi_edt.ki67 import AreaResult, Conventions, Ki67Result, SlideFindings, assess
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.estimate import Estimate
from wsi_edt.ki67.findings import Provenance
from wsi_edt.ki67.four_fields import CountedField, FourFields, Stratum
from wsi_edt.ki67.heterogeneity import Heterogeneity, Hexagon
from wsi_edt.ki67.hotspots import Hotspot, Hotspots, Order
from wsi_edt.ki67.place import Place, Shape
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.qupath.regions import Region
from wsi_edt.slides import SlideSource, TissueMask

MPP = 0.5
BREAST = replace(Conventions(), profile=PROFILES["breast"])
PROVENANCE = Provenance("0.1.0", "ab" * 32, "cd" * 32, "ef" * 16)


def full_cells(count: int, width: int, height: int, *, seed: int = 0) -> Cells:
    """Cells in two kinds of tissue, ordered as a slide's are: the right half has more positive ones."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(0, width, count), np.sort(rng.uniform(0, height, count))
    positive = rng.random(count) < np.where(x > width / 2, 0.35, 0.1)
    density = np.where(positive, rng.gamma(9, 0.06, count), rng.gamma(3, 0.03, count)).astype(np.float32)
    class_id = positive.astype(np.uint8)
    return Cells(x, y, np.ones(count, np.float32), class_id, (density / 2).astype(np.float32), density)


def full_findings(
    folder: Path,
    *,
    count: int = 3000,
    size: tuple[int, int] = (1600, 1200),
    regions: Sequence[Region] = (),
    slide: str = "folder/a.svs",
) -> SlideFindings:
    """Findings on a picture of the cells, which can be opened."""
    width, height = size
    cells = full_cells(count, width, height)
    path = folder / "field.png"
    Image.fromarray(_picture(cells, size)).save(path, compress_level=1)
    scale = Scale(MPP, 0.3125)
    extent = scale.model_extent(width, height)
    mask = np.ones((-(-extent[1] // 32), -(-extent[0] // 32)), np.bool_)
    return replace(
        findings(1, 1, slide=slide),
        source=SlideSource(path, MPP),
        cells=cells,
        tissue=TissueMask(mask, 10.0, extent),
        scale=scale,
        regions=tuple(regions),
        provenance=PROVENANCE,
    )


def _picture(cells: Cells, size: tuple[int, int]) -> npt.NDArray[np.uint8]:
    picture = np.full((size[1], size[0], 3), (232, 222, 230), np.uint8)
    for x, y, kind in zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True):
        colour = (120, 72, 40) if kind == CellClass.POSITIVE else (130, 140, 190)
        cv2.circle(picture, (round(x), round(y)), 7, colour, -1)
    return picture


def box(name: str, left: float, top: float, right: float, bottom: float, kind: str | None = None) -> Region:
    """A region."""
    return Region(name, shapely.box(left, top, right, bottom), kind)


def full_result(found: SlideFindings, conventions: Conventions = BREAST) -> Ki67Result:
    """The result of assessing, in which what is looked for is set by hand: the page's tests need no search."""
    result = assess(found, conventions)
    areas = [area for area in result.areas if area.kind not in (AreaKind.HOTSPOT, AreaKind.FIELD)]
    verdicts = tuple(
        Verdict(cutoff, probability, certain=probability in (0.0, 1.0))
        for cutoff, probability in zip((5.0, 13.25, 20.0, 30.0), (1.0, 1.0, 0.83, 0.0), strict=True)
    )
    values = {
        **areas[0].values,
        "index_low_percent": 19.1,
        "index_high_percent": 26.4,
        "blocks": 31,
        "block_mm": 0.5,
    }
    areas[0] = replace(areas[0], values=values, interval_reason=None, verdicts=verdicts)
    spots, hotspots = _hotspots(found, areas[0], conventions)
    counted, fields = _fields(found, areas[0])
    return replace(
        result,
        areas=(*areas, *spots, *counted),
        hotspots=hotspots,
        four_fields=fields,
        heterogeneity=_heterogeneity(found),
    )


def _place(found: SlideFindings, x: float, y: float, um: float) -> Place:
    width, height = found.scale.to_l0(np.array(found.tissue.extent, np.float64)).tolist()
    return Place(Shape.DISC, x * width, y * height, um / found.scale.slide_mpp, um)


def _area(found: SlideFindings, kind: AreaKind, name: str, like: AreaResult, place: Place) -> AreaResult:
    inside = found.cells.select(place.contains(found.cells.x, found.cells.y))
    positive, total = inside.count(CellClass.POSITIVE), len(inside)
    values = {
        **like.values,
        "index_percent": 100 * positive / max(total, 1),
        "positive": positive,
        "negative": total - positive,
        "total": total,
        "area_mm2": 0.0314,
    }
    return AreaResult(kind, name, None, values, place=place)


def _hotspots(
    found: SlideFindings, like: AreaResult, conventions: Conventions
) -> tuple[list[AreaResult], Hotspots]:
    areas, spots = [], []
    for order, places in (
        (Order.INDEX, ((0.75, 0.3), (0.8, 0.75), (0.6, 0.6))),
        (Order.POSITIVES, ((0.76, 0.32), (0.9, 0.5), (0.55, 0.2))),
    ):
        for rank, (x, y) in enumerate(places, start=1):
            name = f"hotspot {rank} by {order}"
            area = _area(found, AreaKind.HOTSPOT, name, like, _place(found, x, y, 200))
            areas.append(area)
            raw = float(area.index_percent or 0) if order is Order.INDEX else 1500.0 / rank
            spots.append(Hotspot(name, order, rank, raw, Estimate(raw * 0.9, raw * 0.8, raw * 0.97)))
    return areas, Hotspots(conventions.hotspots, tuple(spots))


def _fields(found: SlideFindings, like: AreaResult) -> tuple[list[AreaResult], FourFields]:
    areas, fields = [], []
    for k, stratum in enumerate(Stratum):
        area = _area(found, AreaKind.FIELD, f"field {k + 1}", like, _place(found, 0.1 + 0.25 * k, 0.85, 120))
        areas.append(area)
        positive, negative = (int(area.values[name] or 0) for name in ("positive", "negative"))
        fields.append(CountedField(area.name, stratum, 0.25, 0.25, positive, negative))
    return areas, FourFields(Estimate(18.2, 12.5, 25.1), Estimate(19.0, 13.0, 26.0), tuple(fields))


def _heterogeneity(found: SlideFindings) -> Heterogeneity:
    step = 100.0 / found.scale.slide_mpp
    width, height = found.scale.to_l0(np.array(found.tissue.extent, np.float64)).tolist()
    rows = range(int(height / (step * 0.866)) + 1)
    hexagons = tuple(
        Hexagon((column + row % 2 / 2) * step, row * step * 0.866, int(3 * column + row), 90 - row)
        for row in rows
        for column in range(int(width / step) + 1)
    )
    return Heterogeneity(
        0.1,
        100,
        0.5,
        Estimate(6.1, 4.0, 8.8),
        Estimate(2.81, 2.5, 3.0),
        1.9,
        Estimate(0.44, 0.35, 0.52),
        Estimate(24.0, 20.1, 28.0),
        Estimate(21.0, 18.0, 25.0),
        Estimate(3.0, -1.0, 7.0),
        1200,
        3800,
        hexagons,
    )
