"""Numbers as spreadsheets write them: a comma for the point, groups of three digits."""

from __future__ import annotations

import re

from wsi_edt.errors import AnnotationError

_SIMPLE = re.compile(r"[+-]?\d*[.,]?\d*(?:[eE][+-]?\d+)?").fullmatch
_GAP = re.compile(r"(?<=\d)[\s'’](?=\d{3}(?!\d))")  # French and Swiss groups, of which there is no doubt
_MAY_BE_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}").fullmatch
_FEW_DIGITS = re.compile(r"[+-]?\d{0,3}").fullmatch
_REMEDY = "write its numbers without separators of thousands"


class NumberTexts:
    """The numbers of one table. A comma or a point is a decimal one, unless the table leaves it in doubt.

    "1,234" may be either. One number that can't be thousands (100,5 or 0,123) decides for all. "1.234" is in doubt only
    where a point may separate thousands at all, and until a number tells: 12.5, 0.123, 1234.5, or 1234 without any.

    Parameters
    ----------
    points_may_group : whether points alone may separate thousands, as in German tables, whose columns semicolons
        separate; beside decimal commas they always may
    """

    def __init__(self, *, points_may_group: bool = False) -> None:
        self._points_may_group = points_may_group
        self._doubtful: tuple[str, str] | None = None
        self._decided = False
        self._doubtful_point: tuple[str, str] | None = None
        self._point_decided = False

    def plain(self, text: str, where: str) -> str:
        """A number's text with a decimal point and without groups; what is no number stays what it is.

        Raises
        ------
        AnnotationError
            If it has a separator of thousands that might be a decimal one in another line; `where` names the line.
        """
        if not _SIMPLE(text):
            held, text = text, _GAP.sub("", text)
            if text.count(",") + text.count(".") > 1 and re.fullmatch(r"[+-]?[\d.,]+", text):
                raise AnnotationError(
                    f"has {held!r}, with separators of thousands", where=where, remedy=_REMEDY
                )
            if not _SIMPLE(text):
                return held
        if "," not in text:
            if not self._point_decided:
                self._see_point(text, where)
            return text
        if not self._decided:
            self._decided = _MAY_BE_THOUSANDS(text) is None
            self._doubtful = self._doubtful or (text, where)
        return text.replace(",", ".")

    def _see_point(self, text: str, where: str) -> None:
        if _MAY_BE_THOUSANDS(text):
            self._doubtful_point = self._doubtful_point or (text, where)
        else:
            self._point_decided = not _FEW_DIGITS(text)

    def refuse_doubtful(self) -> None:
        """To be called after the last number: AnnotationError if nothing tells what the commas or points are."""
        if self._doubtful is not None and not self._decided:
            raise _doubt(*self._doubtful, remedy=f"{_REMEDY}, or with a decimal point")
        may_group = self._points_may_group or self._decided
        if self._doubtful_point is not None and not self._point_decided and may_group:
            remedy = f"{_REMEDY}, or, where the points are decimal ones, separate the columns by commas"
            raise _doubt(*self._doubtful_point, remedy=remedy)


def _doubt(text: str, where: str, *, remedy: str) -> AnnotationError:
    whole, fraction = re.split("[.,]", text)
    return AnnotationError(
        f"has {text!r}, which may be {whole}{fraction} or {whole}.{fraction}, and no other number tells",
        where=where,
        remedy=remedy,
    )
