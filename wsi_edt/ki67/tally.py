"""The counts as numbers of an area."""

from __future__ import annotations

from wsi_edt.ki67.number import Number, Values
from wsi_edt.ki67.text import count


def _has_classes(values: Values) -> bool:
    """Whether positive and negative say something: not if all that was found are nuclei without a class."""
    return not values["unclassified"] or bool(values["positive"] or values["negative"])


def _has_unclassified(values: Values) -> bool:
    return bool(values["unclassified"])


POSITIVE = Number(
    "positive", int, lambda e: e.counts.positive, label="Positive", text=count, shown=_has_classes
)
NEGATIVE = Number(
    "negative", int, lambda e: e.counts.negative, label="Negative", text=count, shown=_has_classes
)
UNCLASSIFIED = Number(
    "unclassified",
    int,
    lambda e: e.counts.unclassified,
    label="Nuclei without a class",
    text=count,
    shown=_has_unclassified,
)
TOTAL = Number("total", int, lambda e: e.counts.total, label="Cells in all", text=count)
