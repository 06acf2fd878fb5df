"""The one table that turns other libraries' exceptions into ours; without importing those libraries."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.errors import ClusterLostError, ModelError, SlideError, WsiEdtError


@dataclass(frozen=True, slots=True)
class _Meaning:
    """What an exception of another library means to a user."""

    kind: type[WsiEdtError]
    what: str
    remedy: str


_CONNECTION_LOST = _Meaning(
    ClusterLostError,
    "the connection to the Dask scheduler was lost",
    "give the same command again: it continues",
)
# By module and name, as the classes call themselves; a subclass means what its nearest base here does.
_MEANINGS = {
    "torch.OutOfMemoryError": _Meaning(
        ModelError,
        "the GPU's memory is too small for its workers",
        "give fewer --workers, or a smaller --batch-size or --tile-px",
    ),
    "distributed.scheduler.KilledWorker": _Meaning(
        SlideError,
        "the worker died (out of memory? killed?)",
        "give a smaller --tile-px, or fewer workers",
    ),
    "builtins.MemoryError": _Meaning(
        SlideError,
        "the machine's memory is too small",
        "give fewer --workers, or a smaller --tile-px",
    ),
    "concurrent.futures._base.CancelledError": _CONNECTION_LOST,
    "asyncio.exceptions.CancelledError": _CONNECTION_LOST,
}


def known(error: BaseException) -> WsiEdtError | None:
    """The error as one of ours: itself, or what the table says; None if the table doesn't have it."""
    if isinstance(error, WsiEdtError):
        return error
    for kind in type(error).__mro__:
        meaning = _MEANINGS.get(f"{kind.__module__}.{kind.__qualname__}")
        if meaning is not None:
            return meaning.kind(meaning.what, remedy=meaning.remedy)
    return None


def translated(error: BaseException) -> WsiEdtError:
    """The error as one of ours, whatever it is; what the table doesn't have is called unexpected, and named by its type."""
    ours = known(error)
    if ours is not None:
        return ours
    try:
        words = " ".join(str(error).split())
    except Exception:  # it is another library's
        words = ""
    return WsiEdtError(f"unexpected {type(error).__name__}" + (f": {words}" if words else ""))
