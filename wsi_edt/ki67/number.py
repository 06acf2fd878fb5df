"""What a number of an area is: how it follows from the area's cells, and how each file writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from wsi_edt.ki67.areas import Area
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.interval import Interval, Without
from wsi_edt.ki67.reasons import Reason

Value = int | float | bool | None
Values = Mapping[str, Value]


@dataclass(frozen=True, slots=True)
class AreaFacts:
    """What a number may be made from.

    Attributes
    ----------
    reason : why the area has no index; None if it has one
    interval : of its index, or why there is none
    """

    area: Area
    counts: Counts
    reason: Reason | None
    conventions: Conventions
    interval: Interval | Without


@dataclass(frozen=True, slots=True)
class Number:
    """One number that every area has.

    Attributes
    ----------
    name : its key in ki67.json and its column in summary.csv
    kind : int, float or bool; any of them may be None
    of : makes it
    digits : after the point in ki67.json
    table_digits : after the point in summary.csv
    label : what the report calls it; "" if the report doesn't list it
    unit : stands behind it in the report
    text : writes it in the report, without its unit
    shown : whether the report lists it, given all numbers of the area
    """

    name: str
    kind: type[int] | type[float] | type[bool]
    of: Callable[[AreaFacts], Value]
    digits: int = 0
    table_digits: int = 0
    label: str = ""
    unit: str = ""
    text: Callable[[float | None], str] = str
    shown: Callable[[Values], bool] = lambda values: True

    def value(self, facts: AreaFacts) -> Value:
        """The number, rounded as ki67.json keeps it: what is read back is what was computed."""
        value = self.of(facts)
        return round(value, self.digits) if isinstance(value, float) else value

    def in_words(self, value: Value) -> str:
        """The number with its unit, for reading."""
        return f"{self.text(value)} {self.unit}" if self.unit and value is not None else self.text(value)

    def in_table(self, value: Value) -> str:
        """The number as summary.csv has it."""
        if value is None:
            return ""
        if isinstance(value, bool):
            return "yes" if value else "no"
        return f"{value:.{self.table_digits}f}" if isinstance(value, float) else str(value)
