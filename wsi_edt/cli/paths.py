"""Where a command reads and writes."""

from __future__ import annotations

import os
from pathlib import Path

import click


class _Place(click.Path):
    """A place that needn't be there. An empty text, as an unset variable leaves it, is refused."""

    def convert(
        self, value: str | os.PathLike[str], param: click.Parameter | None, ctx: click.Context | None
    ) -> str | bytes | os.PathLike[str]:
        """The text as a path."""
        if value == "":
            here = "; for this folder give ." if self.dir_okay else ""
            self.fail(f"an empty text doesn't name a {self.name} (an unset variable?){here}", param, ctx)
        return super().convert(value, param, ctx)


class OutFolder(_Place):
    """A folder to write to."""

    def __init__(self, *, file_okay: bool = False) -> None:
        super().__init__(file_okay=file_okay, path_type=Path)
        self.name = "folder"


class OutFile(_Place):
    """A file to write."""

    def __init__(self) -> None:
        super().__init__(dir_okay=False, path_type=Path)
        self.name = "file"


class InPath(_Place):
    """A file or folder to read, which is looked for later."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)
        self.name = "file or folder"
