"""Numbers as spreadsheets write them: a comma for the point, groups of three digits."""

from __future__ import annotations

import re

from wsi_edt.errors import AnnotationError

_SIMPLE = re.compile(r"[+-]?\d*[.,]?\d*(?:[eE][+-]?\d+)?").fullmatch
_GAP = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")  # French and Swiss groups, of which there is no doubt
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")
_REMEDY = "write its numbers without separators of thousands"


class NumberTexts:
    """The numbers of one table. A comma is a decimal one, unless the table leaves it in doubt.

    "1,234" may be either. One number that can't be thousands (100,5 or 0,123) decides for all.
    """

    def __init__(self) -> None:
        self._doubtful: tuple[str, str] | None = None
        self._decided = False

    def plain(self, text: str, where: str) -> str:
        """A number's text with a decimal point and without groups; what is no number stays what it is.

        Raises
        ------
        AnnotationError
            If it has a separator of thousands that might be a decimal one in another line; `where` names the line.
        """
        if not _SIMPLE(text):
            text = _GAP.sub("", text)
            if text.count(",") + text.count(".") > 1 and re.fullmatch(r"[+-]?[\d.,]+", text):
                raise AnnotationError(
                    f"has {text!r}, with separators of thousands", where=where, remedy=_REMEDY
                )
        if "," not in text:
            return text
        if not self._decided:
            self._decided = _MAY_BE_THOUSANDS.fullmatch(text) is None
            self._doubtful = self._doubtful or (text, where)
        return text.replace(",", ".")

    def refuse_doubtful(self) -> None:
        """To be called after the last number: AnnotationError if nothing tells what the commas are."""
        if self._doubtful is not None and not self._decided:
            text, where = self._doubtful
            whole, fraction = text.split(",")
            raise AnnotationError(
                f"has {text!r}, which may be {whole}{fraction} or {whole}.{fraction}, and no other number tells",
                where=where,
                remedy=f"{_REMEDY}, or with a decimal point",
            )
