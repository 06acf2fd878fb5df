"""Corrected slides as a data set to train on: what a person has gone over is labelled, the rest is masked out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import shapely
import shapely.affinity

from wsi_edt import files
from wsi_edt.cells import Cells
from wsi_edt.corrections import MakeRegion, corrected
from wsi_edt.errors import OutputError, SlideError, UsageError, WsiEdtError
from wsi_edt.ki67.drawn import cells_in, drawn_areas, joined
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.qupath.dialect import ANNOTATION, shown_corner
from wsi_edt.qupath.regions import Region
from wsi_edt.run.stored import StoredSlide, stored_results

_IGNORED_COLOUR = [180, 180, 180]  # QuPath refuses a class without a colour
_DRAW = "draw one around what you have gone over"


@dataclass(frozen=True, slots=True)
class Taught:
    """A slide of the set.

    Attributes
    ----------
    slide : its name
    regions, cells : how many areas are labelled, and how many cells lie in them
    error : why it is left out; None if it isn't
    """

    slide: str
    regions: int = 0
    cells: int = 0
    error: WsiEdtError | None = None


def write_training_set(
    results: Path, out: Path, *, told: Callable[[Taught], None] = lambda slide: None
) -> tuple[Taught, ...]:
    """Write the slides with corrected regions as a set of the format "qupath": a link to each, and its GeoJSON.

    A region that a person drew in the corrections says that all cells in it were gone over: they are its labels, as they
    were corrected; excluded areas are cut out of it. Outside nothing is labelled, since a single cell that was flipped says
    nothing of its neighbours.

    Parameters
    ----------
    out : the set's folder, which isn't there yet or is empty
    told : is told of each slide

    Raises
    ------
    UsageError
        If there are no results, or `out` holds something.
    OutputError
        If no slide has a corrected region, or the system refuses.
    """
    if out.resolve().is_relative_to(results.resolve()):
        raise UsageError("lies in the results", where=f"--out {out}", remedy="choose a place elsewhere")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError("isn't empty", where=f"--out {out}", remedy="choose another --out")
    ended = []
    for slide in stored_results(results).slides:
        if not slide.corrections.read().active:
            continue
        try:
            one = _written(slide, out)
        except SlideError as error:
            one = Taught(slide.name, error=error)
        told(one)
        ended.append(one)
    if any(one.regions for one in ended):
        return tuple(ended)
    if any(one.error is not None and one.error.remedy != _DRAW for one in ended):
        raise OutputError("has no slide with a corrected region that is still there", where=results)
    raise OutputError(
        "has no slide with a corrected region",
        where=results,
        remedy="draw regions around what you have gone over, in wsi-edt view or in QuPath",
    )


def _written(slide: StoredSlide, out: Path) -> Taught:
    record, source = slide.corrections.read(), slide.seen.source
    gone_over = [entry.correction for entry in record.active if isinstance(entry.correction, MakeRegion)]
    if not gone_over:
        raise SlideError(
            "has corrections, but no region",
            where=slide.name,
            remedy=_DRAW,
        )
    if not isinstance(source.path, Path) or source.series is not None or not source.path.exists():
        raise SlideError("isn't a file of this machine that holds one slide", where=slide.name)
    state = source.state()
    if not slide.header.is_of(state.fingerprint, state.modified):
        raise SlideError(f"{source} isn't the file that was counted any more", where=slide.name)
    left = corrected(slide.every_cell(), record, threshold=slide.threshold)
    ignored = [region for region in (*slide.seen.drawn.regions, *left.regions) if region.ignored]
    regions = [*map(_region, gone_over), *ignored]
    inside = cells_in(joined(area.shape for area in drawn_areas(regions)), left.cells)
    link, annotations = out / slide.name, out / f"{slide.name}.geojson"
    with files.writing(link):
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(source.path.absolute())
    cells = left.cells.select(inside)
    _write_annotations(annotations, slide, cells, regions)
    return Taught(slide.name, len(gone_over), len(cells))


def _region(made: MakeRegion) -> Region:
    return Region(made.name, made.polygon)


def _write_annotations(path: Path, slide: StoredSlide, cells: Cells, regions: list[Region]) -> None:
    """The cells as detections, and the regions as annotations, in QuPath's px."""
    corner = shown_corner(slide.seen.bounds)
    write_geojson(path, cells, slide_name=slide.name, radius_px=1.0, corner=corner)
    document = orjson.loads(path.read_bytes())
    document["features"] += _annotations(regions, corner)
    files.write_atomically(path, orjson.dumps(document))


def _annotations(regions: list[Region], corner: tuple[float, float]) -> Iterator[dict[str, Any]]:
    for region in regions:
        shape = shapely.affinity.translate(region.polygon, -corner[0], -corner[1])
        properties: dict[str, Any] = {"objectType": ANNOTATION, "name": region.name}
        if region.ignored:
            properties["classification"] = {"name": "Ignore*", "color": _IGNORED_COLOUR}
        geometry = shapely.geometry.mapping(shape)
        yield {"type": "Feature", "geometry": geometry, "properties": properties}
