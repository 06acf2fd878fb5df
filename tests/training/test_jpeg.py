"""JPEG's losses as tensor operations, against OpenCV's encoder and decoder."""

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch

from wsi_edt.training.jpeg import through_jpeg

Image = npt.NDArray[np.uint8]


def by_opencv(image: Image, quality: int) -> npt.NDArray[np.float32]:
    encoded = cv2.imencode(".jpg", image[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return decoded[:, :, ::-1].astype(np.float32)


def ours(images: list[Image], qualities: list[int]) -> npt.NDArray[np.float32]:
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).float().contiguous()
    found = through_jpeg(stacked, torch.tensor(qualities, dtype=torch.float32))
    return found.permute(0, 2, 3, 1).numpy()


@pytest.mark.parametrize("quality", [20, 45, 50, 75, 90])
def test_grey_is_opencvs_but_for_rounding(ihc_pixels: Image, quality: int) -> None:
    grey = np.repeat(ihc_pixels[:96, :160, 1:2], 3, axis=2)
    found, expected = ours([grey], [quality])[0], by_opencv(grey, quality)
    assert np.abs(expected - grey).mean() > 0.5  # so that the next line says something
    # A frequency half-way between two steps may be rounded either way, which changes its block.
    assert np.abs(found - expected).mean() < 0.3 * np.abs(expected - grey).mean()
    assert np.median(np.abs(found - expected)) < 0.55


@pytest.mark.parametrize("quality", [40, 60, 90])
def test_colours_lose_what_opencvs_lose(ihc_pixels: Image, quality: int) -> None:
    image = ihc_pixels[:128, :128]
    found, expected = ours([image], [quality])[0], by_opencv(image, quality)
    # libjpeg interpolates halved colours, here px are repeated.
    assert np.abs(found - expected).mean() < 0.65 * np.abs(expected - image).mean()
    ours_loses, it_loses = np.abs(found - image).mean(), np.abs(expected - image).mean()
    assert ours_loses == pytest.approx(it_loses, rel=0.15)


def test_each_image_has_its_own_quality(ihc_pixels: Image) -> None:
    image = ihc_pixels[:64, :64]
    both = ours([image, image], [30, 90])
    assert np.array_equal(both[0], ours([image], [30])[0])
    assert np.array_equal(both[1], ours([image], [90])[0])
    assert np.abs(both[0] - image).mean() > np.abs(both[1] - image).mean()
