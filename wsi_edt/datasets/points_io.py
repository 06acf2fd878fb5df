"""Cells from points files: GeoJSON as QuPath writes it, XML of other programs, tables, and text of one line per image."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from wsi_edt.annotations import read_features
from wsi_edt.annotations.content import read_content
from wsi_edt.cells import Cells
from wsi_edt.datasets.csv_points import parse_csv
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import POINTS_SUFFIXES, points_stem, points_suffix
from wsi_edt.datasets.text_points import parse_text
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.cells_in import find_cells
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.passed_over import in_words

_TABLES: Mapping[str, Callable[..., PointsFound]] = {".csv": parse_csv, ".tsv": parse_csv, ".txt": parse_text}
_NO_NAMES = ClassNames()

_log = logging.getLogger(__name__)


def read_points(path: Path, *, mpp: float | None = None, classes: ClassNames = _NO_NAMES) -> dict[str, Cells]:
    """The cells of each image that a points file names; what the file holds beside them is logged as a warning.

    - GeoJSON (``.geojson``, ``.geojson.gz``, ``.json``): detections and points, see `find_cells`.
    - XML of ImageScope and ASAP (``.xml``): points.
    - Tables (``.csv``, ``.tsv``, ``.txt`` with a header): x and y, see `parse_csv`.
    - Text (``.txt``): one line per image, predictions or truth, see `parse_text`.

    Parameters
    ----------
    path : the file, with one of `POINTS_SUFFIXES`
    mpp : µm per px of the images, for tables whose positions are in µm
    classes : what names of classes stand for beside Positive, Negative and Nucleus

    Returns
    -------
    Cells by image, in continuous px of the file's frame. The image is the one that the file names, or the file's
    stem if the whole file is one image.

    Raises
    ------
    AnnotationError
        If the file can't be read, naming the first record at fault; or if it holds something, but no cell.
    """
    found = _found(path, mpp, classes)
    if found.passed_over:
        words = in_words(found.passed_over)
        if not found.count:
            raise AnnotationError(
                f"holds {words}, but no cells",
                where=path,
                remedy="give a file of detections or points",
            )
        _log.warning("%s: %s aren't cells and were passed over", path, words)
    return dict(found.images)


def _found(path: Path, mpp: float | None, classes: ClassNames) -> PointsFound:
    suffix = points_suffix(path)
    if suffix is None:
        raise AnnotationError("isn't a points file", where=path, remedy=f"give {', '.join(POINTS_SUFFIXES)}")
    if suffix not in _TABLES:
        cells = find_cells(read_features(path), classes=classes)
        return PointsFound({points_stem(path): cells.cells}, cells.passed_over)
    content = read_content(path)
    parse = _TABLES[suffix]
    if suffix == ".txt" and _has_header(content):  # QuPath names its tables .txt, too
        parse = parse_csv
    return parse(content, path, mpp=mpp, classes=classes)


def _has_header(content: bytes) -> bool:
    """Whether one of the first two lines names x and y, where text of one line per image has numbers alone."""
    head = content[:4096].replace(b"\0", b"").decode("utf-8", errors="ignore")
    lines = head.lower().splitlines()[:2]
    return any({"x", "y"} <= set(re.split("[^a-z]+", line)) for line in lines)
