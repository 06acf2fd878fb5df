"""A whole image goes through a network as its tiles do: brought to the model's µm/px, padded, cut back."""

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.networks.lively import lively_network
from wsi_edt.cells import CellClass
from wsi_edt.detection.whole_image import NetworkMaps, cells_of, image_maps
from wsi_edt.maps import Peaks
from wsi_edt.networks import Normalisation


class Brightness:
    """Maps that show the pixels they were given."""

    def __init__(self) -> None:
        self.seen: list[npt.NDArray[np.uint8]] = []

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        self.seen.append(images)
        return images.transpose(0, 3, 1, 2).astype(np.float32)


def test_an_image_at_the_models_scale_is_padded_with_white_and_cut_back() -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (70, 33, 3), dtype=np.uint8)
    runner = Brightness()
    maps = image_maps(runner, pixels, image_mpp=0.5, model_mpp=0.5, stride=32)
    (seen,) = runner.seen
    assert seen.shape == (1, 96, 64, 3)
    assert np.array_equal(seen[0, :70, :33], pixels)
    assert (seen[0, 70:] == 255).all()
    assert (seen[0, :, 33:] == 255).all()
    assert np.array_equal(maps, pixels.transpose(2, 0, 1))
    assert maps.dtype == np.float32


def test_an_image_of_another_scale_has_the_models_size() -> None:
    # Stripes of 8 px at 0.25 µm are stripes of 4 px at 0.5 µm.
    pixels = np.zeros((64, 128, 3), np.uint8)
    pixels[:, (np.arange(128) // 8) % 2 == 1] = 255
    maps = image_maps(Brightness(), pixels, image_mpp=0.25, model_mpp=0.5, stride=32)
    assert maps.shape == (3, 32, 64)
    middles = maps[0, 16, 1::4] > 128
    assert middles.tolist() == [False, True] * 8


def test_a_network_in_training_is_seen_as_it_is_now() -> None:
    network = lively_network().train()
    images = np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), dtype=np.uint8)
    normalisation = Normalisation((0.5, 0.6, 0.7), (0.1, 0.2, 0.3))
    runner = NetworkMaps(network, normalisation)
    assert network.training
    before = runner.maps(images)
    with torch.no_grad():
        for value in network.head.parameters():
            value.zero_()
    assert np.array_equal(runner.maps(images), before)
    # The formula written out, through the network unfolded.
    network = lively_network()
    values = (images / 255 - np.array([0.5, 0.6, 0.7])) / np.array([0.1, 0.2, 0.3])
    with torch.inference_mode():
        expected = network(torch.from_numpy(values.transpose(0, 3, 1, 2)).float()).numpy()
    np.testing.assert_allclose(before, expected, atol=2e-4 * np.abs(expected).max())


def test_cells_lie_in_the_middle_of_their_pixels() -> None:
    peaks = Peaks(
        np.array([3], np.int32),
        np.array([7], np.int32),
        np.array([0.5], np.float32),
        np.array([CellClass.POSITIVE], np.uint8),
    )
    cells = cells_of(peaks)
    assert (cells.x[0], cells.y[0]) == (3.5, 7.5)
    assert cells.score[0] == pytest.approx(0.5)
    assert cells.class_id[0] == CellClass.POSITIVE
