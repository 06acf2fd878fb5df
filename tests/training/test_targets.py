"""Targets: what is asked where, and that a crop never changes them."""

from pathlib import Path

import numpy as np
import pytest

from wsi_edt.geometry import Window
from wsi_edt.training.augment import augment
from wsi_edt.training.datasets import LabelledImage
from wsi_edt.training.targets import NEAR_PX, image_max_distance, window_targets


def image_of(
    dataset: str, points: list[tuple[float, float]], classes: list[int], side: int = 256
) -> LabelledImage:
    return LabelledImage(
        Path(f"{dataset}.png"),
        dataset,
        np.full((side, side, 3), 200, np.uint8),
        0.25,
        np.array(points, np.float64).reshape(-1, 2),
        np.array(classes, np.uint8),
    )


def test_each_class_has_its_map_and_nucleus_has_all() -> None:
    image = image_of("glioma", [(50.5, 60.5), (100.5, 120.5)], [1, 0])
    targets = window_targets(image, Window(0, 0, 128, 128), mpp=0.25, max_distance_px=100)
    assert [float(targets.maps[c, 60, 50]) for c in range(3)] == [1, 0, 1]
    assert [float(targets.maps[c, 120, 100]) for c in range(3)] == [0, 1, 1]
    assert (targets.weight == 1).all()


@pytest.mark.parametrize(
    ("dataset", "at_point", "far"),
    [
        ("bcdata", [1, 1, 1], [1, 1, 0]),
        ("shidc", [1, 1, 1], [0, 0, 0]),
        ("glioma", [1, 1, 1], [1, 1, 1]),
        ("uw", [0, 0, 1], [0, 0, 1]),
    ],
)
def test_where_the_labels_are_trusted(dataset: str, at_point: list[int], far: list[int]) -> None:
    targets = window_targets(
        image_of(dataset, [(64.5, 64.5)], [2]), Window(0, 0, 128, 128), mpp=0.25, max_distance_px=100
    )
    assert targets.weight[:, 64, 64].tolist() == at_point
    assert targets.weight[:, 64, 64 + NEAR_PX].tolist() == at_point
    assert targets.weight[:, 64, 64 + NEAR_PX + 1].tolist() == far
    # A nucleus of neither class is background for both.
    assert targets.maps[:2].max() == 0


def test_a_crop_never_changes_its_target() -> None:
    rng = np.random.default_rng(0)
    image = image_of("shidc", rng.uniform(0, 256, (60, 2)).tolist(), rng.integers(0, 3, 60).tolist())
    whole = window_targets(image, Window(0, 0, 256, 256), mpp=0.25, max_distance_px=80)
    for x, y in ((0, 0), (37, 91), (128, 128), (200, 3)):
        crop = window_targets(image, Window(x, y, 56, 48), mpp=0.25, max_distance_px=80)
        assert np.array_equal(crop.maps, whole.maps[:, y : y + 48, x : x + 56])
        assert np.array_equal(crop.weight, whole.weight[:, y : y + 48, x : x + 56])


def test_max_distance_of_one_field_by_hand() -> None:
    # 640 px at 0.25 µm/px are one field of 512 px at 0.3125; one point in a corner leaves the far one 511·√2 px away.
    image = image_of("bcdata", [(0.5, 0.5)], [1], side=640)
    assert image_max_distance(image, model_mpp=0.3125) == 150
    # A lattice of points 16 px apart leaves no px farther than 12: clamped from below.
    lattice = [(float(x), float(y)) for x in range(8, 640, 16) for y in range(8, 640, 16)]
    assert (
        image_max_distance(image_of("bcdata", lattice, [1] * len(lattice), side=640), model_mpp=0.3125) == 60
    )


def test_augmentation_turns_image_and_maps_together() -> None:
    # A black disc on white, and the target of its centre: after any augmentation the darkest place is where the map peaks.
    image = np.full((64, 64, 3), 230, np.uint8)
    image[8:19, 38:49] = 20
    targets = window_targets(
        image_of("glioma", [(43.5, 13.5)], [1], 64), Window(0, 0, 64, 64), mpp=0.25, max_distance_px=60
    )
    places = set()
    for seed in range(40):
        turned, turned_targets = augment(image, targets, np.random.default_rng(seed))
        row, column = np.unravel_index(turned_targets.maps[0].argmax(), (64, 64))
        assert turned[row - 3 : row + 4, column - 3 : column + 4].max() < 110
        assert turned_targets.weight.shape == targets.weight.shape
        places.add((int(row), int(column)))
    assert len(places) == 8  # all eight flips and turns occur
