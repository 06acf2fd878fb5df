"""The recipes for several machines: the commands of their README as they stand there, and what SLURM and Kubernetes get."""

from __future__ import annotations

import csv
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import yaml  # type: ignore[import-untyped]
from distributed import Client

from tests.conftest import write_pyramid

CLUSTERS = Path(__file__).parents[2] / "workflows" / "clusters"
SCHEDULER, WORKERS, RUN = range(3)
_SECONDS = 90


def shell_blocks() -> list[str]:
    return re.findall(r"^```sh\n(.*?)^```", (CLUSTERS / "README.md").read_text(), re.DOTALL | re.MULTILINE)


@contextmanager
def started(command: str, environment: dict[str, str], log: Path) -> Iterator[None]:
    """A command that goes on until the end of the block; with it end the processes that it started."""
    with log.open("w") as file:
        process = subprocess.Popen(
            command, shell=True, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, 9)
        process.wait()


def test_the_commands_for_hosts_by_hand(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> None:
    (tmp_path / "slides").mkdir()
    write_pyramid(tmp_path / "slides/a.tif", ihc_pixels, compression="jpeg")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    ours = {"host1": "127.0.0.1", "8786": port, "/data/": f"{tmp_path}/"}

    def here(block: str) -> str:
        for theirs, mine in ours.items():
            block = block.replace(theirs, mine)
        return f"set -e\n{block}"

    blocks = [here(block) for block in shell_blocks()]
    assert len(blocks) == 3
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    with (
        started(blocks[SCHEDULER], environment, tmp_path / "scheduler.log"),
        started(blocks[WORKERS], environment, tmp_path / "workers.log"),
    ):
        deadline = time.monotonic() + _SECONDS
        while True:
            try:
                with Client(f"tcp://127.0.0.1:{port}", timeout=5) as client:  # type: ignore[no-untyped-call]
                    client.wait_for_workers(2, timeout=_SECONDS)
                break
            except OSError:
                assert time.monotonic() < deadline, (tmp_path / "scheduler.log").read_text()
                time.sleep(0.5)
        ended = subprocess.run(
            blocks[RUN], shell=True, env=environment, capture_output=True, text=True, check=False
        )
    assert ended.returncode == 0, ended.stderr
    assert "2 workers at tcp://127.0.0.1" in ended.stdout
    with (tmp_path / "results/summary.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert (row["slide"], row["status"]) == ("a.tif", "done")
    assert int(row["total"]) > 0


def job_script(*options: str) -> str:
    command = [
        sys.executable,
        str(CLUSTERS / "slurm.py"),
        "/data/slides",
        "--out",
        "/data/results",
        "--show-job",
    ]
    return subprocess.run([*command, *options], capture_output=True, text=True, check=True).stdout


def test_a_slurm_job_is_one_worker() -> None:
    script = job_script(
        "--gpu", "--threads", "8", "--memory", "16GiB", "--partition", "gpu", "--walltime", "01:00:00"
    )
    directives = set(re.findall(r"^#SBATCH (.*)$", script, re.MULTILINE))
    assert directives >= {"-n 1", "--cpus-per-task=8", "--mem=16G", "-p gpu", "-t 01:00:00", "--gres=gpu:1"}
    assert "--nworkers" not in script
    assert "--nthreads 4 " in script, "shards at a time beside a GPU"
    assert "--nthreads 2 " in job_script("--threads", "8")


SBATCH = """#!{python}
# Takes a job as SLURM does, which keeps the script (its file is removed afterwards), and starts it at once on this machine.
import subprocess, sys
log = open({log!r}, "a")
process = subprocess.Popen(["bash", "-c", open(sys.argv[-1]).read()], stdout=log, stderr=log)
open({pids!r}, "a").write(f"{{process.pid}}\\n")
print(f"Submitted batch job {{process.pid}}")
"""
SCANCEL = "#!/bin/sh\nkill $1\n"


def test_slurm_from_the_job_to_the_results(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> None:
    """With stand-ins for sbatch and scancel: what they are given must start workers that do the work."""
    write_pyramid(tmp_path / "a.tif", ihc_pixels, compression="jpeg")
    tools = tmp_path / "tools"
    tools.mkdir()
    pids, log = tmp_path / "pids", tmp_path / "jobs.log"
    for name, text in (
        ("sbatch", SBATCH.format(python=sys.executable, pids=str(pids), log=str(log))),
        ("scancel", SCANCEL),
    ):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    command = [
        sys.executable,
        str(CLUSTERS / "slurm.py"),
        str(tmp_path / "a.tif"),
        "--out",
        str(tmp_path / "out"),
    ]
    command += ["--jobs", "1", "--option=--gzip"]
    try:
        ended = subprocess.run(
            command,
            env=os.environ | {"PATH": f"{tools}:{os.environ['PATH']}"},
            capture_output=True,
            text=True,
            check=False,
            timeout=5 * _SECONDS,
        )
    finally:
        for pid in pids.read_text().split() if pids.exists() else ():
            subprocess.run(["kill", "-9", pid], check=False, capture_output=True)
    assert ended.returncode == 0, ended.stderr + (log.read_text() if log.exists() else "")
    assert (tmp_path / "out/a.tif/cells.geojson.gz").exists()


def kubernetes() -> dict[tuple[str, str], Any]:
    documents = yaml.safe_load_all((CLUSTERS / "kubernetes.yaml").read_text())
    return {(document["kind"], document["metadata"]["name"]): document for document in documents}


def test_kubernetes_parts_find_each_other() -> None:
    parts = kubernetes()
    assert set(parts) == {
        ("Deployment", "wsi-edt-scheduler"),
        ("Service", "wsi-edt-scheduler"),
        ("Deployment", "wsi-edt-worker"),
        ("Job", "wsi-edt-run"),
    }
    service = parts["Service", "wsi-edt-scheduler"]["spec"]
    address = f"tcp://wsi-edt-scheduler:{service['ports'][0]['port']}"
    pods = {key: part["spec"]["template"] for key, part in parts.items() if "template" in part["spec"]}
    for (kind, name), pod in pods.items():
        if kind == "Deployment":
            assert parts[kind, name]["spec"]["selector"]["matchLabels"] == pod["metadata"]["labels"]
    assert service["selector"] == pods["Deployment", "wsi-edt-scheduler"]["metadata"]["labels"]

    containers = {key: pod["spec"]["containers"][0] for key, pod in pods.items()}
    worker, run = containers["Deployment", "wsi-edt-worker"], containers["Job", "wsi-edt-run"]
    assert len({container["image"] for container in containers.values()}) == 1, "the same versions everywhere"
    assert address in worker["command"]
    assert address in run["command"]
    for container, pod in ((worker, pods["Deployment", "wsi-edt-worker"]), (run, pods["Job", "wsi-edt-run"])):
        mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
        assert mounts["slides"] == "/data/slides", "under the same path"
        assert mounts.keys() == {volume["name"] for volume in pod["spec"]["volumes"]}
        for value in container["resources"]["limits"].values():
            assert isinstance(value, str)


@pytest.mark.parametrize(
    "key", [("Deployment", "wsi-edt-scheduler"), ("Deployment", "wsi-edt-worker"), ("Job", "wsi-edt-run")]
)
def test_kubernetes_commands_are_ones_that_exist(key: tuple[str, str]) -> None:
    """Each with --help at its end: an option that there isn't ends it with an error."""
    command = kubernetes()[key]["spec"]["template"]["spec"]["containers"][0]["command"]
    program = shutil.which(command[0], path=str(Path(sys.executable).parent))
    assert program is not None
    shown = subprocess.run([program, *command[1:], "--help"], capture_output=True, text=True, check=False)
    assert shown.returncode == 0, shown.stderr
    options = {word for word in command if word.startswith("--")}
    assert all(option in shown.stdout or option.replace("--no-", "--") in shown.stdout for option in options)
