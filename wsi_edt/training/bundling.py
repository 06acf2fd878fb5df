"""From a checkpoint to a model that runs: half-precision weights, settings chosen on held-out images, metrics, a card."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from wsi_edt.bundles import Bundle, write_description
from wsi_edt.bundles.bundle import CARD
from wsi_edt.bundles.weights import load_network, write_bundle
from wsi_edt.datasets import LabelledImage
from wsi_edt.errors import UsageError
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.evaluation.selection import select
from wsi_edt.files import write_atomically
from wsi_edt.maps import Evidence
from wsi_edt.networks import IMAGENET
from wsi_edt.networks.network import Network
from wsi_edt.slides.tissue import UNIT_PX
from wsi_edt.training.card import draft_card
from wsi_edt.training.checkpoint import Trained, network_of, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import validation_images
from wsi_edt.training.validation import initial_settings, predictor_of

COUNTS = (
    "nuclei as a BCData-style tumour count would: tumour-cell nuclei, positive and negative; it does not tell tumour from "
    "stroma by region"
)
COUNTS_OWN = "positive and negative nuclei as its training sets mark them; it does not tell tumour from stroma by region"
COUNTS_NUCLEI = "nuclei of any kind, without a class: no Ki-67 index follows from them"


def bundle_checkpoint(
    checkpoint: Path,
    data: Path,
    out: Path,
    *,
    folds: Sequence[Path] = (),
    evidence: Evidence | None = None,
    threshold: float | None = None,
    version: str = "1",
    halo_px: int = 64,
    overwrite_card: bool = False,
) -> Bundle:
    """Write the model of a checkpoint's averaged weights into `out`, with a draft of its card, and return it.

    The settings are chosen, and their metrics measured, with half-precision weights, as they are written.

    Parameters
    ----------
    checkpoint : of the model
    data : the folder that holds the sets' folders
    out : the model's folder; its name becomes the model's
    folds : checkpoints of all folds of a cross-validation: the settings are chosen on what each of them held out; without
        them, on the images that the checkpoint's own configuration validates on
    evidence, threshold : if they are settled otherwise, see `select`
    version, halo_px : of the model
    overwrite_card : whether to replace a card that is there

    Raises
    ------
    UsageError
        If the halo is off the grid, the version is empty, no image was held out, or the folds aren't one whole
        cross-validation of such models.
    ModelError
        If the checkpoint can't be read.
    """
    if halo_px < 0 or halo_px % UNIT_PX:
        raise UsageError(
            "isn't on the tiles' grid",
            where=f"--halo-px {halo_px}",
            remedy=f"give 0 or a multiple of {UNIT_PX}, for example 64",
        )
    if not version.strip():
        raise UsageError("is empty", where="--version", remedy="give 2, for example")
    trained = read_trained(checkpoint)
    config = trained.provenance.config
    held_out = _from_folds(config, folds, data) if folds else _from_validation(config, checkpoint, data)
    draft = Bundle(
        directory=out,
        name=out.resolve().name,
        version=version,
        network=config.spec,
        normalisation=IMAGENET,
        model_mpp=config.mpp,
        halo_px=halo_px,
        decode=initial_settings(config.maps.names),
        sha256="",
        counts=_counts(config),
        licence=f"research use only; {trained.provenance.licences}",
        training={
            "configuration": trained.provenance.configuration,
            "steps": str(trained.step),
            "started_from": trained.provenance.started_from,
            "settings_chosen_on": held_out.words,
        },
        metrics={},
    )
    written = write_bundle(draft, trained.weights)
    predicted = held_out.predicted or _predicted(load_network(written), config, held_out.images)
    selection = select(predicted, evidence=evidence, threshold=threshold)
    chosen = written.with_decode(selection.settings, selection.metrics)
    write_description(chosen)
    card, options = out / CARD, "".join(f" --fold FOLD-{number}" for number in range(len(folds)))
    options += f" --evidence {evidence}" if evidence else ""
    options += f" --threshold {threshold:g}" if threshold is not None else ""
    command = f"wsi-edt bundle RUN/{checkpoint.name} --data DATA --out MODEL{options}"
    if overwrite_card or not card.exists():
        write_atomically(card, draft_card(chosen, trained, command).encode())
    return chosen


def _counts(config: TrainConfig) -> str:
    if "positive" not in config.maps.names:
        return COUNTS_NUCLEI
    return COUNTS if any(one.format == "bcdata" for one in config.sets) else COUNTS_OWN


@dataclass(frozen=True, slots=True, eq=False)
class _HeldOut:
    """What the settings are chosen on.

    Attributes
    ----------
    words : a description
    images : for the model itself to predict
    predicted : by the models of a cross-validation
    """

    words: str
    images: Sequence[LabelledImage] = ()
    predicted: Sequence[PredictedImage] = ()


def _from_validation(config: TrainConfig, checkpoint: Path, data: Path) -> _HeldOut:
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
    return _HeldOut(f"{splits}, {len(images)} images", images=images)


def _from_folds(config: TrainConfig, folds: Sequence[Path], data: Path) -> _HeldOut:
    predicted: list[PredictedImage] = []
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
        network = network_of(own, _as_written(trained))
        predicted += _predicted(network, own, validation_images(own, data))
    if len(seen) < count:
        raise UsageError(
            f"only {len(seen)} of {count} folds are given", remedy="give each of them with --fold"
        )
    words = f"{_names(own)}, cross-validation in {count} groups of cases, {len(predicted)} images"
    return _HeldOut(words, predicted=predicted)


def _names(config: TrainConfig) -> str:
    return ", ".join(spec.name for spec in config.validation)


def _predicted(
    network: Network, config: TrainConfig, images: Iterable[LabelledImage]
) -> list[PredictedImage]:
    predictor = predictor_of(network, config)
    return [predictor.predict(image) for image in images]


def _as_written(trained: Trained) -> dict[str, Tensor]:
    """The averaged weights as a model's file would hold them."""
    return {
        name: value.half().float() if value.dtype.is_floating_point else value
        for name, value in trained.weights.items()
    }
