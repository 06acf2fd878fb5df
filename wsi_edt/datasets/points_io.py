"""Cells from points files: GeoJSON as QuPath writes it, CSV, and a text format of one line per image."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from wsi_edt.cells import Cells
from wsi_edt.datasets.csv_points import parse_csv
from wsi_edt.datasets.records import POINTS_SUFFIXES, points_stem, points_suffix
from wsi_edt.datasets.text_points import parse_text
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.cells_in import cells_of
from wsi_edt.qupath.dialect import read_features

_TEXT_PARSERS: Mapping[str, Callable[[bytes, Path], dict[str, Cells]]] = {
    ".csv": parse_csv,
    ".txt": parse_text,
}


def read_points(path: Path) -> dict[str, Cells]:
    """The cells of each image that a points file names.

    - GeoJSON (``.geojson``, ``.geojson.gz``, ``.json``): detections and points, see `cells_of`.
    - CSV (``.csv``): a header with x and y, see `parse_csv`.
    - Text (``.txt``): one line per image, predictions or truth, see `parse_text`.

    Parameters
    ----------
    path : the file, with one of `POINTS_SUFFIXES`

    Returns
    -------
    Cells by image, in continuous px of the file's frame. The image is the one that the file names, or the file's
    stem if the whole file is one image.

    Raises
    ------
    AnnotationError
        If the file can't be read; it names the file and the first record at fault.
    """
    suffix = points_suffix(path)
    if suffix is None:
        raise AnnotationError("isn't a points file", where=path, remedy=f"give {', '.join(POINTS_SUFFIXES)}")
    if suffix not in _TEXT_PARSERS:
        return {points_stem(path): cells_of(read_features(path))}
    try:
        content = path.read_bytes()
    except OSError as error:
        raise AnnotationError(
            f"can't be read: {error}", where=path, remedy="check the path and the file"
        ) from error
    return _TEXT_PARSERS[suffix](content, path)
