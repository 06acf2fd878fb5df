"""Groovy scripts for QuPath, filled in with the slides of a results folder.

QuPath itself isn't available here: what the scripts call was read from its source (`Project`, `ProjectImageEntry`, `PathIO`
and `PathObjectHierarchy` of 0.4 to 0.8), and that it is called so is all that is tested.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Literal

_SLIDES = "@SLIDES@"
_LITERAL = re.compile(r"[^ -~]|[\\']")
_SHORT = {"\\": r"\\", "'": r"\'", "\n": r"\n", "\r": r"\r", "\t": r"\t"}


@dataclass(frozen=True, slots=True)
class ScriptSlide:
    """A slide with results.

    Attributes
    ----------
    name : of the slide, as its results have it
    slide, folder, cells : where it lies, its results, and its GeoJSON
    dab : whether it is stained with haematoxylin and DAB
    """

    name: str
    slide: Path
    folder: Path
    cells: Path
    dab: bool


def script(kind: Literal["import", "export"], slides: Sequence[ScriptSlide]) -> str:
    """The script that imports the cells of slides into a QuPath project, or exports what was edited there."""
    rows = ",\n".join(
        f"    [name: {literal(one.name)}, slide: {literal(one.slide.as_posix())}, "
        f"folder: {literal(one.folder.as_posix())}, cells: {literal(one.cells.as_posix())}, "
        f"dab: {str(one.dab).lower()}]"
        for one in slides
    )
    return (files(__name__) / f"{kind}.groovy").read_text("utf-8").replace(_SLIDES, rows)


def literal(text: str) -> str:
    r"""A text as Groovy writes it between apostrophes, in ASCII: whatever it holds, it stays a text."""
    return f"'{_LITERAL.sub(_escaped, text)}'"


def _escaped(found: re.Match[str]) -> str:
    letter = found[0]
    units = letter.encode("utf-16-be", "surrogatepass").hex()
    return _SHORT.get(letter) or "".join(rf"\u{units[at : at + 4]}" for at in range(0, len(units), 4))
