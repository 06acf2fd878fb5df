"""Predictions and truth brought together: which cells belong to the same image."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets.points_io import read_points
from wsi_edt.datasets.records import POINTS_SUFFIXES, points_stem, points_suffix
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.classes import ClassNames

Reader = Callable[[Path], dict[str, Cells]]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class ImagePair:
    """One image's predicted and true cells.

    Attributes
    ----------
    image : its name
    case : images of one case (a patient, a slide) share one name; if cases aren't known, the image's own
    predicted, truth : in px of one frame
    """

    image: str
    case: str
    predicted: Cells
    truth: Cells


_NO_NAMES = ClassNames()


def read_pairs(
    predicted: Path,
    truth: Path,
    *,
    mpp: float | None = None,
    classes: ClassNames = _NO_NAMES,
    slide: AnnotatedSlide | None = None,
) -> tuple[ImagePair, ...]:
    """The predicted and the true cells of each image.

    Parameters
    ----------
    predicted, truth : two points files, or two folders in which files of equal stems belong together. Files of one
        image each belong together whatever their names. An image that only one of two files of several names has no
        cells in the other. Predictions without a truth are left out; a truth file without predictions is an error.
    mpp, classes, slide : see `read_points`

    Raises
    ------
    AnnotationError
        If files can't be read or don't belong together, or if one side holds no cell at all.
    """
    if predicted.is_dir() != truth.is_dir():
        raise AnnotationError(
            "are a file and a folder",
            where=f"{predicted} and {truth}",
            remedy="give two files or two folders",
        )
    pairs = _pairs(
        predicted, truth, partial(read_points, mpp=mpp, classes=classes, slide=slide, say_unclassed=True)
    )
    sides = ((predicted, [pair.predicted for pair in pairs]), (truth, [pair.truth for pair in pairs]))
    for where, cells in sides:
        if pairs and not any(map(len, cells)):
            raise AnnotationError("holds no cells, so that there is nothing to compare", where=where)
    _warn_of_missing_classes(sides, classes)
    return pairs


def _warn_of_missing_classes(sides: Iterable[tuple[Path, list[Cells]]], classes: ClassNames) -> None:
    """Say why there will be no figures of positive and negative cells, and which of the user's names no cell has."""
    without = [(path, sum(map(len, cells))) for path, cells in sides if not any(map(_tell_classes, cells))]
    if len(without) == 1:
        ((path, count),) = without
        _log.warning(
            "%s: none of its %d cells is positive or negative, so that only all cells are compared",
            path,
            count,
        )
    for name in classes.never_met():
        _log.warning("--class %s: no cell has this class", name)


def _tell_classes(cells: Cells) -> bool:
    return bool((cells.class_id != CellClass.NUCLEUS).any())


def _pairs(predicted: Path, truth: Path, read: Reader) -> tuple[ImagePair, ...]:
    if not truth.is_dir():
        return _pair_files(predicted, truth, read)
    predicted_files, truth_files = _files_by_stem(predicted), _files_by_stem(truth)
    if not truth_files:
        raise AnnotationError(f"holds no points files ({', '.join(POINTS_SUFFIXES)})", where=truth)
    missing = sorted(truth_files.keys() - predicted_files.keys())
    if missing:
        raise AnnotationError(
            f"has no predictions for {missing[0]} ({len(missing)} of {len(truth_files)} files are missing)",
            where=predicted,
            remedy="give files that belong together equal names, whatever their suffixes",
        )
    without = sorted(predicted_files.keys() - truth_files.keys())
    if without:
        _log.warning(
            "%s: %d files have no truth and are left out, the first %s", predicted, len(without), without[0]
        )
    return tuple(
        pair for stem, path in truth_files.items() for pair in _pair_files(predicted_files[stem], path, read)
    )


def _pair_files(predicted: Path, truth: Path, read: Reader) -> tuple[ImagePair, ...]:
    found, cells = read(predicted), read(truth)
    if len(found) == len(cells) == 1:
        ((image, true_cells),) = cells.items()
        return (ImagePair(image, image, next(iter(found.values())), true_cells),)
    if found and cells and not found.keys() & cells.keys():
        raise AnnotationError(
            f"have no image in common: {next(iter(found))!r} in one, {next(iter(cells))!r} in the other",
            where=f"{predicted} and {truth}",
        )
    nothing = Cells.empty()
    images = dict.fromkeys([*cells, *found])
    return tuple(
        ImagePair(image, image, found.get(image, nothing), cells.get(image, nothing)) for image in images
    )


def _files_by_stem(folder: Path) -> dict[str, Path]:
    """The points files of a folder by their stems, in the order of their names; without hidden files."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if points_suffix(path) is None or path.name.startswith(".") or not path.is_file():
            continue
        stem = points_stem(path)
        if stem in files:
            raise AnnotationError(
                "have the same stem", where=f"{files[stem]} and {path}", remedy="keep one of them"
            )
        files[stem] = path
    return files
