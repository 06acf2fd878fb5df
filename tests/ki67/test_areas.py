"""Areas of a slide: which cells and how much tissue each holds, against shapely one cell and one sample at a time."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from shapely import Polygon, box

from tests.ki67.made import findings
from wsi_edt.cells import Cells
from wsi_edt.geometry import Scale
from wsi_edt.ki67 import Conventions, SlideFindings, assess
from wsi_edt.ki67.areas import Area, AreaKind, areas_of
from wsi_edt.ki67.drawn import joined
from wsi_edt.ki67.findings import with_regions
from wsi_edt.ki67.reasons import Reason
from wsi_edt.ki67.region_areas import tissue_mm2, tissue_raster
from wsi_edt.qupath.regions import Region
from wsi_edt.slides.tissue import TissueMask

# 1 µm per model px and 0.5 per level-0 px: a unit of the mask is 32 model px, 64 level-0 px.
SCALE = Scale(0.5, 1.0)
WIDTH, HEIGHT = 1280, 1024  # level-0 px: 20 × 16 units, all of it tissue


def slide(count: int = 3000) -> SlideFindings:
    """Cells anywhere on a slide full of tissue."""
    rng = np.random.default_rng(3)
    y = np.sort(rng.uniform(0, HEIGHT, count))
    cells = Cells(
        rng.uniform(0, WIDTH, count),
        y,
        np.ones(count, np.float32),
        (rng.random(count) < 0.3).astype(np.uint8),
    )
    tissue = TissueMask(np.ones((16, 20), np.bool_), 32.0, (640, 512))
    return replace(findings(1, 1), cells=cells, tissue=tissue, scale=SCALE)


def star(x: float, y: float, size: float, seed: int) -> Polygon:
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    reach = size * rng.uniform(0.4, 1.0, len(angles))
    return Polygon(np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]))


WITH_HOLE = star(400, 400, 350, 1).difference(box(350, 350, 450, 450))
OVERLAPPING = star(600, 500, 300, 2)
STROMA = star(1000, 700, 200, 3)
FOLD = star(520, 430, 130, 4)
REGIONS = (
    Region("nest", WITH_HOLE, "Tumor"),
    Region("nest", OVERLAPPING, "Tumor"),
    Region("bundle", STROMA, "Stroma"),
    Region("no class", box(0, 900, 300, 1024)),
    Region("fold", FOLD, "Ignore*"),
)


def inside(area: Area, found: SlideFindings, *shapes: shapely.Geometry) -> bool:
    """Whether the area has exactly the cells of any of the shapes, none of which lies in the fold."""
    points = shapely.points(found.cells.x, found.cells.y)
    wanted = np.any([shapely.intersects(shape, points) for shape in shapes], axis=0)
    wanted &= ~shapely.contains_properly(FOLD, points)
    return bool(
        np.array_equal(area.cells.x, found.cells.x[wanted])
        and np.array_equal(area.cells.y, found.cells.y[wanted])
    )


def test_without_restriction_the_whole_tissue_comes_first() -> None:
    found = slide()
    areas = list(areas_of(with_regions(found, REGIONS, restrict=False)))
    assert [(area.kind, area.name, area.class_name) for area in areas] == [
        (AreaKind.TISSUE, "whole tissue without excluded areas", None),
        (AreaKind.REGION, "nest", "Tumor"),
        (AreaKind.REGION, "nest (2)", "Tumor"),
        (AreaKind.REGION, "bundle", "Stroma"),
        (AreaKind.REGION, "no class", None),
        (AreaKind.REGIONS, "all regions", None),
        (AreaKind.CLASS, "Tumor", "Tumor"),
        (AreaKind.CLASS, "Stroma", "Stroma"),
    ]
    whole = box(0, 0, WIDTH, HEIGHT)
    drawn = [region.polygon for region in REGIONS[:-1]]
    shapes = [[whole], *([shape] for shape in drawn), drawn, drawn[:2], [STROMA]]
    for area, of_it in zip(areas, shapes, strict=True):
        assert inside(area, found, *of_it), area.name
        exact = shapely.union_all(of_it).intersection(whole).difference(FOLD)
        assert area.mm2 == pytest.approx(exact.area * 0.0005**2, rel=0.05), area.name
        ignored = shapely.union_all(of_it).intersection(FOLD)
        assert area.ignored_mm2 == pytest.approx(ignored.area * 0.0005**2, rel=0.1, abs=1e-4), area.name
    assert whole.difference(FOLD).equals(areas[0].shape)
    nest, second, both = len(areas[1].cells), len(areas[2].cells), len(areas[6].cells)
    assert nest + second > both > max(nest, second) > 100, (
        "a cell in both counts in each, and once in the union"
    )


def test_with_restriction_all_regions_come_first_and_nothing_else_is_left() -> None:
    found = with_regions(slide(), REGIONS, restrict=True)
    first, *others = areas_of(found)
    assert (first.kind, first.name) == (AreaKind.REGIONS, "all regions")
    assert inside(first, slide(), *(region.polygon for region in REGIONS[:-1]))
    assert first.cells is found.cells
    assert [area.kind for area in others] == [AreaKind.REGION] * 4 + [AreaKind.CLASS] * 2
    loose = list(areas_of(with_regions(slide(), REGIONS, restrict=False)))
    for area, other in zip(others, [*loose[1:5], *loose[6:]], strict=True):
        assert np.array_equal(area.cells.x, other.cells.x) and area.mm2 == other.mm2, area.name


@pytest.mark.parametrize("restrict", [False, True])
def test_of_ignored_regions_alone_all_else_counts(restrict: bool) -> None:
    found = with_regions(slide(), REGIONS[-1:], restrict=restrict)
    (whole,) = areas_of(found)
    assert whole.kind is AreaKind.TISSUE and inside(whole, slide(), box(0, 0, WIDTH, HEIGHT))
    assert len(whole.cells) == len(found.cells) < len(slide().cells)
    assert whole.mm2 == pytest.approx((WIDTH * HEIGHT - FOLD.area) * 0.0005**2, rel=0.01)


def test_what_is_ignored_as_a_whole_says_so() -> None:
    everything = (Region("all", box(-10, -10, WIDTH + 10, HEIGHT + 10), "Ignore*"),)
    result = assess(with_regions(slide(), everything, restrict=False), Conventions())
    assert result.whole.reason is Reason.IGNORED and result.whole.total == 0
    nest = assess(with_regions(slide(), (REGIONS[0], *everything), restrict=True), Conventions())
    assert [area.reason for area in nest.areas] == [Reason.IGNORED] * 2


def test_a_region_on_glass_has_no_tissue() -> None:
    found = slide(0)
    mask = np.ones((16, 20), np.bool_)
    mask[:, :5] = False
    found = replace(found, tissue=TissueMask(mask, 32.0, (640, 512)))
    glass = (Region("glass", box(0, 0, 300, 500)), Region("tissue", box(500, 0, 700, 500)))
    result = assess(with_regions(found, glass, restrict=True), Conventions())
    assert [area.reason for area in result.areas] == [Reason.NO_CELLS, Reason.NO_TISSUE, Reason.NO_CELLS]


def test_of_one_region_nothing_is_told_twice() -> None:
    kinds = [area.kind for area in areas_of(with_regions(slide(), REGIONS[:1], restrict=False))]
    assert kinds == [AreaKind.TISSUE, AreaKind.REGION]
    kinds = [area.kind for area in areas_of(with_regions(slide(), REGIONS[3:4] * 2, restrict=True))]
    assert kinds == [AreaKind.REGIONS, AreaKind.REGION, AreaKind.REGION], "and of no class there is no row"


def test_a_cell_on_the_edge_of_what_is_ignored_counts() -> None:
    x = np.array([90.0, 100.0, 150.0])
    found = replace(slide(0), cells=Cells(x, np.full(3, 50.0), np.ones(3, np.float32), np.ones(3, np.uint8)))
    regions = (Region("all", box(0, 0, 200, 200)), Region("fold", box(100, 0, 200, 200), "Ignore*"))
    whole, region = areas_of(with_regions(found, regions, restrict=False))
    assert whole.cells.x.tolist() == region.cells.x.tolist() == [90.0, 100.0]


@pytest.mark.parametrize("seed", range(6))
def test_tissue_is_what_the_samples_inside_say(seed: int) -> None:
    # 3 × 3 units that reach beyond the slide (81 × 70 model px), with a cover; shapes that do so too, with holes.
    cover = np.random.default_rng(seed).integers(0, 256, (3, 3)).astype(np.uint8)
    tissue = TissueMask(cover > 0, 32.0, (81, 70), cover=cover)
    shape = star(90, 80, 150, seed).difference(star(90, 80, 60, seed + 50))
    shape = joined([shape, star(20, 150, 60, seed + 90)])
    assert shape is not None
    expected = np.zeros((3, 3))
    for row in range(12):
        for column in range(12):
            x, y = column * 8 + 4, row * 8 + 4  # model px, twice as many level-0 px
            if x < 81 and y < 70 and shape.contains(shapely.Point(x * 2, y * 2)):
                expected[row // 4, column // 4] += cover[row // 4, column // 4] / 255 / 16
    raster = tissue_raster(shape, tissue, SCALE)
    assert np.allclose(raster, expected, atol=1e-6) and expected.sum() > 1
    assert tissue_mm2(shape, tissue, SCALE) == pytest.approx(expected.sum() * 0.032**2, rel=1e-6)
