"""What a training's data were, in some bytes an image: whether it goes on with the data that it began with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import shapely
from pydantic import BaseModel, ConfigDict

from wsi_edt.datasets import ImageArray, Labelled, LabelledImage, SetSpec

_DIGITS = 12  # of a SHA-256: one of 10⁶ changes passes unseen with a probability of 4 · 10⁻⁹
_NAMED = 3  # of the images that differ; the others are counted


class Mark(BaseModel):
    """What an image was.

    Attributes
    ----------
    pixels : digest of its pixels and their µm/px
    labels : digest of its points in their file's order, their classes, and the region in which they hold
    unordered : the same whatever their order, "" where crops are drawn around the points in their order; marks of before
        don't have it
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    pixels: str
    labels: str = ""
    unordered: str = ""

    def has_labels_of(self, other: Mark) -> bool:
        """Whether the labels teach the same."""
        return self.labels == other.labels or "" != self.unordered == other.unordered


Marks = dict[str, dict[str, Mark]]  # by the set's name, and by the image's path below the set's folder


class Fingerprint(BaseModel):
    """The data of a training; equal wherever the sets' folders lie, and whenever they were copied.

    Attributes
    ----------
    training, validation : the images of the sets, as they were read
    styles : the pictures that lend their colours, by the folder's name
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    training: Marks
    validation: Marks
    styles: Marks

    @property
    def digest(self) -> str:
        """A short name for the data that were trained on: equal for equal data."""
        training = {
            name: {
                key: {"pixels": mark.pixels, "labels": mark.unordered or mark.labels}
                for key, mark in marks.items()
            }
            for name, marks in self.training.items()
        }
        return _digest(json.dumps({"training": training}, sort_keys=True).encode())

    @property
    def twins(self) -> str:
        """Which images to validate on are trained on under another name, in words; "" if none is."""
        pixels = _pixels_of(self.training.values())
        keys = [
            key for marks in self.validation.values() for key, mark in marks.items() if mark.pixels in pixels
        ]
        return _counted(keys) if keys else ""

    def changes(self, now: Fingerprint) -> str:
        """What differs in the data of today, in words; "" if nothing does."""
        parts = (
            changes_between("set", self.training, now.training),
            changes_between("validation set", self.validation, now.validation),
            changes_between("styles", self.styles, now.styles),
        )
        return "; ".join(filter(None, parts))


def marks_of(images: Sequence[LabelledImage], specs: Sequence[SetSpec], data: Path) -> Marks:
    """The marks of the images of these sets, whose folders lie below `data`.

    The pixels are hashed as they were decoded, and the points as they were understood: a file that was only touched,
    copied or saved with other line ends is the same, whatever its format. It takes about a second a GB.
    """
    folders = {spec.name: data / spec.folder for spec in specs}
    with ThreadPoolExecutor() as threads:  # hashing releases the interpreter
        marks = threads.map(_mark_of, images)
        by_set: Marks = {spec.name: {} for spec in specs}
        for image, mark in zip(images, marks, strict=True):
            by_set[image.dataset][_key(image.path, folders[image.dataset])] = mark
    return by_set


def trained_on(now: Marks, then: Fingerprint) -> str:
    """Which images of today were trained on, and weren't there among the images to validate on; "" if none was."""
    pixels = _pixels_of(then.training.values()) - _pixels_of(then.validation.values())
    found = [key for marks in now.values() for key, mark in marks.items() if mark.pixels in pixels]
    return _counted(found) if found else ""


def _pixels_of(sets: Iterable[Mapping[str, Mark]]) -> set[str]:
    return {mark.pixels for marks in sets for mark in marks.values()}


def picture_marks(files: Sequence[Path], pictures: Sequence[ImageArray]) -> dict[str, Mark]:
    """The marks of pictures without labels, by their files' names."""
    return {
        path.name: Mark(pixels=_pixels_digest(pixels)) for path, pixels in zip(files, pictures, strict=True)
    }


def changes_between(kind: str, before: Marks, now: Marks) -> str:
    """What differs in sets of a kind, in words: 'set "ours": labels of 1 image changed (a.png)'; "" if nothing does.

    Sets of other names are the configuration's matter.
    """
    parts = []
    for name in before.keys() & now.keys():
        words = _set_changes(before[name], now[name])
        if words:
            parts.append(f"{kind} {name!r}: {words}")
    return "; ".join(sorted(parts))


def _set_changes(before: Mapping[str, Mark], now: Mapping[str, Mark]) -> str:
    both = sorted(before.keys() & now.keys())
    pictures = [key for key in both if before[key].pixels != now[key].pixels]
    labels = [key for key in both if not before[key].has_labels_of(now[key]) and key not in set(pictures)]
    kinds = (
        (labels, "the labels of {} changed"),
        (pictures, "the picture of {} changed"),
        (sorted(now.keys() - before.keys()), "{} added"),
        (sorted(before.keys() - now.keys()), "{} removed"),
    )
    return ", ".join(words.format(_counted(keys)) for keys, words in kinds if keys)


def _counted(keys: Sequence[str]) -> str:
    named = ", ".join(keys[:_NAMED]) + (", …" if len(keys) > _NAMED else "")
    return f"{len(keys)} image{'s' if len(keys) > 1 else ''} ({named})"


def _key(path: Path, folder: Path) -> str:
    for base in (folder, folder.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    return path.name


def _mark_of(image: LabelledImage) -> Mark:
    region = "" if image.region is None else shapely.to_wkb(shapely.normalize(image.region), hex=True)
    order = np.lexsort((image.class_id, *image.points.T))
    in_order, sorted_ = (
        _digest(region.encode(), points.tobytes(), class_id.tobytes())
        for points, class_id in (
            (image.points, image.class_id),
            (image.points[order], image.class_id[order]),
        )
    )
    return Mark(
        pixels=_pixels_digest(image.pixels, f"{image.image_mpp:.9g}"),
        labels=in_order,
        unordered="" if image.classes is Labelled.NEAR_POINTS else sorted_,
    )


def _pixels_digest(pixels: ImageArray, *facts: str) -> str:
    return _digest(json.dumps((pixels.shape, *facts)).encode(), np.ascontiguousarray(pixels).data)


def _digest(*parts: bytes | memoryview) -> str:
    found = hashlib.sha256()
    for part in parts:
        found.update(part)
    return found.hexdigest()[:_DIGITS]
