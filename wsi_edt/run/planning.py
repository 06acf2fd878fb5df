"""Planning in a process of its own, with a time limit: the first look at a file that may be damaged in any way."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from threading import Thread

from wsi_edt.cluster.isolation import CallCrashedError, CallTooLongError, IsolatedCalls, isolated_calls
from wsi_edt.errors import SlideError
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.plan import Planner, SlidePlan, plan_slide
from wsi_edt.run.settings import CellSettings
from wsi_edt.run.stop import StopRequest
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.stain_style import KnownStains

# To open a slide and read its overview takes a second with a pyramid; without one all of it is decoded, 50 s a GB of JPEG
# on one core, and from a slow disk or server it may take ten times as long.
_LIMIT_S = 300.0
_LIMIT_S_PER_GB = 600.0


@contextmanager
def isolated_planner(stop: StopRequest | None = None) -> Iterator[Planner]:
    """`plan_slide` in processes of its own: a slide that brings one down, or that takes too long, fails alone.

    Parameters
    ----------
    stop : ends them when it is asked for, so that nobody waits for a slide that can't be opened
    """
    with isolated_calls() as calls:
        if stop is not None:
            stop.wakes(Thread(target=calls.close, name="end-planning").start)
        yield partial(_planned, calls)


def planning_limit_s(path: SlidePath) -> float:
    """Seconds that planning a slide may take: 300, and 600 more for each GB of its file."""
    size = 0
    with suppress(OSError):  # opening it tells
        size = path.stat().st_size if isinstance(path, Path) else 0
    return _LIMIT_S + _LIMIT_S_PER_GB * size / 1e9


def _planned(
    calls: IsolatedCalls,
    ref: SlideRef,
    cells: CellSettings,
    *,
    allow_coarse: bool = False,
    known_stains: KnownStains | None = None,
) -> tuple[SlidePlan, RgbArray]:
    limit_s = planning_limit_s(ref.source.path)
    try:
        return calls.call(
            plan_slide, limit_s, ref, cells, allow_coarse=allow_coarse, known_stains=known_stains
        )
    except CallCrashedError as error:
        raise SlideError(
            f"brought down the process that read it, which {error.what}",
            where=ref.source,
            remedy="the file is damaged, or its format's library has a fault: copy or export it again",
        ) from error
    except CallTooLongError as error:
        raise SlideError(
            f"couldn't be opened and overviewed in {limit_s:.0f} s",
            where=ref.source,
            remedy="the file is damaged, or its disk doesn't answer: copy or export it again",
        ) from error
