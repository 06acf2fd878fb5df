"""CCLS in torch against CCLS in numpy and OpenCV, on maps with and without plateaus."""

from queue import SimpleQueue

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.detection.runtimes.device_peaks import candidates, peaks_of
from wsi_edt.detection.runtimes.torch_cuda import TorchCuda
from wsi_edt.maps import DecodeSettings, decode

SETTINGS = [
    DecodeSettings(("positive", "negative", "nucleus"), "max", 11, 0.2),
    DecodeSettings(("positive", "negative", "nucleus"), "nucleus", 5, 0.0),
    DecodeSettings(("negative", "positive"), "sum", 21, 0.3),
    DecodeSettings(("nucleus",), "nucleus", 3, 0.1),
    DecodeSettings(("positive", "negative"), "sum", 11, 0.3, negative_gain=1.4),
    DecodeSettings(("negative", "positive"), "max", 11, 0.3, negative_gain=0.7),
]


def check(maps: npt.NDArray[np.float32], settings: DecodeSettings) -> int:
    found = peaks_of(candidates(torch.from_numpy(maps), settings), settings)
    assert len(found) == len(maps)
    for one, own in zip(found, maps, strict=True):
        expected = decode(own, settings)
        for name in ("x", "y", "score", "class_id"):
            assert np.array_equal(getattr(one, name), getattr(expected, name)), name
    return sum(map(len, found))


@pytest.mark.parametrize("settings", SETTINGS)
def test_smooth_maps(settings: DecodeSettings) -> None:
    maps = np.random.default_rng(0).random((3, len(settings.maps), 70, 50), dtype=np.float32)
    assert check(maps, settings) > 10


@given(st.integers(0, 2**32 - 1), st.sampled_from(SETTINGS), st.integers(2, 6))
def test_maps_with_plateaus(seed: int, settings: DecodeSettings, levels: int) -> None:
    rng = np.random.default_rng(seed)
    maps = rng.integers(0, levels, (2, len(settings.maps), 24, 33)).astype(np.float32) / np.float32(levels)
    check(maps, settings)


def test_a_tile_without_cells_among_others() -> None:
    maps = np.zeros((3, 1, 32, 32), np.float32)
    maps[1, 0, 5, 9] = 1.0
    maps[2, 0, 5, 9] = 0.005  # never above what holds a cell at all
    settings = DecodeSettings(("nucleus",), "nucleus", 11, 0.0)
    assert check(maps, settings) == 1


class Lane:
    """Stands in for a GPU's lane that brings maps back, and can't find peaks."""

    def __init__(self, maps: npt.NDArray[np.float32]) -> None:
        self._maps = maps

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        return self._maps


@pytest.mark.parametrize(
    "settings",
    [
        DecodeSettings(("positive", "negative"), "separate", 11, 0.3),
        DecodeSettings(("positive", "negative"), "sum", 3, 0.3, "lmss"),
        DecodeSettings(("positive", "negative"), "max", 3, 0.3, "lmds"),
        DecodeSettings(("positive", "negative"), "sum", 11, 0.3, "peak_local_max"),
    ],
)
def test_what_is_not_found_on_the_device_is_decoded_from_its_maps(settings: DecodeSettings) -> None:
    maps = np.random.default_rng(0).random((3, 2, 40, 50), dtype=np.float32)
    runtime = TorchCuda.__new__(TorchCuda)  # without a GPU
    runtime._lanes = SimpleQueue()
    runtime._lanes.put(Lane(maps))  # type: ignore[arg-type]
    images = np.zeros((3, 40, 50, 3), np.uint8)
    expected = [decode(one, settings) for one in maps]
    assert sum(map(len, expected)) > 10
    found, kept = runtime.peaks_and_maps(images, settings)
    assert kept is maps
    for some in (found, runtime.peaks(images, settings)):
        for one, other in zip(some, expected, strict=True):
            for name in ("x", "y", "score", "class_id"):
                assert np.array_equal(getattr(one, name), getattr(other, name)), name
    with pytest.raises(AssertionError):
        candidates(torch.from_numpy(maps), settings)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_the_same_on_a_gpu() -> None:
    maps = np.random.default_rng(0).random((4, 3, 128, 96), dtype=np.float32)
    on_cpu, on_gpu = (
        peaks_of(candidates(torch.from_numpy(maps).to(place), SETTINGS[0]), SETTINGS[0])
        for place in ("cpu", "cuda")
    )
    for one, other in zip(on_cpu, on_gpu, strict=True):
        assert np.array_equal(one.score, other.score)
        assert np.array_equal(one.x, other.x)
