"""Augmented crops and their targets as tensors, made ahead in threads. The n-th crop depends on the seed and n alone."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice

import numpy as np
import torch
from torch import Tensor

from wsi_edt.networks.normalisation import IMAGENET, normalised
from wsi_edt.slides import ImageSlide, TileRequest, read_window
from wsi_edt.slides.location import SlidePath
from wsi_edt.training.augment import augment
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.datasets import ImageArray, LabelledImage
from wsi_edt.training.material import Material
from wsi_edt.training.sampling import WindowSampler
from wsi_edt.training.targets import WindowTargets, image_max_distance, window_targets

MOST_THREADS = 8  # enough for a GPU's hunger; the interpreter lock lets no more help
BATCHES_AHEAD = 2


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of one step.

    Attributes
    ----------
    images : (B, H, W, 3) uint8 RGB
    maps : (B, maps, H, W) float32 in [0, 1], what the network should say
    weight : (B, maps, H, W) float32, 1 where that is known, 0 elsewhere
    """

    images: Tensor
    maps: Tensor
    weight: Tensor

    def on(self, device: str) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised pixels (B, 3, H, W) float32, maps and weight, on the device; a copy to a GPU doesn't wait."""
        images, maps, weight = (
            (part.pin_memory() if device == "cuda" else part).to(device, non_blocking=True)
            for part in (self.images, self.maps, self.weight)
        )
        return normalised(images, IMAGENET), maps, weight


class BatchMaker:
    """Makes the batches of a training.

    Parameters
    ----------
    config : of the training
    material : its images
    """

    def __init__(self, config: TrainConfig, material: Material) -> None:
        self._config = config
        self._sampler = WindowSampler(
            material.training,
            material.weights,
            model_mpp=config.mpp,
            crop_px=config.schedule.crop_px,
            scale_jitter=config.augmentation.scale,
            seed=config.seed,
        )
        self._images: dict[SlidePath, LabelledImage] = {image.path: image for image in material.training}
        self._max_distance: dict[SlidePath, float] = {
            image.path: image_max_distance(image, model_mpp=config.mpp, clamp=config.maps.clamp)
            for image in material.training
        }

    def batches(self, first_step: int) -> Generator[Batch]:
        """The batches from that step, counted from 0, to the training's last; close the iterator to stop its threads."""
        schedule = self._config.schedule
        requests = self._sampler.requests(first_step * schedule.batch_size)
        pool = ThreadPoolExecutor(_threads(), thread_name_prefix="crops")
        pending: deque[list[Future[tuple[ImageArray, WindowTargets]]]] = deque()
        try:
            for step in range(first_step, schedule.steps):
                crops = enumerate(islice(requests, schedule.batch_size))
                pending.append([pool.submit(self._crop, request, step, number) for number, request in crops])
                if len(pending) > BATCHES_AHEAD:
                    yield _stacked([crop.result() for crop in pending.popleft()])
            while pending:
                yield _stacked([crop.result() for crop in pending.popleft()])
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def _crop(self, request: TileRequest, step: int, number: int) -> tuple[ImageArray, WindowTargets]:
        image, maps = self._images[request.path], self._config.maps
        pixels = read_window(ImageSlide(image.path, image.pixels, image.mpp), request.window, mpp=request.mpp)
        targets = window_targets(
            image,
            request.window,
            mpp=request.mpp,
            max_distance_px=self._max_distance[request.path],
            names=maps.names,
            target=maps.target,
        )
        rng = np.random.default_rng((self._config.seed, step, number))
        return augment(pixels, targets, rng, settings=self._config.augmentation)


def _stacked(crops: Sequence[tuple[ImageArray, WindowTargets]]) -> Batch:
    return Batch(
        torch.from_numpy(np.stack([pixels for pixels, _ in crops])),
        torch.from_numpy(np.stack([targets.maps for _, targets in crops])),
        torch.from_numpy(np.stack([targets.weight for _, targets in crops])),
    )


def _threads() -> int:
    return min(MOST_THREADS, os.cpu_count() or 1)
