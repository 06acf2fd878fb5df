"""Machines that lack what a run needs: the command and the doctor say so in the same sentence, without a traceback."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bundles.tiny import tiny_bundle
from tests.stand_ins import MPP, paint, write_slide

TIMEOUT = 240
MAIN = "from wsi_edt.cli.main import main; main()"
SCRIPT = """
import sys
from wsi_edt.cli.main import run_command
print("script:", run_command(sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A slide and a model."""
    folder = tmp_path_factory.mktemp("place")
    write_slide(folder / "a.png", paint(3, width=300, height=200))
    tiny_bundle(folder / "tiny", mpp=MPP)
    return folder


def said(place: Path, *arguments: str, shell: str, program: str = MAIN) -> tuple[int, str]:
    """The exit code and the words of a command that a shell's line starts: its "$@"."""
    done = subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", program, *arguments],
        env={
            **os.environ,
            "XDG_CACHE_HOME": str(place / "cache"),
            "PYTHONPATH": str(Path(__file__).parents[2]),
        },
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        cwd=place,
    )
    words = done.stdout + done.stderr
    assert "Traceback" not in words, words
    return done.returncode, words


def run(place: Path, shell: str) -> tuple[int, str]:
    options = [
        "--tile-px",
        "512",
        "--precision",
        "fp32",
        "--runtime",
        "torch",
        "--workers",
        "1",
        "--overwrite",
    ]
    slide, model = str(place / "a.png"), str(place / "tiny")
    return said(
        place,
        "run",
        slide,
        "--out",
        str(place / "out"),
        "--mpp",
        str(MPP),
        "--model",
        model,
        *options,
        shell=shell,
    )


def doctor(place: Path, shell: str) -> tuple[int, str]:
    return said(place, "doctor", "--model", str(place / "tiny"), "--out", str(place / "out"), shell=shell)


def namespaces(*kinds: str) -> str:
    """The beginning of a shell's line in namespaces of its own; skips where nobody may make them."""
    unshare = shutil.which("unshare")
    if unshare is None or subprocess.run([unshare, *kinds, "true"], capture_output=True).returncode:
        pytest.skip("namespaces aren't allowed here")
    return f"exec unshare {' '.join(kinds)}"


def test_without_a_shm_that_can_be_written(place: Path) -> None:
    mounted = 'mount -t tmpfs -o ro none /dev/shm && exec "$@"'
    shell = f"{namespaces('--mount')} bash -c '{mounted}' bash \"$@\""
    sentence = "worker processes can't start on this machine: it lets them share no semaphores (Read-only file system)"
    code, words = run(place, shell)
    assert (code, sentence in words) == (2, True), words
    code, words = doctor(place, shell)
    assert (code, sentence in words) == (1, True), words
    assert "A run works here" not in words


def test_without_a_loopback_network(place: Path) -> None:
    code, words = run(place, f'{namespaces("--net")} "$@"')
    assert code == 2
    assert "they talk over 127.0.0.1, which must work: bring the loopback network up" in words


@pytest.mark.parametrize("shell", ['ulimit -v 1200000; exec "$@"'])
def test_with_too_few_addresses(place: Path, shell: str) -> None:
    if sys.platform != "linux":
        pytest.skip("other systems limit no addresses")
    code, words = run(place, shell)
    assert code == 2
    assert words.startswith(
        "Error: a process may only have 1.1 GiB of addresses here, where 3 are needed; raise"
    )


def test_in_a_folder_that_was_removed(place: Path) -> None:
    shell = 'mkdir gone; cd gone; rmdir ../gone; exec "$@"'
    for code, words in (run(place, shell), doctor(place, shell)):
        assert (code, words) == (
            2,
            "Error: the current folder isn't there any more (No such file or directory); cd to one that is\n",
        )


def test_a_script_from_standard_input_without_a_guard(place: Path) -> None:
    words = ["run", str(place / "a.png"), "--out", str(place / "script"), "--mpp", str(MPP)]
    done = subprocess.run(
        [sys.executable, "-", *words, "--model", str(place / "tiny"), "--tile-px", "512", "--workers", "1"],
        input=SCRIPT,
        capture_output=True,
        text=True,
        timeout=TIMEOUT,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0
    assert done.stdout.endswith("script: 0\n"), done.stderr
    assert (place / "script/a.png/cells.geojson").exists()
