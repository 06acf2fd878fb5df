"""Which column of a table of cells tells their classes, whatever it is called."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from wsi_edt.annotations.tables import Table
from wsi_edt.qupath.classes import LIKELY_CLASS_WORDS, ClassNames, looks_like_a_class

_log = logging.getLogger(__name__)

Rows = Sequence[tuple[int, list[str]]]

_OF_THE_STAIN = re.compile(r"(?:is )?(?:ki[- ]?67|positive|ki[- ]?67 positive)")
_YES_OR_NO = {
    **dict.fromkeys(("1", "1.0", "true", "yes"), "positive"),
    **dict.fromkeys(("0", "0.0", "false", "no"), "negative"),
}
_MOST_OTHERS = 6  # of columns that might have been meant as the class; a table of measurements has dozens
_MOST_TEXTS = 5  # of a column, that are shown


@dataclass(frozen=True, slots=True)
class ClassColumn:
    """The column of classes.

    Attributes
    ----------
    at : its number; None if there is none
    words : by texts in lower case what is meant by them, where it isn't the text itself
    """

    at: int | None = None
    words: Mapping[str, str] = field(default_factory=dict)

    def label(self, fields: list[str]) -> str:
        """The name of a row's class, "" without one."""
        text = fields[self.at].strip() if self.at is not None and self.at < len(fields) else ""
        return self.words.get(text.lower(), text) if self.words else text


def find_class_column(table: Table, rows: Rows, path: Path, classes: ClassNames) -> ClassColumn:
    """The column whose texts are names of classes: 1 and 0 too, if it is called Ki67 or positive.

    Of a column that is called label, type and so on one text must be a class's name, of others all; "positiv" or "négatif"
    is taken for one, so that it is asked what it stands for.

    If there is none, it is logged which columns there are, with their texts if they are few.

    Parameters
    ----------
    table : without a column that is called class
    rows : its rows
    path : names the file in what is logged
    classes : what names of classes stand for
    """
    columns = dict(table.others)
    if "name" in table.columns:
        columns["name"] = table.columns["name"]
    texts = {name: _texts(rows, at) for name, at in columns.items()}
    likely = [name for name in LIKELY_CLASS_WORDS if name in columns]
    for name in sorted(columns, key=lambda one: likely.index(one) if one in likely else len(likely)):
        known = [classes.knows(text) or looks_like_a_class(text) for text in texts[name]]
        if (any(known) and name in likely) or (known and all(known)):
            return ClassColumn(columns[name])
        if _OF_THE_STAIN.fullmatch(name) and texts[name] and texts[name] <= _YES_OR_NO.keys():
            return ClassColumn(columns[name], _YES_OR_NO)
    if 0 < len(table.others) <= _MOST_OTHERS:
        listed = ", ".join(_shown(name, texts[name]) for name in table.others)
        _log.warning(
            "%s: has no column class, so that its cells have none; it has %s; if one of them is the class, call it so, or "
            "say what its texts stand for (in evaluate by --class TEXT=positive)",
            path,
            listed,
        )
    return ClassColumn()


def _texts(rows: Rows, at: int) -> set[str]:
    """The different texts of a column in lower case, without empty ones."""
    return {fields[at].strip().lower() for _, fields in rows if at < len(fields)} - {""}


def _shown(name: str, texts: Iterable[str]) -> str:
    some = sorted(texts)
    return f"{name} ({', '.join(map(repr, some))})" if 0 < len(some) <= _MOST_TEXTS else name
