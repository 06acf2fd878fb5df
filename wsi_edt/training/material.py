"""The images that a configuration trains and validates on, including the folds of a cross-validation."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wsi_edt.datasets import (
    ALL_SPLITS,
    ImageArray,
    Labelled,
    LabelledImage,
    SetSpec,
    decoded,
    image_files,
    read_set,
)
from wsi_edt.errors import UsageError
from wsi_edt.training.config import Folds, TrainConfig
from wsi_edt.training.fingerprint import Fingerprint, Mark, marks_of, picture_marks
from wsi_edt.training.style import Styles

# The deal depends only on the cases' names, never on a training's seed: a second stage, or another seed, must not validate
# on what the first was trained on.
FOLD_SEED = 0


@dataclass(frozen=True, slots=True, eq=False)
class Material:
    """What a training works with.

    Attributes
    ----------
    training, validation : images; no image is in both
    weights : how often each set is drawn, by its name
    fingerprint : of all that is read
    styles : of the pictures whose colours crops may take on; None if they keep their own
    """

    training: Sequence[LabelledImage]
    validation: Sequence[LabelledImage]
    weights: Mapping[str, float]
    fingerprint: Fingerprint
    styles: Styles | None = None


def read_material(config: TrainConfig, data: Path) -> Material:
    """The images of a configuration's sets.

    Raises
    ------
    AnnotationError
        If something can't be read.
    UsageError
        If an image would be both trained and validated on, or no set would teach a map.
    """
    training, validation = training_images(config, data), validation_images(config, data)
    styles, lenders = _styles(config, training, data)
    fingerprint = Fingerprint(
        training=marks_of(training, config.sets, data),
        validation=marks_of(validation, config.validation, data),
        styles=lenders,
    )
    weights = {spec.name: spec.weight for spec in config.sets}
    material = Material(training, validation, weights, fingerprint, styles)
    _check_apart(material)
    _check_taught(material, config.maps.names)
    return material


def training_images(config: TrainConfig, data: Path) -> list[LabelledImage]:
    """The images that a configuration trains on."""
    held_out = set() if config.folds is None else {spec.name for spec in config.validation}
    training: list[LabelledImage] = []
    for spec in config.sets:
        if config.folds is not None and spec.name in held_out:
            others = _of_groups(spec, data, folds=config.folds, held_out=False)
            if not others:
                raise UsageError(
                    f"all cases of the set {spec.name!r} are held out", remedy="take it out of [[sets]]"
                )
            training += others
        else:
            training += read_set(spec, data)
    return training


def _styles(
    config: TrainConfig, training: Sequence[LabelledImage], data: Path
) -> tuple[Styles | None, dict[str, dict[str, Mark]]]:
    """The styles of the pictures that the configuration names: sets' training images, or folders of images.

    The latter also with their marks, by the folder's name.
    """
    marks: dict[str, dict[str, Mark]] = {}
    if not config.augmentation.styles:
        return None, marks
    sets = {spec.name for spec in config.sets}
    pictures: list[ImageArray] = []
    for name in config.augmentation.styles:
        if name in sets:
            pictures += [image.pixels for image in training if image.dataset == name]
            continue
        files = image_files(data / name)
        if not files:
            raise UsageError(
                f"names {name!r}, which is neither a set in [[sets]] nor a folder of images in {data}",
                where="augmentation.styles",
            )
        own = [decoded(file) for file in files]
        marks[name] = picture_marks(files, own)
        pictures += own
    styles = Styles.of(pictures)
    if not len(styles):
        raise UsageError("names no picture with tissue", where="augmentation.styles", remedy="name others")
    return styles, marks


def validation_images(config: TrainConfig, data: Path) -> list[LabelledImage]:
    """The images that a configuration validates on."""
    if config.folds is None:
        return [image for spec in config.validation for image in read_set(spec, data)]
    images = [
        image
        for spec in config.validation
        for image in _of_groups(spec, data, folds=config.folds, held_out=True)
    ]
    if not images:
        raise UsageError(
            f"group {config.folds.index} of {config.folds.count} has no case", remedy="lower folds.count"
        )
    return images


def deal(cases: Iterable[str], *, set_name: str, count: int) -> dict[str, int]:
    """The group of each case, from 0: dealt out like cards from a pack whose order depends only on the names."""
    ordered = sorted(set(cases))
    rng = np.random.default_rng((FOLD_SEED, zlib.crc32(set_name.encode())))
    # So that sets with fewer cases than groups don't all start with the first group.
    first = int(rng.integers(count))
    pack = rng.permutation(len(ordered)).tolist()
    return {ordered[card]: (first + place) % count for place, card in enumerate(pack)}


def _of_groups(spec: SetSpec, data: Path, *, folds: Folds, held_out: bool) -> list[LabelledImage]:
    """The images, of all splits, of the group that is held out, or of the others."""
    images = read_set(spec.model_copy(update={"split": ALL_SPLITS}), data)
    groups = deal((image.case for image in images), set_name=spec.name, count=folds.count)
    return [image for image in images if (groups[image.case] == folds.index) is held_out]


def _check_apart(material: Material) -> None:
    seen: dict[Path, str] = {}
    for image in material.training:
        if image.path in seen:
            raise UsageError(
                f"the sets {seen[image.path]!r} and {image.dataset!r} both train on {image.path}",
                remedy="leave it to one of them",
            )
        seen[image.path] = image.dataset
    for image in material.validation:
        if image.path in seen:
            raise UsageError(
                f"is trained on (set {seen[image.path]!r}) and validated on (set {image.dataset!r})",
                where=image.path,
                remedy="give the two different splits or folders",
            )


def _check_taught(material: Material, names: tuple[str, ...]) -> None:
    for name in names:
        extents = {image.nuclei if name == "nucleus" else image.classes for image in material.training}
        if extents <= {Labelled.NOWHERE}:
            raise UsageError(
                f"no set teaches the map {name!r}",
                remedy="take it out of maps.names, or add a set that is labelled for it",
            )
