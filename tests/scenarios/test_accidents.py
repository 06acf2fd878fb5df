"""Runs as a user starts them, with real workers, to which something happens at a place that is chosen, not timed."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.scenarios.accidents import Accident
from tests.scenarios.kill_at_every_step import marked_shards
from tests.stand_ins import MPP, Pool, make_settings, paint, result_files, write_slide
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress, counted

SHARDS = 3 * 9
TIMEOUT = 240  # seconds, of a machine that is busy with other things


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    for seed, name in enumerate(("a.png", "b.png", "c.png")):
        write_slide(folder / name, paint(seed, width=900, height=600))
    return folder


@pytest.fixture
def whole(slides: Path, tmp_path: Path) -> dict[str, bytes]:
    """The result files of a run to which nothing happened."""
    pool = in_process(slides, tmp_path / "whole")
    assert len(pool.computed) == SHARDS, "the accidents' places are among so many shards"
    return result_files(tmp_path / "whole")


def in_process(slides: Path, out: Path) -> Pool:
    """Run to the end, with what the accidents' runs compute with but without their workers; gives what it computed."""
    pool = Pool()
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    result = run_batch(found, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress())
    assert isinstance(result, RunResult)
    assert (len(result.rows), result.failed, result.unfinished) == (3, 0, 0)
    return pool


def ended(started: subprocess.Popen[str]) -> str:
    """What a run has said when all its processes have ended: they hold the pipe."""
    try:
        return started.communicate(timeout=TIMEOUT)[0]
    finally:
        started.kill()


def rows(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open() as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


def test_a_killed_run_frees_its_folder_and_continues(
    slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="b.png", shard=5, waits=True, kills=("client",))
    first = accident.start(slides, out)
    while ("begin", "b.png", 5) not in accident.log:
        assert first.poll() is None, ended(first)
        time.sleep(0.05)
    second = accident.start(slides, out)
    said = ended(second)
    assert second.returncode == 1
    assert f"another run is writing to {out} (process {first.pid} on " in said
    assert "Traceback" not in said

    accident.release()
    ended(first)
    assert first.returncode == -signal.SIGKILL
    marked, before = marked_shards(out), len(accident.log)
    assert 0 < len(marked) < SHARDS
    again = accident.start(slides, out)
    said = ended(again)
    assert again.returncode == 0, said
    assert result_files(out) == whole
    assert not marked & {(slide, shard) for _, slide, shard in accident.log[before:]}


def test_a_killed_worker_is_replaced_and_its_shards_are_tried_again(
    slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="b.png", shard=2, kills=("worker",))
    started = accident.start(slides, out)
    said = ended(started)
    assert (started.returncode, accident.happened) == (0, 1), said
    assert "b.png: shard 2 is tried again: the worker died (out of memory? killed?)" in said
    assert result_files(out) == whole
    begun = Counter((slide, shard) for word, slide, shard in accident.log if word == "begin")
    assert begun["b.png", 2] == 2
    # A worker has two threads: one other shard was in work when it died, and the results of two may have died with it.
    assert sum(begun.values()) <= SHARDS + 4
    assert max(begun.values()) == 2
    assert in_process(slides, out).computed == []


def test_with_client_and_worker_killed_the_same_command_continues(
    slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="a.png", shard=4, after=True, kills=("client", "worker"))
    first = accident.start(slides, out)
    ended(first)
    assert (first.returncode, accident.happened) == (-signal.SIGKILL, 1)
    marked, before = marked_shards(out), len(accident.log)
    again = accident.start(slides, out)
    said = ended(again)
    assert again.returncode == 0, said
    assert result_files(out) == whole
    assert not marked & {(slide, shard) for _, slide, shard in accident.log[before:]}


def test_a_shard_that_kills_its_worker_three_times_fails_its_slide_alone(
    slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="b.png", shard=1, kills=("worker",), times=9)
    started = accident.start(slides, out)
    said = ended(started)
    assert (started.returncode, accident.happened) == (1, 3), said
    assert "Traceback" not in said
    found = rows(out)
    assert {name: row["status"] for name, row in found.items()} == {
        "a.png": "done",
        "b.png": "failed",
        "c.png": "done",
    }
    assert "the worker died (out of memory? killed?)" in found["b.png"]["error"]
    assert ("b.png", 1) in in_process(slides, out).computed
    assert result_files(out) == whole


def test_ctrl_c_once_stores_what_is_in_flight_and_says_how_to_continue(
    slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="b.png", shard=2, sends=signal.SIGINT, waits=True)
    started = accident.start(slides, out)
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("stopping once the "):
            break
    in_flight = int(line.split()[3])
    before = marked_shards(out)
    accident.release()
    said = ended(started)
    assert started.returncode == 130, said
    after = marked_shards(out)
    assert ("b.png", 2) in after - before
    assert len(after - before) <= in_flight
    assert (
        f"{counted(len(after), 'shard')} stored by this run. The same command continues from there." in said
    )
    assert "Traceback" not in said
    assert json.loads((out / "run.json").read_text())["unfinished"] == 3 - len(rows(out)) > 0
    again = in_process(slides, out)
    assert len(again.computed) == SHARDS - len(after)
    assert result_files(out) == whole


def test_ctrl_c_twice_stops_now(slides: Path, whole: dict[str, bytes], tmp_path: Path) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), slide="b.png", shard=2, sends=signal.SIGINT, waits=True)
    started = accident.start(slides, out)
    assert started.stdout is not None
    for line in started.stdout:
        if line.startswith("stopping once the "):
            break
    workers = psutil.Process(started.pid).children(recursive=True)
    started.send_signal(signal.SIGINT)
    said = ended(started)
    assert started.returncode == 130, said
    marked = marked_shards(out)
    assert (
        f"{counted(len(marked), 'shard')} stored by this run. The same command continues from there." in said
    )
    assert ("b.png", 2) not in marked
    assert "Traceback" not in said
    _, alive = psutil.wait_procs(workers, timeout=TIMEOUT)
    assert not alive
    assert not marked & set(in_process(slides, out).computed)
    assert result_files(out) == whole
