"""What a file holds beside the cells that are counted: told with its number, never silently left out."""

from __future__ import annotations

from collections import Counter


def in_words(passed_over: Counter[str]) -> str:
    """Such as "14 annotations with an area and 2 lines"; empty for nothing."""
    parts = [
        f"{count} {kind if count == 1 else _plural(kind)}" for kind, count in passed_over.items() if count
    ]
    return " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _plural(kind: str) -> str:
    noun, space, rest = kind.partition(" ")
    return f"{noun}s{space}{rest}"
