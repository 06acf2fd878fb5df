"""What a GPU gives: tiles and mm² a second by batch size, and the share of the rate at which it multiplies matrices.

    python workflows/benchmarks/gpu.py [--model NAME] [--seconds 60] [--json FILE]

The networks are of the model's kind and of each width, with random weights, which cost the same: folded, channels last,
bfloat16, tiles of 1024 px. The share counts the folded network's own multiplications and additions against those of a
product of two 8192 × 8192 bfloat16 matrices, measured in the same run. "detect" is the model with copies and peaks, as a
run uses it. Rows appear as they are measured, the most telling first; one that fails says so, and what comes after the
time is up is left out.
"""

from __future__ import annotations

import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import cache, partial
from pathlib import Path

import click
import numpy as np
import torch
from make_slide import Mosaic, read_picture
from measuring import machine
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.detection.runtimes.torch_cuda import BatchGraph
from wsi_edt.networks import NetworkSpec, build_network

TILE_PX = 1024
COUNTED_PX = 256  # a tile whose operations are counted; they grow with the area
MATRIX_SIDE = 8192
BATCHES = (4, 1, 9)  # what a run takes, the least, and a whole shard
COMPILED_WIDTH, COMPILED_BATCH = 18, 4
LEAST_COMPILING = 10  # seconds under which it isn't tried
WARM_UP, LEAST_SECONDS = 3, 0.4
COMPILED = ("torch.compile", "torch.compile in a CUDA graph")
NO_GPU = "torch sees no GPU here; this benchmark needs one."
_LINE = "| {:<42} | {:>5} | {:>8} | {:>8} | {:>8} | {:>18} |"

Work = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class Row:
    """One measurement.

    Attributes
    ----------
    share : of the matmul rate
    error : why there are no figures
    """

    name: str
    batch: int
    tiles_per_second: float | None = None
    mm2_per_second: float | None = None
    seconds_per_mm2: float | None = None
    share: float | None = None
    error: str | None = None

    def line(self) -> str:
        """As a line of the table."""
        if self.error is not None:
            return f"| {self.name:<42} | {self.batch:>5} | {self.error}"
        assert None not in (self.tiles_per_second, self.mm2_per_second, self.seconds_per_mm2, self.share)
        return _LINE.format(
            self.name,
            self.batch,
            f"{self.tiles_per_second:.0f}",
            f"{self.mm2_per_second:.1f}",
            f"{self.seconds_per_mm2:.4f}",
            f"{self.share:.1%}",
        )


