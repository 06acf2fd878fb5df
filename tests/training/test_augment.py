"""Augmentation: image and maps stay together, and each kind does what its name says, alone."""

import numpy as np
import numpy.typing as npt
import pytest

from wsi_edt.training.augment import augment
from wsi_edt.training.config import Augmentation
from wsi_edt.training.targets import WindowTargets

OFF = Augmentation(scale=0, stain=0, hue=0, gamma=0, blur=0, sharpen=0, jpeg=0, turns=0)
Image = npt.NDArray[np.uint8]


def targets_at(row: int, column: int, side: int = 64) -> WindowTargets:
    """One map with a single px of 1; asked everywhere but in the first row."""
    maps = np.zeros((1, side, side), np.float32)
    maps[0, row, column] = 1
    weight = np.ones_like(maps)
    weight[0, 0] = 0
    return WindowTargets(maps, weight)


def changed(image: Image, settings: Augmentation, seed: int = 0) -> Image:
    return augment(image, targets_at(1, 1), np.random.default_rng(seed), settings=settings)[0]


def test_image_maps_and_weight_turn_together() -> None:
    # A dark disc on a pale ground, and a map of its centre: after any augmentation the dark place is where the map peaks.
    image = np.full((64, 64, 3), 230, np.uint8)
    image[8:19, 38:49] = 20
    places, edges = set(), set()
    for seed in range(40):
        turned, targets = augment(
            image, targets_at(13, 43), np.random.default_rng(seed), settings=Augmentation()
        )
        row, column = np.unravel_index(targets.maps[0].argmax(), (64, 64))
        assert turned[row - 3 : row + 4, column - 3 : column + 4].max() < 110
        unasked = np.argwhere(targets.weight[0] == 0)
        assert len(unasked) == 64
        # The unasked row was 13 px from the disc's centre, and is wherever the turn took it.
        distance = np.abs(unasked - (row, column)).min(axis=0)
        assert sorted(distance.tolist()) == [0, 13]
        places.add((int(row), int(column)))
        edges.add(tuple(unasked.mean(axis=0)))
    assert len(places) == 8  # all eight flips and turns
    assert len(edges) == 4


def test_all_off_changes_nothing(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    image, targets = augment(crop, targets_at(5, 6), np.random.default_rng(0), settings=OFF)
    assert np.array_equal(image, crop)
    assert targets.maps[0, 5, 6] == 1


@pytest.mark.parametrize("name", ["stain", "hue", "gamma"])
def test_colours_change_px_by_px(ihc_pixels: Image, name: str) -> None:
    # Where two px had one colour they have one colour afterwards, and white stays nearly white.
    settings = OFF.model_copy(update={name: 0.2})
    image = ihc_pixels[:64, :64].copy()
    image[:4] = 255
    image[10] = image[30]
    found = changed(image, settings)
    assert np.abs(found.astype(int) - image).max() > 5
    assert np.array_equal(found[10], found[30])
    assert found[:4].min() > 235


def test_gamma_keeps_a_greys_hue_and_changes_its_contrast() -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    image[16:] = 60
    factors = set()
    for seed in range(5):
        found = changed(image, OFF.model_copy(update={"gamma": 0.3}), seed).astype(float)
        assert np.ptp(found, axis=2).max() == 0
        density = -np.log((found[[0, -1], 0, 0] + 1) / 256)
        before = -np.log((np.array([200, 60]) + 1) / 256)
        # log density scales by one power for both greys.
        powers = np.log(density) / np.log(before)
        assert powers[0] == pytest.approx(powers[1], abs=0.03)
        assert np.exp(-0.3) - 0.03 <= powers[0] <= np.exp(0.3) + 0.03
        factors.add(round(float(powers[0]), 2))
    assert len(factors) > 2


def edge_contrast(image: Image) -> float:
    """The largest step between neighbouring columns."""
    return float(np.abs(np.diff(image.astype(float), axis=1)).max())


def test_blur_softens_and_sharpening_overshoots() -> None:
    image = np.full((64, 64, 3), 100, np.uint8)
    image[:, 32:] = 160
    assert edge_contrast(changed(image, OFF.model_copy(update={"blur": 1.0}))) < 60
    sharpened = changed(image, OFF.model_copy(update={"sharpen": 1.0}))
    assert edge_contrast(sharpened) > 60
    assert sharpened.min() < 100
    assert sharpened.max() > 160


def test_jpeg_changes_little(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    difference = np.abs(changed(crop, OFF.model_copy(update={"jpeg": 1.0})).astype(int) - crop)
    assert 0 < difference.mean() < 12


def test_the_seed_says_it_all(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    assert np.array_equal(changed(crop, Augmentation(), 3), changed(crop, Augmentation(), 3))
    assert not np.array_equal(changed(crop, Augmentation(), 3), changed(crop, Augmentation(), 4))
