"""Painted slides whose cells are known, a detector that finds them by colour, and pools without Dask."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image

from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.pool import PendingShard, ShardPool
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.detection.shards import detect_shard
from wsi_edt.ki67 import Conventions, CountedBy
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.run.options import RunOptions
from wsi_edt.run.settings import CellSettings, RunSettings

MPP = 0.5  # of the painted slides and of the stand-in model: what is painted is what the detector sees
BROWN, BLUE, STROMA, GLASS = (150, 95, 50), (95, 105, 175), (205, 205, 222), (243, 243, 243)


@dataclass(frozen=True)
class Painted:
    """A painted slide: its pixels, and the centres of its nuclei in continuous px."""

    pixels: npt.NDArray[np.uint8]
    positive: npt.NDArray[np.float64]
    negative: npt.NDArray[np.float64]


def paint(seed: int, *, width: int = 900, height: int = 300, tissue: bool = True) -> Painted:
    """Stroma on the left half with nuclei of 9 px across on a jittered lattice of 22 px; on the glass, a speck like one."""
    rng = np.random.default_rng(seed)
    pixels = np.full((height, width, 3), GLASS, np.uint8)
    if not tissue:
        return Painted(pixels, np.zeros((0, 2)), np.zeros((0, 2)))
    right = width // 2
    pixels[:, :right] = STROMA
    centres: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for y in range(14, height - 14, 22):
        for x in range(14, right - 14, 22):
            column, row = x + int(rng.integers(-4, 5)), y + int(rng.integers(-4, 5))
            brown = bool(rng.random() < 0.3)
            cv2.circle(pixels, (column, row), 4, BROWN if brown else BLUE, -1)
            centres[brown].append((column + 0.5, row + 0.5))
    if width >= 500:
        cv2.circle(pixels, (right + 110, height // 2), 4, BLUE, -1)  # no part of what is counted
    noise = rng.integers(-6, 7, pixels.shape)
    noise[:, right:] = 0
    pixels = np.clip(pixels + noise, 0, 255).astype(np.uint8)
    return Painted(pixels, np.array(centres[True]), np.array(centres[False]))


def write_slide(path: Path, painted: Painted) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(painted.pixels).save(path)
    return path


class ColourDetector:
    """Finds brown and blue discs: the share of such px in a disc around each px is the map."""

    def __init__(self, settings: DecodeSettings) -> None:
        self._settings = settings

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        return self.detect_with_maps(images)[0]

    def detect_with_maps(self, images: npt.NDArray[np.uint8]) -> tuple[list[Peaks], npt.NDArray[np.float32]]:
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)).astype(np.float32)
        # A little weight on the middle, so that the share is highest at a disc's centre alone.
        kernel += np.outer(np.hanning(11)[1:-1], np.hanning(11)[1:-1]).astype(np.float32) * 0.2
        kernel /= kernel.sum()
        found = []
        for image in images.astype(np.int16):
            brown = image[..., 0] - image[..., 2] > 50
            blue = image[..., 2] - image[..., 0] > 50
            shares = (
                cv2.filter2D(one.astype(np.float32), -1, kernel, borderType=cv2.BORDER_CONSTANT)
                for one in (brown, blue)
            )
            found.append(np.stack([np.asarray(share, np.float32) for share in shares]))
        return [decode(maps, self._settings) for maps in found], np.stack(found)


SETTINGS = DecodeSettings(("positive", "negative"), "max", 11, 0.6)


COMPUTE = Compute(device="cpu", runtime="torch", precision="fp32", threads=1)


def make_settings(
    *,
    threads: int = 1,
    tile_px: int = 96,
    fallback_mpp: float | None = MPP,
    output: OutputOptions | None = None,
    overwrite: bool = False,
    tissue_mask: bool = True,
    threshold: float | None = None,
    conventions: Conventions | None = None,
) -> RunSettings:
    """Tiles of 96 px with a core of 32: a painted slide has several shards of 256 px, at next to no cost."""
    compute = replace(COMPUTE, threads=threads)
    decoding = SETTINGS if threshold is None else replace(SETTINGS, threshold=threshold)
    options = RunOptions(
        model="colour",
        fallback_mpp=fallback_mpp,
        tissue_mask=tissue_mask,
        threshold=threshold,
        conventions=conventions or Conventions(),
        tile_px=tile_px,
        overwrite=overwrite,
        compute=ComputeOptions(device="cpu", runtime="torch", precision="fp32", threads=threads),
        output=output or OutputOptions(),
    )
    cells = CellSettings(
        model="colour 1",
        model_sha256="0" * 64,
        model_mpp=MPP,
        tile_px=tile_px,
        halo_px=32,
        batch_size=8,
        decode=decoding,
        compute=compute,
        tissue_mask=tissue_mask,
    )
    detector = DetectorSpec("colour", "0" * 64, Path(), decoding, compute, versions=())
    counted_by = CountedBy(
        "colour 1", "The model counts discs of colour.", decoding.threshold, SETTINGS.threshold
    )
    return RunSettings(options, cells, detector, counted_by)


def compute(task: ShardTask) -> ShardResult:
    peaks = detect_shard(
        task.shard,
        ColourDetector(task.detector.decode).detect,
        source=task.source,
        model_mpp=task.model_mpp,
        batch_size=task.batch_size,
        readers=1,
    )
    return ShardResult(peaks, 0.25)


def number(row: SummaryRow, name: str) -> float:
    """A number of the slide's whole tissue."""
    assert row.whole is not None, row
    value = row.whole.values[name]
    assert value is not None, row
    return value


@dataclass(frozen=True)
class Pending:
    """A `PendingShard` of a thread, which can't be ended."""

    future: Future[ShardResult]

    def result(self) -> ShardResult:
        return self.future.result()

    def cancel(self) -> object:
        return self.future.cancel()

    def abandon(self) -> object:
        return self.future.cancel()


@dataclass
class Pool:
    """Computes shards here and now (no threads), or in threads that finish in a shuffled order."""

    threads: int = 0
    compute: Callable[[ShardTask], ShardResult] = compute
    computed: list[tuple[str, int]] = field(default_factory=list)
    opened: int = 0
    most_in_flight: int = 0
    slots: int = 3

    def __post_init__(self) -> None:
        self._random = random.Random(self.threads)
        self._in_flight = 0
        self._executor = ThreadPoolExecutor(self.threads) if self.threads else None

    def submit(self, task: ShardTask, done: Callable[[], None]) -> PendingShard:
        self.computed.append((task.source.path.name, task.shard.index))
        self._in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self._in_flight)
        future: Future[ShardResult]
        if self._executor is None:
            future = Future()
            try:
                future.set_result(self.compute(task))
            except Exception as error:
                future.set_exception(error)
        else:
            delay = self._random.random() / 50

            def late() -> ShardResult:
                time.sleep(delay)
                return self.compute(task)

            future = self._executor.submit(late)

        def landed(_: Future[ShardResult]) -> None:
            self._in_flight -= 1
            done()

        future.add_done_callback(landed)
        return Pending(future)

    @contextmanager
    def opener(self, probe: object) -> Iterator[ShardPool]:
        self.opened += 1
        yield self


def result_files(out: Path) -> dict[str, bytes]:
    """The files that must not differ between two runs, by their path in the results folder."""
    names = ("cells.geojson", "cells.geojson.gz", "ki67.json", "overview.png", "tissue.png", "report.html")
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.name in names and path.parent != out
    }
