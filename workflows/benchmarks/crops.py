"""How many augmented crops per second are made for training, and what share of a step they take.

    python workflows/benchmarks/crops.py [--data DATA] [--config CONFIG.toml] [--device cuda]

On a CPU crops are made on one core. Without --data they are cut from a made set. A step's share of waiting is the time
in which the network is idle because its batch is being made.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import click
import cv2
import numpy as np
import skimage.data
import torch
from measuring import machine, table

from wsi_edt.detection.compute import Device, resolve_precision
from wsi_edt.networks import build_network
from wsi_edt.training import TrainConfig, read_config
from wsi_edt.training.batches import Batch, BatchMaker
from wsi_edt.training.checkpoint import TrainingState
from wsi_edt.training.material import read_material
from wsi_edt.training.optimisation import Optimizer, WeightAverage
from wsi_edt.training.stepping import build_step

LEAST_SECONDS = 3.0  # for which a rate is measured
WARM_UP = 5  # steps; on a GPU the fourth is recorded as a graph
POINTS = 300  # of a made image


def make_set(folder: Path) -> TrainConfig:
    """Make a set of four images of tissue with random points; returns a configuration that trains on it."""
    pixels = np.asarray(skimage.data.immunohistochemistry(), np.uint8)  # type: ignore[no-untyped-call]
    rng = np.random.default_rng(0)
    for name in ("images", "points"):
        (folder / "made" / name).mkdir(parents=True)
    for number in range(4):
        image = np.ascontiguousarray(np.rot90(pixels, number)[:, :, ::-1])
        cv2.imwrite(str(folder / "made" / "images" / f"{number}.png"), image)
        rows = (
            f"{('positive', 'negative')[n % 2]},{x:.1f},{y:.1f}"
            for n, (x, y) in enumerate(rng.uniform(0, 512, (POINTS, 2)))
        )
        (folder / "made" / "points" / f"{number}.csv").write_text("class,x,y\n" + "\n".join(rows))
    entries = {"sets": [{"name": "made", "format": "points", "mpp": 0.3125, "weight": 1}], "validation": []}
    return TrainConfig.model_validate(entries)


@contextmanager
def one_core(device: str) -> Iterator[None]:
    """Have torch compute with one thread within the block, on a CPU."""
    before = torch.get_num_threads()
    if device == "cpu":
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def seconds_each(work: Callable[[int], object], device: str) -> float:
    """Seconds by the clock that the work takes; it is called with its number."""
    for number in range(WARM_UP):
        work(number)
    _wait(device)
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < LEAST_SECONDS:
        for _ in range(WARM_UP):
            work(WARM_UP + done)
            done += 1
        _wait(device)
    return (time.perf_counter() - started) / done


def _wait(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def step_seconds(config: TrainConfig, batch: Batch, device: Device) -> float:
    """Seconds of a step on one batch that is on the device: forward, backward, optimiser, average."""
    network = build_network(config.spec).to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
    state = TrainingState(network, WeightAverage(network), Optimizer(network, config.schedule))
    mixed = resolve_precision("auto", device=device) == "bf16"
    step = build_step(state, batch, config.loss, mixed=mixed, note=click.echo)

    def work(number: int) -> None:
        step(rate=1e-5)
        state.average.update(ema_decay=config.schedule.ema_decay, step=number + 1)

    return seconds_each(work, device)


@click.command()
@click.option(
    "--data",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the sets.  [default: a set is made]",
)
@click.option(
    "--config",
    "path",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of the training.  [default: the shipped model's]",
)
@click.option(
    "--device", type=click.Choice(["cpu", "cuda"]), default="cpu", show_default=True, help="That trains."
)
@click.option("--batch-size", type=click.IntRange(1), default=8, show_default=True, help="Crops of a step.")
@click.option("--crop-px", type=click.IntRange(32), default=256, show_default=True, help="Their side.")
def main(data: Path | None, path: Path | None, device: Device, batch_size: int, crop_px: int) -> None:
    """Print crops per second, and the share of a step that making its batch takes."""
    with tempfile.TemporaryDirectory() as folder:
        config = read_config(path) if path else TrainConfig() if data else make_set(Path(folder))
        schedule = config.schedule.model_copy(update={"batch_size": batch_size, "crop_px": crop_px})
        config = config.model_copy(update={"schedule": schedule})
        maker = BatchMaker(config, read_material(config, data or Path(folder)), device=device)
    batch = maker.empty()
    with one_core(device):
        planning = seconds_each(maker.plan, "cpu") / batch_size
        plans = [maker.plan(number) for number in range(WARM_UP)]
        filling = seconds_each(lambda number: maker.fill(batch, plans[number % WARM_UP]), device) / batch_size
    step = step_seconds(config, batch, device) / batch_size
    made = planning + filling
    print(machine())
    print(f"{config.spec}, batches of {batch_size} × {crop_px} px, {device}\n")
    rows = [
        ("drawn (host)", planning),
        ("made", filling),
        ("drawn and made", made),
        ("network's step", step),
    ]
    lines = [
        [name, f"{1e3 * seconds:.2f}", f"{1 / seconds:,.0f}", f"{seconds / (step + filling):.1%}"]
        for name, seconds in rows
    ]
    print(table(("", "ms/crop", "crops/s", "of a step"), lines))


if __name__ == "__main__":
    main()
