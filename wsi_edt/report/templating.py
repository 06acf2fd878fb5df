"""How a page is made of a template: escaped, with the words and colours that all pages share."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from wsi_edt.cells import CellClass
from wsi_edt.ki67.reasons import Reason
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.ki67.text import count, decimal, percent
from wsi_edt.qupath.dialect import CLASS_COLORS

# What a user can do about a reason; ki67.json has the reason alone.
REMEDIES = {Reason.NO_TISSUE: "--no-tissue-mask looks everywhere"}


def render(template: str, **values: object) -> str:
    """The page that a template of `templates/` makes of these values; texts among them are escaped."""
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
    environment.globals |= {"research_use": RESEARCH_USE, "colors": _colours(), "remedies": REMEDIES}
    return environment


def _colours() -> dict[str, str]:
    """The classes' colours by the names of their counts."""
    names = {
        CellClass.POSITIVE: "positive",
        CellClass.NEGATIVE: "negative",
        CellClass.NUCLEUS: "unclassified",
    }
    return {name: "#{:02x}{:02x}{:02x}".format(*CLASS_COLORS[kind]) for kind, name in names.items()}
