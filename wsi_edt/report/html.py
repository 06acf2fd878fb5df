"""The pages: one for each slide, one for the batch. Plain HTML without scripts, which opens offline."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from wsi_edt.cells import CellClass
from wsi_edt.ki67 import NUMBERS, Conventions, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.reasons import Reason
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.ki67.text import count, decimal, percent
from wsi_edt.qupath.dialect import CLASS_COLORS
from wsi_edt.report.rows import Status, SummaryRow

# What a user can do about a reason; ki67.json has the reason alone.
_REMEDIES = {Reason.NO_TISSUE: "--no-tissue-mask looks everywhere"}


def slide_page(result: Ki67Result, *, conventions: Conventions, overview: str, cells: str) -> str:
    """One slide's page.

    Parameters
    ----------
    overview, cells : the names of the picture and of the GeoJSON, which lie in the page's folder
    """
    area = result.whole
    listed = [number for number in NUMBERS if number.label and number.shown(area.values)]
    return _render(
        "slide.html",
        result=result,
        area=area,
        numbers=[(number.name, number.label, number.in_words(area.values[number.name])) for number in listed],
        regions=[one for one in result.areas if one.kind is AreaKind.REGION],
        columns=[number for number in NUMBERS if number.label and number.name != "unclassified"],
        remedy=_REMEDIES.get(area.reason) if area.reason else None,
        least_cells=conventions.least_cells,
        counts=result.counted_by.sentence,
        overview=overview,
        cells=cells,
    )


def batch_page(
    rows: Sequence[SummaryRow],
    *,
    model: str,
    counts: str,
    slides: int,
    conventions: Conventions,
    summary: str,
    report: str,
) -> str:
    """The batch's page; it links to the page of each slide that has one.

    Parameters
    ----------
    rows : of the slides that have ended
    model, counts : the model's name, and a sentence on what it counts
    slides : how many the batch has
    summary, report : the names of the table beside the page, and of the page in each slide's folder
    """
    statuses = [row.status for row in rows]
    return _render(
        "batch.html",
        rows=rows,
        columns=[number for number in NUMBERS if number.label and number.name != "unclassified"],
        model=model,
        counts=counts,
        slides=slides,
        with_cases=any(row.case for row in rows),
        Status=Status,
        how_many={status: statuses.count(status) for status in Status},
        remedies=_REMEDIES,
        least_cells=conventions.least_cells,
        summary=summary,
        report=report,
    )


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wsi_edt.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": percent, "count": count, "decimal": decimal, "href": quote}
    environment.globals |= {"research_use": RESEARCH_USE, "colors": _colours()}
    return environment


def _colours() -> dict[str, str]:
    """The classes' colours by the names of their counts."""
    names = {
        CellClass.POSITIVE: "positive",
        CellClass.NEGATIVE: "negative",
        CellClass.NUCLEUS: "unclassified",
    }
    return {name: "#{:02x}{:02x}{:02x}".format(*CLASS_COLORS[kind]) for kind, name in names.items()}
