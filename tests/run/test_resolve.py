"""Every "auto" is decided once, from what the workers' machines offer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import Bundle
from wsi_edt.cluster.worker import Hardware, hardware
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.results.store import STORE_NAME, SlideStore, StoreHeader
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.resolve import Wishes, resolve
from wsi_edt.run.settings import RunConfig

LAPTOP = Hardware("laptop", 8, "cpu", "openvino", "bf16")
GPU = Hardware("gpu", 16, "cuda", "torch", "bf16")
OLD = Hardware("old", 2, "cpu", "torch", "fp32")
SLIDES = (SlideRef(Path("a.svs"), "a.svs"), SlideRef(Path("b.svs"), "b.svs"))


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def resolved(
    bundle: Bundle, machines: Sequence[Hardware], wishes: Wishes | None = None, out: Path = Path("nowhere")
) -> RunConfig:
    wishes = replace(wishes or Wishes(), model=str(bundle.directory))
    return resolve(wishes, machines, slides=SLIDES, out=out)


def test_the_model_says_the_rest(bundle: Bundle) -> None:
    cells = resolved(bundle, [LAPTOP]).cells
    assert (cells.model, cells.model_sha256) == ("tiny 1", bundle.sha256)
    assert (cells.model_mpp, cells.halo_px, cells.decode) == (bundle.mpp, bundle.halo_px, bundle.decode)
    assert (cells.device, cells.precision, cells.threads, cells.batch_size) == ("cpu", "bf16", 2, 4)


def test_what_one_machine_lacks_none_is_asked_for(bundle: Bundle) -> None:
    assert resolved(bundle, [GPU, GPU]).cells.device == "cuda"
    mixed = resolved(bundle, [GPU, OLD]).cells
    assert (mixed.device, mixed.precision, mixed.threads) == ("cpu", "fp32", 2)


def test_wishes_go_first(bundle: Bundle) -> None:
    cells = resolved(bundle, [LAPTOP], Wishes(threads=3, batch_size=9, threshold=0.45)).cells
    assert (cells.threads, cells.batch_size) == (3, 9)
    assert cells.decode == replace(bundle.decode, threshold=0.45)


def test_cells_do_not_depend_on_cores_or_workers(bundle: Bundle) -> None:
    few, many = resolved(bundle, [LAPTOP]), resolved(bundle, [replace(LAPTOP, cores=64)] * 32)
    assert few.cells.cells_hash() == many.cells.cells_hash()
    assert resolved(bundle, [replace(LAPTOP, cores=1)]).cells.threads == 1


def test_a_run_that_continues_keeps_its_threads(bundle: Bundle, tmp_path: Path) -> None:
    first = resolved(bundle, [LAPTOP], Wishes(threads=5), out=tmp_path)
    cells = first.cells
    header = StoreHeader(cells.cells_hash(), cells.to_json(), "f", 0.5, True, (9, 9))
    store = SlideStore.create(tmp_path / "b.svs" / STORE_NAME, header)
    assert resolved(bundle, [LAPTOP], out=tmp_path).cells.threads == 2, "nothing is stored: it binds nobody"
    store.write_shard(0, TilePeaks.empty(), seconds=1)
    later = resolved(bundle, [LAPTOP] * 4, out=tmp_path)
    assert later.cells.cells_hash() == cells.cells_hash()
    assert resolved(bundle, [LAPTOP] * 4, Wishes(threads=2), out=tmp_path).cells.threads == 2


def test_what_makes_no_sense_is_refused(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        resolve(Wishes(model=str(tmp_path)), [LAPTOP], slides=SLIDES, out=tmp_path)
    with pytest.raises(UsageError, match="--batch-size 0"):
        resolved(bundle, [LAPTOP], Wishes(batch_size=0))
    with pytest.raises(UsageError, match="threshold"):
        resolved(bundle, [LAPTOP], Wishes(threshold=-1.0))
    with pytest.raises(UsageError, match="--threshold 2 would let no cell through: give less than 2"):
        resolved(bundle, [LAPTOP], Wishes(threshold=2.0))
    with pytest.raises(UsageError, match="no device"):
        hardware("tpu", "auto", "auto")


@pytest.mark.skipif(torch.cuda.is_available(), reason="a CUDA device is here")
def test_a_device_that_is_not_here_is_refused_before_anything_begins() -> None:
    with pytest.raises(UsageError, match=r"no CUDA device.*--device cpu"):
        hardware("cuda", "auto", "auto")


def test_what_was_not_asked_for_was_chosen(bundle: Bundle) -> None:
    config = resolved(bundle, [LAPTOP], Wishes(threads=2, precision="fp32"))
    assert config.chosen == {"device", "runtime", "batch_size", "threshold"}


def test_this_machine_has_something_to_offer() -> None:
    machine = hardware("cpu", "torch", "fp32")
    assert (machine.device, machine.runtime, machine.precision) == ("cpu", "torch", "fp32")
    assert machine.cores >= 1
