"""The errors that a user can meet. Each message says what, which value, and the remedy.

::

    WsiEdtError                 anything that is the input's or the environment's fault; exit code 1
    ├── UsageError              a wrong argument; exit code 2
    ├── SlideError              a slide that can't be opened, read or scored
    │   └── MissingMppError     a slide that states no µm/px
    ├── ModelError              a model that isn't found, isn't whole or doesn't fit
    ├── AnnotationError         points or regions that can't be read
    └── OutputError             a results folder that can't be written, is locked or belongs to another run
"""


class WsiEdtError(Exception):
    """Anything that is the input's or the environment's fault: shown as one sentence, without a traceback."""


class UsageError(WsiEdtError):
    """A wrong argument (exit code 2)."""


class SlideError(WsiEdtError):
    """A slide that can't be opened, read or scored."""


class MissingMppError(SlideError):
    """A slide that states no µm/px, where one is needed."""


class ModelError(WsiEdtError):
    """A model that isn't found, isn't whole or doesn't fit."""


class AnnotationError(WsiEdtError):
    """Points or regions that can't be read, or that lie where none can."""


class OutputError(WsiEdtError):
    """A results folder that can't be written, is locked, or belongs to another run."""
