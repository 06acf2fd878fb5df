"""Labelled images as their sets distribute them: pixels, µm/px, points, and how far the labels can be trusted."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import cv2
import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import loadmat

from wsi_edt.cells import CellClass
from wsi_edt.errors import AnnotationError

ImageArray = npt.NDArray[np.uint8]
PointArray = npt.NDArray[np.float64]


class Labelled(StrEnum):
    """Where an image's lack of a point means that nothing is there."""

    EVERYWHERE = "everywhere"
    NEAR_POINTS = "near points"
    NOWHERE = "nowhere"


@dataclass(frozen=True, slots=True)
class SetFacts:
    """What is known of a set.

    Attributes
    ----------
    mpp : nominal µm/px; none of them was measured, all are assumed from the sets' stated magnification or nucleus size
    classes : where a missing point means "no positive or negative tumour nucleus here"
    nuclei : where a missing point means "no nucleus of any kind here"
    licence : of the images and points
    """

    mpp: float
    classes: Labelled
    nuclei: Labelled
    licence: str


SETS = {
    # Tumour nuclei only: a nucleus without a point may be stroma, so "any nucleus" holds near the points alone.
    "bcdata": SetFacts(0.25, Labelled.EVERYWHERE, Labelled.NEAR_POINTS, "none stated (Huang et al. 2020)"),
    # Partial labels: many nuclei carry no point.
    "shidc": SetFacts(
        0.25, Labelled.NEAR_POINTS, Labelled.NEAR_POINTS, "research use (Negahbani et al. 2021)"
    ),
    "glioma": SetFacts(0.125, Labelled.EVERYWHERE, Labelled.EVERYWHERE, "MIT (A. Rouland)"),
    "uw": SetFacts(0.5, Labelled.NOWHERE, Labelled.EVERYWHERE, "research use (Sirinukunwattana et al. 2016)"),
    "monuseg": SetFacts(0.25, Labelled.NOWHERE, Labelled.EVERYWHERE, "CC BY-NC-SA 4.0"),
    "glioma_he": SetFacts(0.25, Labelled.NOWHERE, Labelled.EVERYWHERE, "none stated"),
}


@dataclass(frozen=True, slots=True, eq=False)
class LabelledImage:
    """One image and its points.

    Attributes
    ----------
    path : of the image; also its key
    dataset : a name in `SETS`
    pixels : (H, W, 3) uint8 RGB
    mpp : µm/px of `pixels`
    points : (N, 2) float64 (x, y), continuous px of `pixels`
    class_id : (N,) uint8 `CellClass`; NUCLEUS is a nucleus of neither class (a lymphocyte in shidc) or of no known class
    """

    path: Path
    dataset: str
    pixels: ImageArray
    mpp: float
    points: PointArray
    class_id: npt.NDArray[np.uint8]

    @property
    def facts(self) -> SetFacts:
        """What is known of its set."""
        return SETS[self.dataset]


def read_dataset(name: str, folder: Path, split: str) -> list[LabelledImage]:
    """All images of the split ("train" or "validation") of a set, in their names' order.

    Raises
    ------
    AnnotationError
        for an unknown set, a missing folder, an unreadable file, or a point outside its image
    """
    if name not in SETS:
        raise AnnotationError(f"no data set is called {name!r}; known are {', '.join(SETS)}")
    if not folder.is_dir():
        raise AnnotationError(
            f"{folder} is no folder; the set {name!r} should lie there as it is distributed"
        )
    images = [
        _labelled_image(name, image_path, points, class_id)
        for image_path, points, class_id in _READERS[name](folder, split)
    ]
    if not images:
        raise AnnotationError(
            f"{folder} holds no {split} images of {name!r} in the layout that the set is distributed in"
        )
    return images


Record = tuple[Path, PointArray, npt.NDArray[np.uint8]]


def _labelled_image(
    dataset: str, path: Path, points: PointArray, class_id: npt.NDArray[np.uint8]
) -> LabelledImage:
    decoded = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if decoded is None:
        raise AnnotationError(f"{path} can't be read as an image")
    height, width = decoded.shape[:2]
    outside = ~((points >= 0) & (points <= (width, height))).all(axis=1)  # NaN is outside too
    if outside.any():
        x, y = points[outside][0]
        raise AnnotationError(f"{path.name} ({width}×{height} px) has a point outside it, at ({x:g}, {y:g})")
    pixels = np.ascontiguousarray(decoded[:, :, ::-1], dtype=np.uint8)
    return LabelledImage(path, dataset, pixels, SETS[dataset].mpp, points, class_id)


