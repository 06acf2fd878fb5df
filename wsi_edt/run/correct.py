"""Corrections from a file that was edited elsewhere, as in QuPath: what differs from the cells that it was given."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np
import shapely

from wsi_edt.annotations import read_drawing
from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections import (
    Add,
    Corrected,
    Correction,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Record,
    Undo,
    corrected,
)
from wsi_edt.corrections.applied import flipped_classes
from wsi_edt.corrections.edited import Edited, compared
from wsi_edt.corrections.kinds import LONGEST_NAME, label_of
from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.corrections_made import corrections_in_words
from wsi_edt.ki67.drawn import which_count
from wsi_edt.qupath.cells_in import CellsFound, find_cells
from wsi_edt.qupath.cells_out import cell_ids
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.dialect import shown_corner
from wsi_edt.qupath.regions import Polygons, Region, find_regions
from wsi_edt.run.rescore import Rescorer
from wsi_edt.run.stored import StoredSlide, stored_results

_LARGEST_SHARE = 0.5  # of the cells that were shown, that somebody deletes one by one
_SAME_SHAPE = 1e-3  # of an area, that rounding to 0.01 px may change


@dataclass(frozen=True, slots=True)
class CorrectOutcome:
    """What a file changed.

    Attributes
    ----------
    corrections : in the order of the record; none if the file shows what there was
    in_words : what they do, a line for each kind
    before, after : the slide's results without and with all of its corrections
    """

    corrections: tuple[Correction, ...]
    in_words: tuple[str, ...]
    before: Ki67Result
    after: Ki67Result


def correct_slide(
    folder: Path, edited: Path, *, who: str, classes: ClassNames, partial: bool = False, dry_run: bool = False
) -> CorrectOutcome:
    """Make corrections of what differs between a slide's cells, as last reported, and a file that was edited.

    Cells are compared by the ids that cells.geojson gave them, else by place. What was corrected since the report stays,
    and the same file given twice changes nothing the second time. Areas that aren't among the slide's regions become
    regions, those of class Ignore* excluded areas; one of the name of a corrected region takes its place. No region is
    taken away because a file lacks it.

    Parameters
    ----------
    folder : of the slide's results
    edited : GeoJSON of QuPath, or what `read_drawing` reads
    who : corrects
    classes : what other names of classes stand for
    partial : whether the file has a part of the cells alone, so that those that aren't there weren't deleted
    dry_run : leaves the record as it is

    Raises
    ------
    UsageError
        If the folder isn't one slide's, or there is no such file.
    AnnotationError
        If the file can't be read, or hasn't half of the slide's cells, or has cells of an earlier report.
    StaleError
        If somebody corrects meanwhile.
    OutputError
        If the slide isn't finished, or the record can't be read or written.
    """
    slide = _only_slide(folder)
    if not edited.is_file():
        what = "is a folder" if edited.is_dir() else "doesn't exist"
        raise UsageError(what, where=edited, remedy="name the file that was exported again")
    record = slide.corrections.read()
    every = slide.every_cell()
    origin = shown_corner(slide.seen.bounds, slide.output.origin)
    drawing = read_drawing(edited, replace(slide.seen.drawn_on, corner=origin))
    found = find_cells(drawing.features, corner=drawing.corner, classes=classes)
    shown = _shown(slide, every)
    ids = cell_ids(shown.cells, slide_name=slide.name)
    _refuse_earlier(slide, every, ids, found, edited)
    changes = compared(shown.cells, ids, found)
    if not partial:
        _refuse_few(changes, edited)
    corrections = (
        *_of_cells(every, record, slide, shown, found, changes, partial=partial),
        *_of_regions(record, slide, find_regions(drawing.features, corner=drawing.corner).regions),
    )
    live = Rescorer(slide, every)
    for correction in corrections:
        live.refuse(correction)
    if corrections and not dry_run:
        after = slide.corrections.append(corrections, who=who, seen=record.revision)
    else:
        after = record.with_new(corrections, who=who, when=datetime.now(UTC))
    words = corrections_in_words(corrections, slide_mpp=slide.seen.scale.slide_mpp)
    return CorrectOutcome(corrections, tuple(words), live.before(), live.after(after))


def _only_slide(folder: Path) -> StoredSlide:
    found = stored_results(folder)
    if len(found.slides) + len(found.unfinished) + len(found.faults) > 1:
        raise UsageError(
            "holds several slides", where=folder, remedy="name the folder of the one that was edited"
        )
    for _, error in found.faults:
        raise error
    if not found.slides:
        raise found.why_none()
    return found.slides[0]


def _shown(slide: StoredSlide, every: Cells) -> Corrected:
    """The cells that the last report wrote to cells.geojson."""
    left = corrected(every, slide.reported_record(), threshold=slide.threshold)
    drawn = slide.seen.drawn
    counts = which_count(left.cells, (*drawn.regions, *left.regions), only_regions=drawn.alone)
    if counts is None:
        return left
    return replace(left, cells=left.cells.select(counts), origin=left.origin[counts])


def _refuse_earlier(
    slide: StoredSlide, every: Cells, ids: Sequence[str], found: CellsFound, path: Path
) -> None:
    """AnnotationError if a file has cells of the slide by ids that the last report gave to none."""
    strange = {*found.ids, *found.ignored}.difference(ids, {""})
    if strange:
        flipped = replace(every, class_id=flipped_classes(every.class_id))
        earlier = (cell_ids(cells, slide_name=slide.name) for cells in (every, flipped))
        if not strange.isdisjoint(chain.from_iterable(earlier)):
            raise AnnotationError(
                "has cells that the slide's last report hasn't: it was made from an earlier one",
                where=path,
                remedy=f"import the present {slide.folder / 'cells.geojson'} into QuPath, and edit that",
            )


def _refuse_few(changes: Edited, path: Path) -> None:
    """AnnotationError if most of the cells that were shown aren't in a file."""
    every, missing = len(changes.missing), int(np.count_nonzero(changes.missing))
    if missing > _LARGEST_SHARE * every:
        raise AnnotationError(
            f"has {every - missing:,} of the slide's {every:,} cells, and the others would count as deleted",
            where=path,
            remedy="was it made of another slide? Export all objects, or pass --partial to delete none",
        )


