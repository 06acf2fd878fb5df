"""Every "auto" is decided once, from what the workers' machines offer."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import Bundle
from wsi_edt.bundles.bundle import write_description
from wsi_edt.cluster.machine import Machine, this_machine
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.results.names import STORE
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.results.store import SlideStore, StoreHeader
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.options import RunOptions
from wsi_edt.run.resolve import resolve
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.source import SlideSource

LAPTOP = Machine("laptop", 8, Compute("cpu", "openvino", "bf16", 2))
GPU = Machine("gpu", 16, Compute("cuda", "torch", "bf16", 2))
OLD = Machine("old", 2, Compute("cpu", "torch", "fp32", 2))
SLIDES = tuple(SlideRef(SlideSource(Path(name)), name) for name in ("a.svs", "b.svs"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def resolved(
    bundle: Bundle,
    machines: Sequence[Machine],
    options: RunOptions | None = None,
    out: Path = Path("nowhere"),
) -> RunSettings:
    options = replace(options or RunOptions(), model=str(bundle.directory))
    return resolve(options, machines, slides=SLIDES, out=out)


def test_the_model_says_the_rest(bundle: Bundle) -> None:
    cells = resolved(bundle, [LAPTOP]).cells
    assert (cells.model, cells.model_sha256) == ("tiny 1", bundle.sha256)
    assert (cells.model_mpp, cells.halo_px, cells.decode) == (bundle.model_mpp, bundle.halo_px, bundle.decode)
    assert (cells.compute, cells.batch_size) == (Compute("cpu", "openvino", "bf16", 2), 4)


@pytest.mark.parametrize(
    ("metrics", "score"), [({"median_score": 0.32}, 0.32), ({}, None), ({"median_score": "high"}, None)]
)
def test_how_sure_the_model_usually_is_reaches_the_reports(
    bundle: Bundle, tmp_path: Path, metrics: dict[str, Any], score: float | None
) -> None:
    own = tmp_path / "own"
    shutil.copytree(bundle.directory, own)
    write_description(replace(bundle, directory=own, metrics=metrics))
    settings = resolve(RunOptions(model=str(own)), [LAPTOP], slides=SLIDES, out=tmp_path)
    assert settings.counted_by.model_median_score == score
    # What it is compared with changes no cell.
    assert settings.cells.cells_hash() == resolved(bundle, [LAPTOP]).cells.cells_hash()


def test_what_one_machine_lacks_none_is_asked_for(bundle: Bundle) -> None:
    assert resolved(bundle, [GPU, GPU]).cells.compute.device == "cuda"
    mixed = resolved(bundle, [GPU, OLD]).cells
    assert mixed.compute == Compute("cpu", "torch", "fp32", 2)


def test_options_go_first(bundle: Bundle) -> None:
    cells = resolved(
        bundle, [LAPTOP], RunOptions(compute=ComputeOptions(threads=3), batch_size=9, threshold=0.45)
    ).cells
    assert (cells.compute.threads, cells.batch_size) == (3, 9)
    assert cells.decode == replace(bundle.decode, threshold=0.45)


@pytest.mark.parametrize("method", ["lmss", "lmds"])
def test_a_threshold_that_depends_on_the_tile_is_refused(bundle: Bundle, tmp_path: Path, method: str) -> None:
    shutil.copytree(bundle.directory, tmp_path / "tiny")
    relative = replace(bundle, directory=tmp_path / "tiny", decode=replace(bundle.decode, method=method))
    write_description(relative)
    says = rf"the model tiny finds cells by {method}, .* share of each tile's maximum, .*; bundle it with --method ccls"
    with pytest.raises(UsageError, match=says):
        resolved(relative, [LAPTOP])
    local = replace(relative, decode=replace(bundle.decode, method="peak_local_max", evidence="separate"))
    write_description(local)
    assert resolved(local, [LAPTOP]).detector.decode == local.decode


def test_a_pdf_that_cant_be_made_is_refused_at_once(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "weasyprint", None)  # as if it weren't installed
    with pytest.raises(UsageError, match="--pdf needs the package WeasyPrint"):
        resolved(bundle, [LAPTOP], RunOptions(output=OutputOptions(pdf=True)))
    resolved(bundle, [LAPTOP])


def test_cells_do_not_depend_on_cores_or_workers(bundle: Bundle) -> None:
    few, many = resolved(bundle, [LAPTOP]), resolved(bundle, [replace(LAPTOP, cores=64)] * 32)
    assert few.cells.cells_hash() == many.cells.cells_hash()
    assert (
        resolved(
            bundle, [replace(LAPTOP, cores=1, compute=replace(LAPTOP.compute, threads=1))]
        ).cells.compute.threads
        == 1
    )


def test_a_run_that_continues_keeps_its_threads(bundle: Bundle, tmp_path: Path) -> None:
    first = resolved(bundle, [LAPTOP], RunOptions(compute=ComputeOptions(threads=5)), out=tmp_path)
    cells = first.cells
    header = StoreHeader(cells.cells_hash(), cells.to_json(), "f", 0.5, True, (9, 9))
    store = SlideStore.create(tmp_path / "b.svs" / STORE, header)
    assert resolved(bundle, [LAPTOP], out=tmp_path).cells.compute.threads == 2, (
        "nothing is stored: it binds no settings"
    )
    store.write_shard(Shard(0, ()), TilePeaks.empty(), seconds=1)
    later = resolved(bundle, [LAPTOP] * 4, out=tmp_path)
    assert later.cells.cells_hash() == cells.cells_hash()
    assert (
        resolved(
            bundle, [LAPTOP] * 4, RunOptions(compute=ComputeOptions(threads=2)), out=tmp_path
        ).cells.compute.threads
        == 2
    )


def test_what_makes_no_sense_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="nor one of the shipped models"):
        resolve(RunOptions(model=str(tmp_path)), [LAPTOP], slides=SLIDES, out=tmp_path)
    with pytest.raises(UsageError, match="--batch-size 0"):
        resolved(bundle, [LAPTOP], RunOptions(batch_size=0))
    with pytest.raises(UsageError, match="threshold"):
        resolved(bundle, [LAPTOP], RunOptions(threshold=-1.0))
    with pytest.raises(
        UsageError, match="2 isn't a score that cells can exceed; give 0 or more and less than 2"
    ):
        resolved(bundle, [LAPTOP], RunOptions(threshold=2.0))
    with pytest.raises(UsageError, match="no device"):
        this_machine(ComputeOptions(device="tpu"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_here_is_refused_before_anything_begins() -> None:
    with pytest.raises(UsageError, match=r"no CUDA device.*--device cpu"):
        this_machine(ComputeOptions(device="cuda"))


def test_what_was_not_asked_for_was_chosen(bundle: Bundle) -> None:
    config = resolved(bundle, [LAPTOP], RunOptions(compute=ComputeOptions(threads=2, precision="fp32")))
    assert config.chosen == {"device", "runtime", "threshold"}


def test_this_machine_has_something_to_offer() -> None:
    machine = this_machine(ComputeOptions("cpu", "torch", "fp32"))
    assert machine.compute == Compute("cpu", "torch", "fp32", min(2, machine.cores))
    assert machine.cores >= 1
