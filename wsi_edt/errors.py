"""The errors that a user can meet. Each message says what, which value, and the remedy.

::

    WsiEdtError                 anything that is the input's or the environment's fault; exit code 1
    ├── UsageError              a wrong argument, or one that doesn't go with the others; exit code 2
    ├── SlideError              a slide that can't be opened, read or scored
    │   └── MissingMppError     a slide that states no µm/px
    ├── ModelError              a model that isn't whole or doesn't fit
    │   └── UnknownModelError   a model that isn't where it was named; exit code 2
    ├── AnnotationError         points or regions that can't be read
    └── OutputError             results that can't be written or read, are locked or of another version
"""

from typing import ClassVar


class WsiEdtError(Exception):
    """Anything that is the input's or the environment's fault: shown as one sentence, without a traceback."""

    exit_code: ClassVar[int] = 1


class UsageError(WsiEdtError):
    """A wrong argument, or one that doesn't go with the others: nothing was computed."""

    exit_code = 2


class SlideError(WsiEdtError):
    """A slide that can't be opened, read or scored."""


class MissingMppError(SlideError):
    """A slide that states no µm/px, where one is needed."""


class ModelError(WsiEdtError):
    """A model that isn't whole or doesn't fit."""


class UnknownModelError(ModelError):
    """A model that isn't where it was named: a wrong argument."""

    exit_code = 2


class AnnotationError(WsiEdtError):
    """Points or regions that can't be read, or that lie where none can."""


class OutputError(WsiEdtError):
    """Results that can't be written or read, are locked, or were written by another version."""
