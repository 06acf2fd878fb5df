"""What an earlier run left in a results folder, and what of it this run may continue."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.errors import OutputError, SlideError, UsageError
from wsi_edt.report.rows import SummaryRow
from wsi_edt.results.store import STORE_NAME, SlideStore, StoreHeader, fingerprint
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.finalise import KI67, TISSUE, finished_row, remove_results
from wsi_edt.run.memory import trim_memory
from wsi_edt.run.plan import SlidePlan, plan_slide
from wsi_edt.run.settings import RunConfig
from wsi_edt.slides.grid import Shard
from wsi_edt.slides.tissue import save_tissue_picture


def refuse_other_settings(slides: Sequence[SlideRef], out: Path, config: RunConfig) -> None:
    """UsageError where one of the slides has results of other settings, before anything is computed."""
    if config.overwrite:
        return
    for slide in slides:
        stored = SlideStore.read_begun(out / slide.name / STORE_NAME)
        if stored is None:
            continue
        differences = (
            [config.cells.differences(stored.cells, chosen=config.chosen)]
            if stored.cells_hash != config.cells.cells_hash()
            else []
        )
        if not stored.mpp_stated and config.mpp is not None and config.mpp != stored.slide_mpp:
            differences.append(f"--mpp {stored.slide_mpp:g} there, {config.mpp:g} now")
        if differences:
            raise UsageError(
                f"{out / slide.name} has results of other settings: {'; '.join(differences)}. "
                "Give the earlier settings, another --out, or --overwrite to replace them"
            )


def earlier_results(slides: Sequence[SlideRef], out: Path) -> int:
    """How many slides other than these have results in the folder."""
    names = {slide.name for slide in slides}
    found = 0
    for folder, subfolders, files in os.walk(out):
        if KI67 in files:
            found += Path(folder).relative_to(out).as_posix() not in names
        if STORE_NAME in subfolders:  # which has many files, and no results
            subfolders.remove(STORE_NAME)
    return found


def row_if_finished(slide: SlideRef, out: Path, config: RunConfig) -> SummaryRow | None:
    """The row of a slide that needs nothing more: finished, with these settings, from this file."""
    folder = out / slide.name
    stored = _header(folder / STORE_NAME, config)
    if stored is None or stored.cells_hash != config.cells.cells_hash():
        return None
    if not stored.mpp_stated and stored.slide_mpp != config.mpp:
        return None
    try:
        unchanged = stored.fingerprint == fingerprint(slide.path)
    except SlideError:
        unchanged = False
    return finished_row(folder, config) if unchanged else None


def _header(path: Path, config: RunConfig) -> StoreHeader | None:
    """What a store is bound to; with --overwrite, a store of another version counts as none."""
    try:
        return SlideStore.read_begun(path)
    except OutputError:
        if config.overwrite:
            return None
        raise


@dataclass(frozen=True, slots=True, eq=False)
class Prepared:
    """A plan with the store that it continues: the tiles and shards that are missing there."""

    plan: SlidePlan
    store: SlideStore
    missing: tuple[Shard, ...]


def prepare(ref: SlideRef, config: RunConfig, folder: Path) -> Prepared:
    """Plan a slide, open its store or make it, and draw its tissue: the picture is too large to be kept until the end.

    Raises
    ------
    SlideError
        Where the slide can't be scored, or isn't the one that its store was begun with.
    OutputError
        Where the store or the picture can't be written.
    """
    plan, overview = plan_slide(ref, config)
    path = folder / STORE_NAME
    stored = _header(path, config)
    if stored is not None and stored.fits(plan.header):
        store = SlideStore(path, plan.header)
    elif stored is None or config.overwrite:
        remove_results(folder)
        store = SlideStore.create(path, plan.header)
    else:
        raise SlideError(
            f"{ref.path} is not the file that its results in {folder} were begun with; "
            "pass --overwrite to replace them, or choose another --out"
        )
    save_tissue_picture(folder / TISSUE, overview, plan.tissue.mask)
    del overview
    trim_memory()
    done = store.done_shards([shard.index for shard in plan.shards])
    return Prepared(plan, store, tuple(shard for shard in plan.shards if shard.index not in done))
