"""Where a command writes."""

from __future__ import annotations

import os
from pathlib import Path

import click


class OutFolder(click.Path):
    """A folder to write to, which needn't be there. An empty text, as an unset variable leaves it, is refused."""

    def __init__(self, *, file_okay: bool = False) -> None:
        super().__init__(file_okay=file_okay, path_type=Path)

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The text as a path."""
        if value == "":
            self.fail("an empty text names no folder; for this folder give .", param, ctx)
        return super().convert(value, param, ctx)
