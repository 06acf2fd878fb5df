"""Random crops: where they fall, how often, how turned, and that a step's depend on the seed and the step alone."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import shapely

from tests.training.sets import labelled_image
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.training.fields import OVERHANG, Field, field_of
from wsi_edt.training.sampling import Crop, CropSampler, largest_px

CROP = 64


def fields_of(images: list[LabelledImage], *, scale: float = 0.0) -> list[Field]:
    return [field_of(image, model_mpp=0.25, largest_px=largest_px(CROP, scale)) for image in images]


def sampler(
    images: list[LabelledImage],
    *,
    weights: dict[str, float] | None = None,
    scale: float = 0.0,
    seed: int = 1,
) -> CropSampler:
    weights = weights or {image.dataset: 1.0 for image in images}
    fields = fields_of(images, scale=scale)
    return CropSampler.of(fields, weights, crop_px=CROP, scale=scale, turns=1.0, seed=seed)


def drawn(images: list[LabelledImage], count: int = 300, **settings: float) -> list[Crop]:
    return sampler(images, **settings).crops(0, count)  # type: ignore[arg-type]


def holds(crop: Crop, x: float, y: float) -> bool:
    return crop.x <= x < crop.x + crop.side_px and crop.y <= y < crop.y + crop.side_px


def test_crops_depend_on_the_seed_and_the_step_alone() -> None:
    images = [labelled_image("glioma", [], []), labelled_image("shidc", [(50, 60)], [1])]
    first = sampler(images, scale=0.2)
    assert sampler(images, scale=0.2).crops(7, 40) == first.crops(7, 40)
    assert first.crops(8, 40) != first.crops(7, 40)
    assert sampler(images, scale=0.2, seed=2).crops(7, 40) != first.crops(7, 40)


def test_crops_reach_every_place_and_overhang_little() -> None:
    crops = drawn([labelled_image("glioma", [], [])])
    for firsts in ([crop.x for crop in crops], [crop.y for crop in crops]):
        assert min(firsts) >= -OVERHANG * CROP - 1
        assert max(firsts) <= 256 - CROP + OVERHANG * CROP + 1
        assert np.ptp(firsts) > 0.9 * (256 - CROP)


def test_scales_are_drawn_around_the_models() -> None:
    scales = np.array([crop.side_px / CROP for crop in drawn([labelled_image("glioma", [], [])], scale=0.25)])
    assert scales.min() >= 1 / 1.25 - 0.5 / CROP
    assert scales.max() <= 1.25 + 0.5 / CROP
    assert abs(np.log(scales).mean()) < 0.03


@pytest.mark.parametrize(
    "side", [40, 64, 70, 256]
)  # smaller than a crop, just as large, between scales, larger
def test_crops_lie_in_their_fields_margin(side: int) -> None:
    images = [
        labelled_image("glioma", [], [], side=side),
        labelled_image("shidc", [(1, 1)], [1], side=side),
        labelled_image("qupath", [], [], side=side, region=shapely.box(0, 0, 5, side)),
    ]
    found = sampler(images, scale=0.3)
    for crop in found.crops(0, 500):
        field = found.fields[crop.field]
        assert -field.margin_px <= min(crop.x, crop.y)
        assert crop.x + crop.side_px <= field.width + field.margin_px
        assert crop.y + crop.side_px <= field.height + field.margin_px


def test_partial_labels_are_looked_for_at_their_points() -> None:
    image = labelled_image("shidc", [(30.0, 40.0), (200.0, 220.0)], [1, 0])
    nearest = Counter[int]()
    for crop in drawn([image]):
        held = [holds(crop, x, y) for x, y in image.points]
        assert any(held)
        nearest[held.index(True)] += 1
    assert min(nearest[0], nearest[1]) > 100


def test_sets_are_drawn_by_weight_and_fields_by_labelled_area() -> None:
    small = replace(labelled_image("glioma", [], [], side=128), path=Path("small.png"))
    large = replace(labelled_image("glioma", [], [], side=256), path=Path("large.png"))
    region = replace(labelled_image("qupath", [], [], region=shapely.box(0, 0, 128, 64)), dataset="glioma")
    other = labelled_image("uw", [], [])
    crops = drawn([small, large, region, other], 2000, weights={"glioma": 3.0, "uw": 1.0})  # type: ignore[arg-type]
    found = Counter(crop.field for crop in crops)
    assert found[3] / 2000 == pytest.approx(1 / 4, abs=0.03)
    areas = (128 * 128, 256 * 256, 128 * 64)
    for number, area in enumerate(areas):
        assert found[number] / 2000 == pytest.approx(3 / 4 * area / sum(areas), abs=0.03)


@pytest.mark.parametrize(
    "region",
    [
        shapely.box(100, 100, 220, 180),
        shapely.box(100, 120, 130, 140),  # smaller than a crop
        shapely.MultiPolygon([shapely.box(20, 20, 40, 40), shapely.box(220, 220, 240, 240)]),
        shapely.Polygon([(10, 10), (250, 10), (10, 12)]),  # a sliver
        shapely.box(50, 50, 200, 200).difference(shapely.box(55, 55, 195, 195)),
    ],
)
def test_crops_of_a_region_hold_some_of_it(region: shapely.Geometry) -> None:
    image = labelled_image("qupath", [], [], region=region)
    left, top, right, bottom = region.bounds
    covered = shapely.Polygon()
    for crop in drawn([image], 400):
        box = shapely.box(crop.x, crop.y, crop.x + CROP, crop.y + CROP)
        assert box.intersection(region).area > 0
        covered = covered.union(box)
        # Where it can, a crop overhangs the region's box by a tenth of its side.
        for first, low, high in ((crop.x, left, right), (crop.y, top, bottom)):
            assert first >= min(low, high - CROP) - OVERHANG * CROP - 1
            assert first <= max(low, high - CROP) + OVERHANG * CROP + 1
    # What is thinner than a px holds no px's centre to look around.
    assert covered.buffer(1).intersection(region).area > 0.95 * region.area


def test_partial_labels_in_a_region_are_looked_for_at_their_points() -> None:
    image = replace(
        labelled_image("qupath", [(60.0, 60.0)], [1], region=shapely.box(10, 10, 250, 250)),
        classes=Labelled.NEAR_POINTS,
    )
    assert all(holds(crop, 60.0, 60.0) for crop in drawn([image]))


def test_all_eight_turns_are_drawn_or_none() -> None:
    image = labelled_image("glioma", [], [])
    turns = Counter((crop.quarter_turns, crop.flip) for crop in drawn([image], 800))
    assert len(turns) == 8
    assert min(turns.values()) > 60
    still = replace(sampler([image]), turns=0.0)
    assert {(crop.quarter_turns, crop.flip) for crop in still.crops(0, 100)} == {(0, False)}
