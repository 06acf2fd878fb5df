"""Tables of text as people have them: commas, semicolons or tabs, decimal commas, Excel's first line, any case of names."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
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
_NUMBER = re.compile(r"[+-]?[\d.,'’\s]+(?:e[+-]?\d+)?", re.IGNORECASE)
_QUOTED_NAME = re.compile(r'"[^"]*"[,;\t|]\s*[^"\s]')
_FEWEST_COUNTED = (
    3  # rows between whose commas no text may be torn: their first fields are then counted, not cells
)

Columns = Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Table:
    """A table whose header has been read.

    Attributes
    ----------
    rows : the lines below the header that are neither blank nor a comment, each with its number in the file, from 1
    columns : by what they mean, their numbers
    others : of columns that mean nothing here: by their names, their numbers
    width : how many columns there are, a nameless one of the rows' names among them
    delimiter : what separates them
    """

    rows: Iterator[tuple[int, list[str]]]
    columns: Mapping[str, int]
    others: Mapping[str, int]
    width: int
    delimiter: str

    def cell(self, fields: list[str], name: str) -> str:
        """What a row has in a column, "" if there is no such column or the row is too short."""
        column = self.columns.get(name)
        return fields[column].strip() if column is not None and column < len(fields) else ""

    def surplus(self, fields: list[str]) -> str | None:
        """What is wrong with a row that has more fields than the header names; None for another."""
        if len(fields) <= self.width or not any(map(str.strip, fields[self.width :])):
            return None
        hint = "a comma in one of them? quote it" if self.delimiter == "," else "name every column"
        return f"has {len(fields)} fields, and the header {self.width} ({hint})"

    @property
    def surplus_remedy(self) -> str:
        """What helps where rows have more fields than the header."""
        if self.delimiter == ",":
            return "separate the columns by semicolons or tabs"
        return "write a name for each column into the header, also for that of the rows' names"


def open_table(
    text: str, path: Path, *, columns: Columns, suffice: Callable[[Collection[str]], bool], needs: str
) -> Table:
    """The table in a text.

    Where every row has one field more than the header, and the first look like names, they are the rows' names, as R
    writes them and reads them: its columns are named from the second on.

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
                quoted = _quotes_names(lines)
                rows = _rows(lines, delimiter, above=above, width=len(names))
                others = {name: at for at, name in enumerate(names) if name and at not in known.values()}
                table = Table(rows, known, others, len(names), delimiter)
                return _with_names_of_rows(table, quoted=quoted)
    raise AnnotationError(
        f"has no header with {needs}: {f'its first line is {shown[:_MOST_SHOWN]!r}' if shown else 'it is empty'}",
        where=path,
        remedy="separate the columns' names by commas, semicolons or tabs",
    )


def _names(line: str, delimiter: str) -> list[str]:
    """The columns' names in a line that may be the header, which some programs mark as a comment.

    The first name may be empty, that of an index: blanks before a name go, separators stay.
    """
    blanks = " \ufeff\xa0".replace(delimiter, "")
    fields = next(csv.reader([line.lstrip(blanks).lstrip(_COMMENT)], delimiter=delimiter), [])
    return [normal_name(name) for name in fields]


def _quotes_names(lines: io.StringIO) -> bool:
    """Whether the first line that isn't blank has its first field in quotes and not its second, as R has rows' names."""
    start = lines.tell()
    line = next(filter(str.strip, lines), "")
    lines.seek(start)
    return _QUOTED_NAME.match(line) is not None


def _with_names_of_rows(table: Table, *, quoted: bool) -> Table:
    """The table, its columns one further on if each row begins with a name that has no column."""
    first = next(table.rows, None)
    if first is None or len(first[1]) != table.width + 1:
        return replace(table, rows=iter(()) if first is None else chain([first], table.rows))
    rows = [first, *table.rows]
    same = replace(table, rows=iter(rows))
    is_named = all(len(fields) == table.width + 1 for _, fields in rows)
    is_named = is_named and any(fields[-1].strip() for _, fields in rows)
    texts = [fields[0].strip() for _, fields in rows]
    if not is_named or not _are_names(texts, table.delimiter, quoted=quoted):
        return same
    columns = {meaning: at + 1 for meaning, at in table.columns.items()}
    others = {name: at + 1 for name, at in table.others.items()}
    return replace(same, columns=columns, others=others, width=table.width + 1)


def _are_names(texts: Sequence[str], delimiter: str, *, quoted: bool) -> bool:
    """Whether texts name rows: no two alike, and no numbers, or whole ones, quoted or counted through from 0 or 1.

    Others may be coordinates, and the last column the one without a name. Where commas separate, a text may be
    torn by one of its own, so that only many rows that are counted through are believed.
    """
    if "" in texts or len(set(texts)) < len(texts):
        return False
    numbers = sorted(int(text) for text in texts if text.isascii() and text.isdecimal())
    if quoted:
        return len(numbers) == sum(_NUMBER.fullmatch(text) is not None for text in texts)
    if len(numbers) == len(texts):
        are_many = len(texts) >= _FEWEST_COUNTED or delimiter != ","
        return are_many and numbers[0] in (0, 1) and numbers[-1] - numbers[0] == len(texts) - 1
    return delimiter != "," and not any(map(_NUMBER.fullmatch, texts))


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
