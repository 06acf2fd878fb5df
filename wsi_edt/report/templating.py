"""How a page is made of a template: escaped, with the words and colours that all pages share."""

from __future__ import annotations

from functools import cache
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wsi_edt.cells import CellClass
from wsi_edt.ki67.reasons import Reason
from wsi_edt.ki67.result import RESEARCH_USE
from wsi_edt.ki67.text import area, count, decimal, ends, percent
from wsi_edt.report.palette import CLASS_RGB, hexadecimal

FONTS = "system-ui, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

# What a user can do about a reason; ki67.json has the reason alone.
REMEDIES = {Reason.NO_TISSUE: "--no-tissue-mask looks everywhere"}


def render(template: str, **values: object) -> str:
    """The page that a template of `templates/` makes of these values; texts among them are escaped."""
    return _environment().get_template(template).render(**values)


def figure(template: str, **values: object) -> Markup:
    """The figure that a template makes of these values, to be set into a page as it is."""
    return Markup(render(template, **values))


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
        "ends": ends,
        "count": count,
        "decimal": decimal,
        "area": area,
        "href": quote,
        "units": _units,
        "signed": _signed,
        "sentence": _sentence,
    }
    environment.globals |= {
        "research_use": RESEARCH_USE,
        "colors": _colours(),
        "remedies": REMEDIES,
        "fonts": FONTS,
    }
    return environment


def _colours() -> dict[str, str]:
    """The classes' colours by the names of their counts."""
    names = {
        CellClass.POSITIVE: "positive",
        CellClass.NEGATIVE: "negative",
        CellClass.NUCLEUS: "unclassified",
    }
    return {name: hexadecimal(CLASS_RGB[kind]) for kind, name in names.items()}


def _units(value: float) -> str:
    """A length on a figure, to a tenth of its units."""
    return f"{value:.1f}".removesuffix(".0")


def _signed(value: float, digits: int) -> str:
    """A number that may be negative, with a proper minus."""
    return decimal(value, digits).replace("-", "\N{MINUS SIGN}")


def _sentence(text: str) -> str:
    """A text that begins with a capital letter, whatever else is in it."""
    return text[:1].upper() + text[1:]
