"""How long a process holds Python's lock: what a thread that never lets go of it by itself goes without.

A worker imports this module to be asked: `start` and `stop` are for `Client.run`.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

_SWITCH_SECONDS = 5e-4


class LockWatch:
    """Spins beside a process' other threads; what it loses, they had.

    Whenever another thread has the lock, this one waits without using its core: the lock's seconds are the clock's less
    those of its processor time, and less those in which it had no core. What else runs on the machine makes them more,
    as it makes whoever has the lock keep it longer. The work gets slower: it waits for the lock up to 5 ms each time.

    Parameters
    ----------
    core : that it runs on, if it may; one that the other threads leave alone
    """

    def __init__(self, core: int | None = None) -> None:
        self._core = core
        self._ended = False
        self._lost = 0.0
        self._thread = threading.Thread(target=self._spin, daemon=True)
        self._thread.start()

    def lost(self) -> float:
        """End it; return the seconds for which others had the lock."""
        self._ended = True
        self._thread.join()
        return max(0.0, self._lost)  # the clocks differ by microseconds

    def _spin(self) -> None:
        if self._core is not None and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(threading.get_native_id(), {self._core})
        began = time.perf_counter() - time.thread_time() - _without_core()
        while not self._ended:
            for _ in range(1000):
                pass
        self._lost = time.perf_counter() - time.thread_time() - _without_core() - began


def _without_core() -> float:
    """Seconds for which this thread was ready to run and had no core; Linux tells."""
    told = Path(f"/proc/self/task/{threading.get_native_id()}/schedstat")
    return int(told.read_text().split()[1]) / 1e9 if told.exists() else 0.0


_watches: list[LockWatch] = []


def start(core: int | None = None) -> None:
    """Begin to watch this process."""
    _watches.append(LockWatch(core))


def stop() -> float:
    """The seconds for which this process' other threads had the lock since `start`."""
    return _watches.pop().lost()
