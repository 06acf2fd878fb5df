"""Augmented crops and their targets as tensors on the device that trains. A step's batch depends only on seed and step."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsi_edt.networks import IMAGENET
from wsi_edt.training.augment import Draws, augment, draw
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.fields import Field, field_of
from wsi_edt.training.material import Material
from wsi_edt.training.sampling import Crop, CropSampler, largest_px
from wsi_edt.training.targets import CropPoints, TargetMaker
from wsi_edt.training.transfer import sent

STEPS_AHEAD = 2  # steps whose plans a thread makes meanwhile
CPU_PART = 4  # crops that a CPU makes at a time: their data stay in its cache
_AUGMENTATION = 1  # distinguishes the augmentation's random numbers from the sampling's


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Crops of one step, on the device that trains, until the next step's replace them.

    Attributes
    ----------
    pixels : (B, 3, H, W) float32, normalised
    maps : (B, maps, H, W) float32 in [0, 1], what the network should return
    weight : (B, maps, H, W) float32, 1 where that is known, 0 elsewhere
    """

    pixels: Tensor
    maps: Tensor
    weight: Tensor


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything random about a batch, and where its points lie."""

    crops: Sequence[Crop]
    points: CropPoints
    draws: Draws


class BatchMaker:
    """Makes the batches of a training.

    Parameters
    ----------
    config : of the training
    material : its images
    device : that holds them at the model's µm/px and makes the batches
    """

    def __init__(self, config: TrainConfig, material: Material, *, device: str = "cpu") -> None:
        self._config, self._device, self._styles = config, device, material.styles
        crop_px, scale = config.schedule.crop_px, config.augmentation.scale
        self._fields: list[Field] = [
            field_of(
                image,
                model_mpp=config.mpp,
                largest_px=largest_px(crop_px, scale),
                clamp=config.maps.clamp,
                device=device,
            )
            for image in material.training
        ]
        self._sampler = CropSampler.of(
            self._fields,
            material.weights,
            crop_px=crop_px,
            scale=scale,
            turns=config.augmentation.turns,
            seed=config.seed,
        )
        self._targets = TargetMaker(
            self._fields,
            crop_px=crop_px,
            names=config.maps.names,
            kind=config.maps.kind,
            device=device,
        )

    def fillings(self, batch: Batch, first_step: int) -> Generator[None]:
        """Fill the batch for that step, counted from 0, and for each after it to the training's last.

        Fresh memory for each batch would cost a CPU a fifth more. Close the iterator to stop its thread.
        """
        pending: deque[Future[Plan]] = deque()
        with ThreadPoolExecutor(1, thread_name_prefix="crops") as thread:
            for step in range(first_step, self._config.schedule.steps):
                pending.append(thread.submit(self.plan, step))
                if len(pending) > STEPS_AHEAD:
                    yield self.fill(batch, pending.popleft().result())
            while pending:
                yield self.fill(batch, pending.popleft().result())

    def empty(self) -> Batch:
        """Memory for a batch."""
        schedule, maps = self._config.schedule, len(self._config.maps.names)
        shape = (schedule.batch_size, 3, schedule.crop_px, schedule.crop_px)
        pixels = torch.empty(shape, device=self._device)
        known = (shape[0], maps, *shape[2:])
        return Batch(pixels, torch.empty(known, device=self._device), torch.empty(known, device=self._device))

    def plan(self, step: int) -> Plan:
        """What the batch of a step holds."""
        config = self._config
        count = config.schedule.batch_size
        crops = self._sampler.crops(step, count)
        points = CropPoints.of(
            crops, self._fields, crop_px=config.schedule.crop_px, reach_px=self._targets.reach_px
        )
        rng = np.random.default_rng((config.seed, step, _AUGMENTATION))
        return Plan(crops, points, draw(rng, count, config.augmentation, styles=self._styles))

    @torch.no_grad()
    def fill(self, batch: Batch, plan: Plan) -> None:
        """Fill the batch as planned."""
        size = CPU_PART if self._device == "cpu" else len(plan.crops)
        for first in range(0, len(plan.crops), size):
            part = slice(first, first + size)
            crops, draws = plan.crops[part], plan.draws.part(part)
            self._targets.fill(
                batch.maps[part],
                batch.weight[part],
                points=plan.points.part(first, first + size),
                fields=np.array([crop.field for crop in crops]),
                labelled=self._labelled(crops),
            )
            images = torch.stack([self._cut(crop, self._fields[crop.field].pixels).float() for crop in crops])
            _normalise(augment(images, draws), into=batch.pixels[part])

    def _labelled(self, crops: Sequence[Crop]) -> Tensor | None:
        """Where labels hold: (B, H, W) bool; None: everywhere."""
        masks = [self._fields[crop.field].labelled for crop in crops]
        if all(mask is None for mask in masks):
            return None
        side = self._config.schedule.crop_px
        everywhere = torch.full((side, side), 255, dtype=torch.uint8, device=self._device)
        return torch.stack(
            [
                everywhere if mask is None else self._cut(crop, mask[:, :, None])[0]
                for mask, crop in zip(masks, crops, strict=True)
            ]
        ) > 127  # fmt: skip

    def _cut(self, crop: Crop, values: Tensor) -> Tensor:
        """A crop of its field's pixels or mask: (C, H, W)."""
        margin_px = self._fields[crop.field].margin_px
        return cut(values, crop, margin_px=margin_px, crop_px=self._config.schedule.crop_px)


def cut(values: Tensor, crop: Crop, *, margin_px: int, crop_px: int) -> Tensor:
    """A crop of its field's (H, W, C) uint8 values, which include the margin, brought to size and turned: (C, H, W)."""
    x, y = crop.x + margin_px, crop.y + margin_px
    square = values[y : y + crop.side_px, x : x + crop.side_px].permute(2, 0, 1)[None]
    if crop.side_px != crop_px:
        # With an anti-aliasing triangle, as slides are resampled; torch has it for 8-bit integers only on the CPU.
        if square.device.type != "cpu":
            square = square.float()
        square = functional.interpolate(square, (crop_px, crop_px), mode="bilinear", antialias=True)
    return _turned(square[0], crop)


def _turned(square: Tensor, crop: Crop) -> Tensor:
    """(C, H, W) turned counter-clockwise, then flipped: transposed if the turn is odd, then mirrored, in one copy."""
    odd = crop.quarter_turns % 2 == 1
    down = crop.quarter_turns in (1, 2)
    right = (crop.quarter_turns in (2, 3)) != crop.flip
    axes = [axis for axis, mirrored in ((1, down), (2, right)) if mirrored]
    return (square.transpose(1, 2) if odd else square).flip(axes)


def _normalise(images: Tensor, *, into: Tensor) -> None:
    """(B, 3, H, W) RGB in [0, 255], as the network takes it."""
    mean, std = (
        sent(np.array(values, np.float32) * 255, images.device)[:, None, None]
        for values in (IMAGENET.mean, IMAGENET.std)
    )
    torch.sub(images, mean, out=into).div_(std)
