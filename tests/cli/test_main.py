"""Exit codes, and how quickly the help is there."""

from __future__ import annotations

import errno
import subprocess
import sys
from pathlib import Path

import click
import pytest

import wsi_edt
from wsi_edt.cli import main
from wsi_edt.errors import ModelError, SlideError, UnknownModelError, UsageError


def raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "code", "sentence"),
    [
        (SlideError("x.svs is damaged"), 1, "Error: x.svs is damaged\n"),
        (ModelError("y isn't whole"), 1, "Error: y isn't whole\n"),
        (UnknownModelError("no model 'y'"), 2, "Error: no model 'y'\n"),
        (BrokenPipeError(errno.EPIPE, "Broken pipe"), 141, ""),
        (UsageError("--mpp 40 is impossible"), 2, "Error: --mpp 40 is impossible\n"),
        (
            KeyboardInterrupt(),
            130,
            "Interrupted. What is stored stays: the same command continues from there.\n",
        ),
    ],
)
def test_errors_are_one_sentence_and_a_code(
    error: BaseException,
    code: int,
    sentence: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    # click replaces both streams where a pipe is closed
    monkeypatch.setattr(sys, "stdout", sys.stdout)
    monkeypatch.setattr(sys, "stderr", sys.stderr)
    monkeypatch.setattr(main.cli, "get_command", lambda context, name: raising(error))
    assert main.run_command(["run"]) == code
    captured = capsys.readouterr()
    assert captured.err.lstrip("\n") == sentence
    assert captured.out == ""


def test_only_what_is_stored_is_said_to_continue(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(main.cli, "get_command", lambda context, name: raising(KeyboardInterrupt()))
    assert main.run_command(["evaluate"]) == 130
    assert capsys.readouterr().err.lstrip("\n") == "Interrupted.\n"


def test_a_command_says_its_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    @click.command()
    def one() -> int:
        return 1

    monkeypatch.setattr(main.cli, "get_command", lambda context, name: one)
    assert main.run_command(["run"]) == 1


def test_wrong_arguments_exit_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_command(["rum"]) == 2
    assert "No such command" in capsys.readouterr().err
    assert main.run_command(["run", "slides"]) == 2
    assert "--out" in capsys.readouterr().err
    assert main.run_command(["run", "slides", "--out", "x", "--workers", "0"]) == 2
    assert main.run_command(["run", "slides", "--out", "x", "--devices", "0,x"]) == 2
    assert "'0,x' isn't a list of GPU numbers (for example 0,2)" in capsys.readouterr().err
    assert main.run_command(["run", "slides", "--out", ""]) == 2
    assert "for this folder give ." in capsys.readouterr().err


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main.run_command(["--version"]) == 0
    assert wsi_edt.__version__ in capsys.readouterr().out
    assert main.run_command(["--help"]) == 0
    shown = capsys.readouterr().out
    assert all(f"  {name} " in shown for name in main.COMMANDS)


@pytest.mark.parametrize("arguments", [["--help"], ["run", "--help"], ["doctor", "--help"]])
def test_help_imports_nothing_heavy(arguments: list[str]) -> None:
    code = (
        "import sys; from wsi_edt.cli.main import run_command\n"
        f"assert run_command({arguments!r}) == 0\n"
        "heavy = {'torch', 'dask', 'distributed', 'numpy', 'zarr', 'scipy', 'cv2', 'openslide'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, cwd=Path(__file__).parents[2]
    )


def test_wrong_paths_are_known_before_anything_heavy_is_imported(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "file").write_text("")
    code = (
        "import sys; from wsi_edt.cli.main import run_command\n"
        "assert run_command(['run', 'nothere', '--out', 'o']) == 2\n"
        "assert run_command(['run', 'empty', '--out', 'o']) == 2\n"
        "assert run_command(['run', 'file', '--out', 'file']) == 2\n"
        "assert run_command(['info', 'nothere']) == 2\n"
        "assert run_command(['info', 'empty']) == 2\n"
        "heavy = {'torch', 'dask', 'distributed'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True, cwd=tmp_path
    )
    assert "nothere is neither a file nor a folder" in shown.stderr
    assert "no slides in empty" in shown.stderr
    assert "file is a file, not a folder" in shown.stderr
    assert not (tmp_path / "o").exists()