def _from_indices(indices: npt.ArrayLike) -> PointArray:
    """Points given as integer pixel indices, as continuous coordinates."""
    return np.asarray(indices, dtype=np.float64).reshape(-1, 2) + 0.5


def _read_bcdata(folder: Path, split: str) -> Iterator[Record]:
    for path in sorted((folder / "images" / split).glob("*.png")):
        points, classes = [], []
        for class_id, name in ((CellClass.POSITIVE, "positive"), (CellClass.NEGATIVE, "negative")):
            annotation = folder / "annotations" / split / name / f"{path.stem}.h5"
            try:
                with h5py.File(annotation) as file:
                    found = _from_indices(file["coordinates"][()])
            except (OSError, KeyError) as error:
                raise AnnotationError(f"{annotation} can't be read as BCData points: {error}") from error
            points.append(found)
            classes.append(np.full(len(found), class_id, np.uint8))
        yield path, np.concatenate(points), np.concatenate(classes)


SHIDC_CLASSES = {
    1: CellClass.POSITIVE,
    2: CellClass.NEGATIVE,
    3: CellClass.NUCLEUS,
}  # 3: tumour-infiltrating lymphocyte


def _read_shidc(folder: Path, split: str) -> Iterator[Record]:
    for path in sorted((folder / split).glob("*.jpg")):
        annotation = path.with_suffix(".json")
        try:
            records = json.loads(annotation.read_text())
            points = _from_indices([(record["x"], record["y"]) for record in records])
            classes = [SHIDC_CLASSES[record["label_id"]] for record in records]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise AnnotationError(f"{annotation} can't be read as SHIDC points: {error!r}") from error
        yield path, points, np.array(classes, np.uint8)


def _read_points_csv(path: Path) -> tuple[PointArray, npt.NDArray[np.uint8]]:
    """Points with sub-pixel coordinates: columns x, y and perhaps class."""
    try:
        with path.open(newline="") as file:
            rows = list(csv.DictReader(file))
        points = np.array([(float(row["x"]), float(row["y"])) for row in rows], np.float64).reshape(-1, 2)
        classes = [CellClass[row.get("class", "nucleus").upper()] for row in rows]
    except (OSError, ValueError, KeyError) as error:
        raise AnnotationError(f"{path} can't be read as points: {error!r}") from error
    return points, np.array(classes, np.uint8)


def _read_images_and_csv(folder: Path, split: str) -> Iterator[Record]:
    """A set without published splits: all of it is for training."""
    if split != "train":
        return
    for path in sorted((folder / "images").iterdir()):
        points, classes = _read_points_csv(folder / "points" / f"{path.stem}.csv")
        yield path, points, classes


def _read_uw(folder: Path, split: str) -> Iterator[Record]:
    """UW has two folds for cross-validation and no validation split: all of it is for training."""
    if split != "train":
        return
    for image_folder in sorted((folder / "Detection").iterdir()):
        found = [image_folder / f"{image_folder.name}{suffix}" for suffix in (".bmp", ".png")]
        path = next((candidate for candidate in found if candidate.is_file()), None)
        if path is None:
            raise AnnotationError(f"{image_folder} holds neither {found[0].name} nor {found[1].name}")
        annotation = image_folder / f"{image_folder.name}_detection.mat"
        try:
            one_based = np.asarray(loadmat(annotation)["detection"], np.float64).reshape(-1, 2)
        except (OSError, ValueError, KeyError) as error:
            raise AnnotationError(f"{annotation} can't be read as UW points: {error!r}") from error
        # 1-based px: whole-number coordinates run from 1 to 500, and the nuclei's centres lie up and left of them.
        points = np.maximum(one_based - 0.5, 0)
        yield path, points, np.full(len(points), CellClass.NUCLEUS, np.uint8)


_READERS: dict[str, Callable[[Path, str], Iterator[Record]]] = {
    "bcdata": _read_bcdata,
    "shidc": _read_shidc,
    "glioma": _read_images_and_csv,
    "uw": _read_uw,
    "monuseg": _read_images_and_csv,
    "glioma_he": _read_images_and_csv,
}
