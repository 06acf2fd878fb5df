"""From what a user asks for to a run's settings: every "auto" is decided here, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wsi_edt.bundles import DEFAULT_MODEL, find_bundle
from wsi_edt.cluster.worker import Hardware
from wsi_edt.cluster.workers import THREADS
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.qupath.cells_out import Geometry
from wsi_edt.results.store import STORE_NAME, SlideStore
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.settings import CellsConfig, Origin, RunConfig

_BATCH_SIZE = 4  # tiles; on a CPU more are no faster, and 4 Mpx fill a GPU
# 1.31 px computed per px of the slide, where tiles of 512 px take 1.78; the same cells (see the model card).
_DEFAULT_TILE_PX = 1024
# A network learns maps that lie in [0, 1]; evidence is one of them, or the sum of two.
_HIGHEST_SCORES = {"max": 1.0, "nucleus": 1.0, "sum": 2.0}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a user may ask for; None and "auto" leave the choice to `resolve`.

    Attributes
    ----------
    model : a shipped model's name, or a model's folder
    mpp : µm per level-0 px of slides that state none
    threshold : the evidence that a cell must exceed, instead of the model's own
    device : "auto", "cpu" or "cuda"
    runtime : "auto", "torch" or "openvino"
    precision : "auto", "fp32" or "bf16"
    threads : of each worker's network
    geometry, origin, gzip, overwrite : see `RunConfig`
    """

    model: str = DEFAULT_MODEL
    mpp: float | None = None
    tissue_mask: bool = True
    tile_px: int = _DEFAULT_TILE_PX
    batch_size: int | None = None
    threshold: float | None = None
    device: str = "auto"
    runtime: str = "auto"
    precision: str = "auto"
    threads: int | None = None
    geometry: Geometry = "point"
    origin: Origin = "qupath"
    gzip: bool = False
    overwrite: bool = False


def resolve(
    wishes: Wishes, machines: Sequence[Hardware], *, slides: Sequence[SlideRef], out: Path
) -> RunConfig:
    """Return a run's settings.

    Parameters
    ----------
    machines : one per worker, as `hardware` describes it
    slides, out : a run that continues takes the number of threads from the results that are there

    Raises
    ------
    ModelError
        Where there is no such model, or its weights aren't whole.
    UsageError
        Where a setting makes no sense.
    """
    bundle = find_bundle(wishes.model)
    bundle.verify()
    highest = _HIGHEST_SCORES[bundle.decode.evidence]
    if wishes.threshold is not None and wishes.threshold >= highest:
        raise UsageError(
            f"--threshold {wishes.threshold:g} would let no cell through: give less than {highest:g} "
            f"(the model's own is {bundle.decode.threshold:g})"
        )
    device = "cuda" if all(machine.device == "cuda" for machine in machines) else "cpu"
    cells = CellsConfig(
        model=f"{bundle.name} {bundle.version}",
        model_sha256=bundle.sha256,
        model_mpp=bundle.mpp,
        tile_px=wishes.tile_px,
        halo_px=bundle.halo_px,
        batch_size=_BATCH_SIZE if wishes.batch_size is None else wishes.batch_size,
        decode=bundle.decode
        if wishes.threshold is None
        else replace(bundle.decode, threshold=wishes.threshold),
        runtime="openvino" if all(machine.runtime == "openvino" for machine in machines) else "torch",
        device=device,
        precision="bf16" if all(machine.precision == "bf16" for machine in machines) else "fp32",
        threads=wishes.threads
        or _stored_threads(slides, out)
        or min(THREADS, *(machine.cores for machine in machines)),
        tissue_mask=wishes.tissue_mask,
    )
    return RunConfig(
        cells=cells,
        model_name=bundle.name,
        model_directory=bundle.directory,
        mpp=wishes.mpp,
        geometry=wishes.geometry,
        origin=wishes.origin,
        gzip=wishes.gzip,
        overwrite=wishes.overwrite,
        chosen=_chosen(wishes),
    )


def _chosen(wishes: Wishes) -> frozenset[str]:
    """The settings that the user left to the program."""
    left = {name for name in ("threads", "batch_size", "threshold") if getattr(wishes, name) is None}
    return frozenset(
        left | {name for name in ("device", "runtime", "precision") if getattr(wishes, name) == "auto"}
    )


def _stored_threads(slides: Sequence[SlideRef], out: Path) -> int | None:
    """The number of threads that the results of an earlier run were computed with."""
    for slide in slides:
        try:
            stored = SlideStore.read_begun(out / slide.name / STORE_NAME)
        except OutputError:
            continue
        threads = None if stored is None else stored.cells.get("threads")
        if isinstance(threads, int) and threads > 0:
            return threads
    return None
