"""Calls in a process of their own: what crashes there, or never ends, costs nothing else.

A damaged slide may bring down the library that decodes it, and no thread can be stopped from outside; a process can.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from threading import Lock
from typing import ParamSpec, TypeVar, cast

from wsi_edt.cluster.spawning import main_unseen

P = ParamSpec("P")
T = TypeVar("T")

_SPAWN = multiprocessing.get_context("spawn")
_END_SECONDS = 1.0  # given to a process that is asked to end


class CallCrashedError(Exception):
    """The process of a call died; `what` says how, as a clause."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


class CallTooLongError(Exception):
    """A call took longer than it may."""


class IsolatedCalls:
    """Makes calls in processes that are kept for the next ones; as many as calls are made at a time, by any thread."""

    def __init__(self) -> None:
        self._idle: SimpleQueue[_Caller] = SimpleQueue()
        self._callers: set[_Caller] = set()
        self._lock = Lock()

    def call(self, function: Callable[P, T], limit_s: float, *args: P.args, **kwargs: P.kwargs) -> T:
        """What the function returns, or raises.

        Parameters
        ----------
        function : of a module; it, its arguments and what it returns are pickled
        limit_s : seconds that it may take

        Raises
        ------
        CallCrashedError
            If its process died.
        CallTooLongError
            If it took longer; its process is ended.
        """
        try:
            caller = self._idle.get_nowait()
        except Empty:
            caller = _Caller()
            with self._lock:
                self._callers.add(caller)
        try:
            answer = caller.ask((function, args, kwargs), limit_s)
        except BaseException:
            with self._lock:
                self._callers.discard(caller)
            caller.end()
            raise
        self._idle.put(caller)
        value, error, trace = answer
        if error is None:
            return cast(T, value)
        error.add_note(trace)
        raise error

    def close(self) -> None:
        """End the processes, also those in the middle of a call."""
        with self._lock:
            callers = list(self._callers)
            self._callers.clear()
        for caller in callers:
            caller.end()


class _Caller:
    """A process that makes one call after the other."""

    def __init__(self) -> None:
        self._ours, theirs = _SPAWN.Pipe()
        self._process = _SPAWN.Process(target=_serve, args=(theirs,), name="wsi-edt-isolated", daemon=True)
        self._process.start()
        theirs.close()

    def ask(self, question: object, limit_s: float) -> tuple[object, BaseException | None, str]:
        try:
            self._ours.send(question)
            if not self._ours.poll(limit_s):
                raise CallTooLongError
            answer: tuple[object, BaseException | None, str] = self._ours.recv()
        except (EOFError, ConnectionError) as error:
            self._process.join(_END_SECONDS)
            raise CallCrashedError(_how_it_died(self._process.exitcode)) from error
        return answer

    def end(self) -> None:
        """End the process, whatever it is doing; who waits for its answer learns that it died."""
        self._process.join(0)
        if self._process.is_alive():
            self._process.kill()
            self._process.join(_END_SECONDS)


def _how_it_died(code: int | None) -> str:
    if code is None or code >= 0:
        return f"ended with code {code}"
    with suppress(ValueError):
        return f"died of {signal.Signals(-code).name}"
    return f"died of signal {-code}"


def _serve(theirs: Connection) -> None:
    """Make calls until the other end is closed, as it is when its process dies."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the client's
    # Libraries that decode write there what they think of a damaged file, which users get as one sentence.
    with suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            function, args, kwargs = theirs.recv()
        except (EOFError, OSError):
            return
        try:
            answer: tuple[object, BaseException | None, str] = (function(*args, **kwargs), None, "")
        except Exception as error:
            answer = (None, error, traceback.format_exc())
        try:
            theirs.send(answer)
        except (EOFError, BrokenPipeError):
            return
        except Exception as error:  # what can't be pickled
            reason = answer[1] or error
            theirs.send((None, RuntimeError(f"{type(reason).__name__}: {reason}"), answer[2]))


@contextmanager
def isolated_calls() -> Iterator[IsolatedCalls]:
    """Calls in processes that end with the context."""
    calls = IsolatedCalls()
    with main_unseen():
        try:
            yield calls
        finally:
            calls.close()
