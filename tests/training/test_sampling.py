"""Random windows: where they fall, how often, and that each depends on the seed and its number alone."""

from collections import Counter
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import shapely

from tests.training.sets import labelled_image
from wsi_edt.slides import TileRequest
from wsi_edt.training.datasets import Labelled, LabelledImage
from wsi_edt.training.sampling import OVERHANG, WindowSampler

CROP = 64


def sampler(
    images: list[LabelledImage],
    *,
    weights: dict[str, float] | None = None,
    jitter: float = 0.0,
    seed: int = 1,
) -> WindowSampler:
    weights = weights or {image.dataset: 1.0 for image in images}
    return WindowSampler(images, weights, 0.25, CROP, jitter, seed)


def drawn(images: list[LabelledImage], count: int = 300, **settings: float) -> list[TileRequest]:
    return list(islice(sampler(images, **settings).requests(), count))  # type: ignore[arg-type]


def test_windows_depend_on_the_seed_and_their_number_alone() -> None:
    images = [labelled_image("glioma", [], []), labelled_image("shidc", [(50, 60)], [1])]
    first = drawn(images, 40, jitter=0.2)
    assert drawn(images, 40, jitter=0.2) == first
    assert drawn(images, 40, jitter=0.2, seed=2) != first
    assert list(islice(sampler(images, jitter=0.2).requests(25), 15)) == first[25:]


def test_windows_reach_every_place_and_overhang_little() -> None:
    windows = [request.window for request in drawn([labelled_image("glioma", [], [])])]
    for firsts in ([window.x for window in windows], [window.y for window in windows]):
        assert min(firsts) >= -OVERHANG * CROP - 1
        assert max(firsts) <= 256 - CROP + OVERHANG * CROP + 1
        assert np.ptp(firsts) > 0.9 * (256 - CROP)


def test_scales_are_drawn_around_the_models() -> None:
    scales = np.array([request.mpp for request in drawn([labelled_image("glioma", [], [])], jitter=0.25)])
    assert scales.min() >= 0.25 / 1.25
    assert scales.max() <= 0.25 * 1.25
    assert abs(np.log(scales / 0.25).mean()) < 0.03


def test_partial_labels_are_looked_for_at_their_points() -> None:
    image = labelled_image("shidc", [(30.0, 40.0), (200.0, 220.0)], [1, 0])
    nearest = Counter()
    for request in drawn([image]):
        held = request.window.contains(image.points[:, 0], image.points[:, 1])
        assert held.any()
        nearest[int(np.argmax(held))] += 1
    assert min(nearest[0], nearest[1]) > 100


def test_sets_are_drawn_by_weight_and_images_by_labelled_area() -> None:
    small = replace(labelled_image("glioma", [], [], side=128), path=Path("small.png"))
    large = replace(labelled_image("glioma", [], [], side=256), path=Path("large.png"))
    region = replace(
        labelled_image("qupath", [], [], region=shapely.box(0, 0, 128, 64)),
        path=Path("region"),
        dataset="glioma",
    )
    other = labelled_image("uw", [], [])
    found = Counter(
        request.path.name
        for request in drawn([small, large, region, other], 2000, weights={"glioma": 3.0, "uw": 1.0})  # type: ignore[arg-type]
    )
    assert found["uw.png"] / 2000 == pytest.approx(1 / 4, abs=0.03)
    areas = {"small.png": 128 * 128, "large.png": 256 * 256, "region": 128 * 64}
    for name, area in areas.items():
        assert found[name] / 2000 == pytest.approx(3 / 4 * area / sum(areas.values()), abs=0.03)


@pytest.mark.parametrize(
    "region",
    [
        shapely.box(100, 100, 220, 180),
        shapely.box(100, 120, 130, 140),  # smaller than a window
        shapely.MultiPolygon([shapely.box(20, 20, 40, 40), shapely.box(220, 220, 240, 240)]),
        shapely.Polygon([(10, 10), (250, 10), (10, 12)]),  # a sliver, of which random places seldom hit
        shapely.box(50, 50, 200, 200).difference(shapely.box(55, 55, 195, 195)),
    ],
)
def test_windows_of_a_region_hold_some_of_it(region: shapely.Geometry) -> None:
    image = labelled_image("qupath", [], [], region=region)
    left, top, right, bottom = region.bounds
    covered = shapely.Polygon()
    for request in drawn([image], 400):
        window = request.window
        box = shapely.box(window.x, window.y, window.right, window.bottom)
        assert box.intersection(region).area > 0
        covered = covered.union(box)
        # Where it can, a window overhangs the region's box by a tenth of its side.
        for first, low, high in ((window.x, left, right), (window.y, top, bottom)):
            assert first >= min(low, high - CROP) - OVERHANG * CROP - 1
            assert first <= max(low, high - CROP) + OVERHANG * CROP + 1
    assert covered.buffer(1).contains(region)


def test_partial_labels_in_a_region_are_looked_for_at_their_points() -> None:
    image = replace(
        labelled_image("qupath", [(60.0, 60.0)], [1], region=shapely.box(10, 10, 250, 250)),
        classes=Labelled.NEAR_POINTS,
    )
    assert all(
        request.window.contains(np.array([60.0]), np.array([60.0])).all() for request in drawn([image])
    )