def _of_cells(
    every: Cells,
    record: Record,
    slide: StoredSlide,
    shown: Corrected,
    found: CellsFound,
    changes: Edited,
    *,
    partial: bool,
) -> Iterator[Correction]:
    """The corrections that turn the cells as they are now into what the file says of those that were shown."""
    now = corrected(every, record, threshold=slide.threshold)
    present = dict(zip(now.origin.tolist(), now.cells.class_id.tolist(), strict=True))
    gone = changes.ignored if partial else changes.ignored | changes.missing
    deleted = shown.origin[gone].tolist()
    flipped: list[int] = []
    added: list[tuple[float, float, int]] = []
    kinds = found.cells.class_id.tolist()
    for k, seen in enumerate(changes.seen.tolist()):
        if seen < 0:
            added.append((float(found.cells.x[k]), float(found.cells.y[k]), kinds[k]))
        elif kinds[k] != shown.cells.class_id[seen] and kinds[k] != present.get(int(shown.origin[seen])):
            origin = int(shown.origin[seen])
            if CellClass.NUCLEUS in (kinds[k], present.get(origin)):
                deleted.append(origin)
                added.append((float(shown.cells.x[seen]), float(shown.cells.y[seen]), kinds[k]))
            else:
                flipped.append(origin)
    there = {(round(x, 2), round(y, 2), kind) for x, y, kind in _added_before(now)}
    if flipped := [origin for origin in flipped if origin in present]:
        yield Flip(_named(flipped, every, record))
    if deleted := [origin for origin in deleted if origin in present]:
        yield Delete(_named(deleted, every, record))
    for x, y, kind in added:
        if (round(x, 2), round(y, 2), kind) not in there:
            yield Add(x, y, label_of(kind))


def _added_before(now: Corrected) -> Iterator[tuple[float, float, int]]:
    by_hand = np.flatnonzero(now.origin < 0)
    cells = now.cells.select(by_hand)
    yield from zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True)


def _named(origins: Iterable[int], every: Cells, record: Record) -> NamedCells:
    """The cells of these origins, see `Corrected.origin`, as corrections name them."""
    ordered = sorted(set(origins))
    found = [origin for origin in ordered if origin >= 0]
    parts = [NamedCells.of(every, found)] if found else []
    for origin in ordered:
        added = record.entries[-origin - 1].correction if origin < 0 else None
        if isinstance(added, Add):
            parts.append(NamedCells((origin,), (added.x,), (added.y,), (added.class_name,)))
    return NamedCells.joined(parts)


def _of_regions(record: Record, slide: StoredSlide, drawn: Iterable[Region]) -> Iterator[Correction]:
    """The corrections that make what was drawn into regions and excluded areas, but for those that are there."""
    there = [(region.polygon, region.ignored) for region in slide.seen.drawn.regions]
    named: dict[str, list[int]] = {}
    for entry in record.active:
        if isinstance(entry.correction, MakeRegion | Exclude):
            there.append((entry.correction.polygon, isinstance(entry.correction, Exclude)))
        if isinstance(entry.correction, MakeRegion):
            named.setdefault(entry.correction.name, []).append(entry.id)
    for region in drawn:
        if any(region.ignored == ignored and _is_same(region.polygon, shape) for shape, ignored in there):
            continue
        if region.ignored:
            yield Exclude(region.polygon)
            continue
        yield from map(Undo, named.pop(region.name, ()))
        yield MakeRegion(region.name[:LONGEST_NAME], region.polygon, region.class_name)


def _is_same(one: Polygons, other: Polygons) -> bool:
    differs = float(shapely.area(shapely.symmetric_difference(one, other)))
    return differs <= _SAME_SHAPE * float(max(one.area, other.area))
