"""Which GPU belongs to which worker; there is none here, so workers say what their environment lets them see."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from wsi_edt.cluster.devices import chosen_gpus, pinned_environments
from wsi_edt.cluster.local import local_worker_count, local_workers
from wsi_edt.cluster.machine import Machine
from wsi_edt.detection.compute import Compute
from wsi_edt.errors import UsageError
from wsi_edt.run import RunOptions, run_slides
from wsi_edt.run.resolve import resolve

FOUR = Machine("dgx", 64, Compute("cuda", "torch", "bf16", 2), gpus=4)
LAPTOP = Machine("laptop", 8, Compute("cpu", "torch", "fp32", 2))


def test_all_gpus_unless_some_are_named() -> None:
    assert chosen_gpus(None, FOUR) == (0, 1, 2, 3)
    assert chosen_gpus((2, 0), FOUR) == (2, 0)
    assert chosen_gpus(None, LAPTOP) == ()


@pytest.mark.parametrize(
    ("devices", "machine", "sentence"),
    [
        ((0, 4), FOUR, "--devices 0,4: there is no GPU 4; dgx has GPUs 0 to 3"),
        ((1,), replace(FOUR, gpus=1), "--devices 1: there is no GPU 1; dgx has one GPU, number 0"),
        ((-1,), FOUR, "there is no GPU -1"),
        ((0, 0), FOUR, "--devices 0,0 must name GPUs, each once"),
        ((), FOUR, "must name GPUs"),
        (
            (0,),
            LAPTOP,
            "--devices 0 names GPUs, but this run is on the CPU",
        ),
    ],
)
def test_what_cannot_be_chosen(devices: tuple[int, ...], machine: Machine, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        chosen_gpus(devices, machine)
    assert sentence in str(caught.value)


def test_on_a_cluster_each_worker_has_its_own_gpus(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="CUDA_VISIBLE_DEVICES of each worker"):
        run_slides([tmp_path], tmp_path / "out", RunOptions(devices=(0,), scheduler="tcp://127.0.0.1:1"))
    assert not (tmp_path / "out").exists()


def test_a_cluster_has_workers_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match="--workers is for this machine, and tcp://there:1 has workers of its"
    ):
        run_slides([tmp_path], tmp_path / "out", RunOptions(workers=2, scheduler="tcp://there:1"))
    assert not (tmp_path / "out").exists()


def test_numbers_are_those_of_nvidia_smi_or_of_what_is_visible() -> None:
    by_bus = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}
    assert pinned_environments((2, 0), {}) == [
        {"CUDA_VISIBLE_DEVICES": "2"} | by_bus,
        {"CUDA_VISIBLE_DEVICES": "0"} | by_bus,
    ]
    # A batch system gave these two; which they are is its business, and their order too.
    given = {"CUDA_VISIBLE_DEVICES": "5, GPU-8a1b"}
    assert pinned_environments((0, 1), given) == [
        {"CUDA_VISIBLE_DEVICES": "5"},
        {"CUDA_VISIBLE_DEVICES": "GPU-8a1b"},
    ]
    assert pinned_environments((), {}) == []


def test_one_worker_per_gpu_and_no_trace_of_it_in_what_changes_cells(tmp_path: Path) -> None:
    assert local_worker_count(FOUR) == 4
    options = RunOptions(model=str(tiny_bundle(tmp_path / "tiny").directory))
    hashes = {
        resolve(options, [replace(FOUR, gpus=gpus)] * gpus, slides=(), out=tmp_path).cells.cells_hash()
        for gpus in (1, 2, 4)
    }
    assert len(hashes) == 1


def memory_settings() -> list[str]:
    return [name for name in os.environ if name.startswith("MALLOC_")]


def test_a_worker_keeps_freed_memory_for_its_next_tile(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MALLOC_TRIM_THRESHOLD_", raising=False)
    with local_workers(1) as workers:
        assert list(workers.client.run(memory_settings).values()) == [[]]


def visible() -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("CUDA_VISIBLE_DEVICES")


def test_each_worker_sees_its_gpu_alone_and_so_does_the_one_that_replaces_it() -> None:
    with local_workers(3, gpus=(4, 6)) as workers:
        client = workers.client
        before: Mapping[str, tuple[int, str | None]] = client.run(visible)
        assert sorted(str(seen) for _, seen in before.values()) == ["4", "4", "6"]
        assert "CUDA_VISIBLE_DEVICES" not in os.environ
        victim = next(address for address, (_, seen) in before.items() if seen == "6")
        with suppress(Exception):  # its connection breaks
            client.run(os._exit, 1, workers=[victim])
        deadline = time.monotonic() + 60
        while len(after := client.run(visible, on_error="ignore")) < 3 or before[victim] in after.values():
            assert time.monotonic() < deadline, "no worker replaces the dead one"
            time.sleep(0.2)
        assert sorted(str(seen) for _, seen in after.values()) == ["4", "4", "6"]
