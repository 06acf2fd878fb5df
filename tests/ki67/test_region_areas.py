"""Regions: which cells lie in them and how much tissue, worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from shapely import MultiPolygon, Polygon, box

from wsi_edt.geometry import Scale
from wsi_edt.ki67.drawn import drawn_areas
from wsi_edt.ki67.region_areas import tissue_mm2
from wsi_edt.qupath.regions import Region
from wsi_edt.slides.tissue import TissueMask

# 1 µm per model px and 0.5 per level-0 px: a unit of the mask is 32 model px, 64 level-0 px, 0.001024 mm².
SCALE = Scale(0.5, 1.0)
UNIT_MM2 = 0.032**2


def tissue(rows: int = 10, columns: int = 12) -> TissueMask:
    """All tissue but the first column of units."""
    mask = np.ones((rows, columns), np.bool_)
    mask[:, 0] = False
    return TissueMask(mask, 32.0, (columns * 32, rows * 32))


@pytest.mark.parametrize(
    ("shape", "units"),
    [
        (box(64, 0, 64 * 3, 64 * 2), 4.0),  # two by two units
        (box(0, 0, 64 * 3, 64 * 2), 4.0),  # and two of glass
        (box(64, 0, 64 * 1.5, 64), 0.5),  # half a unit
        (box(64, 0, 64 + 16, 16), 1 / 16),  # one sample
        (Polygon([(64, 0), (64 * 9, 0), (64, 64 * 7)]), 8 * 7 / 2),  # a triangle
        (MultiPolygon([box(64, 0, 128, 64), box(256, 256, 320, 320)]), 2.0),
        (box(64, 0, 64 * 4, 64 * 3).difference(box(128, 64, 192, 128)), 9.0 - 1.0),  # with a hole
        (box(64 * 11, 64 * 9, 64 * 40, 64 * 40), 1.0),  # reaches beyond the slide
        (box(-500, -500, -100, -100), 0.0),
    ],
)
def test_tissue_in_a_shape(shape: Polygon | MultiPolygon, units: float) -> None:
    # A slanted edge is seen by samples of a quarter of a unit, half of which it may cut.
    assert tissue_mm2(shape, tissue(), SCALE) == pytest.approx(units * UNIT_MM2, rel=0.02)


def test_many_rows_are_worked_on_some_at_a_time() -> None:
    tall = tissue(rows=1000, columns=3)
    assert tissue_mm2(box(0, 0, 192, 64 * 1000), tall, SCALE) == pytest.approx(2000 * UNIT_MM2)


def test_units_beyond_the_slides_edge_do_not_count() -> None:
    cut = TissueMask(np.ones((1, 2), np.bool_), 32.0, (48, 32))  # the second unit lies half beyond it
    assert tissue_mm2(box(0, 0, 999, 999), cut, SCALE) == pytest.approx(1.5 * UNIT_MM2)


def test_a_small_shape_holds_no_more_tissue_than_it_is_large() -> None:
    # Four samples, 8 model px apart, lie just inside: 256 square px for 9 × 9 level-0 px of half of that a side.
    around = box(64 + 7, 7, 64 + 25, 25)
    assert tissue_mm2(around, tissue(), SCALE) == pytest.approx((18 * 0.0005) ** 2)


def test_units_count_by_their_share_of_tissue() -> None:
    cover = np.zeros((2, 3), np.uint8)
    cover[:, 0], cover[:, 1] = 255, 51  # whole, and a fifth
    partly = TissueMask(cover > 0, 32.0, (96, 64), cover=cover)
    assert partly.area_mm2 == pytest.approx(2.4 * UNIT_MM2)
    assert tissue_mm2(box(0, 0, 999, 999), partly, SCALE) == pytest.approx(2.4 * UNIT_MM2)
    assert tissue_mm2(box(32, 0, 96, 64), partly, SCALE) == pytest.approx((0.5 + 0.1) * UNIT_MM2)


def test_a_number_makes_no_name_that_another_region_has() -> None:
    regions = [Region(name, box(0, 0, 1, 1)) for name in ("nest", "nest (2)", "nest")]
    assert [area.name for area in drawn_areas(regions)] == ["nest", "nest (2)", "nest (3)"]


@pytest.mark.parametrize("name", ["whole tissue", "all regions", "hotspot 1 by index", "field 2"])
def test_a_region_that_is_called_as_the_programs_own_areas_has_a_name_of_its_own(name: str) -> None:
    regions = [Region(name, box(0, 0, 1, 1)), Region(f"{name}, left", box(0, 0, 1, 1))]
    assert [area.name for area in drawn_areas(regions)] == [f"{name} (2)", f"{name}, left"]


def test_ignored_parts_are_cut_out_and_names_are_told_apart() -> None:
    regions = [
        Region("nest", box(0, 0, 10, 10), "Tumor"),
        Region("fold", box(5, 0, 20, 10), "Ignore*"),
        Region("nest", box(20, 20, 30, 30)),
        Region("lost", box(6, 1, 9, 9)),
    ]
    named = {area.name: area.shape for area in drawn_areas(regions)}
    assert list(named) == ["nest", "nest (2)", "lost"]
    nest, second = named["nest"], named["nest (2)"]
    assert nest is not None and nest.equals(box(0, 0, 5, 10))
    assert second is not None and second.area == 100
    assert named["lost"] is None
