"""run.json: what was run, with which settings, where and when."""

from __future__ import annotations

import platform
import sys
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import orjson

import wsi_edt
from wsi_edt.cluster.machine import core_count
from wsi_edt.errors import readable
from wsi_edt.files import write_atomically
from wsi_edt.run.settings import RunSettings


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that has begun at that time.

    Attributes
    ----------
    begun : the same by a clock that nobody sets, s
    """

    settings: RunSettings
    started: datetime
    begun: float

    @classmethod
    def begin(cls, settings: RunSettings) -> Self:
        """A run that begins now."""
        return cls(settings, datetime.now(UTC), time.monotonic())

    def write(self, path: Path, *, slides: int, failed: int, unfinished: int) -> None:
        """Write the record of the run, which ends now.

        Parameters
        ----------
        slides, failed, unfinished : how many there were; that failed; that were left when the run was stopped

        Raises
        ------
        OutputError
            If the system refuses.
        """
        finished = datetime.now(UTC)
        fields = {
            "version": wsi_edt.__version__,
            "command": [readable(word) for word in sys.argv],
            "configuration": self.settings.to_json(),
            "slides": slides,
            "failed": failed,
            "unfinished": unfinished,
            "machine": {
                "node": platform.node(),
                "system": platform.platform(),
                "processor": platform.machine(),
                "cores": core_count(),
                "python": platform.python_version(),
            },
            "started": self.started.isoformat(timespec="seconds"),
            "finished": finished.isoformat(timespec="seconds"),
            "seconds": round(time.monotonic() - self.begun, 1),
        }
        options = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        write_atomically(path, orjson.dumps(fields, option=options))
