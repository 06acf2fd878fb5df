"""Tiles a second from a clock that is told what to say."""

from itertools import chain

import numpy as np

from wsi_edt.detection.compute import Compute
from wsi_edt.detection.runtimes.runtime import FloatMaps, Images
from wsi_edt.detection.speed import measure_speed


class Recorder:
    """Notes the batches that it was given."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def maps(self, images: Images) -> FloatMaps:
        self.shapes.append(images.shape)
        assert images.dtype == np.uint8
        assert images.std() > 0
        return np.zeros((len(images), 1, *images.shape[1:3]), np.float32)


def test_median_of_the_repeats() -> None:
    seconds = [2.0, 0.5, 4.0]
    starts = [0.0, 10.0, 20.0]
    ticks = iter(
        chain.from_iterable((start, start + took) for start, took in zip(starts, seconds, strict=True))
    )
    runner = Recorder()
    compute = Compute("cpu", "torch", "fp32", threads=3)
    speed = measure_speed(runner, compute, tile_px=32, repeats=3, clock=lambda: next(ticks))
    # Batches of two tiles a thread: 6 tiles in 2, 0.5 and 4 seconds; one batch more comes first.
    assert (speed.median, speed.least, speed.most) == (3.0, 1.5, 12.0)
    assert runner.shapes == [(6, 32, 32, 3)] * 4
    assert (speed.batch, speed.tile_px, speed.repeats, speed.compute) == (6, 32, 3, compute)


def test_a_gpu_gets_more_at_once() -> None:
    runner = Recorder()
    measure_speed(runner, Compute("cuda", "torch", "bf16", threads=2), tile_px=32, repeats=1)
    assert runner.shapes == [(16, 32, 32, 3)] * 2
