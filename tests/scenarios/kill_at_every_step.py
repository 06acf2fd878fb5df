"""Kills runs at each of their steps on the disk, continues them, and prints what came of it as JSON.

A script of its own, because it forks: each run is a child of a process that has imported everything and started no
thread. A step is a call of fsync or of a rename; the child kills itself with SIGKILL instead of the n-th of them.
Usage: python -m tests.scenarios.kill_at_every_step FOLDER [EVERY], which holds the slides in FOLDER/slides; with EVERY
the kills fall on each so manieth step alone.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from tests.stand_ins import MPP, Pool, make_settings, result_files
from wsi_edt.results.summary import BatchFiles
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress

STEPS = ("fsync", "replace")


def main() -> None:
    folder = Path(sys.argv[1])
    every = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    steps, _ = in_child(partial(run_all, folder, folder / "whole", kill_at=None))
    whole = result_files(folder / "whole")
    found = []
    for step in range(0, steps, every):
        out = folder / f"out{step}"
        _, ended = in_child(partial(run_all, folder, out, kill_at=step))
        marked = marked_shards(out)
        computed, _ = in_child(partial(run_all, folder, out, kill_at=None, answer="computed"))
        found.append(
            {
                "step": step,
                "killed": ended == signal.SIGKILL,
                "marked": sorted(marked),
                "computed": computed,
                "same": result_files(out) == whole,
                "left": [path.name for path in out.rglob("*.partial") if "store.zarr" not in path.parts],
            }
        )
        shutil.rmtree(out)
    print(json.dumps({"steps": steps, "files": len(whole), "runs": found}))


def in_child(work: Callable[[], Any]) -> tuple[Any, int]:
    """What `work` returns in a child process, and the signal that ended it."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        answer = work()
        os.write(write, json.dumps(answer).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    return json.loads(answer) if answer else None, os.WTERMSIG(status)


def run_all(folder: Path, out: Path, *, kill_at: int | None, answer: str = "steps") -> Any:
    taken = 0

    def counted(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            nonlocal taken
            if taken == kill_at:
                os.kill(os.getpid(), signal.SIGKILL)
            taken += 1
            return real(*arguments)

        return call

    for name in STEPS:
        setattr(os, name, counted(getattr(os, name)))
    BatchFiles.write_now_and_then = BatchFiles.write  # type: ignore[assignment,method-assign]  # not when there is time
    pool = Pool()
    slides = find_slides([folder / "slides"], out=out, fallback_mpp=MPP).slides
    run_batch(slides, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress())
    return taken if answer == "steps" else pool.computed


def marked_shards(out: Path) -> set[tuple[str, int]]:
    """The shards that carry their mark, read without the code under test."""
    marked = set()
    for node in out.glob("*/store.zarr/shards/*/zarr.json"):
        if json.loads(node.read_text())["attributes"].get("done") is True:
            marked.add((node.parents[3].name, int(node.parent.name)))
    return marked


if __name__ == "__main__":
    main()
