"""Shards that never end, in workers with Dask's nanny and without: their worker is ended, and others go on."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import cast

import psutil
from distributed import Client, Future, LocalCluster

from tests.cluster.dask_processes import dask_scheduler, dask_workers
from wsi_edt.cluster.pool import DaskShard
from wsi_edt.cluster.worker import ShardResult

SECONDS = 180.0


def hang(begun: Path) -> None:
    begun.touch()
    time.sleep(1000)


def abandon_a_hanging_shard(client: Client, begun: Path) -> None:
    future = client.submit(hang, begun, key="hangs")
    done = threading.Event()
    future.add_done_callback(lambda _: done.set())  # type: ignore[no-untyped-call]
    until = time.monotonic() + SECONDS
    while not begun.exists():  # before, Dask may still give it to another worker
        assert time.monotonic() < until
        time.sleep(0.05)
    DaskShard(cast("Future[ShardResult]", future), client).abandon()
    assert done.wait(SECONDS), "the schedule is told that it ended"


def test_a_worker_with_a_nanny_is_started_again(tmp_path: Path) -> None:
    with (
        LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,  # type: ignore[no-untyped-call]
        Client(cluster) as client,  # type: ignore[no-untyped-call]
    ):
        before = client.submit(os.getpid, key="first").result(SECONDS)
        abandon_a_hanging_shard(client, tmp_path / "begun")
        after = client.submit(os.getpid, key="second").result(SECONDS)
        assert after != before
        assert not psutil.pid_exists(before)


def test_a_worker_without_a_nanny_is_sent_away_and_another_works(tmp_path: Path) -> None:
    with dask_scheduler(tmp_path) as address, dask_workers(address, [{}, {}]), Client(address) as client:  # type: ignore[no-untyped-call]
        abandon_a_hanging_shard(client, tmp_path / "begun")
        assert len(client.nthreads()) == 1
        assert client.submit(sum, [2, 3]).result(SECONDS) == 5
