"""Slides with nuclei marked in QuPath, inside annotations that say where the marking is complete."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import shapely
import shapely.affinity

from wsi_edt.annotations import AnnotatedSlide, read_drawing
from wsi_edt.cells import Cells
from wsi_edt.datasets.labelled import Record
from wsi_edt.datasets.pairing import warn_of_unlabelled
from wsi_edt.errors import AnnotationError
from wsi_edt.geometry import Window
from wsi_edt.qupath.cells_in import find_cells
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.regions import Polygons, Region, contains, polygons_of, regions_of
from wsi_edt.slides import IMAGE_SUFFIXES, SLIDE_SUFFIXES, Slide, open_slide

ANNOTATION_SUFFIXES = (".geojson", ".geojson.gz", ".xml", ".ndpa")
CONTEXT_PX = 256  # level-0 px around a region: the network sees real tissue there, not white
LARGEST_REGION_PX = 100_000_000  # 300 MB, held in memory while training

_NO_NAMES = ClassNames()

_log = logging.getLogger(__name__)


def read_qupath(folder: Path, split: str, classes: ClassNames = _NO_NAMES) -> Iterator[Record]:
    """``NAME.geojson`` as QuPath exports it (or .geojson.gz), and the slide ``NAME.*``, anywhere below the folder.

    Other programs' ``NAME.xml`` and ``NAME.ndpa`` are read too, see `read_drawing`.

    An annotation with an area, of any class or none, says that every nucleus inside it is marked; those of class Ignore*
    are cut out of it. The nuclei are Points annotations, or detections and cells (by their centroid), of class Positive,
    Negative (or "Tumor: Positive" and the like) or none; outside all annotations they don't count. An annotation without
    nuclei is background. Each is an image: its box and some context around it, at level 0.
    """
    del split  # there is one
    taken: dict[Path, Path] = {}
    for path in sorted(folder.rglob("*")):
        if path.name.lower().endswith(ANNOTATION_SUFFIXES) and not path.name.startswith("."):
            slide_path = _slide_of(path, folder)
            if slide_path in taken:
                raise AnnotationError(
                    f"annotates {slide_path.name}, as {taken[slide_path].name} does",
                    where=path,
                    remedy="keep one of them",
                )
            taken[slide_path] = path
            with open_slide(slide_path) as slide:
                case = slide_path.relative_to(folder).as_posix()
                yield from slide_records(slide, path, case=case, classes=classes)
    if taken:
        warn_of_unlabelled(folder, _slides_below(folder), taken)


def slide_records(
    slide: Slide, annotations: Path, *, case: str, classes: ClassNames = _NO_NAMES
) -> Iterator[Record]:
    """One record for each annotated area of a slide.

    Raises
    ------
    AnnotationError
        If the annotations can't be read, have no area or one that is too large, lie outside the slide, or mark nuclei
        without saying where the marking is complete.
    """
    drawing = read_drawing(annotations, AnnotatedSlide.of(slide))
    regions = regions_of(drawing.features, corner=drawing.corner)
    cells = find_cells(drawing.features, corner=drawing.corner, classes=classes).cells
    areas = _labelled_areas(regions, slide, annotations)
    if not areas:
        marked = f"marks {len(cells)} nuclei but" if len(cells) else "marks no nuclei and"
        raise AnnotationError(
            f"{marked} has no region",
            where=annotations,
            remedy="draw an annotation (a rectangle, say) in QuPath around the part in which you marked every nucleus, "
            "and export again",
        )
    counted = np.zeros(len(cells), np.bool_)
    for number, area in enumerate(areas, start=1):
        inside = contains(area, cells.x, cells.y)
        counted |= inside
        yield _record(
            slide,
            area,
            cells=cells.select(inside),
            key=Path(f"{slide.path}#{number}"),
            case=case,
        )
    if not counted.all():
        _log.warning(
            "%s: %d of %d marked nuclei lie outside all regions, or in ignored ones, and don't count",
            annotations,
            np.count_nonzero(~counted),
            len(cells),
        )


def _slide_of(annotations: Path, folder: Path) -> Path:
    """The one slide whose name, with or without its suffix, is that of the annotations."""
    suffix = next(suffix for suffix in ANNOTATION_SUFFIXES if annotations.name.lower().endswith(suffix))
    stem = annotations.name[: -len(suffix)]
    # A slide comes before a picture of it (its thumbnail, say), and beside the annotations before elsewhere.
    for suffixes in (SLIDE_SUFFIXES, IMAGE_SUFFIXES):
        for places in (annotations.parent.iterdir(), folder.rglob("*")):
            found = sorted(
                path
                for path in places
                if path.suffix.lower() in suffixes
                and stem in (path.name, path.stem, path.stem.removesuffix(".ome"))
                and path.is_file()
            )
            if len(found) > 1:
                raise AnnotationError(
                    f"may belong to {found[0].name} or {found[1].name} ({found[1].parent})",
                    where=annotations,
                    remedy=f"rename it to {found[0].name}{suffix}, or move one of them",
                )
            if found:
                return found[0]
    raise AnnotationError(
        f"has no slide: there is no {stem}.* below {folder} that can be opened",
        where=annotations,
        remedy="put the slide, or a link to it, there",
    )


def _slides_below(folder: Path) -> Iterator[Path]:
    """The slides that are one file each."""
    for path in folder.rglob("*"):
        if path.suffix.lower() in SLIDE_SUFFIXES and path.suffix.lower() != ".dcm" and path.is_file():
            yield path


def _labelled_areas(regions: Sequence[Region], slide: Slide, annotations: Path) -> list[Polygons]:
    """Where everything is marked, level-0 px: what overlaps is one area, what is ignored is cut out."""
    shown = shapely.box(0, 0, *slide.dimensions)
    ignored = shapely.unary_union([region.polygon for region in regions if region.ignored])
    areas: list[Polygons] = []
    for region in regions:
        if region.ignored:
            continue
        area = polygons_of(shapely.intersection(region.polygon, shown))
        if area is None:
            width, height = slide.dimensions
            raise AnnotationError(
                f"has a region {region.name!r} outside the slide {slide.path.name} ({width}×{height} px)",
                where=annotations,
                remedy="was it drawn on another slide?",
            )
        overlapping = [other for other in areas if shapely.intersection(other, area).area > 0]
        areas = [other for other in areas if other not in overlapping]
        areas.append(shapely.unary_union([*overlapping, area]))
    remaining = [polygons_of(shapely.difference(area, ignored)) for area in areas]
    return [area for area in remaining if area is not None]


def _record(slide: Slide, area: Polygons, *, cells: Cells, key: Path, case: str) -> Record:
    left, top, right, bottom = area.bounds
    box = Window(int(left), int(top), int(np.ceil(right)) - int(left), int(np.ceil(bottom)) - int(top))
    grown = box.grown(CONTEXT_PX)
    width, height = slide.dimensions
    x, y = max(grown.x, 0), max(grown.y, 0)
    window = Window(x, y, min(grown.right, width) - x, min(grown.bottom, height) - y)
    if window.width * window.height > LARGEST_REGION_PX:
        raise AnnotationError(
            f"has a region of {box.width}×{box.height} px, with its context "
            f"{window.width * window.height / 1e6:.0f} million px; at most {LARGEST_REGION_PX / 1e6:.0f} million fit in "
            "memory",
            where=slide.path.name,
            remedy="split it into smaller regions in QuPath",
        )
    return Record(
        path=key,
        case=case,
        points=np.column_stack([cells.x - x, cells.y - y]),
        class_id=cells.class_id,
        pixels=slide.read_level(0, window),
        image_mpp=slide.mpp,
        region=shapely.affinity.translate(area, -x, -y),
    )
