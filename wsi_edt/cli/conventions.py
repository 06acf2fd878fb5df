"""The options on what is reported of the cells, which `run` and `report` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from wsi_edt.ki67 import Conventions

F = TypeVar("F", bound=Callable[..., Any])

_RULE = {"hotspot_shape": "shape", "hotspot_mm2": "mm2", "hotspot_cells": "cells", "hotspots": "count"}


def _three(
    context: click.Context, parameter: click.Parameter, words: str | None
) -> tuple[float, float, float] | None:
    """The numbers in "0.2,0.4,0.6"."""
    if words is None:
        return None
    try:
        one, two, three = (float(word) for word in words.split(","))
    except ValueError as error:
        raise click.BadParameter(f"{words!r} aren't three numbers (for example 0.2,0.4,0.6)") from error
    return one, two, three


def conventions_options(command: F) -> F:
    """Give a command these options."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


_OPTIONS = (
    click.option(
        "--profile",
        type=click.Choice(["none", "breast", "net"]),
        help="Compare the index with cut-offs: breast 5, 13.25, 20, 30 %; net 3, 20 %.  [default: none]",
    ),
    click.option(
        "--hotspots", type=int, metavar="N", help="Hotspots to look for; 0 looks for none.  [default: 3]"
    ),
    click.option(
        "--hotspot-mm2",
        type=float,
        metavar="MM2",
        help="A hotspot grows until it holds that much tissue or --hotspot-cells.  [default: 0.5]",
    ),
    click.option("--hotspot-cells", type=int, metavar="N", help="[default: 500]"),
    click.option("--hotspot-shape", type=click.Choice(["disc", "square"]), help="[default: disc]"),
    click.option(
        "--dab-cutoffs",
        metavar="A,B,C",
        callback=_three,
        help="DAB optical densities from which on a cell is 1+, 2+ and 3+.  [default: 0.2,0.4,0.6]",
    ),
)


def conventions_of(given: dict[str, Any]) -> Conventions:
    """The conventions of what was given for these options, which it takes out."""
    from wsi_edt.ki67 import Conventions
    from wsi_edt.ki67.conventions import HotspotRule
    from wsi_edt.ki67.place import Shape
    from wsi_edt.ki67.profiles import PROFILES

    rule = {name: given.pop(option) for option, name in _RULE.items()}
    if rule["shape"] is not None:
        rule["shape"] = Shape(rule["shape"])
    values = {field.name: given.pop(field.name) for field in fields(Conventions) if field.name in given}
    if values["profile"] is not None:
        values["profile"] = PROFILES[values["profile"]]
    values["hotspots"] = HotspotRule(**_said(rule))
    return Conventions(**_said(values))


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
