"""A batch as a table: a slide a line, with what a laboratory knows of it."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from wsi_edt.annotations.content import text_of
from wsi_edt.annotations.tables import Columns, Table, open_table
from wsi_edt.errors import UsageError, WsiEdtError
from wsi_edt.files import remedy_of
from wsi_edt.run.slide_names import fault_of
from wsi_edt.slides.location import SlidePath, location
from wsi_edt.slides.metadata import refuse_implausible_mpp

SUFFIXES = (".csv", ".tsv")
_NOTES = ".txt"  # a table only if it has the header of one: `slides/*` names a readme too
_SPREADSHEETS = (".xlsx", ".xls", ".ods", ".numbers")
MOST_FAULTS = 20  # that one message lists

COLUMNS: Columns = {
    "path": ("path", "slide", "file", "filename", "image", "slide path"),
    "mpp": ("mpp", "µm px", "µm per px", "µm per pixel", "µm pixel"),
    "name": ("name",),
    "case": ("case", "case id", "patient"),
    "series": ("series",),
    "regions": ("regions", "region", "region file", "regions file", "annotations"),
}
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class ManifestRow:
    """One line.

    Attributes
    ----------
    path : of the slide; relative ones are meant from the table's folder
    mpp : µm per level-0 px if the file states none
    name : of its results; by default the path as it stands in the table, or its last part if that leads elsewhere
    case : as the laboratory calls it; "" if unknown
    series : the number of the picture in its file
    regions : a file of areas drawn on the slide
    """

    path: SlidePath
    mpp: float | None
    name: str
    case: str
    series: int | None
    regions: Path | None = None


def is_manifest(path: Path) -> bool:
    """Whether an input is a table of slides rather than a slide.

    Raises
    ------
    UsageError
        If it is a spreadsheet, which isn't read.
    """
    if path.suffix.lower() in _SPREADSHEETS and _is_file(path):
        raise UsageError(
            "is a spreadsheet", where=path, remedy="save it as CSV, which is read as a table of slides"
        )
    if path.suffix.lower() == _NOTES and _is_file(path):
        try:
            _table(path)
        except (OSError, WsiEdtError, csv.Error):
            return False
        return True
    return path.suffix.lower() in SUFFIXES and _is_file(path)


def _table(path: Path) -> Table:
    return open_table(
        text_of(path.read_bytes(), path),
        path,
        columns=COLUMNS,
        suffice=lambda meanings: "path" in meanings,
        needs="a column path",
    )


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except OSError:  # out of reach, of which opening it tells
        return False


def read_manifest(path: Path) -> tuple[list[ManifestRow], tuple[str, ...]]:
    """The lines of a table, and the names of its columns that mean nothing here.

    Columns, in any order: path (or slide, file), and if known mpp, name, case, series, regions. Whether a slide can be
    read is found out when it is run: a line of a missing slide is a slide that fails. What is wrong in the table itself
    is a wrong command.

    Raises
    ------
    UsageError
        If it can't be read, has no column of paths or no lines, or lines hold what can't be meant: it names all of them,
        up to 20.
    """
    try:
        table = _table(path)
        rows, faults = _rows(table, path)
    except OSError as error:
        raise UsageError(f"can't be read ({error.strerror})", where=path, remedy=remedy_of(error)) from error
    except (WsiEdtError, csv.Error) as error:
        raise UsageError(
            str(error) if isinstance(error, WsiEdtError) else f"{path} isn't CSV: {error}",
            remedy="a table of slides has a header such as path;mpp;name;case;regions",
        ) from error
    if faults:
        more = [f"and {len(faults) - MOST_FAULTS} more"] if len(faults) > MOST_FAULTS else []
        raise UsageError(
            f"has wrong lines: {'; '.join([*faults[:MOST_FAULTS], *more])}", where=path, remedy="correct them"
        )
    if not rows:
        raise UsageError("lists no slides", where=path, remedy="give a line for each")
    return rows, tuple(table.others)


def _rows(table: Table, path: Path) -> tuple[list[ManifestRow], list[str]]:
    """The lines that are right, and what is wrong with the others."""
    rows: list[ManifestRow] = []
    faults: list[str] = []
    lines: dict[str, int] = {}
    for line, fields in table.rows:
        try:
            row = _row(table, fields, path.absolute().parent)
            if row.name in lines:
                raise ValueError(f"has the name {row.name!r} of line {lines[row.name]}")
        except ValueError as error:
            faults.append(f"line {line} {error}")
            continue
        lines[row.name] = line
        rows.append(row)
    return rows, faults


def _row(table: Table, fields: list[str], folder: Path) -> ManifestRow:
    surplus = table.surplus(fields)
    if surplus is not None:
        raise ValueError(surplus)
    given = table.cell(fields, "path")
    if not given:
        raise ValueError("has no path")
    if "\0" in given:
        raise ValueError("has a path with a zero byte in it")
    try:
        slide = location(given)
    except UsageError as error:
        raise ValueError(str(error)) from error
    series = _optional(table.cell(fields, "series"), _series)
    regions = _optional(table.cell(fields, "regions"), folder.joinpath)
    if regions is not None and not regions.is_file():
        raise ValueError(f"names the regions {regions}, which don't exist")
    return ManifestRow(
        path=folder / slide if isinstance(slide, Path) else slide,
        mpp=_optional(table.cell(fields, "mpp"), _mpp),
        name=_name(table.cell(fields, "name"), slide, series),
        case=table.cell(fields, "case"),
        series=series,
        regions=regions,
    )


def _optional(text: str, parse: Callable[[str], _T]) -> _T | None:
    return parse(text) if text else None


def _mpp(text: str) -> float:
    try:
        mpp = float(text.replace(",", "."))
        refuse_implausible_mpp(mpp)
    except (ValueError, UsageError) as error:
        raise ValueError(f"has {text!r} as its µm/px") from error
    return mpp


def _series(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise ValueError(f"has {text!r} as its series, which is a number from 1")
    return int(text)


def _name(given: str, slide: SlidePath, series: int | None) -> str:
    """A name for the results' folder, which must lie below --out."""
    if not given:
        is_below = isinstance(slide, Path) and not slide.is_absolute() and ".." not in slide.parts
        given = slide.as_posix() if is_below else slide.name
        return given if series is None else f"{given}#{series}"
    name = "/".join(part for part in given.replace("\\", "/").split("/") if part != ".")
    fault = fault_of(name)
    if fault is not None:
        raise ValueError(f"has the name {given!r}, which {fault}")
    return name
