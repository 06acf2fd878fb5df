"""The training loop: windows from the tile loader, mean squared error on the maps, an average of the weights."""

from __future__ import annotations

import copy
import csv
import math
import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from wsi_edt.bundles import find_bundle, load_network
from wsi_edt.errors import OutputError
from wsi_edt.networks import HRNet, build_network
from wsi_edt.networks.hrnet import STRIDE
from wsi_edt.networks.normalisation import IMAGENET, normalised
from wsi_edt.slides import ImageSlide, Slide, TileBatch, TileLoader
from wsi_edt.training.augment import augment
from wsi_edt.training.checkpoint import load_checkpoint, save_checkpoint
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.datasets import LabelledImage, read_dataset
from wsi_edt.training.sampling import WindowSampler
from wsi_edt.training.targets import image_max_distance, window_targets
from wsi_edt.training.validation import validate

CHECKPOINT = "checkpoint.safetensors"
LOG = "log.csv"
LOG_STEPS = 20  # steps between lines of the log
CLIP_NORM = 1.0  # of the gradient
# The last layer has no batch norm behind it: at the body's rate one step moves a map by 0.4, and the loss, which ends
# near 0.001, climbed again after 100 steps.
HEAD_FACTOR = 0.1
CONSISTENT_HALO_PX = 64  # from here inwards a part's maps should not tell that it is a part


def train(config: TrainConfig, data: Path, out: Path, *, device: str, report: Callable[[str], None]) -> Path:
    """Train until `config.steps`, continuing from the checkpoint in `out` if there is one, and return its path.

    Parameters
    ----------
    config : what to train, on which sets
    data : the folder that holds each set in a folder of its name
    out : where the checkpoint and the log go
    device : "cpu" or "cuda"
    report : is called with each line of progress
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{out} can't be made: {error.strerror}; choose another --out") from error
    images = [image for name in config.weights for image in read_dataset(name, data / name, "train")]
    validation = [
        image for name in config.validate_on for image in read_dataset(name, data / name, "validation")
    ]
    torch.manual_seed(config.seed)
    network = build_network(config.network).to(device).to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    if config.init:
        network.load_state_dict(load_network(find_bundle(config.init)).state_dict())
        network.eval()  # batch norms keep the model's statistics; all weights are trained
    average = copy.deepcopy(network).eval().requires_grad_(False)
    optimizer = _optimizer(network, config)
    checkpoint, description = out / CHECKPOINT, config.to_json()
    step = 0
    if checkpoint.exists():
        step = load_checkpoint(
            checkpoint, network, average=average, optimizer=optimizer, description=description
        )
        report(f"continuing from step {step} of {config.steps}")
    sampler = WindowSampler(
        images, config.weights, config.mpp, config.crop_px, config.scale_jitter, config.seed
    )
    batches = _Batches(config, images)
    begun, logged_loss = time.monotonic(), 0.0
    with TileLoader(
        sampler.requests(step * config.batch_size), batch_size=config.batch_size, opener=_opener(images)
    ) as loader:
        for batch in loader:
            if step >= config.steps:
                break
            pixels, maps, weight = (array.to(device) for array in batches.prepare(batch, step))
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(config, step) * group["factor"]
            loss = _step(network, optimizer, pixels, maps, weight, consistency=config.consistency)
            step += 1
            _update_average(average, network, decay=min(config.ema_decay, (1 + step) / (10 + step)))
            logged_loss += loss
            if step % LOG_STEPS == 0:
                seconds = time.monotonic() - begun
                report(f"step {step} of {config.steps}, loss {logged_loss / LOG_STEPS:.5f}, {seconds:.0f} s")
                _log(
                    out / LOG,
                    step=step,
                    loss=logged_loss / LOG_STEPS,
                    learning_rate=learning_rate(config, step),
                    seconds=seconds,
                )
                logged_loss = 0.0
            if step % config.checkpoint_steps == 0 or step == config.steps:
                save_checkpoint(
                    checkpoint,
                    network,
                    average=average,
                    optimizer=optimizer,
                    step=step,
                    description=description,
                )
                if validation:
                    report(f"step {step}: {validate(average, validation, mpp=config.mpp)}")
    return checkpoint


def _optimizer(network: HRNet, config: TrainConfig) -> torch.optim.AdamW:
    head = list(network.to_maps.parameters())
    body = [parameter for name, parameter in network.named_parameters() if not name.startswith("to_maps.")]
    groups = [{"params": body, "factor": 1.0}, {"params": head, "factor": HEAD_FACTOR}]
    return torch.optim.AdamW(groups, lr=config.learning_rate, weight_decay=config.weight_decay)


def learning_rate(config: TrainConfig, step: int) -> float:
    """Of that step: a linear warm-up, then half a cosine down to zero."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    done = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    return config.learning_rate * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))


