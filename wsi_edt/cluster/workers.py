"""Dask workers, wherever they are: what they are asked before a run, and a pool of them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import cloudpickle  # type: ignore[import-untyped]
from distributed import Client

import wsi_edt
from wsi_edt.cluster import shared_paths, versions
from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.machine import Machine, this_machine
from wsi_edt.cluster.pool import DaskPool, ShardPool
from wsi_edt.cluster.worker import WorkerTasks
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.errors import UsageError, WsiEdtError
from wsi_edt.slides.location import SlidePath

# A worker without wsi-edt, or with another version, couldn't import the question about its version.
cloudpickle.register_pickle_by_value(versions)

CONNECT_SECONDS = 5
SETTINGS = {
    # What shards return is small, and a worker's memory is the network's: Dask's limits would only pause or kill.
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.terminate": False,
    "distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s",
}


class Workers:
    """Dask workers.

    Parameters
    ----------
    client : connected to their scheduler
    tasks : what they are asked to do
    """

    def __init__(self, client: Client, tasks: WorkerTasks) -> None:
        self.client = client
        self._tasks = tasks

    def machines(self, options: ComputeOptions) -> tuple[Machine, ...]:
        """Each worker's machine: on a cluster "auto" means what the workers' machines have, not the client's."""
        answers: Mapping[str, Machine] = _ask(self.client, this_machine, options)
        return tuple(answers.values())

    def refuse_other_versions(self) -> None:
        """UsageError unless all have the versions of this process, of everything that changes cells."""
        answers = _ask(self.client, versions.host_and_versions)
        refusal = versions.refusal(tuple(answers.values()), versions.installed_versions())
        if refusal is not None:
            raise UsageError(refusal, remedy="install the same versions there")

    def pool(self, spec: DetectorSpec, slides: Sequence[SlidePath]) -> ShardPool:
        """A pool of the workers, each with its network built.

        Parameters
        ----------
        slides : that every worker must be able to see

        Raises
        ------
        WsiEdtError
            If one of them has another version, lacks the model, can't do what was resolved, or can't see a slide.
        """
        for block in shared_paths.blocks(slides):
            sights = _ask(self.client, shared_paths.look_for, block)
            if (refusal := shared_paths.refusal(sights.values())) is not None:
                raise refusal
        if urls := shared_paths.one_url_per_place(slides):
            sights = _ask(self.client, shared_paths.look_at, urls)
            if (refusal := shared_paths.refusal(sights.values())) is not None:
                raise refusal
        answers = _ask(self.client, self._tasks.prepare, spec)
        for answer in answers.values():
            if answer is not None:
                raise answer
        return DaskPool(self.client, self._tasks.compute)


def _ask(client: Client, question: Callable[..., object], *arguments: object) -> dict[str, Any]:
    """The answer of every worker.

    Raises
    ------
    WsiEdtError
        What a worker raises, or if a worker can't even be asked.
    """
    try:
        answers: dict[str, Any] = client.run(question, *arguments)
    except WsiEdtError:
        raise
    except Exception as error:  # whatever it raises if the worker has other packages
        raise UsageError(
            f"a worker can't run wsi-edt {wsi_edt.__version__} ({type(error).__name__}: {error})",
            remedy="install the same version there",
        ) from error
    return answers


def quieten() -> None:
    """Keep Dask's log out of the terminal: what matters arrives as an exception."""
    for name in (
        "distributed",
        "distributed.client",
        "distributed.nanny",
        "distributed.core",
        "tornado.application",
    ):
        logging.getLogger(name).setLevel(logging.CRITICAL)
