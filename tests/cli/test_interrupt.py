"""What signals mean to a run. What a second Ctrl-C ends is tested in tests/scenarios/test_accidents.py."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading

import pytest

from wsi_edt.cli.interrupt import stopped_by_signals
from wsi_edt.run.stop import StopRequest


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_first_signal_asks(number: signal.Signals) -> None:
    stop, woken = StopRequest(), []
    stop.wakes(lambda: woken.append(True))
    before = signal.getsignal(number)
    with stopped_by_signals(stop, sentence=lambda: "so far"):
        asked_before = stop.asked
        os.kill(os.getpid(), number)
        assert stop.asked
        os.kill(os.getpid(), signal.SIGTERM)  # as batch systems send it, once more
    assert not asked_before
    assert woken == [True]
    assert signal.getsignal(number) is before


def test_ctrl_c_after_it_ends_the_process_with_a_sentence() -> None:
    code = (
        "import os, signal\n"
        "from wsi_edt.cli.interrupt import stopped_by_signals\n"
        "from wsi_edt.run.stop import StopRequest\n"
        "with stopped_by_signals(StopRequest(), sentence=lambda: 'so far'):\n"
        "    os.kill(os.getpid(), signal.SIGTERM)\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "print('not reached')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    first, second = ended.stderr.splitlines()
    assert first == "Stopping: what the workers have in hand is stored first. Ctrl-C again stops at once."
    assert (ended.returncode, ended.stdout, second) == (130, "", "so far")


def test_a_thread_that_gets_no_signals_runs_all_the_same() -> None:
    done: list[bool] = []

    def run() -> None:
        with stopped_by_signals(StopRequest(), sentence=lambda: ""):
            done.append(True)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert done
