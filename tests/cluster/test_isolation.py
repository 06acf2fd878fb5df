"""Calls in processes of their own, which may die and hang."""

from __future__ import annotations

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest

from wsi_edt.cluster.isolation import CallCrashedError, CallTooLongError, isolated_calls
from wsi_edt.errors import SlideError

LIMIT_S = 60.0


def number_of_this_process() -> int:
    return os.getpid()


def die(how: signal.Signals) -> None:
    os.kill(os.getpid(), how)


def refuse(what: str) -> None:
    raise SlideError(what, where="a.svs", remedy="do better")


def unpicklable() -> object:
    return lambda: 0


def test_calls_are_made_elsewhere_and_their_processes_kept() -> None:
    with isolated_calls() as calls:
        first = calls.call(number_of_this_process, LIMIT_S)
        assert first != os.getpid()
        assert calls.call(number_of_this_process, LIMIT_S) == first
        assert psutil.pid_exists(first)
    assert not psutil.pid_exists(first)


def test_as_many_at_a_time_as_are_made() -> None:
    with isolated_calls() as calls, ThreadPoolExecutor(2) as threads:
        begun = [threads.submit(calls.call, time.sleep, LIMIT_S, 0.5) for _ in range(2)]
        for one in begun:
            one.result()
        assert len(calls._callers) == 2


def test_errors_come_back_as_they_are_with_their_traceback() -> None:
    with isolated_calls() as calls:
        with pytest.raises(SlideError) as raised:
            calls.call(refuse, LIMIT_S, "is odd")
        assert str(raised.value) == "a.svs is odd; do better"
        assert "in refuse" in raised.value.__notes__[0]
        with pytest.raises(RuntimeError, match="pickle"):
            calls.call(unpicklable, LIMIT_S)


@pytest.mark.parametrize("how", [signal.SIGSEGV, signal.SIGKILL, signal.SIGABRT])
def test_a_crash_is_told_and_the_next_call_works(how: signal.Signals) -> None:
    with isolated_calls() as calls:
        with pytest.raises(CallCrashedError, match=f"died of {how.name}"):
            calls.call(die, LIMIT_S, how)
        assert calls.call(number_of_this_process, LIMIT_S) != os.getpid()


def test_what_never_ends_is_ended() -> None:
    with isolated_calls() as calls:
        calls.call(number_of_this_process, LIMIT_S)  # a process that is there already
        begun = time.monotonic()
        with pytest.raises(CallTooLongError):
            calls.call(time.sleep, 0.2, 1000.0)
        assert time.monotonic() - begun < 60
    assert not [child for child in psutil.Process().children() if "isolated" in " ".join(child.cmdline())]
