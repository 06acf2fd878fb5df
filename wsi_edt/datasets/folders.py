"""Finding images and their labels in a set's folder."""

from __future__ import annotations

import re
from pathlib import Path

from wsi_edt.errors import AnnotationError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff"})

# What distributions call their splits, in any case.
_SPLIT_NAMES = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
_TCGA_PATIENT = re.compile(r"TCGA-[0-9A-Z]{2}-[0-9A-Z]{4}")


def image_files(folder: Path) -> list[Path]:
    """The images of a folder in their names' order; none if there is no such folder."""
    if not folder.is_dir():
        return []
    return sorted(
        path
        for path in folder.iterdir()
        if path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
    )


def split_folder(folder: Path, split: str) -> Path | None:
    """The folder of a split ("Train", "Valid" and the like also count); None if there is none."""
    if not folder.is_dir():
        return None
    names = _SPLIT_NAMES[split]
    found = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name.lower() in names]
    if len(found) > 1:
        raise AnnotationError(
            f"has {found[0].name} and {found[1].name}, which both name the {split} split",
            where=folder,
            remedy="rename one",
        )
    return found[0] if found else None


def case_of(stem: str) -> str:
    """The patient of a TCGA barcode in an image's name, else the whole name."""
    patient = _TCGA_PATIENT.search(stem)
    return patient[0] if patient else stem


def unreadable_image(path: Path) -> AnnotationError:
    """The error for an image that can't be decoded."""
    return AnnotationError("can't be read as an image", where=path, remedy="copy or export it again")
