"""Cells from the text format of crowd and cell localisation: one line per image."""

from __future__ import annotations

from pathlib import Path

from wsi_edt.annotations.content import text_of
from wsi_edt.datasets.points_found import PointsFound
from wsi_edt.datasets.records import PointRecords
from wsi_edt.errors import AnnotationError

# How many numbers a point has: `x y` in predictions; `x y sigma_small sigma_large level` in truth.
_PREDICTED_WIDTH, _TRUTH_WIDTH = 2, 5


def parse_text(content: bytes, path: Path) -> PointsFound:
    """The cells of a text file by image index; a line's length tells predictions from truth.

    Predictions: ``image_index n x1 y1 … xn yn``. Truth: ``image_index n`` then n times ``x y sigma_small sigma_large
    level``; the radius of a match is the evaluation's, so only x and y are kept. There are no classes. A file in
    which every coordinate is a whole number holds pixel indices: their centres are half a pixel further on.

    Parameters
    ----------
    content : UTF-8 or UTF-16, one line per image; empty lines don't matter
    path : names the file in errors
    """
    lines = text_of(content, path).splitlines()
    records = PointRecords()
    for number, line in enumerate(lines, start=1):
        words = line.split()
        where = f"{path}, line {number}"
        if words:
            _add_line(records, words, where)
    return PointsFound(records.by_image())


def _add_line(records: PointRecords, words: list[str], where: str) -> None:
    if len(words) < 2 or not words[1].isdecimal():
        raise AnnotationError("doesn't start with the image's index and its number of points", where=where)
    image, count, numbers = words[0], int(words[1]), words[2:]
    if records.has_image(image):
        raise AnnotationError(f"is another line of image {image}", where=where, remedy="join the two")
    records.add_image(image)
    width = _TRUTH_WIDTH if len(numbers) == count * _TRUTH_WIDTH else _PREDICTED_WIDTH
    if len(numbers) != count * width:
        raise AnnotationError(
            f"has {len(numbers)} numbers: {count} points need {count * _PREDICTED_WIDTH} (predictions) or "
            f"{count * _TRUTH_WIDTH} (truth)",
            where=where,
        )
    for x, y in zip(numbers[::width], numbers[1::width], strict=True):
        records.add_point(image, x, y=y, where=where)
