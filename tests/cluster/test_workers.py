"""Dask workers of this machine and of a running scheduler, with a real network that nobody trained."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import CancelledError
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from distributed.scheduler import KilledWorker, WorkerState

from tests.bundles.tiny import tiny_bundle
from tests.cluster.dask_processes import scheduler_process
from tests.stand_ins import MPP, paint, result_files, write_slide
from wsi_edt.bundles import Bundle
from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.local import local_worker_count, local_workers, shards_each
from wsi_edt.cluster.machine import Machine
from wsi_edt.cluster.pool import DaskShard
from wsi_edt.cluster.remote import connected_workers
from wsi_edt.cluster.worker import _Busy, prepare_worker
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.errors import ClusterLostError, ModelError, SlideError, UsageError
from wsi_edt.run import RunOptions, run_slides
from wsi_edt.run.progress import NoProgress


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    write_slide(folder / "a.png", paint(1, width=340, height=60))
    write_slide(folder / "b.png", paint(2, width=240, height=100))
    return folder


@pytest.fixture(scope="module")
def options(bundle: Bundle) -> RunOptions:
    return RunOptions(
        model=str(bundle.directory),
        fallback_mpp=MPP,
        tile_px=96,
        compute=ComputeOptions(device="cpu", precision="fp32", threads=1),
    )


@pytest.fixture(scope="module")
def expected(slides: Path, options: RunOptions, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """The result files of one local worker."""
    out = tmp_path_factory.mktemp("expected")
    result = run_slides([slides], out, options)
    assert all(row.total for row in result.rows), (
        "the network finds something everywhere, or the case shows nothing"
    )
    return result_files(out)


KILLED = """
import sys, time
from pathlib import Path
from wsi_edt.cluster.local import local_workers

if __name__ == "__main__":
    with local_workers(1) as workers:
        print("started", flush=True)
        time.sleep(60)
