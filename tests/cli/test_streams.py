"""What can't be printed ends no command; the exit code and one sentence tell of it."""

from __future__ import annotations

import errno
import io
import subprocess
import sys
from pathlib import Path

import pytest

from wsi_edt.cli import main
from wsi_edt.cli.streams import HarmlessStream

MAIN = "from wsi_edt.cli.main import main; main()"
FULL = Path("/dev/full")


class Raw(io.RawIOBase):
    """Takes three bytes at a time, and refuses some writes."""

    def __init__(self, *refused: OSError | None) -> None:
        self.refused = list(refused)
        self.taken = b""

    def writable(self) -> bool:
        return True

    def write(self, data: object, /) -> int:
        if self.refused and (error := self.refused.pop(0)) is not None:
            raise error
        assert isinstance(data, bytes | bytearray | memoryview)
        self.taken += bytes(data[:3])
        return min(3, len(data))


def test_all_is_written_where_nothing_is_refused() -> None:
    raw = Raw()
    below = HarmlessStream(raw)
    with io.TextIOWrapper(io.BufferedWriter(below), encoding="utf-8") as text:
        text.write("µ and more\n")
    assert raw.taken == "µ and more\n".encode()
    assert below.refused is None


def test_what_is_refused_is_lost_and_the_next_is_tried_again() -> None:
    full = OSError(errno.ENOSPC, "No space left on device")
    raw = Raw(full, None, OSError(errno.EIO, "Input/output error"))
    below = HarmlessStream(raw)
    text = io.TextIOWrapper(io.BufferedWriter(below), encoding="ascii", errors="backslashreplace")
    for words in ("lost", "abc", "lost too", "def"):
        print(words, end="", file=text, flush=True)
    assert raw.taken == b"abcdef"
    assert below.refused is full, "the first is what is told"


def command(shell: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "-c", shell, "bash", sys.executable, "-c", MAIN, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )


@pytest.mark.skipif(not FULL.exists(), reason=f"no {FULL}")
@pytest.mark.parametrize(
    ("shell", "arguments", "code", "says"),
    [
        ('"$@" >/dev/full', ("run", "--help"), 1, "Error: standard output can't be written: No space left on device\n"),
        ('"$@" >/dev/full 2>/dev/full', ("--version",), 1, ""),
        ('"$@" 2>/dev/full', ("run", "nothere", "--out", "o"), 2, ""),
        ('"$@" >&- 2>&- <&-', ("run", "nothere", "--out", "o"), 2, ""),
        ('"$@" | true; exit ${PIPESTATUS[0]}', ("--version",), 141, ""),
    ],
)  # fmt: skip
def test_exit_codes(shell: str, arguments: tuple[str, ...], code: int, says: str) -> None:
    done = command(shell, *arguments)
    assert (done.returncode, done.stderr) == (code, says)


@pytest.mark.parametrize(
    ("arguments", "codes"),
    [
        (["run", "a", "--out", "o"], (0, 1)),
        (["train", "a"], (0, 1)),
        (["run", "a", "--out", "o", "--dry-run"], (1, 1)),
        (["info", "a"], (1, 1)),
    ],
)
def test_what_is_stored_decides_a_runs_code(
    arguments: list[str],
    codes: tuple[int, int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    lost = HarmlessStream(Raw())
    lost.refused = OSError(errno.ENOSPC, "No space left on device")
    monkeypatch.setattr(main, "harmless_streams", lambda: (lost, None))
    monkeypatch.setattr(sys, "argv", ["wsi-edt", *arguments])
    for code, expected in zip((0, 1), codes, strict=True):
        monkeypatch.setattr(main, "run_command", lambda _, code=code: code)
        with pytest.raises(SystemExit) as ended:
            main.main()
        assert ended.value.code == expected
    assert capsys.readouterr().err.count("standard output can't be written: No space left on device") == 2
