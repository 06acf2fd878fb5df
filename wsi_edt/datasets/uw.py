"""UW / CRCHistoPhenotypes as it is distributed, and what else is laid out like it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from wsi_edt.datasets.labelled import Record, as_points, of_no_class
from wsi_edt.datasets.matlab import read_mat
from wsi_edt.errors import AnnotationError

LAST_TRAINED = 70


def read_uw(folder: Path, split: str) -> Iterator[Record]:
    """UW: ``Detection/imgN/imgN.bmp`` (or .png) and ``imgN_detection.mat``: `detection`, (N, 2), 1-based (x, y) px.

    The paper trains on 70 images and validates on 30, without saying which: "train" are the images up to number 70,
    "validation" those above.
    """
    for number, image_folder in detection_folders(folder / "Detection"):
        if (number > LAST_TRAINED) is (split == "validation"):
            yield detection_record(image_folder)


def detection_folders(folder: Path) -> list[tuple[int, Path]]:
    """The folders imgN in a folder, in their names' order, each with its N; AnnotationError if N isn't a number."""
    found = []
    for image_folder in sorted(path for path in folder.glob("img*") if path.is_dir()):
        number = image_folder.name.removeprefix("img")
        if not number.isdigit():
            raise AnnotationError(
                "isn't named imgN, with a number", where=image_folder, remedy="rename it or move it away"
            )
        found.append((int(number), image_folder))
    return found


def detection_record(image_folder: Path) -> Record:
    """The image in a folder imgN, and its points."""
    found = [image_folder / f"{image_folder.name}{suffix}" for suffix in (".bmp", ".png")]
    path = next((candidate for candidate in found if candidate.is_file()), None)
    if path is None:
        raise AnnotationError(f"holds neither {found[0].name} nor {found[1].name}", where=image_folder)
    annotation = image_folder / f"{image_folder.name}_detection.mat"
    try:
        one_based = as_points(read_mat(annotation, "detection"))
    except ValueError as error:
        raise AnnotationError(f"can't be read as UW points: {error}", where=annotation) from error
    # 1-based px: whole-number coordinates run from 1 to 500, and the nuclei's centres lie up and left of them.
    points = np.maximum(one_based - 0.5, 0)
    return Record(path, path.stem, points, of_no_class(points), annotations=((annotation, len(points)),))
