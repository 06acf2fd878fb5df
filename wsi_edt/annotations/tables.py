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
# "µm" with the Greek letter, and what becomes of both where the encoding was mistaken: "Âµm", "?m", a lone sign
_MICRO = re.compile(r"(?:[^\w\s()\[\],.:/-]|[^\W\d_a-z])+m\b")
_MOST_SHOWN = 100  # characters of a line in a message
_MOST_ABOVE = 50  # lines above the header: titles, comments, nothing
_SEPARATOR_LINE = re.compile(r"\s*\"?sep=(.)\"?[,;\s]*$", re.IGNORECASE)  # Excel's first line
_COMMENT = "#"
_REMARK = re.compile(r"#+(\s|$)")
_END_OF_TEXT = "\x1a"  # of DOS

Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose header has been read.

    Attributes
    ----------
    rows : the lines below the header that are neither blank nor a comment, each with its number in the file, from 1
    columns : by what they mean, their numbers
    others : of columns that mean nothing here: by their names, their numbers
    width : how many columns the header has
    """

    rows: Iterator[tuple[int, list[str]]]
    columns: Mapping[str, int]
    others: Mapping[str, int]
    width: int

    def cell(self, fields: list[str], name: str) -> str:
        """What a row has in a column, "" if there is no such column or the row is too short."""
        column = self.columns.get(name)
        return fields[column].strip() if column is not None and column < len(fields) else ""

    def surplus(self, fields: list[str]) -> str | None:
        """What is wrong with a row that has more fields than the header names; None for another."""
        if len(fields) <= self.width or not any(map(str.strip, fields[self.width :])):
            return None
        return f"has {len(fields)} fields, and the header {self.width} (a comma in one of them? quote it)"


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
        If there is no header with the columns that are needed, whatever separates them; or if the text holds zero bytes.
    csv.Error
        If a line's quotes don't end, now or when the rows are read.
    """
    if "\0" in text:
        raise AnnotationError(
            "holds zero bytes, as files have that came to harm",
            where=f"{path}, line {len(text[: text.index(chr(0))].splitlines()) or 1}",
            remedy="copy or export it again",
        )
    lines = io.StringIO(text.removesuffix(_END_OF_TEXT), newline="")
    given, shown = "", ""
    for above in range(1, _MOST_ABOVE + 1):
        line = lines.readline()
        separator = _SEPARATOR_LINE.match(line)
        if separator:
            given = separator[1]
            continue
        shown = shown or line.strip()
        for delimiter in given or DELIMITERS:
            names = _names(line, delimiter)
            known = {
                meaning: next(names.index(spelling) for spelling in spellings if spelling in names)
                for meaning, spellings in columns.items()
                if set(spellings) & set(names)
            }
            if suffice(known):
                rows = _rows(lines, delimiter, above=above, width=len(names))
                others = {name: at for at, name in enumerate(names) if name and at not in known.values()}
                return Table(rows, known, others, len(names))
    raise AnnotationError(
        f"has no header with {needs}: {f'its first line is {shown[:_MOST_SHOWN]!r}' if shown else 'it is empty'}",
        where=path,
        remedy="separate the columns' names by commas, semicolons or tabs",
    )


def _names(line: str, delimiter: str) -> list[str]:
    """The columns' names in a line that may be the header, which some programs mark as a comment."""
    fields = next(csv.reader([line.lstrip().lstrip(_COMMENT)], delimiter=delimiter), [])
    return [normal_name(name) for name in fields]


def _rows(lines: io.StringIO, delimiter: str, *, above: int, width: int) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    for fields in reader:
        is_remark = len(fields) != width and fields and _REMARK.match(fields[0])
        if any(map(str.strip, fields)) and not is_remark:
            yield above + reader.line_num, fields


def normal_name(name: str) -> str:
    """A column's name in lower case, without brackets, and with one of the many ways to write µm."""
    plain = _MICRO.sub("µm", name.lstrip("\ufeff").strip().lower())
    plain = re.sub(r"[\[\](),_:/\s]+", " ", plain).strip()
    plain = re.sub(r"\bpixels?\b", "px", plain)
    return re.sub(r"\b(um|microns?|micrometers?|micrometres?)(?=\b)", "µm", plain)
