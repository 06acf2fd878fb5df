"""run.json: what was run, with which settings, where and when; report.json: the same of what was reported again."""

from __future__ import annotations

import platform
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Self

import orjson

import wsi_edt
from wsi_edt.cluster.machine import core_count
from wsi_edt.errors import readable
from wsi_edt.files import write_atomically


@dataclass(frozen=True, slots=True)
class RunRecord:
    """A run that has begun at that time.

    Attributes
    ----------
    begun : the same by a clock that nobody sets, s
    """

    started: datetime
    begun: float

    @classmethod
    def begin(cls) -> Self:
        """A run that begins now."""
        return cls(datetime.now(UTC), time.monotonic())

    def write(
        self, path: Path, *, configuration: Mapping[str, object], slides: int, failed: int, unfinished: int
    ) -> None:
        """Write the record of the run, which ends now.

        Parameters
        ----------
        configuration : what it was asked for, resolved
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
            "configuration": configuration,
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
