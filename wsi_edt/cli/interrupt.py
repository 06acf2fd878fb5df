"""What signals mean to a run: stop soon, or stop now."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from types import FrameType

import psutil

from wsi_edt.cli.main import INTERRUPTED
from wsi_edt.run.stop import StopRequest

_SHOW_CURSOR = "\x1b[?25h"


@contextmanager
def stopped_by_signals(stop: StopRequest, *, sentence: Callable[[], str]) -> Iterator[None]:
    """Within the block, Ctrl-C or SIGTERM asks for a stop; Ctrl-C after either ends this process and its workers at once.

    Parameters
    ----------
    sentence : how far the run has come; called in a signal handler

    Notes
    -----
    At once means like SIGKILL: a store is safe at any moment, and unwinding would wait for a slide's files that are being
    written. SIGTERM never counts twice, because `timeout` and batch systems send it to a process and then to its group.
    """

    def on_signal(number: int, frame: FrameType | None) -> None:
        if stop.asked and number == signal.SIGINT:
            _end_now(sentence())
        if not stop.asked:
            # Now, since the run itself reports only when it has time, which it doesn't while workers start.
            _say("Stopping: what the workers have in hand is stored first. Ctrl-C again stops at once.")
        stop.ask()

    if (
        threading.current_thread() is not threading.main_thread()
    ):  # Python gives signals to the main one alone
        yield
        return
    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _say(sentence: str) -> None:
    """Write past Python's streams, which the interrupted thread may be in the middle of."""
    with suppress(OSError):
        os.write(2, f"{sentence}\n".encode())


def _end_now(sentence: str) -> None:
    for worker in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            worker.kill()
    with suppress(OSError):
        if sys.stdout.isatty():
            os.write(1, f"{_SHOW_CURSOR}\n".encode())
    _say(sentence)
    os._exit(INTERRUPTED)
