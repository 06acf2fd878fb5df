"""The errors that a user can meet: what is wrong, where, and the remedy, as fields that nobody has to parse.

::

    WsiEdtError                 anything that is the input's or the environment's fault; exit code 1
    ├── UsageError              a wrong argument, or one that contradicts another; exit code 2
    ├── SlideError              a slide that can't be opened, read or scored
    │   └── MissingMppError     a slide that states no µm/px
    ├── ModelError              a model that is incomplete or doesn't fit
    │   └── UnknownModelError   a model that can't be found under its name; exit code 2
    ├── AnnotationError         points or regions that can't be read
    ├── ClusterLostError        the Dask scheduler that went away
    └── OutputError             results that can't be written or read, are locked, or belong to another version
        └── StaleError          a change of what somebody else has changed since it was looked at
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import ClassVar, Self


class WsiEdtError(Exception):
    """Anything that is the input's or the environment's fault: shown as one sentence, without a traceback.

    Parameters
    ----------
    what : what is wrong: a whole clause, or without its subject where `where` is the subject ("has no µm/px")
    where : the file, slide, option or machine that it is about
    remedy : what to do about it ("pass --mpp (for example 0.25)")
    context : what was being done there, the widest first ("worker node7"); see `within`
    """

    exit_code: ClassVar[int] = 1

    def __init__(
        self, what: str, *, where: object = "", remedy: str = "", context: tuple[str, ...] = ()
    ) -> None:
        super().__init__(what)
        self.what = what
        self.where = str(where)
        self.remedy = remedy
        self.context = context

    def __str__(self) -> str:
        return self.sentence()

    def __reduce__(self) -> tuple[Callable[..., WsiEdtError], tuple[object, ...]]:
        # Workers send errors to the client.
        return _remade, (type(self), self.what, self.where, self.remedy, self.context)

    def sentence(self, *, where: str | None = None, with_remedy: bool = True) -> str:
        """The error as one sentence: "case7.svs has no µm/px; pass --mpp (for example 0.25)".

        Parameters
        ----------
        where : replaces the place, for a reader who knows it under another name
        with_remedy : False leaves the remedy out
        """
        place = self.where if where is None else where
        clause = f"{place} {self.what}" if place else self.what
        remedy = f"; {self.remedy}" if with_remedy and self.remedy else ""
        sentence = "".join(f"{context}: " for context in self.context) + clause + remedy
        return readable(sentence)

    def within(self, context: str) -> Self:
        """The same error, met while doing something wider: "worker node7: …"."""
        return type(self)(self.what, where=self.where, remedy=self.remedy, context=(context, *self.context))


def _remade(
    kind: type[WsiEdtError], what: str, where: str, remedy: str, context: tuple[str, ...]
) -> WsiEdtError:
    return kind(what, where=where, remedy=remedy, context=context)


class UsageError(WsiEdtError):
    """A wrong argument, or one that contradicts another: nothing was computed."""

    exit_code = 2


class SlideError(WsiEdtError):
    """A slide that can't be opened, read or scored."""


class MissingMppError(SlideError):
    """A slide that states no µm/px, where it is needed."""


class ModelError(WsiEdtError):
    """A model that is incomplete or doesn't fit."""


class UnknownModelError(ModelError):
    """A model that can't be found under its name: a wrong argument."""

    exit_code = 2


class AnnotationError(WsiEdtError):
    """Points or regions that can't be read, or that lie outside what they belong to."""


class ClusterLostError(WsiEdtError):
    """The scheduler went away: the run stops, what is stored stays."""


class OutputError(WsiEdtError):
    """Results that can't be written or read, are locked, or were written by another version."""


class StaleError(OutputError):
    """A change of what somebody else has changed since it was looked at; nothing was written."""


def readable(text: str) -> str:
    r"""The text as it can be printed and written: bytes of a file's name that aren't UTF-8 stand as \\xff."""
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:  # on Windows, half of a letter of two
        return text.encode("utf-8", "backslashreplace").decode()


def printable(text: str) -> str:
    r"""The text as a terminal shows it whole: characters that would steer it, as names of files may hold, stand as \x1b."""
    return _CONTROLS.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), readable(text))


_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f]")
