"""What an output is: one file that a finished slide leaves in its folder."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from wsi_edt.ki67 import Ki67Result, SlideFindings


class Output(Protocol):
    """One file of a slide."""

    @property
    def name(self) -> str:
        """The file's name."""

    @property
    def other_names(self) -> tuple[str, ...]:
        """Names that the same output has under other options: such a file is removed when this one is written."""

    def write(self, folder: Path, findings: SlideFindings, result: Ki67Result) -> None:
        """Write the file, atomically; the same findings and result give the same bytes.

        Raises
        ------
        OutputError
            If it can't be written.
        """
