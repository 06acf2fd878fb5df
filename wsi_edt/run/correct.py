"""Corrections from a file that was edited elsewhere, as in QuPath: what differs from the cells that it was given."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path

import numpy as np

from wsi_edt.annotations import read_drawing
from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections import Corrected, Correction, Record, corrected
from wsi_edt.corrections.applied import flipped_classes
from wsi_edt.corrections.edited import NEW, Edited, compared
from wsi_edt.errors import AnnotationError, OutputError, UsageError
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.corrections_made import corrections_in_words
from wsi_edt.ki67.drawn import which_count
from wsi_edt.ki67.findings import classes_of_stain
from wsi_edt.qupath.cells_in import CellsFound, find_cells
from wsi_edt.qupath.cells_out import cell_ids
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.dialect import shown_corner
from wsi_edt.qupath.passed_over import in_words
from wsi_edt.qupath.regions import RegionsFound, find_regions
from wsi_edt.run.edited_cells import Sides, cell_corrections
from wsi_edt.run.edited_regions import Known, region_corrections
from wsi_edt.run.rescore import Rescorer
from wsi_edt.run.stored import StoredSlide, stored_results

_LARGEST_SHARE = 0.5  # of the cells that were shown, that somebody deletes one by one
_MOST_NEW = 0.5  # of the slide's cells, that somebody adds one by one
_FEW = 200  # new cells, which may always be added


@dataclass(frozen=True, slots=True)
class CorrectOutcome:
    """What a file changed.

    Attributes
    ----------
    corrections : in the order of the record; none if the file shows what there was
    in_words : what they do, a line for each kind; then what the file has that is neither a cell nor an area
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

    Cells are compared by the ids that cells.geojson gave them, else by place. The file is held against the last report and
    what the same person's files changed since: so the same file given twice changes nothing the second time, one in which
    an edit is taken back takes it back, and what others corrected since stays. Areas that aren't among the slide's regions
    become regions, those of class Ignore* excluded areas. An area of the same person's earlier files is changed with the
    file's, and taken away if the file lacks it, but for one that was there at the last report.

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
        If the file can't be read, or hasn't half of the slide's cells, or has cells of an earlier report, or many that the
        slide hasn't.
    StaleError
        If somebody corrects meanwhile.
    OutputError
        If the slide isn't finished, or the record can't be read or written, or lacks what the report was made with.
    """
    slide = _only_slide(folder)
    if not edited.is_file():
        what = "is a folder" if edited.is_dir() else "doesn't exist"
        raise UsageError(what, where=edited, remedy="name the file that was exported again")
    record = slide.corrections.read()
    _refuse_lost(slide, record)
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
    _refuse_many(changes, edited)
    _refuse_classless(shown.cells, found, edited)
    revision = slide.reported_record().revision
    known = record.as_known_by(who, revision=revision)
    sides = Sides(every, record, known, revision, shown, slide.threshold)
    cells = classes_of_stain(found.cells, slide.seen.staining)
    regions = find_regions(drawing.features, corner=drawing.corner)
    areas = Known.of(record, known, slide.seen.drawn.regions, who=who, revision=revision)
    unnamed = {
        str(one.number) for one in drawing.features if not one.properties.get("name") and not one.class_name
    }
    corrections = (
        *cell_corrections(sides, cells, changes, partial=partial),
        *region_corrections(regions.regions, areas, unnamed=unnamed, partial=partial),
    )
    live = Rescorer(slide, every)
    for correction in corrections:
        live.refuse(correction)
    if corrections and not dry_run:
        after = slide.corrections.append(corrections, who=who, seen=record.revision, by_file=True)
    else:
        after = record.with_new(corrections, who=who, when=datetime.now(UTC))
    words = corrections_in_words(corrections, slide_mpp=slide.seen.scale.slide_mpp)
    if neither := _neither(found, regions):
        words.append(f"passed over: {in_words(neither)}")
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


def _refuse_lost(slide: StoredSlide, record: Record) -> None:
    if record.revision < slide.reported_revision:
        raise OutputError(
            f"was reported with {slide.reported_revision} corrections, of which corrections.json has {record.revision} now",
            where=slide.folder,
            remedy="put the file back, or run wsi-edt report without them and import cells.geojson again",
        )


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


def _refuse_many(changes: Edited, path: Path) -> None:
    """AnnotationError if a file has so many cells that weren't shown that it is probably another slide's."""
    shown, new = len(changes.missing), int(np.count_nonzero(changes.seen == NEW))
    if new > max(_FEW, _MOST_NEW * shown):
        raise AnnotationError(
            f"has {new:,} cells that aren't among the slide's {shown:,}",
            where=path,
            remedy="was it made of another slide? Corrections are for single cells",
        )


def _refuse_classless(shown: Cells, found: CellsFound, path: Path) -> None:
    """AnnotationError if most cells of a file have no class, and those that were shown had one."""
    if found.unclassed > _LARGEST_SHARE * len(found.cells) and (shown.class_id != CellClass.NUCLEUS).any():
        raise AnnotationError(
            f"has {found.unclassed:,} cells without a class, of {len(found.cells):,}",
            where=path,
            remedy="were the classes reset in QuPath? Import cells.geojson again, and edit that",
        )


def _neither(found: CellsFound, regions: RegionsFound) -> Counter[str]:
    """How many features are neither cells nor areas, by what they are."""
    return Counter({what: many for what, many in regions.passed_over.items() if what in found.passed_over})