"""


def test_a_killed_run_leaves_no_word_of_its_semaphores(tmp_path: Path) -> None:
    script, log = tmp_path / "script.py", tmp_path / "log"
    script.write_text(KILLED)
    with (
        log.open("w") as errors,
        subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, stderr=errors, text=True) as run,
    ):
        assert run.stdout is not None
        assert run.stdout.readline() == "started\n"
        run.kill()
        run.stdout.read()  # until the last of the run's processes has ended
    assert "resource_tracker" not in log.read_text()


def test_two_workers_give_the_bytes_of_one(
    slides: Path, options: RunOptions, expected: dict[str, bytes], tmp_path: Path
) -> None:
    run_slides([slides], tmp_path / "out", replace(options, workers=2))
    assert result_files(tmp_path / "out") == expected


@contextmanager
def dask_cluster(folder: Path) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A scheduler and a worker of two threads, started as a cluster's users start them; the address, and the scheduler."""
    with scheduler_process(folder) as (address, scheduler):
        command = [sys.executable, "-m", "dask", "worker", address]
        worker = subprocess.Popen(
            [*command, "--nthreads", "2", "--no-dashboard", "--no-nanny"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            yield address, scheduler
        finally:
            worker.kill()  # Dask sometimes waits for ever when it is asked to end
            worker.wait()


def test_a_running_scheduler_gives_the_same_bytes_and_its_loss_is_one_sentence(
    slides: Path, options: RunOptions, expected: dict[str, bytes], tmp_path: Path
) -> None:
    with dask_cluster(tmp_path) as (address, scheduler):
        run_slides([slides], tmp_path / "out", replace(options, scheduler=address))
        assert result_files(tmp_path / "out") == expected

        class Saboteur(NoProgress):
            def stored(self, slide: str, *, tiles: int, cells: int) -> None:
                scheduler.kill()
                scheduler.wait()

        with pytest.raises(ClusterLostError, match="the same command again"):
            run_slides([slides], tmp_path / "lost", replace(options, scheduler=address), progress=Saboteur())
    run_slides([slides], tmp_path / "lost", options)
    assert result_files(tmp_path / "lost") == expected


def test_nobody_at_the_address() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        with (
            pytest.raises(UsageError, match=f"no Dask scheduler answers at {address}"),
            connected_workers(address),
        ):
            pass


def spec_of(bundle: Bundle) -> DetectorSpec:
    return DetectorSpec(
        name=bundle.name,
        sha256=bundle.sha256,
        directory=bundle.directory,
        decode=bundle.decode,
        compute=Compute("cpu", "torch", "fp32", 1),
    )


def test_what_a_worker_refuses(bundle: Bundle, tmp_path: Path) -> None:
    spec = spec_of(bundle)
    newer = tuple((name, "99.9" if name == "torch" else version) for name, version in spec.versions)
    for changed, words in (
        (replace(spec, versions=newer), "(here 99.9); install the same versions there"),
        (replace(spec, sha256="0" * 64), "has other weights here"),
        (replace(spec, directory=tmp_path / "no"), "no model 'tiny'"),
    ):
        refusal = prepare_worker(changed)
        assert isinstance(refusal, ModelError)
        assert words in str(refusal)


def test_weights_that_were_changed_are_refused_before_anything_runs(
    slides: Path, options: RunOptions, tmp_path: Path
) -> None:
    damaged = tiny_bundle(tmp_path / "damaged")
    weights = damaged.weights.read_bytes()
    damaged.weights.write_bytes(weights[:-1] + bytes([weights[-1] ^ 1]))
    with pytest.raises(ModelError, match="isn't the file that"):
        run_slides([slides], tmp_path / "out", replace(options, model=str(damaged.directory)))
    assert not (tmp_path / "out").exists()


def test_the_cores_are_shared_out_among_local_workers() -> None:
    laptops = [Machine("laptop", 8, Compute("cpu", "torch", "fp32", threads)) for threads in (2, 1, 3, 16)]
    assert [local_worker_count(laptop) for laptop in laptops] == [4, 8, 2, 1]
    assert local_worker_count(Machine("gpu", 16, Compute("cuda", "torch", "bf16", 2))) == 1


@pytest.mark.parametrize(("gib", "expected"), [(0.5, 1), (2.9, 1), (3.0, 2), (8, 5), (200, 32), (0, 32)])
def test_no_more_workers_than_the_memory_has_room_for(gib: float, expected: int) -> None:
    """1.5 GiB each; 0 is not known."""
    node = Machine("node", 64, Compute("cpu", "torch", "fp32", 2), memory_bytes=int(gib * 2**30))
    assert local_worker_count(node) == expected


@pytest.mark.parametrize(
    ("cores", "gpus", "gib", "expected"),
    [
        (16, 1, 79, 4),  # a quarter of the cores each
        (64, 1, 79, 4),  # and no more than four
        (8, 1, 79, 2),
        (2, 1, 79, 1),
        (64, 8, 79, 16),
        (32, 4, 79, 8),
        (8, 4, 79, 4),
        (16, 1, 24, 2),  # 10 GiB each
        (16, 1, 8, 1),
    ],
)
def test_a_gpu_has_as_many_workers_as_its_share_of_cores_and_its_memory_serve(
    cores: int, gpus: int, gib: int, expected: int
) -> None:
    for threads in (2, 8):
        compute = Compute("cuda", "torch", "bf16", threads)
        assert local_worker_count(Machine("gpu", cores, compute, gpus=gpus, gpu_bytes=gib << 30)) == expected


def test_a_worker_computes_two_shards_at_a_time_and_beside_a_gpu_as_many_as_its_cores_read() -> None:
    assert [shards_each("cpu", cores) for cores in (1, 2, 16)] == [2, 2, 2]
    assert [shards_each("cuda", cores) for cores in (1, 4, 6, 8, 64)] == [2, 2, 3, 4, 4]


def test_the_seconds_of_shards_that_overlap_add_up_to_the_clocks(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter((5.0, 7.0, 20.0))
    monkeypatch.setattr("wsi_edt.cluster.worker.time.perf_counter", lambda: next(clock))
    busy = _Busy()
    assert [busy.since(begun) for begun in (1.0, 2.0, 10.0)] == [4.0, 2.0, 10.0]


@pytest.mark.parametrize(
    ("raised", "expected_kind", "words"),
    [
        (
            KilledWorker("task", cast(WorkerState, SimpleNamespace(address="tcp://x")), 1),
            SlideError,
            "out of memory",
        ),
        (CancelledError(), ClusterLostError, "connection to the Dask scheduler was lost"),
    ],
)
def test_what_dask_raises_becomes_a_sentence(
    raised: Exception, expected_kind: type[Exception], words: str
) -> None:
    class Future:
        def result(self) -> None:
            raise raised

    with pytest.raises(expected_kind, match=words):
        DaskShard(Future(), None).result()  # type: ignore[arg-type]


NEWBORN = """
import psutil
from pathlib import Path
from wsi_edt.cluster.local import local_workers

with local_workers(1):
    for child in psutil.Process().children(recursive=True):
        if any("spawn_main" in word for word in child.cmdline()):
            print(Path(f"/proc/{child.pid}/status").read_text())
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="no /proc here")
def test_a_worker_is_born_deaf_to_ctrl_c() -> None:
    # In a process of its own: here an earlier test has started Python's resource tracker, which unblocks the signal.
    said = subprocess.run(
        [sys.executable, "-c", NEWBORN], capture_output=True, text=True, timeout=120, check=True
    ).stdout
    blocked = [int(line.split()[1], 16) for line in said.splitlines() if line.startswith("SigBlk:")]
    assert blocked
    assert all(mask & 1 << signal.SIGINT - 1 for mask in blocked)


def test_without_semaphores_no_process_is_started(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr("multiprocessing.synchronize.Semaphore.__init__", refuse)
    with (
        pytest.raises(UsageError, match=r"no semaphores \(Read-only file system\); /dev/shm must"),
        local_workers(1),
    ):
        pass


def test_workers_that_cannot_start_are_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(**options: object) -> None:
        raise RuntimeError("Cluster failed to start:\nTimed out")

    monkeypatch.setattr("wsi_edt.cluster.local.SpecCluster", refuse)
    with (
        pytest.raises(
            UsageError, match=r"can't start on this machine \(Cluster failed to start: Timed out\)"
        ),
        local_workers(1),
    ):
        pass
