"""`wsi-edt report` as a user meets it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import paint, write_slide
from wsi_edt.cli.main import run_command
from wsi_edt.results.lock import results_lock

NETWORK = {"torch", "openvino", "distributed"}
PROBE = """
import sys
from wsi_edt.cli.main import run_command
code = run_command(sys.argv[1:])
print(*sorted({name.partition(".")[0] for name in sys.modules}))
sys.exit(code)
"""


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    write_slide(folder / "slides/a.png", paint(0, width=500, height=160))
    run_all(folder / "slides", folder / "out")
    return folder / "out"


def test_it_says_what_came_out_and_loads_no_network(out: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", PROBE, "report", str(out), "--profile", "net", "--hotspots", "1"],
        check=False,
        capture_output=True,
        text=True,
        env=os.environ | {"COLUMNS": "100"},
    )
    assert ran.returncode == 0, ran.stderr
    lines = ran.stdout.splitlines()
    assert lines[0] == "1 slide"
    assert lines[1].startswith("a.png: ")
    assert f"1 slide. Results: {out / 'report.html'}" in " ".join(lines[:-1])
    assert not NETWORK & set(lines[-1].split())


def test_while_a_run_writes_there_it_is_refused(out: Path, capfd: pytest.CaptureFixture[str]) -> None:
    with results_lock(out):
        assert run_command(["report", str(out)]) == 1
    said = capfd.readouterr().err
    assert said.startswith(f"Error: another run is writing to {out} (process {os.getpid()}")
    assert "; wait for it; if no machine has such a run, remove " in said
    assert "--out" not in said


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--hotspot-mm2", "0"], "--hotspot-mm2 0 isn't a size of a hotspot"),
        (["--dab-cutoffs", "0.4,0.2,0.6"], "don't ascend"),
        (["--threshold", "0.1"], "--threshold 0.1 is below the 0.6 of the run"),
        (["--roi", "nowhere.geojson"], "nowhere.geojson doesn't exist; check what --roi names"),
    ],
)
def test_a_wrong_argument_is_one_sentence(
    out: Path, capfd: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    assert run_command(["report", str(out), *given]) == 2
    assert said in capfd.readouterr().err


def test_a_folder_without_results_is_a_wrong_argument(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["report", str(tmp_path)]) == 2
    assert capfd.readouterr().err == (
        f"Error: {tmp_path} holds no results of a run; name the folder that was --out of a run\n"
    )
