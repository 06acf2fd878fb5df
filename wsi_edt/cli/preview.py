"""What `wsi-edt run --dry-run` prints."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from wsi_edt.cli.run_display import duration
from wsi_edt.errors import printable
from wsi_edt.run.progress import NoProgress, counted

if TYPE_CHECKING:
    from wsi_edt.run.dry_run import Preview

_WIDE = 1 << 14  # characters: what isn't read on a terminal keeps a slide on one line
_MIB = 1 << 20


class Notes(NoProgress):
    """Prints what a user should know, apart from the table."""

    def note(self, line: str) -> None:
        """Print it."""
        click.echo(printable(f"Note: {line}."), err=True)


def show_previews(previews: Iterator[Preview]) -> int:
    """Print a table of all slides, and its total; return the exit code: 1 if a slide would fail."""
    found = []
    for preview in previews:
        found.append(preview)
        _count(len(found))
    _count(0)
    for line in _lines(_table(found)):
        click.echo(line)
    click.echo(_total(found))
    return 1 if any(preview.error for preview in found) else 0


def _count(looked_at: int) -> None:
    """Show how far it has come, on a terminal only; 0 clears it."""
    if sys.stderr.isatty():
        with suppress(OSError):
            words = f"{counted(looked_at, 'slide')} looked at" if looked_at else ""
            click.echo(f"\r\x1b[K{words}", nl=False, err=True)


def _lines(table: Table) -> list[str]:
    """The table as wide as the terminal; a file or a program gets each slide on one line."""
    console = Console()
    width = console.width if console.is_terminal else _WIDE
    rendered = Console(width=width, file=io.StringIO(), color_system=None)
    with rendered.capture() as captured:
        rendered.print(table)
    return [line.rstrip() for line in captured.get().splitlines()]


def _table(previews: Sequence[Preview]) -> Table:
    with_cases = any(preview.case for preview in previews)
    table = Table(box=None, pad_edge=False)
    table.add_column("slide", overflow="fold")
    if with_cases:
        table.add_column("case", overflow="fold")
    for name in ("MiB", "µm/px", "mm²", "tiles", "time"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("")
    for one in previews:
        table.add_row(
            Text(printable(one.slide)),
            *([Text(printable(one.case))] if with_cases else []),
            "" if one.size_bytes is None else f"{one.size_bytes / _MIB:,.1f}",
            "" if one.slide_mpp is None else f"{one.slide_mpp:.4f}",
            "" if one.tissue_mm2 is None else f"{one.tissue_mm2:,.2f}",
            "" if one.finished or one.error else f"{one.tiles - one.tiles_stored:,}",
            "" if one.finished or one.error or one.seconds is None else duration(one.seconds),
            Text(printable(_remark(one))),
        )
    return table


def _remark(one: Preview) -> str:
    if one.error:
        return f"would fail: {one.error}"
    finished = "finished earlier" if one.finished else ""
    begun = (
        f"goes on: {one.tiles_stored:,} of {counted(one.tiles, 'tile')} are stored"
        if one.tiles_stored
        else ""
    )
    empty = "" if one.tiles or one.finished else "no tissue"
    return "; ".join(words for words in (finished, begun, empty, one.note) if words)


def _total(previews: Sequence[Preview]) -> str:
    failing = sum(one.error is not None for one in previews)
    finished = sum(one.finished for one in previews)
    to_run = [one for one in previews if not one.finished and not one.error]
    words = f"{counted(len(previews), 'slide')}: {len(to_run):,} to run"
    if to_run:
        tiles = counted(sum(one.tiles - one.tiles_stored for one in to_run), "tile")
        tissue = sum(one.tissue_mm2 or 0.0 for one in to_run)
        words += f" ({tiles}, {tissue:,.1f} mm² of tissue; {_time(to_run)})"
    words += f", {finished:,} finished" if finished else ""
    words += f", {failing:,} would fail" if failing else ""
    return f"{words}. Nothing was computed or written."


def _time(to_run: Sequence[Preview]) -> str:
    seconds = [one.seconds for one in to_run if one.seconds is not None]
    if len(seconds) < len(to_run):
        return "time unknown until a first run here"
    return f"about {duration(sum(seconds))} at the pace of the last run here"
