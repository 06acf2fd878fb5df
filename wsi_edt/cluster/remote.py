"""The Dask workers of a running scheduler."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dask
from distributed import Client
from distributed.versions import VersionMismatchWarning

from wsi_edt.cluster.worker import WorkerTasks
from wsi_edt.cluster.workers import CONNECT_SECONDS, SETTINGS, Workers, quieten
from wsi_edt.errors import UsageError


@contextmanager
def connected_workers(address: str) -> Iterator[Workers]:
    """Connect to the workers of a running scheduler, for example tcp://10.0.0.1:8786.

    Raises
    ------
    UsageError
        If no scheduler answers there within seconds, or it has no workers.
    """
    quieten()
    with dask.config.set(SETTINGS):
        try:
            with warnings.catch_warnings():  # versions are compared below, in one sentence
                warnings.simplefilter("ignore", VersionMismatchWarning)
                client = Client(address, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        except (OSError, ValueError) as error:
            raise UsageError(
                f"no Dask scheduler answers at {address}",
                remedy="check the address, or start one with `dask scheduler`",
            ) from error
        with client:
            try:
                client.wait_for_workers(1, timeout=CONNECT_SECONDS)
            except TimeoutError as error:
                raise UsageError(
                    f"the scheduler at {address} has no workers",
                    remedy=f"start some with `dask worker {address} --nthreads 2`",
                ) from error
            workers = Workers(client, WorkerTasks())
            workers.refuse_other_versions()
            yield workers