class _Batches:
    """Augmented images and their targets as tensors."""

    def __init__(self, config: TrainConfig, images: Sequence[LabelledImage]) -> None:
        self._config = config
        self._images = {image.path: image for image in images}
        self._max_distance = {image.path: image_max_distance(image, model_mpp=config.mpp) for image in images}

    def prepare(self, batch: TileBatch, step: int) -> tuple[Tensor, Tensor, Tensor]:
        """Normalised pixels (B, 3, H, W), target maps and their weights (B, maps, H, W), all float32."""
        pixels, maps, weight = [], [], []
        for number, (tile, request) in enumerate(zip(batch.images, batch.requests, strict=True)):
            rng = np.random.default_rng((self._config.seed, step, number))
            targets = window_targets(
                self._images[request.path],
                request.window,
                mpp=request.mpp,
                max_distance_px=self._max_distance[request.path],
            )
            changed, targets = augment(tile, targets, rng)
            pixels.append(changed)
            maps.append(targets.maps)
            weight.append(targets.weight)
        images = normalised(torch.from_numpy(np.stack(pixels)), IMAGENET)
        return images, torch.from_numpy(np.stack(maps)), torch.from_numpy(np.stack(weight))


def _opener(images: Sequence[LabelledImage]) -> Callable[[Path], Slide]:
    slides = {image.path: ImageSlide(image.path, image.pixels, image.mpp) for image in images}
    return slides.__getitem__


def _step(
    network: nn.Module,
    optimizer: torch.optim.AdamW,
    pixels: Tensor,
    maps: Tensor,
    weight: Tensor,
    *,
    consistency: float,
) -> float:
    """One step of the optimiser; returns the squared error of the maps, averaged over all px whether asked or not."""
    with torch.autocast(pixels.device.type, torch.bfloat16):
        predicted = network(pixels)
        error = (weight * (predicted - maps) ** 2).mean()
        loss = error
        if consistency:
            loss = error + consistency * _inconsistency(network, pixels, predicted)
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    nn.utils.clip_grad_norm_(network.parameters(), CLIP_NORM)
    optimizer.step()
    return float(error.detach())


def _inconsistency(network: nn.Module, pixels: Tensor, predicted: Tensor) -> Tensor:
    """The mean squared difference between maps of a crop's middle alone and within the crop, over half the batch."""
    half = -(-len(pixels) // 2)
    side = pixels.shape[-1] - 2 * STRIDE * (pixels.shape[-1] // (5 * STRIDE))
    first = (pixels.shape[-1] - side) // 2
    middle = slice(first, first + side)
    alone = network(pixels[:half, :, middle, middle])
    inner = slice(CONSISTENT_HALO_PX, side - CONSISTENT_HALO_PX)
    within = predicted[:half, :, middle, middle]
    difference: Tensor = ((alone - within)[:, :, inner, inner] ** 2).mean()
    return difference


@torch.no_grad()
def _update_average(average: nn.Module, network: nn.Module, *, decay: float) -> None:
    for kept, current in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if kept.dtype.is_floating_point:
            kept.lerp_(current, 1 - decay)
        else:
            kept.copy_(current)


def _log(path: Path, **row: float) -> None:
    new = not path.exists()
    try:
        with path.open("a", newline="") as file:
            writer = csv.writer(file)
            if new:
                writer.writerow(row)
            writer.writerow(row.values())
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise OutputError(f"{path} can't be written: {error.strerror}; choose another --out") from error
