"""Cells from points files: GeoJSON as QuPath writes it, XML of other programs, tables, and text of one line per image."""

from __future__ import annotations

import logging
import re
from pathlib import Path

from wsi_edt.annotations import AnnotatedSlide, drawing_of
from wsi_edt.annotations.content import read_content, uncollected
from wsi_edt.annotations.formats import Kind, kind_of
from wsi_edt.cells import Cells
from wsi_edt.datasets.csv_points import parse_csv
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import POINTS_SUFFIXES, TEXT_SUFFIXES, points_stem, points_suffix
from wsi_edt.datasets.text_points import parse_text
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.cells_in import find_cells
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.passed_over import in_words

_NO_NAMES = ClassNames()

_log = logging.getLogger(__name__)


def read_points(
    path: Path,
    *,
    mpp: float | None = None,
    classes: ClassNames = _NO_NAMES,
    slide: AnnotatedSlide | None = None,
    say_unclassed: bool = False,
) -> dict[str, Cells]:
    """The cells of each image that a points file names; what the file holds beside them is logged as a warning.

    - GeoJSON, and the annotations of other programs that `read_drawing` reads: detections and points, see `find_cells`.
    - Tables with a header: x and y, see `parse_csv`.
    - Text of one line per image (``.txt``): predictions or truth, see `parse_text`.

    The content tells which of them a file is.

    Parameters
    ----------
    path : the file, with one of `POINTS_SUFFIXES`
    mpp : µm per px of the images, for tables whose positions are in µm; by default the slide's
    classes : what names of classes stand for beside Positive, Negative and Nucleus
    slide : that the cells were marked on, if it is known: coordinates are then level-0 px, also where QuPath shows a part
        of the slide only
    say_unclassed : whether a warning says that some cells have no class beside others that have one

    Returns
    -------
    Cells by image, in continuous px of the file's frame. The image is the one that the file names, or the file's
    stem if the whole file is one image.

    Raises
    ------
    AnnotationError
        If the file can't be read, naming the first record at fault; or if it holds something, but no cell.
    """
    with uncollected():
        found = _found(path, mpp, classes, slide)
    if found.passed_over:
        words = in_words(found.passed_over)
        if not found.count:
            raise AnnotationError(
                f"holds {words}, but no cells",
                where=path,
                remedy="give a file of detections or points",
            )
        _log.warning("%s: passed over what doesn't count as a cell: %s", path, words)
    if say_unclassed and found.unclassed and found.tells_classes:
        has, counts = ("has", "counts") if found.unclassed == 1 else ("have", "count")
        _log.warning(
            "%s: %d of %d cells %s no class and %s among all cells alone",
            path,
            found.unclassed,
            found.count,
            has,
            counts,
        )
    return dict(found.images)


def _found(path: Path, mpp: float | None, classes: ClassNames, slide: AnnotatedSlide | None) -> PointsFound:
    suffix = points_suffix(path)
    if suffix is None:
        raise AnnotationError("isn't a points file", where=path, remedy=f"give {', '.join(POINTS_SUFFIXES)}")
    content = read_content(path)
    if kind_of(content, path) is not Kind.TEXT or suffix not in TEXT_SUFFIXES:
        drawing = drawing_of(content, path, slide)
        cells = find_cells(drawing.features, corner=drawing.corner, classes=classes)
        return PointsFound({points_stem(path): cells.cells}, cells.passed_over, cells.unclassed)
    if suffix == ".txt" and not _has_header(content):  # QuPath names its tables .txt, too
        return parse_text(content, path)
    known_mpp, corner = (mpp, (0.0, 0.0)) if slide is None else (mpp or slide.mpp, slide.corner)
    return parse_csv(content, path, mpp=known_mpp, classes=classes, corner=corner)


def _has_header(content: bytes) -> bool:
    """Whether one of the first lines names x and y, where text of one line per image has numbers alone."""
    head = content[:4096].replace(b"\0", b"").decode("utf-8", errors="ignore")
    return any({"x", "y"} <= set(re.split("[^a-z]+", line)) for line in head.lower().splitlines())
