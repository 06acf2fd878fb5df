"""Sets whose nuclei are outlined: instance maps become points, one a nucleus."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.datasets.folders import case_of, image_files, split_folder, unreadable_image
from wsi_edt.datasets.labelled import ImageArray, PointArray, Record, of_no_class
from wsi_edt.datasets.matlab import read_mat
from wsi_edt.datasets.pairing import warn_of_leftover
from wsi_edt.datasets.points_set import read_points_set
from wsi_edt.datasets.uw import detection_folders, detection_record
from wsi_edt.errors import AnnotationError

MASK_SUFFIXES = (".png", ".tif", ".tiff", ".bmp", ".npy")


def centroids(instances: npt.NDArray[np.integer]) -> PointArray:
    """The centre of mass of each instance, (N, 2) float64 (x, y) in continuous px, in the order of their numbers.

    Parameters
    ----------
    instances : (H, W) integers, 0 the background, each other number one instance
    """
    rows, columns = np.nonzero(instances)
    _, which, sizes = np.unique(instances[rows, columns], return_inverse=True, return_counts=True)
    x, y = (np.bincount(which, weights=position, minlength=len(sizes)) for position in (columns, rows))
    points: PointArray = np.column_stack([x, y]) / sizes[:, None] + 0.5
    return points


def read_conic(folder: Path, split: str) -> Iterator[Record]:
    """CoNIC: ``images.npy`` (N, 256, 256, 3) uint8 and ``labels.npy`` (N, 256, 256, 2), instance and class map.

    This is the challenge's own description. All classes are nuclei of H&E. If ``patch_info.csv`` lies beside them, the
    patches of one image of Lizard ("consep_1" of "consep_1-0004") are one case. Points made from it are read too, as
    by `read_points_set`. Pixels stay on the disk until they are used.
    """
    if (folder / "points").is_dir():
        yield from read_points_set(folder, split)
        return
    path, labels_path = folder / "images.npy", folder / "labels.npy"
    if not path.exists():
        return
    images, labels = _mapped(path), _mapped(labels_path)
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        raise AnnotationError(
            f"holds {images.dtype} {images.shape}, not uint8 images (N, H, W, 3)", where=path
        )
    if labels.shape != (*images.shape[:3], 2):
        raise AnnotationError(
            f"holds {labels.shape}, not an instance and a class map for each image, {(*images.shape[:3], 2)}",
            where=labels_path,
        )
    cases = _conic_cases(folder / "patch_info.csv", len(images))
    for number, case in enumerate(cases):
        points = centroids(_instance_map(labels[number, :, :, 0], labels_path))
        key = path.with_name(f"{path.name}#{number}")
        yield Record(key, case, points, of_no_class(points), pixels=images[number])


def _mapped(path: Path) -> npt.NDArray[np.generic]:
    try:
        return np.asarray(np.load(path, mmap_mode="r", allow_pickle=False))
    except (OSError, ValueError, EOFError) as error:
        raise AnnotationError(f"can't be read as a NumPy array: {error}", where=path) from error


def _conic_cases(path: Path, count: int) -> list[str]:
    """The source image of each patch; each its own if the list is missing."""
    if not path.is_file():
        return [str(number) for number in range(count)]
    with path.open(newline="", encoding="utf-8") as file:
        names = [row[0] for row in csv.reader(file) if row][1:]
    if len(names) != count:
        raise AnnotationError(f"names {len(names)} patches, but images.npy holds {count}", where=path)
    return [name.rpartition("-")[0] or name for name in names]


def read_ccrcc(folder: Path, split: str) -> Iterator[Record]:
    """CcRCC Grading: NAME.png and NAME.mat anywhere below a folder Train, Valid or Test.

    Its card says: 512 × 512 px PNGs, and .mat files with `instance_map` (0 background, 1 to N), `class_map` (1 to 3 grades
    of tumour nuclei, 4 endothelial; all are nuclei here) and `TCGA_file_name`. It doesn't say how the folders below the
    splits are named, so files are paired by name. Points made from it are read too, as by `read_points_set`, below the
    split.
    """
    subfolder = split_folder(folder, split)
    if subfolder is None:
        return
    if (subfolder / "points").is_dir():
        yield from read_points_set(subfolder, split)
        return
    annotations = {path.stem: path for path in sorted(subfolder.rglob("*.mat"))}
    images = sorted(subfolder.rglob("*.png"))
    warn_of_leftover(subfolder, annotations.values(), images)
    for path in images:
        if path.stem not in annotations:
            raise AnnotationError(f"has no {path.stem}.mat below {subfolder}", where=path)
        annotation = annotations[path.stem]
        points = centroids(_instance_map(read_mat(annotation, "instance_map"), annotation))
        slide = np.asarray(read_mat(annotation, "TCGA_file_name")).ravel()
        yield Record(path, case_of(str(slide[0]) if slide.size else path.stem), points, of_no_class(points))


def read_psu(folder: Path, split: str) -> Iterator[Record]:
    """PSU: ``PSU_dataset/imgN/imgN.bmp`` and ``imgN_detection.mat``, as UW is laid out; or images with masks or points.

    Its own page is gone. The layout is the one that the code of the paper's authors reads (github.com/Boom5426/MHFAN,
    data/PSU.py); whether its coordinates count from 1, as UW's do, isn't said there and is assumed, and µm/px aren't
    stated. Also read are ``images/NAME.*`` with ``masks/NAME.*`` (one number for each nucleus and 0 for the background; or
    two values, and then each connected part is a nucleus) or with ``points/NAME.csv``.
    """
    if (folder / "points").is_dir():
        yield from read_points_set(folder, split)
        return
    for parent in (folder / "PSU_dataset", folder):
        yield from (detection_record(image_folder) for _, image_folder in detection_folders(parent))
    images, masks = image_files(folder / "images"), folder / "masks"
    warn_of_leftover(folder, masks.iterdir() if masks.is_dir() else (), images)
    for path in images:
        found = [masks / f"{path.stem}{suffix}" for suffix in MASK_SUFFIXES]
        mask = next((candidate for candidate in found if candidate.is_file()), None)
        if mask is None:
            raise AnnotationError(
                f"has neither a mask in {masks} nor points in {folder / 'points'}", where=path
            )
        points = centroids(_instances_of_mask(mask))
        yield Record(path, path.stem, points, of_no_class(points))


def _instances_of_mask(path: Path) -> npt.NDArray[np.integer]:
    """A mask's instances; those of a mask of two values are its connected parts."""
    if path.suffix == ".npy":
        values = _mapped(path)
    else:
        decoded = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if decoded is None:
            raise unreadable_image(path)
        values = np.asarray(decoded)
    if values.ndim == 3 and (values[:, :, :3] == values[:, :, :1]).all():
        values = values[:, :, 0]  # grey, saved as colour
    instances = _instance_map(values, path)
    if len(np.unique(instances[instances > 0])) > 1:
        return instances
    binary: ImageArray = (instances > 0).astype(np.uint8)
    return np.asarray(cv2.connectedComponents(binary, connectivity=8)[1])


def _instance_map(values: npt.NDArray[np.generic], path: Path) -> npt.NDArray[np.integer]:
    """Whole numbers (H, W), whatever their type in the file."""
    if values.ndim != 2 or not np.issubdtype(values.dtype, np.number):
        raise AnnotationError(f"holds {values.dtype} {values.shape}, not one number a px (H, W)", where=path)
    whole = values.astype(np.int64)
    if (whole != values).any() or (whole < 0).any():
        raise AnnotationError("holds negative numbers or fractions, which can't count instances", where=path)
    return whole
