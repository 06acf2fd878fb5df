"""What a model's settings are chosen on: images that weren't trained on, as they were when the training began."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.bundles.weights import as_written
from wsi_edt.datasets import LabelledImage
from wsi_edt.errors import ModelError, UsageError, WsiEdtError
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.training.checkpoint import Trained, network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.fingerprint import changes_between, marks_of, trained_on
from wsi_edt.training.material import training_images, validation_images
from wsi_edt.training.validation import predictor_of

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class HeldOut:
    """What the settings are chosen on.

    Attributes
    ----------
    words : a description
    changes : what differs from what the training was validated on, in words; "" if nothing does
    predicted : the images, as the model or the models of a cross-validation see them
    """

    words: str
    changes: str
    predicted: Sequence[PredictedImage]


def from_validation(trained: Trained, checkpoint: Path, data: Path, *, changed_data: bool) -> HeldOut:
    """The images that the checkpoint's own configuration validates on.

    Raises
    ------
    UsageError
        If there are none.
    ModelError
        If they changed since and mustn't, or were trained on.
    """
    config = trained.provenance.config
    images = validation_images(config, data)
    if not images:
        raise UsageError(
            "was trained without [[validation]], so that nothing can choose its settings",
            where=checkpoint,
            remedy="give the checkpoints of a cross-validation with --fold",
        )
    if config.folds is None:
        splits = ", ".join(f"{spec.name} {spec.split}" for spec in config.validation)
    else:
        splits = f"group {config.folds.index} of {config.folds.count} of {_names(config)}, dealt out by case"
    changes = _changes(trained, checkpoint, images, data, allowed=changed_data)
    predicted = _predicted(trained, checkpoint, images)
    return HeldOut(f"{splits}, {len(images)} images", changes, predicted)


def from_folds(config: TrainConfig, folds: Sequence[Path], data: Path, *, changed_data: bool) -> HeldOut:
    """What the folds of a cross-validation held out, for a model of that configuration.

    Raises
    ------
    UsageError
        If they aren't one whole cross-validation of such models.
    ModelError
        If the images changed since and mustn't, or were trained on.
    """
    predicted: list[PredictedImage] = []
    changed: list[str] = []
    seen: dict[int, Path] = {}
    count = 0
    for path in folds:
        trained = read_trained(path)
        own = trained.provenance.config
        if own.folds is None or (own.spec, own.maps, own.mpp) != (config.spec, config.maps, config.mpp):
            raise UsageError(
                "isn't a fold of a cross-validation of this network, these maps and this µm/px",
                where=path,
                remedy="leave it out",
            )
        count = count or own.folds.count
        if own.folds.count != count or own.folds.index in seen:
            raise UsageError(
                f"is fold {own.folds.index} of {own.folds.count}, which doesn't fit {', '.join(map(str, seen.values()))}",
                where=path,
                remedy="give each fold of one cross-validation once",
            )
        seen[own.folds.index] = path
        images = validation_images(own, data)
        changed.append(_changes(trained, path, images, data, allowed=changed_data))
        predicted += _predicted(trained, path, images)
    if len(seen) < count:
        raise UsageError(
            f"only {len(seen)} of {count} folds are given", remedy="give each of them with --fold"
        )
    words = f"{_names(own)}, cross-validation in {count} groups of cases, {len(predicted)} images"
    return HeldOut(words, "; ".join(filter(None, changed)), predicted)


def warn_of_changes(trained: Trained, checkpoint: Path, data: Path) -> None:
    """Log how the sets of today differ from those that were trained on, as far as they are there."""
    then, config = trained.provenance.data, trained.provenance.config
    if then is None:
        _log.warning(
            "%s: was begun by a version that didn't note its data: whether they changed since isn't known",
            checkpoint,
        )
        return
    there = tuple(spec for spec in config.sets if (data / spec.folder).is_dir())
    try:
        now = marks_of(training_images(config.model_copy(update={"sets": there}), data), there, data)
    except WsiEdtError as error:
        _log.warning("the sets that were trained on can't be compared with those of then: %s", error)
        return
    changes = changes_between("set", then.training, now)
    if changes:
        _log.warning(
            "%s: the data changed after the training (%s); the model and its card are of the data of then",
            checkpoint,
            changes,
        )


def _changes(
    trained: Trained, checkpoint: Path, images: Sequence[LabelledImage], data: Path, *, allowed: bool
) -> str:
    """How the images differ from what the training was validated on, in words; ModelError unless they may."""
    then = trained.provenance.data
    if then is None:
        return ""
    now = marks_of(images, trained.provenance.config.validation, data)
    leaked = trained_on(now, then)
    if leaked:
        raise ModelError(
            f"was trained on {leaked}, which would be validated on",
            where=checkpoint,
            remedy="take them out of the validation set again",
        )
    changes = changes_between("validation set", then.validation, now)
    if changes and not allowed:
        raise ModelError(
            f"was validated on other data ({changes})",
            where=checkpoint,
            remedy="restore the data, or pass --changed-data to choose the settings on them as they are now",
        )
    return changes


def _predicted(trained: Trained, checkpoint: Path, images: Sequence[LabelledImage]) -> list[PredictedImage]:
    """The images as the network of the weights that a model's file would hold sees them."""
    config = trained.provenance.config
    halves = as_written(trained.weights, where=checkpoint)
    weights = {
        name: value.float() if value.dtype.is_floating_point else value for name, value in halves.items()
    }
    predictor = predictor_of(network_of(config, weights), config)
    return [predictor.predict(image) for image in images]


def _names(config: TrainConfig) -> str:
    return ", ".join(spec.name for spec in config.validation)
