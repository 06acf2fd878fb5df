"""From options to settings: every "auto" is decided here, once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from wsi_edt.bundles import find_bundle
from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.machine import Machine
from wsi_edt.detection.compute import Compute
from wsi_edt.ki67 import CountedBy
from wsi_edt.report.pdf import refuse_without_weasyprint
from wsi_edt.results import names
from wsi_edt.results.store import SlideStore
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.options import RunOptions
from wsi_edt.run.settings import CellSettings, RunSettings, refuse_impossible_threshold, refuse_relative


def resolve(
    options: RunOptions, machines: Sequence[Machine], *, slides: Sequence[SlideRef], out: Path
) -> RunSettings:
    """The settings of a run.

    Parameters
    ----------
    machines : one per worker
    slides, out : a run that continues takes the number of threads from the results that are there

    Raises
    ------
    ModelError
        If there is no such model, or its weights are damaged.
    UsageError
        If a setting makes no sense, what it needs isn't installed, or the model finds cells in a way that only whole images
        allow, see `refuse_relative`.
    """
    if options.output.pdf:
        refuse_without_weasyprint()
    bundle = find_bundle(options.model)
    bundle.verify()
    decode = bundle.decode
    refuse_relative(bundle.name, decode)
    if options.threshold is not None:
        refuse_impossible_threshold(options.threshold, decode)
        decode = replace(decode, threshold=options.threshold)
    threads = options.compute.threads
    if threads is None:
        threads = _stored_threads(slides, out)
    cells = CellSettings(
        model=f"{bundle.name} {bundle.version}",
        model_sha256=bundle.sha256,
        model_mpp=bundle.model_mpp,
        tile_px=options.tile_px,
        halo_px=bundle.halo_px,
        batch_size=options.batch_size,
        decode=decode,
        compute=_common([machine.compute for machine in machines], threads=threads),
        tissue_mask=options.tissue_mask,
        icc=options.icc,
    )
    detector = DetectorSpec(bundle.name, bundle.sha256, bundle.directory, decode, cells.compute)
    counted_by = CountedBy(
        cells.model,
        f"The model counts {bundle.counts}.",
        decode.threshold,
        bundle.decode.threshold,
        bundle.median_score,
    )
    return RunSettings(options, cells, detector, counted_by, bundle.stains)


def _common(offers: Sequence[Compute], *, threads: int | None) -> Compute:
    """What all workers can do."""
    return Compute(
        device="cuda" if all(offer.device == "cuda" for offer in offers) else "cpu",
        runtime="openvino" if all(offer.runtime == "openvino" for offer in offers) else "torch",
        precision="bf16" if all(offer.precision == "bf16" for offer in offers) else "fp32",
        threads=min(offer.threads for offer in offers) if threads is None else threads,
    )


def _stored_threads(slides: Sequence[SlideRef], out: Path) -> int | None:
    """The number of threads that the results of an earlier run were computed with."""
    for slide in slides:
        try:
            stored = SlideStore.read_begun(out / slide.name / names.STORE)
        except Exception:  # this slide's row will say why
            continue
        threads = None if stored is None else stored.cells.get("threads")
        if isinstance(threads, int) and threads > 0:
            return threads
    return None
