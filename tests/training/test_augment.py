"""Augmentation: each kind does what its name says, alone, and as the libraries that have it do it."""

from dataclasses import replace
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from skimage.color import rgb_from_hed

from wsi_edt.training.augment import Draws, augment, draw
from wsi_edt.training.config import Augmentation

OFF = Augmentation(scale=0, stain=0, hue=0, gamma=0, blur=0, sharpen=0, jpeg=0, turns=0)
Image = npt.NDArray[np.uint8]
Images = npt.NDArray[np.float32]


def nothing(count: int = 1) -> Draws:
    return draw(np.random.default_rng(0), count, OFF)


def done(images: list[Image], draws: Draws) -> Images:
    """The images (B, H, W, 3) after what was drawn."""
    tensor = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().contiguous()
    return np.asarray(augment(tensor, draws).permute(0, 2, 3, 1).numpy(), np.float32)


def changed(image: Image, settings: Augmentation, seed: int = 0) -> Images:
    found: Images = done([image], draw(np.random.default_rng(seed), 1, settings))[0]
    return found


def one(**values: Any) -> Draws:
    """Nothing but these entries, of one image."""
    entries: dict[str, Any] = {name: np.array([value], np.float32) for name, value in values.items()}
    return replace(nothing(), **entries)


def test_all_off_changes_nothing(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    assert np.array_equal(changed(crop, OFF), crop)


@pytest.mark.parametrize("name", ["stain", "hue", "gamma"])
def test_colours_change_px_by_px(ihc_pixels: Image, name: str) -> None:
    # Where two px had one colour they have one colour afterwards, and white stays nearly white.
    image = ihc_pixels[:64, :64].copy()
    image[:4] = 255
    image[10] = image[30]
    found = changed(image, OFF.model_copy(update={name: 0.2}))
    assert np.abs(found - image).max() > 5
    assert np.array_equal(found[10], found[30])
    assert found[:4].min() > 235


def test_stains_grow_and_shrink_as_they_are_drawn(ihc_pixels: Image) -> None:
    """Each stain by itself, separated and put together again with scikit-image's stain colours."""
    image = ihc_pixels[:64, :64]
    density = -np.log((image.reshape(-1, 3) + 1.0) / 256)
    for seed in range(4):
        rng = np.random.default_rng(seed)
        factors = 1 + rng.uniform(-0.2, 0.2, 3)
        offsets = rng.uniform(-0.2, 0.2, 3) * 0.15
        stains = np.linalg.solve(rgb_from_hed.T, density.T).T * factors + offsets
        expected = (256 * np.exp(-stains @ rgb_from_hed) - 1).clip(0, 255).reshape(image.shape)
        found = changed(image, OFF.model_copy(update={"stain": 0.2}), seed)
        assert np.abs(found - image).max() > 5
        assert np.abs(found - expected).max() < 0.05, seed


def test_gamma_keeps_a_greys_hue_and_changes_its_contrast() -> None:
    image = np.full((32, 32, 3), 200, np.uint8)
    image[16:] = 60
    factors = set()
    for seed in range(5):
        found = changed(image, OFF.model_copy(update={"gamma": 0.3}), seed)
        assert np.ptp(found, axis=2).max() < 1e-2
        density = -np.log((found[[0, -1], 0, 0] + 1) / 256)
        before = -np.log((np.array([200, 60]) + 1) / 256)
        # log density scales by one power for both greys.
        powers = np.log(density) / np.log(before)
        assert powers[0] == pytest.approx(powers[1], abs=1e-3)
        assert np.exp(-0.3) <= powers[0] <= np.exp(0.3)
        factors.add(round(float(powers[0]), 2))
    assert len(factors) > 2


@pytest.mark.parametrize("sigma", [0.4, 0.8, 1.2, 1.5])
def test_blur_is_opencvs(ihc_pixels: Image, sigma: float) -> None:
    crop = ihc_pixels[:64, :96]
    reach = int(np.ceil(3 * sigma))
    kernel = (2 * reach + 1, 2 * reach + 1)
    expected = cv2.GaussianBlur(crop.astype(np.float32), kernel, sigma, borderType=cv2.BORDER_REFLECT_101)
    found = done([crop], one(sigma_px=sigma, amount=-1))[0]
    assert np.abs(expected - crop).max() > 4
    assert np.abs(found - expected).max() < 1e-2


def test_sharpening_is_an_unsharp_mask(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    smooth = cv2.GaussianBlur(crop.astype(np.float32), (7, 7), 1.0, borderType=cv2.BORDER_REFLECT_101)
    expected = cv2.addWeighted(crop.astype(np.float32), 1.6, smooth, -0.6, 0).clip(0, 255)
    found = done([crop], one(sigma_px=1.0, amount=0.6))[0]
    assert np.abs(found - expected).max() < 1e-2


def test_each_image_gets_its_own(ihc_pixels: Image) -> None:
    """What a batch gives is what its images give alone, and those that get nothing stay."""
    crops = [ihc_pixels[y : y + 64, x : x + 64] for y, x in ((0, 0), (100, 40), (300, 200), (200, 10))]
    draws = draw(np.random.default_rng(5), 4, Augmentation(blur=0.4, sharpen=0.4, jpeg=0.5))
    assert len({(amount > 0) - (amount < 0) for amount in draws.amount.tolist()}) > 1
    together = done(crops, draws)
    for number, crop in enumerate(crops):
        alone = done([crop], draws.part(slice(number, number + 1)))[0]
        # A Gaussian's band is as wide as the widest of its batch.
        assert np.abs(together[number] - alone).max() < 0.5, number


def test_shares_are_drawn() -> None:
    draws = draw(np.random.default_rng(0), 4000, Augmentation(blur=0.2, sharpen=0.35, jpeg=0.1))
    assert (draws.amount == -1).mean() == pytest.approx(0.2, abs=0.02)
    assert (draws.amount > 0).mean() == pytest.approx(0.35, abs=0.02)
    assert (draws.quality > 0).mean() == pytest.approx(0.1, abs=0.02)
    assert set(np.unique(draws.quality[draws.quality > 0])) == set(range(40, 90))


def test_jpeg_changes_little(ihc_pixels: Image) -> None:
    crop = ihc_pixels[:64, :64]
    difference = np.abs(changed(crop, OFF.model_copy(update={"jpeg": 1.0})) - crop)
    assert 0 < difference.mean() < 12


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_gives_the_cpus_images(ihc_pixels: Image) -> None:
    images = torch.from_numpy(ihc_pixels[None, :256, :256]).permute(0, 3, 1, 2).float().repeat(8, 1, 1, 1)
    draws = draw(np.random.default_rng(1), 8, Augmentation(jpeg=0.0))
    on_cpu = augment(images.clone(), draws)
    on_gpu = augment(images.clone().cuda(), draws).cpu()
    assert (on_cpu - on_gpu).abs().max() < 0.1
