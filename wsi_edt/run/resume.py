"""What an earlier run left in a results folder, and what of it this run may continue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from wsi_edt.errors import OutputError, SlideError, UsageError
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results import names
from wsi_edt.results.kept_maps import KeptMaps, lacks_maps, maps_of
from wsi_edt.results.outputs import remove_results
from wsi_edt.results.seen import write_seen
from wsi_edt.results.store import SlideStore, StoreHeader
from wsi_edt.results.tissue_picture import draw_tissue
from wsi_edt.results.written import aside_name, keep_earlier, other_than_written
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.finalise import finished_row, seen_of
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.plan import Planner, SlidePlan, plan_slide
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides.grid import Shard

_WITHOUT_MAPS = "has results without maps, for which the network must run again"
_LEAVE_OR_REPLACE = "pass --overwrite to replace them, choose another --out, or leave out --keep-maps"


def refuse_other_settings(slides: Sequence[SlideRef], out: Path, settings: RunSettings) -> None:
    """Refuse results of other settings or, if all are, of another version, before anything is computed.

    Raises
    ------
    UsageError
        If one of the slides has results of other settings.
    OutputError
        If another version wrote the results of all of them.
    """
    if settings.options.overwrite:
        return
    of_another_version = []
    for slide in slides:
        try:
            stored = SlideStore.read_begun(out / slide.name / names.STORE)
        except OutputError as error:
            of_another_version.append(error)
            continue
        except Exception:  # this slide's row will say why
            continue
        if stored is None:
            continue
        cells, fallback_mpp = settings.cells, slide.source.fallback_mpp
        differences = []
        if stored.cells_hash != cells.cells_hash():
            differences.append(cells.differences(stored.cells, chosen=settings.chosen))
        if not stored.mpp_stated and fallback_mpp is not None and fallback_mpp != stored.slide_mpp:
            differences.append(f"--mpp {stored.slide_mpp:g} there, {fallback_mpp:g} now")
        if differences:
            raise UsageError(
                f"has results of other settings: {', '.join(differences)}",
                where=out / slide.name,
                remedy="give the earlier settings, another --out, or --overwrite to replace them",
            )
        if settings.options.keep_maps and lacks_maps(out / slide.name, stored):
            raise UsageError(_WITHOUT_MAPS, where=out / slide.name, remedy=_LEAVE_OR_REPLACE)
    if of_another_version and len(of_another_version) == len(slides):  # else those slides fail alone
        raise of_another_version[0]


def earlier_results(slides: Sequence[SlideRef], out: Path) -> int:
    """How many slides other than these have results in the folder."""
    known = {slide.name for slide in slides}
    found = 0
    for folder, subfolders, files in os.walk(out):
        if names.KI67 in files:
            found += Path(folder).relative_to(out).as_posix() not in known
        subfolders[:] = [name for name in subfolders if name not in names.ZARRS]
    return found


def row_if_finished(slide: SlideRef, out: Path, settings: RunSettings) -> SummaryRow | None:
    """The row of a slide that needs nothing more: finished, with these settings, from this file."""
    folder = out / slide.name
    stored = _header(folder / names.STORE, settings)
    if stored is None or stored.cells_hash != settings.cells.cells_hash():
        return None
    if not stored.mpp_stated and stored.slide_mpp != slide.source.fallback_mpp:
        return None
    if settings.options.keep_maps and lacks_maps(folder, stored):
        return None
    try:
        state = slide.source.state()
    except SlideError:
        return None
    if not stored.is_of(state.fingerprint, state.modified):
        return None
    return finished_row(slide, folder, settings)


def changed_results_note(slide: SlideRef, out: Path) -> str:
    """What to say of a finished slide's files that a person or an accident changed since; "" if none were."""
    folder = out / slide.name
    mark = SlideStore.read_finished(folder / names.STORE)
    changed = () if mark is None else other_than_written(folder, mark.files)
    if not changed:
        return ""
    kept = ", ".join(map(aside_name, changed))
    return f"{', '.join(changed)} changed since the run, and will be written again; what is there is kept as {kept}"


def _header(path: Path, settings: RunSettings) -> StoreHeader | None:
    """What a store belongs to; with --overwrite, a store of another version counts as none."""
    try:
        return SlideStore.read_begun(path)
    except OutputError:
        if settings.options.overwrite:
            return None
        raise


