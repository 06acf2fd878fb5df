"""Patterns of paths, as shells have them (``slides/**/*.svs``): expanded here for shells that don't."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

_WILD = re.compile(r"[*?\[]")
_ANY_DEPTH = "**"


@dataclass(frozen=True, slots=True)
class Pattern:
    """A pattern, split where its first wildcard stands.

    Attributes
    ----------
    base : the folder above it
    parts : below that folder; ** stands for any number of folders
    """

    base: Path
    parts: tuple[str, ...]

    @classmethod
    def of(cls, path: Path) -> Pattern | None:
        """The pattern in a path; None if it has no wildcard."""
        wild = next((k for k, part in enumerate(path.parts) if _WILD.search(part)), None)
        return None if wild is None else cls(Path(*path.parts[:wild]), path.parts[wild:])

    def __str__(self) -> str:
        return str(self.base.joinpath(*self.parts))

    def takes(self, below: Sequence[str]) -> bool:
        """Whether a file with these parts below the base fits the pattern, or a folder that it lies in does."""
        return _fits(below, self.parts)

    def leads(self, below: Sequence[str]) -> bool:
        """Whether what lies in a folder with these parts below the base may fit the pattern."""
        for given, wanted in zip(below, self.parts, strict=False):
            if wanted == _ANY_DEPTH:
                return True
            if not fnmatchcase(given, wanted):
                return False
        return True


def _fits(below: Sequence[str], parts: Sequence[str]) -> bool:
    if not parts:
        return True
    if parts[0] == _ANY_DEPTH:
        return any(_fits(below[k:], parts[1:]) for k in range(len(below) + 1))
    return bool(below) and fnmatchcase(below[0], parts[0]) and _fits(below[1:], parts[1:])
