"""A run as `wsi-edt run` shows it, in its own process, with real workers, a stand-in for their network, and an accident.

Usage: python -m tests.scenarios.accidents SLIDES OUT, with the accident in the environment. Its place is a shard, where a
worker brings it about, or the client's n-th step on the disk (a call of fsync or of a rename). Each shard's computation
is logged, with a line when it begins and one when it ends.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import psutil

from tests import stand_ins
from wsi_edt.cli.main import exit_code_of
from wsi_edt.cli.run import run_and_show
from wsi_edt.cluster.local import local_workers
from wsi_edt.cluster.pool import ShardPool
from wsi_edt.cluster.worker import ShardResult, ShardTask, WorkerTasks
from wsi_edt.errors import WsiEdtError
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import RunProgress
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath

REPOSITORY = Path(__file__).parents[2]
_VARIABLE = "WSI_EDT_TEST_ACCIDENT"
STEPS = ("fsync", "replace")


@dataclass(frozen=True)
class Accident:
    """What happens, and where.

    Attributes
    ----------
    folder : for the log and for what the processes tell each other
    slide, shard : where a worker brings it about, before the shard is computed, or `after`
    step : or before which of its steps on the disk the client does
    kills : "worker" (all of them, where the client does it), "client", or both
    sends : a signal that the worker sends to the client
    waits : whether the worker then waits until `release` is called
    times : how often it happens in that place
    """

    folder: str
    slide: str = ""
    shard: int = -1
    after: bool = False
    step: int = -1
    kills: tuple[str, ...] = ()
    sends: int = 0
    waits: bool = False
    times: int = 1

    @property
    def log(self) -> list[tuple[str, str, int]]:
        """("begin" or "end", slide, shard) of each computation, in order."""
        path = Path(self.folder, "log")
        lines = path.read_text().splitlines() if path.exists() else []
        return [(words[0], words[1], int(words[2])) for words in (line.split() for line in lines)]

    @property
    def happened(self) -> int:
        """How often."""
        return len(list(Path(self.folder).glob("happened*")))

    def release(self) -> None:
        """Let the worker that waits go on."""
        Path(self.folder, "go").touch()

    def start(self, slides: Path, out: Path) -> subprocess.Popen[str]:
        """The run, with both its streams in one."""
        return subprocess.Popen(
            [sys.executable, "-m", "tests.scenarios.accidents", str(slides), str(out)],
            cwd=REPOSITORY,
            env={**os.environ, _VARIABLE: json.dumps(asdict(self))},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def due(self) -> bool:
        """Whether it happens now; counts it."""
        for time_ in range(self.times):
            try:
                os.close(os.open(Path(self.folder, f"happened{time_}"), os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                continue
            return True
        return False

    def happen_in_worker(self) -> None:
        if self.sends:
            os.kill(os.getppid(), self.sends)
        if self.waits:
            while not Path(self.folder, "go").exists():
                time.sleep(0.02)
        if "client" in self.kills:
            os.kill(os.getppid(), signal.SIGKILL)
        if "worker" in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)

    def happen_in_client(self) -> None:
        if "worker" in self.kills:
            for child in psutil.Process().children(recursive=True):
                if any("spawn_main" in word for word in child.cmdline()):  # else Python's resource tracker
                    child.kill()
        if "client" in self.kills:
            os.kill(os.getpid(), signal.SIGKILL)


def the_accident() -> Accident:
    fields = json.loads(os.environ[_VARIABLE])
    return Accident(**{**fields, "kills": tuple(fields["kills"])})


def compute(task: ShardTask) -> ShardResult:
    """In a worker: a shard by colour, and the accident."""
    accident = the_accident()
    here = (task.source.path.name, task.shard.index) == (accident.slide, accident.shard)
    _log(accident, "begin", task)
    if here and not accident.after and accident.due():
        accident.happen_in_worker()
    result = stand_ins.compute(task)
    _log(accident, "end", task)
    if here and accident.after and accident.due():
        accident.happen_in_worker()
    return result


def ready(spec: object) -> WsiEdtError | None:
    """In a worker: there is no network to build."""
    return None


def _log(accident: Accident, word: str, task: ShardTask) -> None:
    handle = os.open(Path(accident.folder, "log"), os.O_CREAT | os.O_APPEND | os.O_WRONLY)
    os.write(handle, f"{word} {task.source.path.name} {task.shard.index}\n".encode())
    os.close(handle)


def run(slides: Path, out: Path, *, progress: RunProgress, stop: StopRequest) -> RunResult:
    """A run with two worker processes, whose tasks are those above."""

    @contextmanager
    def open_pool(probe: SlidePath) -> Iterator[ShardPool]:
        with local_workers(2, threads=2, tasks=WorkerTasks(prepare=ready, compute=compute)) as workers:
            yield workers.pool(settings.detector, [probe])

    settings = stand_ins.make_settings()
    found = find_slides([slides], out=out, fallback_mpp=stand_ins.MPP).slides
    return run_batch(found, out, settings=settings, open_pool=open_pool, progress=progress, stop=stop)


def main() -> None:
    accident = the_accident()
    taken = 0

    def stepping(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal taken
            if taken == accident.step and accident.due():
                accident.happen_in_client()
            taken += 1
            return real(*arguments)

        return call

    for name in STEPS:
        setattr(os, name, stepping(getattr(os, name)))
    slides, out = map(Path, sys.argv[1:])
    sys.exit(exit_code_of(lambda: run_and_show(partial(run, slides, out), out), continues=True))


if __name__ == "__main__":
    # By its own name, so that workers find what is pickled.
    from tests.scenarios import accidents

    accidents.main()
