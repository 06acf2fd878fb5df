"""The pages: one for each slide, one for the batch. Plain HTML without scripts, which opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from wsi_edt.cells import CellClass
from wsi_edt.files import write_atomically
from wsi_edt.ki67.index import FEW_CELLS, Ki67Score
from wsi_edt.ki67.result import RESEARCH_USE, WHAT_IS_COUNTED, SlideResult
from wsi_edt.qupath.cells_out import CLASS_COLORS
from wsi_edt.report.rows import Status, SummaryRow

_NONE = "–"


def write_slide_report(path: Path, result: SlideResult, *, overview: str, cells_file: str) -> None:
    """Write one slide's page, atomically.

    Parameters
    ----------
    overview, cells_file : the names of the picture and of the GeoJSON, which lie in the page's folder
    """
    page = (
        _environment()
        .get_template("slide.html")
        .render(
            result=result,
            score=result.score,
            has_classes=_has_classes(result.score),
            overview=overview,
            cells_file=cells_file,
        )
    )
    write_atomically(path, page.encode())


def write_batch_report(path: Path, rows: Sequence[SummaryRow], *, model: str, slides: int) -> None:
    """Write the batch's page, atomically; it links to `<slide>/report.html` of each slide that has one.

    Parameters
    ----------
    rows : of the slides that have ended
    slides : how many the batch has
    """
    statuses = [row.status for row in rows]
    page = (
        _environment()
        .get_template("batch.html")
        .render(
            rows=rows,
            model=model,
            slides=slides,
            Status=Status,
            counts={status: statuses.count(status) for status in Status},
        )
    )
    write_atomically(path, page.encode())


def _has_classes(score: Ki67Score) -> bool:
    """Whether positive and negative say something: not where all that was found are nuclei without a class."""
    return score.unclassified == 0 or score.positive + score.negative > 0


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wsi_edt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": percent,
        "count": count,
        "decimal": decimal,
        "area": area,
        "href": quote,
    }
    environment.globals |= {
        "research_use": RESEARCH_USE,
        "what_is_counted": WHAT_IS_COUNTED,
        "few_cells_limit": FEW_CELLS,
        "colors": {
            kind.name.lower(): "#{:02x}{:02x}{:02x}".format(*CLASS_COLORS[kind]) for kind in CellClass
        },
    }
    return environment


def percent(value: float | None) -> str:
    """Return an index for reading: one digit, and never 0 or 100 where it is only nearly that."""
    if value is None:
        return _NONE
    if 0 < value < 0.05:
        return "< 0.1 %"
    if 99.95 <= value < 100:
        return "> 99.9 %"
    return f"{value:.1f} %"


def count(value: float | None) -> str:
    """Return a whole number with thin spaces between thousands."""
    return _NONE if value is None else f"{round(value):,}".replace(",", "\u202f")


def area(value: float | None) -> str:
    """Return an area in mm² with three digits below 1 mm², where fields lie, and two above."""
    return decimal(value, 2 if value is not None and value >= 1 else 3)


def decimal(value: float | None, digits: int) -> str:
    """Return a number with so many digits after the point."""
    return _NONE if value is None else f"{value:.{digits}f}"
