"""The run: from a folder of slides to a folder of results, on as many workers as there are.

Its two names are imported when they are asked for: torch and Dask take seconds, and whoever only looks for slides
(`discover`) needs neither.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wsi_edt.run.resolve import Wishes
    from wsi_edt.run.score import score_slides

__all__ = ["Wishes", "score_slides"]

_MODULES = {"Wishes": "wsi_edt.run.resolve", "score_slides": "wsi_edt.run.score"}


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_MODULES[name]), name)
