"""What a run would do with each slide, without doing it: nothing is computed, nothing is written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import cast

from wsi_edt.foreign import translated
from wsi_edt.ki67.drawn import drawn_areas, looked_at
from wsi_edt.ki67.region_areas import tissue_mm2
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.store import SlideStore
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.plan import Planner, SlidePlan
from wsi_edt.run.progress import counted
from wsi_edt.run.resume import continues, refuse_other_settings, row_if_finished
from wsi_edt.run.settings import RunSettings
from wsi_edt.run.slide_names import placeless
from wsi_edt.run.tree import Fault

_PLANNERS = 2


@dataclass(frozen=True, slots=True)
class Preview:
    """What would be done with one slide.

    Attributes
    ----------
    size_bytes : of its file; None for URLs and where it can't be asked
    slide_mpp : µm per level-0 px that would be used
    tissue_mm2 : of tissue, without the margin in which the network would look too; of the regions if only they count
    tiles, tiles_stored : how many there are, and how many of them an earlier run has computed
    seconds : that the network would take for the others, on all workers; None if this machine's pace isn't known
    finished : whether an earlier run has finished it, so that nothing is left
    error : why it would fail, in one clause
    note : what a user should know
    """

    slide: str
    case: str = ""
    size_bytes: int | None = None
    slide_mpp: float | None = None
    tissue_mm2: float | None = None
    tiles: int = 0
    tiles_stored: int = 0
    seconds: float | None = None
    finished: bool = False
    error: str | None = None
    note: str = ""


def previews(
    slides: Sequence[SlideRef],
    out: Path,
    *,
    settings: RunSettings,
    plan_slide: Planner,
    seconds_per_tile: float | None,
) -> Iterator[Preview]:
    """What would be done with each slide, in their order, as soon as it is known.

    Parameters
    ----------
    out : the results folder, which needn't exist
    seconds_per_tile : of the run's workers together; None if that isn't known

    Raises
    ------
    UsageError
        If slides have results of other settings, as a run would refuse them.
    """
    refuse_other_settings(slides, out, settings)
    one = partial(
        _preview, out=out, settings=settings, plan_slide=plan_slide, seconds_per_tile=seconds_per_tile
    )
    planners = ThreadPoolExecutor(_PLANNERS, thread_name_prefix="preview")
    try:
        yield from planners.map(one, slides)
    finally:
        planners.shutdown(wait=True, cancel_futures=True)


def unreachable(fault: Fault) -> Preview:
    """The row of a folder that couldn't be looked into."""
    return Preview(fault.name, error=fault.error.sentence())


def _preview(
    ref: SlideRef, *, out: Path, settings: RunSettings, plan_slide: Planner, seconds_per_tile: float | None
) -> Preview:
    size = _size(ref)
    try:
        if (refused := placeless(ref.name, out) or ref.refused) is not None:
            raise refused
        row = row_if_finished(ref, out, settings)
        if row is not None:
            return _finished(ref, row, size)
        folder = out / ref.name
        plan, _ = plan_slide(
            ref,
            settings.cells,
            allow_coarse=settings.options.allow_coarse,
            known_stains=settings.known_stains,
        )
        stored = 0
        if continues(plan, folder, settings):
            done = SlideStore(folder / names.STORE, plan.header).done_shards(plan.shards)
            stored = sum(len(shard.tiles) for shard in plan.shards if shard.index in done)
    except Exception as error:  # as a run would give the slide its row, whatever it is
        ours = translated(error)
        sentence = ours.sentence(where="" if ours.where == str(ref.source) else None)
        return Preview(ref.name, ref.case, size, error=sentence)
    tiles = sum(len(shard.tiles) for shard in plan.shards)
    return Preview(
        ref.name,
        ref.case,
        size,
        slide_mpp=plan.scale.slide_mpp,
        tissue_mm2=_searched_mm2(plan),
        tiles=tiles,
        tiles_stored=stored,
        seconds=None if seconds_per_tile is None else (tiles - stored) * seconds_per_tile,
        note=_note(_regions(plan), ref.mpp_note(plan.scale.slide_mpp), plan.quality.flag_names),
    )


def _finished(ref: SlideRef, row: SummaryRow, size: int | None) -> Preview:
    assert row.whole is not None
    return Preview(
        ref.name,
        ref.case,
        size,
        slide_mpp=row.slide_mpp,
        tissue_mm2=cast(float, row.whole.values["area_mm2"]),
        seconds=0.0,
        finished=True,
        note=_note("" if row.slide_mpp is None else ref.mpp_note(row.slide_mpp), row.quality or ""),
    )


def _searched_mm2(plan: SlidePlan) -> float:
    """The tissue that the slide would be reported by, mm²."""
    if not plan.only_regions:
        return plan.tissue.area_mm2
    shape = looked_at(plan.regions, plan.tissue, plan.scale, only_regions=True)
    return 0.0 if shape is None else tissue_mm2(shape, plan.tissue, plan.scale)


def _regions(plan: SlidePlan) -> str:
    """How many regions it would be reported by, of which classes: "3 regions alone (Tumor 2, Stroma 1)"."""
    drawn = drawn_areas(plan.regions)
    if not plan.only_regions:
        return f"whole tissue and {counted(len(drawn), 'region')}" if drawn else ""
    if not drawn:
        return "all but ignored regions"
    classes = Counter(area.class_name for area in drawn if area.class_name is not None)
    words = ", ".join(f"{name} {count}" for name, count in classes.items())
    return f"{counted(len(drawn), 'region')} alone" + (f" ({words})" if words else "")


def _note(*clauses: str) -> str:
    return "; ".join(filter(None, clauses))


def _size(ref: SlideRef) -> int | None:
    path = ref.source.path
    try:
        return path.stat().st_size if isinstance(path, Path) and path.is_file() else None
    except OSError:
        return None
