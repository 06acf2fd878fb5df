"""Tables of text as people have them: commas, semicolons or tabs, decimal commas, Excel's first line, any case of names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.errors import AnnotationError

DELIMITERS = ",;\t|"
# µm with the Greek letter, and what becomes of both where the encoding was mistaken
_MICRO = re.compile("(?:μ|âµ|î¼|¬µ|\ufffd)m")
_MOST_SHOWN = 100  # characters of a line in a message
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?\s*$", re.IGNORECASE)  # Excel's first line

Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose header has been read.

    Attributes
    ----------
    rows : the lines below the header that aren't blank, each with its number in the file, from 1
    columns : by what they mean, their numbers
    others : names of columns that mean nothing here
    width : how many columns the header has
    decimal_comma : whether numbers may have one
    """

    rows: Iterator[tuple[int, list[str]]]
    columns: Mapping[str, int]
    others: tuple[str, ...]
    width: int
    decimal_comma: bool

    def cell(self, fields: list[str], name: str) -> str:
        """What a row has in a column, "" if there is no such column or the row is too short."""
        column = self.columns.get(name)
        return fields[column].strip() if column is not None and column < len(fields) else ""

    def number_text(self, fields: list[str], name: str) -> str:
        """The same of a number, with a decimal point."""
        text = self.cell(fields, name)
        return text.replace(",", ".") if self.decimal_comma else text


def open_table(
    text: str, path: Path, *, columns: Columns, suffice: Callable[[Collection[str]], bool], needs: str
) -> Table:
    """The table in a text.

    Parameters
    ----------
    path : names the file in errors
    columns : by what a column means, the names that it may have, as `normal_name` writes them
    suffice : whether columns of those meanings make such a table
    needs : what a header must have, in words

    Raises
    ------
    AnnotationError
        If no separator gives a header with the columns that are needed.
    csv.Error
        If a line's quotes don't end, now or when the rows are read.
    """
    lines = io.StringIO(text, newline="")
    given, skipped, first = None, 1, lines.readline()
    separator = _SEPARATOR_LINE.match(first)
    if separator:
        given, skipped, first = separator[1], 2, lines.readline()
    for delimiter in given or DELIMITERS:
        names = [normal_name(name) for name in next(csv.reader([first], delimiter=delimiter), [])]
        known = {
            meaning: next(names.index(spelling) for spelling in spellings if spelling in names)
            for meaning, spellings in columns.items()
            if set(spellings) & set(names)
        }
        if suffice(known):
            reader = csv.reader(lines, delimiter=delimiter, strict=True)
            rows = ((skipped + reader.line_num, fields) for fields in reader if any(map(str.strip, fields)))
            others = tuple(name for at, name in enumerate(names) if name and at not in known.values())
            return Table(rows, known, others, len(names), decimal_comma=delimiter != ",")
    raise AnnotationError(
        f"has no header with {needs}: its first line is {first.strip()[:_MOST_SHOWN]!r}", where=path
    )


def normal_name(name: str) -> str:
    """A column's name in lower case, without brackets, and with one of the many ways to write µm."""
    plain = _MICRO.sub("µm", name.lstrip("\ufeff").strip().lower())
    plain = re.sub(r"[\[\](),_:/\s]+", " ", plain).strip()
    return re.sub(r"\b(um|microns?|micrometers?|micrometres?)(?=\b)", "µm", plain)
