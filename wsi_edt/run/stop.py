"""How a run is asked to stop early."""

from __future__ import annotations

from collections.abc import Callable


class StopRequest:
    """A request to end a run early: it begins nothing more, stores the shards in flight, and returns the rows so far."""

    def __init__(self) -> None:
        self._asked = False
        self._wakes: list[Callable[[], None]] = []

    @property
    def asked(self) -> bool:
        """Whether somebody has asked."""
        return self._asked

    def ask(self) -> None:
        """Ask, from any thread or a signal handler; once is enough."""
        if not self._asked:
            self._asked = True
            for wake in self._wakes:
                wake()

    def wakes(self, wake: Callable[[], None]) -> None:
        """Have `wake` called, after those before it, when somebody asks; it must be safe in a signal handler."""
        self._wakes.append(wake)
