"""A set of labelled images to read, and reading it."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from shapely.affinity import translate

from wsi_edt.cells import CellClass
from wsi_edt.datasets.clicks import centred
from wsi_edt.datasets.folders import unreadable_image
from wsi_edt.datasets.formats import FORMATS
from wsi_edt.datasets.labelled import ImageArray, Labelled, LabelledImage, Record
from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.regions import Polygons

_log = logging.getLogger(__name__)

ALL_SPLITS = "all"
MOST_CLICKS_UM = 5.0  # about a nucleus's radius: farther off lies another nucleus
CONTEXT_UM = 40.0  # around a region: 128 px at 0.3125 µm/px, where a network's tiles have a halo of 64


class SetSpec(BaseModel):
    """A set of labelled images to read.

    Attributes
    ----------
    name : free, unique in a configuration
    format : how it is distributed, a key of `FORMATS`; by default the name
    folder : below the data folder, or absolute; by default the name
    split : one of the format's, or "all"
    mpp : µm/px of its images; overrides what the format assumes, not what an image states itself
    cases : only these cases; None: all
    without : all cases but these
    class_names : of formats without classes of their own, what names of classes stand for: positive, negative, nucleus,
        ignore
    classes, nuclei : see `LabelledImage`; override the format's. If no point of the set has a class, `classes` is
        "nowhere" unless it is given
    clicks_um : points were clicked in a hurry: each is moved to a dark spot within so many µm (see `centred`); 0:
        they stay
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str = Field(min_length=1)
    format: str = ""
    folder: Path = Path()
    split: str = "train"
    mpp: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    cases: tuple[str, ...] | None = Field(default=None, min_length=1)
    without: tuple[str, ...] = ()
    class_names: dict[str, str] = Field(default_factory=dict)
    classes: Labelled | None = None
    nuclei: Labelled | None = None
    clicks_um: float = Field(default=0.0, ge=0, le=MOST_CLICKS_UM, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _name_stands_for_the_rest(cls, entries: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if isinstance(entries, dict) and isinstance(entries.get("name"), str):
            return {"format": entries["name"], "folder": entries["name"]} | entries
        return entries

    @field_validator("format")
    @classmethod
    def _is_known(cls, value: str) -> str:
        if value not in FORMATS:
            raise UsageError(
                f"there is no data set format {value!r}", remedy=f"choose one of {', '.join(FORMATS)}"
            )
        return value


def held_out_split(format_name: str) -> str:
    """The split to evaluate on in sets of a format: "validation", or "all" if there is none or the format isn't known."""
    divided = format_name in FORMATS and "validation" in FORMATS[format_name].splits
    return "validation" if divided else ALL_SPLITS


class TrainingSet(SetSpec):
    """A set to train on; `weight` is how often it is drawn, relative to the others."""

    weight: float = Field(gt=0, allow_inf_nan=False)


def read_set(spec: SetSpec, data: Path) -> list[LabelledImage]:
    """All images of a set's split, in their names' order.

    Parameters
    ----------
    spec : what to read
    data : the folder that holds `spec.folder`

    Raises
    ------
    AnnotationError
        If a folder, a split or µm/px is missing, a file can't be read, or a point lies outside its image.
    """
    facts, folder = FORMATS[spec.format], data / spec.folder
    if not folder.is_dir():
        raise AnnotationError(
            f"isn't a folder: the set {spec.name!r} is expected there, in the layout of {spec.format}",
            where=folder,
            remedy="put its pictures and labels there; workflows/training.md describes the layouts",
        )
    if spec.split not in (*facts.splits, ALL_SPLITS):
        raise AnnotationError(
            f"has no split {spec.split!r}",
            where=f"the set {spec.name!r}",
            remedy=f"the splits of {spec.format} are {', '.join(facts.splits)}, and {ALL_SPLITS!r} is all of them",
        )
    splits = facts.splits if spec.split == ALL_SPLITS else (spec.split,)
    read, names = _reader(spec)
    records = [record for split in splits for record in read(folder, split)]
    if not records:
        which = "" if spec.split == ALL_SPLITS else f"{spec.split} "
        raise AnnotationError(
            f"holds no {which}images in the layout of {spec.format}, which workflows/training.md describes",
            where=folder,
        )
    for name in names.never_met():
        _log.warning("the set %r: no cell has the class %s, which class_names names", spec.name, name)
    records = _of_cases(spec, records)
    classes = spec.classes or (Labelled.NOWHERE if _has_no_class(records) else facts.classes)
    return [_labelled_image(spec, record, classes) for record in records]


def _reader(spec: SetSpec) -> tuple[Callable[[Path, str], Iterator[Record]], ClassNames]:
    """Who reads a set, and what it takes names for; UsageError if its format's are fixed, or a name is wrong."""
    facts = FORMATS[spec.format]
    if not spec.class_names:
        return facts.read, ClassNames()
    where = f"class_names of the set {spec.name!r}"
    if facts.read_named is None:
        raise UsageError(
            f"can't be, since the classes of {spec.format} are fixed", where=where, remedy="remove it"
        )
    read, names = facts.read_named, ClassNames.of(spec.class_names, where=where)
    return lambda folder, split: read(folder, split, names), names


def _of_cases(spec: SetSpec, records: list[Record]) -> list[Record]:
    """The records of the cases that are wanted; AnnotationError if a case isn't there, or none is left."""
    there = {record.case for record in records}
    named = set(spec.cases or ())
    missing = sorted((named | set(spec.without)) - there)
    if missing:
        raise AnnotationError(
            f"has no case {missing[0]!r}",
            where=f"the set {spec.name!r}",
            remedy=f"its cases are {', '.join(sorted(there))}",
        )
    wanted = (named or there) - set(spec.without)
    if not wanted:
        raise AnnotationError(
            "is left without cases", where=f"the set {spec.name!r}", remedy="shorten `without`"
        )
    return [record for record in records if record.case in wanted]


def _has_no_class(records: Sequence[Record]) -> bool:
    """Whether nuclei were marked but none as positive or negative: then the labels say nothing about classes."""
    class_id = np.concatenate([record.class_id for record in records])
    return len(class_id) > 0 and bool((class_id == CellClass.NUCLEUS).all())


def _labelled_image(spec: SetSpec, record: Record, classes: Labelled) -> LabelledImage:
    facts = FORMATS[spec.format]
    pixels = decoded(record.path) if record.pixels is None else record.pixels
    mpp = record.image_mpp or spec.mpp or facts.mpp
    if mpp is None:
        raise AnnotationError(
            "has no µm/px",
            where=record.path,
            remedy=f"give mpp for the set {spec.name!r} (for example mpp = 0.25)",
        )
    _refuse_points_outside(record, pixels)
    image = LabelledImage(
        path=record.path,
        dataset=spec.name,
        case=record.case,
        pixels=pixels,
        image_mpp=mpp,
        points=record.points,
        class_id=record.class_id,
        classes=classes,
        nuclei=spec.nuclei or facts.nuclei,
        region=record.region,
    )
    if spec.clicks_um:
        image = centred(image, within_um=spec.clicks_um)
    if record.pixels is not None or image.region is None:
        return image
    return _around_its_region(image, image.region)


def _around_its_region(image: LabelledImage, region: Polygons) -> LabelledImage:
    """The image without what lies farther than `CONTEXT_UM` from the region's box: nothing there is ever used."""
    reach = CONTEXT_UM / image.image_mpp
    height, width = image.pixels.shape[:2]
    left, top = (max(0, math.floor(side - reach)) for side in region.bounds[:2])
    right, bottom = (
        min(length, math.ceil(side + reach))
        for side, length in zip(region.bounds[2:], (width, height), strict=True)
    )
    return replace(
        image,
        pixels=np.ascontiguousarray(image.pixels[top:bottom, left:right]),
        points=image.points - (left, top),
        region=translate(region, -left, -top),
    )


def decoded(path: Path) -> ImageArray:
    """An image file's px, (H, W, 3) uint8 RGB; AnnotationError if it can't be read."""
    pixels = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if pixels is None:
        raise unreadable_image(path)
    return np.ascontiguousarray(pixels[:, :, ::-1], dtype=np.uint8)


def _refuse_points_outside(record: Record, pixels: ImageArray) -> None:
    height, width = pixels.shape[:2]
    points = record.points
    outside = ~((points >= 0) & (points <= (width, height))).all(axis=1)  # NaN is outside too
    if outside.any():
        place = int(np.argmax(outside))
        x, y = points[place]
        file, number = record.annotation_of(place)
        what = (
            f"lies at ({x:g}, {y:g}) px from the corner of {record.path.name}, which has {width}×{height} px"
        )
        raise AnnotationError(what, where=f"{file}, point {number}", remedy="correct or remove it")
