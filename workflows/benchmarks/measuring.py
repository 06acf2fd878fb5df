"""What the benchmarks share: time and memory of a piece of work, fresh processes, and tables."""

from __future__ import annotations

import multiprocessing
import platform
import resource
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import ParamSpec, TypeVar

import click
import psutil

from wsi_edt.cluster.machine import this_machine
from wsi_edt.run.discover import find_slides
from wsi_edt.run.options import RunOptions
from wsi_edt.run.plan import SlidePlan, plan_slide
from wsi_edt.run.resolve import resolve
from wsi_edt.run.settings import RunSettings

P = ParamSpec("P")
T = TypeVar("T")

MIB = 1 << 20


@dataclass(slots=True)
class Spent:
    """What a piece of work took; filled in when it ends.

    Attributes
    ----------
    seconds : by the clock; other programs on the machine make it longer
    cpu_seconds : of this process, in user and system mode, all threads
    """

    seconds: float = 0.0
    cpu_seconds: float = 0.0


@contextmanager
def spent() -> Iterator[Spent]:
    """Measure the block."""
    taken = Spent()
    started, cpu_started = time.perf_counter(), time.process_time()
    yield taken
    taken.seconds, taken.cpu_seconds = time.perf_counter() - started, time.process_time() - cpu_started


def in_fresh_process(function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    """The result of a module-level function, called in a new process that shares no memory with this one."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args, **kwargs).result()


def memory_now() -> int:
    """Bytes of memory that this process holds (resident)."""
    return int(psutil.Process().memory_info().rss)


def peak_memory() -> int:
    """The most bytes of memory that this process has held (resident)."""
    status = Path("/proc/self/status")
    if status.exists():  # on Linux getrusage includes the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM:"))
        return int(line.split()[1]) << 10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak << 10


def machine() -> str:
    """The processor, its cores and the versions that matter, for the line above a table."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        name = names[0].partition(":")[2].strip() if names else name
    versions = ", ".join(f"{package} {version(package)}" for package in ("wsi-edt", "torch", "numpy"))
    others = psutil.getloadavg()[0]
    return f"{name}, {psutil.cpu_count()} cores, {others:.1f} processes running; {versions}"


def resolved(options: RunOptions) -> RunSettings:
    """The settings that `wsi-edt run` would resolve from these options on this machine."""
    return resolve(options, (this_machine(options.compute),), slides=(), out=Path())


def planned(path: Path, settings: RunSettings) -> SlidePlan:
    """The plan of a slide."""
    found = find_slides([path], out=path.parent / "results", fallback_mpp=settings.options.fallback_mpp)
    return plan_slide(found.slides[0], settings.cells)[0]


class Numbers(click.ParamType):  # type: ignore[type-arg]  # generic in click's latest alone
    """Numbers above 0, separated by commas; whole ones, unless fractions are allowed."""

    name = "numbers"

    def __init__(self, *, fractions: bool = False) -> None:
        self._number = float if fractions else int

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> list[float]:
        """The text as numbers."""
        try:
            numbers = [self._number(word) for word in value.split(",")]
        except ValueError:
            numbers = []
        if not numbers or not all(0 < number < float("inf") for number in numbers):
            self.fail(
                f"{value!r} must be numbers above 0 with commas between them, for example 1,3", param, ctx
            )
        return numbers


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table, with the first column aligned left and the others right."""
    widths = [max(len(cells[i]) for cells in (head, *rows)) for i in range(len(head))]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]

    def line(cells: Sequence[str]) -> str:
        aligned = [
            cell.ljust(width) if i == 0 else cell.rjust(width)
            for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
        ]
        return f"| {' | '.join(aligned)} |"

    return "\n".join(line(cells) for cells in (head, rule, *rows))