@dataclass(slots=True)
class Report:
    """The rows so far, each printed, and written as JSON, as soon as it is there.

    Attributes
    ----------
    device : the GPU's name
    peak : operations a second of the product of matrices
    tile_mm2 : tissue that a tile accounts for
    ends : the second of `time.monotonic` after which no row is begun
    path : of the JSON
    """

    device: str
    peak: float
    tile_mm2: float
    ends: float
    path: Path | None = None
    rows: list[Row] = field(default_factory=list)

    @property
    def seconds_left(self) -> float:
        """Until no further row is begun."""
        return self.ends - time.monotonic()

    def measure(self, name: str, batch: int, measured: Callable[[], tuple[float, int]]) -> None:
        """Add what the function gives, tiles a second and the operations of a tile, or why it gives nothing."""
        if self.seconds_left <= 0:
            self.add(Row(name, batch, error="left out: the time is up"))
            return
        try:
            self.add(self.row(name, batch, *measured()))
        except (
            Exception
        ) as error:  # a GPU's failures are of any kind, and the other rows are wanted all the same
            self.add(Row(name, batch, error=f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"))

    def row(self, name: str, batch: int, tiles_per_second: float, flop: int) -> Row:
        """The row for a rate; `flop` are the operations of a tile."""
        area = tiles_per_second * self.tile_mm2
        return Row(name, batch, tiles_per_second, area, 1 / area, tiles_per_second * flop / self.peak)

    def add(self, row: Row) -> None:
        """Print and write."""
        self.rows.append(row)
        print(row.line(), flush=True)
        if self.path is not None:
            told = {"device": self.device, "matmul_flops": self.peak, "tile_px": TILE_PX}
            rows = [asdict(row) for row in self.rows]
            self.path.write_text(json.dumps({**told, "machine": machine(), "rows": rows}, indent=1))


def rate(work: Callable[[], object]) -> float:
    """How often a second the GPU does the work."""
    for _ in range(WARM_UP):
        work()
    torch.cuda.synchronize()
    done, started = 0, time.perf_counter()
    while time.perf_counter() - started < LEAST_SECONDS:
        for _ in range(WARM_UP):
            work()
        torch.cuda.synchronize()
        done += WARM_UP
    return done / (time.perf_counter() - started)


def operations(network: nn.Module) -> int:
    """Multiplications and additions of a tile, as torch counts them; needs no GPU."""
    with FlopCounterMode(display=False) as counter, torch.inference_mode():
        weight = next(network.parameters())
        network(torch.zeros(1, 3, COUNTED_PX, COUNTED_PX, dtype=weight.dtype, device=weight.device))
    return int(counter.get_total_flops()) * (TILE_PX // COUNTED_PX) ** 2


def matmul_rate() -> float:
    """Operations a second of a product of two matrices."""
    a, b = (torch.randn(MATRIX_SIDE, MATRIX_SIDE, device="cuda", dtype=torch.bfloat16) for _ in range(2))
    return 2 * MATRIX_SIDE**3 * rate(lambda: a @ b)


def noise_on_gpu(count: int) -> Tensor:
    """A batch as it comes from a slide: (count, 1024, 1024, 3) uint8."""
    return torch.randint(0, 256, (count, TILE_PX, TILE_PX, 3), device="cuda", dtype=torch.uint8)


def core_mm2(bundle: Bundle) -> float:
    """Tissue that one tile accounts for."""
    return ((TILE_PX - 2 * bundle.halo_px) * bundle.model_mpp / 1000) ** 2


@cache
def network_of(model: str, width: int) -> tuple[PreparedNetwork, int]:
    """The network of the model's kind and that width as the detector has it on a GPU, and the operations of a tile."""
    bundle = find_bundle(model)
    spec = NetworkSpec.from_table(bundle.network.to_table() | {"width": width}, maps=bundle.network.maps)
    network = build_network(spec).folded()
    flop = operations(network)
    return PreparedNetwork(network, bundle.normalisation, device="cuda", precision="bf16"), flop


def eager(work: Work, batch: int) -> float:
    """Tiles a second, each kernel launched by itself."""
    with torch.inference_mode():
        return batch * rate(partial(work, noise_on_gpu(batch)))


def timed_by_cudnn(work: Work, batch: int) -> float:
    """The same with cuDNN choosing by timing, as a run can't have it: its cells must not depend on the moment."""
    torch.backends.cudnn.benchmark = True
    try:
        return eager(work, batch)
    finally:
        torch.backends.cudnn.benchmark = False


def as_graph(work: Work, batch: int) -> float:
    """Tiles a second, all kernels launched as one CUDA graph."""
    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    pixels = noise_on_gpu(batch)
    torch.cuda.synchronize()
    graph = BatchGraph(work, tuple(pixels.shape), stream)
    with torch.cuda.stream(stream):
        return batch * rate(lambda: graph.replay(pixels))


EAGER, GRAPH = ("eager", eager), ("CUDA graph", as_graph)
# Which networks, in which batches, in which way; the most telling first.
NETWORKS = (
    *((18, batch, how) for batch in BATCHES for how in (EAGER, GRAPH)),
    (18, 4, ("eager, cuDNN by timing", timed_by_cudnn)),
    *((48, 4, how) for how in (EAGER, GRAPH)),
    (48, 9, GRAPH),
    (32, 4, GRAPH),
)


def network_alone(model: str, width: int, batch: int, how: Callable[[Work, int], float]) -> tuple[float, int]:
    """Tiles a second of a network, and the operations of a tile."""
    prepared, flop = network_of(model, width)
    return how(prepared, batch), flop


@cache
def detector_of(model: str) -> tuple[Detector, int]:
    """The model as a run has it, and the operations of a tile."""
    bundle = find_bundle(model)
    flop = operations(build_network(bundle.network).folded())
    return Detector.load(bundle, settings=bundle.decode, compute=Compute("cuda", "torch", "bf16", 1)), flop


def detect(model: str, batch: int, threads: int) -> tuple[float, int]:
    """Tiles a second with copies and peaks, asked by so many threads, and the operations of a tile."""
    detector, flop = detector_of(model)
    picture = Mosaic.of(read_picture(None), width=TILE_PX, height=TILE_PX).period[:TILE_PX, :TILE_PX]
    images = np.ascontiguousarray(picture[None].repeat(batch, axis=0))
    with ThreadPoolExecutor(threads) as pool:
        times = rate(lambda: list(pool.map(detector.detect, [images] * threads)))
    return times * threads * batch, flop


def compiled_rates(model: str) -> dict[str, float | str]:
    """Tiles a second of the compiled network, or why there are none."""
    prepared, _ = network_of(model, COMPILED_WIDTH)
    compiled = torch.compile(lambda pixels: prepared(pixels))
    rates: dict[str, float | str] = {}
    for name, how in zip(COMPILED, (eager, as_graph), strict=True):
        try:
            rates[name] = how(compiled, COMPILED_BATCH)
        except Exception as error:  # of a compiler, which isn't part of the program
            rates[name] = f"{type(error).__name__}: {' '.join(str(error).split())[:160]}"
    return rates


def ended_in_time(command: list[str], seconds: float) -> tuple[str, str]:
    """What a process printed, and "" or why there is nothing; it and what it started are ended when its time is up."""
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            out, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return "", f"not ready after {seconds:.0f} s"
    if process.returncode:
        return "", (said.strip().splitlines() or [f"ended with {process.returncode}"])[-1][:160]
    return out, ""


def measure_compiled(report: Report, model: str) -> None:
    """The compiled network, in a process of its own: it may take longer to compile than there is time."""
    out, refusal = "", "left out: the time is up"
    if report.seconds_left > LEAST_COMPILING:
        out, refusal = ended_in_time(
            [sys.executable, __file__, "--model", model, "--compiled"], report.seconds_left
        )
    rates = json.loads(out.strip().splitlines()[-1]) if out else {}
    for how in COMPILED:
        name, given = f"w{COMPILED_WIDTH}, {how}", rates.get(how, refusal)
        if isinstance(given, float):
            flop = network_of(model, COMPILED_WIDTH)[1]
            report.add(report.row(name, COMPILED_BATCH, given, flop))
        else:
            report.add(Row(name, COMPILED_BATCH, error=given))


@click.command()
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--seconds", default=58.0, show_default=True, help="After which no row is begun.")
@click.option("--json", "path", type=click.Path(dir_okay=False, path_type=Path), help="The figures as JSON.")
@click.option("--compiled", is_flag=True, hidden=True)
def main(model: str, seconds: float, path: Path | None, compiled: bool) -> None:
    """Print the rates, or say that there is no GPU."""
    ends = time.monotonic() + seconds
    if not torch.cuda.is_available():
        raise click.ClickException(NO_GPU)
    if compiled:
        print(json.dumps(compiled_rates(model)))
        return
    bundle = find_bundle(model)
    report = Report(torch.cuda.get_device_name(), matmul_rate(), core_mm2(bundle), ends, path)
    print(machine())
    print(
        f"{report.device}, {report.peak / 1e12:.0f} TFLOP/s in the product of matrices; tiles of {TILE_PX} px\n"
    )
    print(_LINE.format("", "batch", "tiles/s", "mm²/s", "s/mm²", "of the matmul rate"))
    print("| " + " | ".join(["-" * 42, *("-" * (width - 1) + ":" for width in (5, 8, 8, 8, 18))]) + " |")
    for batch, threads in itertools.product(BATCHES, (1, 2)):
        name = f"{bundle.name}, detect, {threads} at a time"
        report.measure(name, batch, partial(detect, model, batch, threads))
    for width, batch, (name, how) in NETWORKS:
        report.measure(f"w{width}, {name}", batch, partial(network_alone, model, width, batch, how))
    measure_compiled(report, model)


if __name__ == "__main__":
    main()