def continues(plan: SlidePlan, folder: Path, settings: RunSettings) -> bool:
    """Whether the folder has a store that the plan continues; writes nothing.

    Raises
    ------
    SlideError
        If the store was begun with another file or without maps that are asked for, and may not be replaced.
    """
    stored = _header(folder / names.STORE, settings)
    if stored is not None and stored.fits(plan.header):
        if not (settings.options.keep_maps and lacks_maps(folder, stored)):
            return True
        if not settings.options.overwrite:  # the maps went away since `refuse_other_settings`
            raise SlideError(_WITHOUT_MAPS, where=folder, remedy=_LEAVE_OR_REPLACE)
        return False
    if stored is None or settings.options.overwrite:
        return False
    raise _other_file(stored, plan, folder)


def _other_file(stored: StoreHeader, plan: SlidePlan, folder: Path) -> SlideError:
    """Why a slide's results can't be continued."""
    now = plan.header
    if now.fingerprint == stored.fingerprint and not stored.has_time(now.modified):
        assert stored.modified is not None and now.modified is not None
        return SlideError(
            f"was last changed at {_clock(now.modified)}, and its results in {folder} were begun with a file of "
            f"{_clock(stored.modified)} that looks the same",
            where=plan.ref.source,
            remedy="pass --overwrite to replace them, or give the file its time back if it is only a copy",
        )
    return SlideError(
        f"isn't the file that its results in {folder} were begun with",
        where=plan.ref.source,
        remedy="pass --overwrite to replace them, or choose another --out",
    )


def _clock(seconds: float) -> str:
    return datetime.fromtimestamp(seconds).astimezone().isoformat(" ", "seconds")


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan with the store that it continues, the shards that are missing there, and where their maps are kept."""

    plan: SlidePlan
    store: SlideStore
    missing: tuple[Shard, ...]
    maps: KeptMaps | None = None


def prepare(
    ref: SlideRef, settings: RunSettings, folder: Path, *, plan_slide: Planner = plan_slide
) -> Prepared:
    """Plan a slide, open its store or make it, keep there what was seen, and draw the tissue.

    Results that were begun with maps go on with them, also where none are asked for: those that are there have no gaps.
    It is drawn here because its picture is too large to be kept until the end.

    Raises
    ------
    SlideError
        If the slide can't be planned, or isn't the one that its store was begun with.
    OutputError
        If the store or the picture can't be written.
    """
    plan, overview = plan_slide(
        ref,
        settings.cells,
        allow_coarse=settings.options.allow_coarse,
        known_stains=settings.known_stains,
    )
    path = folder / names.STORE
    maps = _maps_of(plan, folder, settings)
    if continues(plan, folder, settings):
        store = SlideStore(path, plan.header)
        keeps = maps.are_there()
    else:
        plan = _without_foreign_corrections(plan, _header(path, settings), folder)
        remove_results(folder, settings.outputs)
        store = SlideStore.create(path, plan.header)
        keeps = settings.options.keep_maps
        if keeps:
            maps.create()
    write_seen(path, seen_of(plan, settings))
    draw_tissue(store, folder, overview, plan.searched)
    del overview
    trim_memory()
    done = store.done_shards(plan.shards)
    missing = tuple(shard for shard in plan.shards if shard.index not in done)
    return Prepared(plan, store, missing, maps if keeps else None)


def _without_foreign_corrections(plan: SlidePlan, stored: StoreHeader | None, folder: Path) -> SlidePlan:
    """Keep corrections of another file, whose results are replaced, under another name; the plan with a remark then."""
    if stored is None or stored.fingerprint == plan.header.fingerprint:
        return plan
    if not (folder / names.CORRECTIONS).exists():
        return plan
    kept = keep_earlier(folder, names.CORRECTIONS)
    remark = f"the corrections there were of another file: they are kept as {kept}, and don't count"
    return replace(plan, remark="; ".join(filter(None, (plan.remark, remark))))


def _maps_of(plan: SlidePlan, folder: Path, settings: RunSettings) -> KeptMaps:
    """Where the slide's maps are kept if they are."""
    return KeptMaps(
        (folder / names.MAPS).absolute(),
        settings.cells.decode.maps,
        plan.grid.extent,
        plan.grid.core_px,
        settings.cells.model_mpp,
        maps_of(plan.header),
    )
