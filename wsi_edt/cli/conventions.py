"""The options on what is reported of the cells, which `run` and `report` share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
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
    """Give a command these options, with their defaults."""
    return _with_options(command, defaults=True)


def changes_options(command: F) -> F:
    """Give a command these options, of which those that aren't given change nothing."""
    return _with_options(command, defaults=False)


def _with_options(command: F, *, defaults: bool) -> F:
    for option in reversed(_OPTIONS):
        words = f"{option.words}  [default: {option.default}]" if defaults else option.words
        command = click.option(option.name, help=words.strip(), **option.settings)(command)
    return command


@dataclass(frozen=True, slots=True)
class _Option:
    """An option: its name, what it says, its default in words, and how click reads it."""

    name: str
    words: str
    default: str
    settings: dict[str, Any]


_OPTIONS = (
    _Option(
        "--profile",
        "Compare the index with cut-offs: breast 5, 13.25, 20, 30 %; net 3, 20 %.",
        "none",
        {"type": click.Choice(["none", "breast", "net"])},
    ),
    _Option(
        "--certainty",
        "The probability from which on a side of a cut-off is called certain.",
        "0.95",
        {"type": float, "metavar": "P"},
    ),
    _Option("--hotspots", "Hotspots to look for; 0 looks for none.", "3", {"type": int, "metavar": "N"}),
    _Option(
        "--hotspot-mm2",
        "The largest area of a hotspot: one that large is a hotspot if it holds half of --hotspot-cells.",
        "0.5",
        {"type": float, "metavar": "MM2"},
    ),
    _Option(
        "--hotspot-cells",
        "A hotspot grows until it holds that many cells, or has --hotspot-mm2.",
        "500",
        {"type": int, "metavar": "N"},
    ),
    _Option("--hotspot-shape", "Its outline.", "disc", {"type": click.Choice(["disc", "square"])}),
    _Option(
        "--dab-cutoffs",
        "DAB optical densities from which on a cell is 1+, 2+ and 3+.",
        "0.2,0.4,0.6",
        {"metavar": "A,B,C", "callback": _three},
    ),
)


def conventions_of(given: dict[str, Any]) -> Conventions:
    """The conventions of what was given for these options, which it takes out."""
    from wsi_edt.ki67 import Conventions

    return changes_of(given)(Conventions())


def changes_of(given: dict[str, Any]) -> Callable[[Conventions], Conventions]:
    """What was given for these options, which it takes out, as a change of any conventions.

    Raises
    ------
    UsageError
        If it makes no sense.
    """
    from wsi_edt.ki67 import Conventions
    from wsi_edt.ki67.place import Shape
    from wsi_edt.ki67.profiles import PROFILES

    rule = _said({name: given.pop(option) for option, name in _RULE.items()})
    if "shape" in rule:
        rule["shape"] = Shape(rule["shape"])
    values = _said(
        {field.name: given.pop(field.name) for field in fields(Conventions) if field.name in given}
    )
    if "profile" in values:
        values["profile"] = PROFILES[values["profile"]]

    def changed(before: Conventions) -> Conventions:
        return replace(before, **values, hotspots=replace(before.hotspots, **rule))

    changed(Conventions())
    return changed


def _said(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}
