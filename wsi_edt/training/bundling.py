"""From a checkpoint to a model that runs: half-precision weights, settings chosen on held-out images, metrics, a card."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from wsi_edt.bundles import Bundle
from wsi_edt.bundles.bundle import CARD
from wsi_edt.bundles.replacing import refuse_to_replace
from wsi_edt.bundles.weights import write_bundle
from wsi_edt.errors import UsageError
from wsi_edt.evaluation.selection import compared, select
from wsi_edt.files import write_atomically
from wsi_edt.maps import Evidence
from wsi_edt.networks import IMAGENET
from wsi_edt.slides.tissue import UNIT_PX
from wsi_edt.training.card import draft_card
from wsi_edt.training.checkpoint import Trained, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.held_out import HeldOut, from_folds, from_validation, warn_of_changes

_log = logging.getLogger(__name__)

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
    method: str | None = None,
    evidence: Evidence | None = None,
    window_px: int | None = None,
    threshold: float | None = None,
    negative_gain: float | None = None,
    version: str = "1",
    halo_px: int = 64,
    changed_data: bool = False,
    overwrite: bool = False,
    overwrite_card: bool = False,
) -> Bundle:
    """Write the model of a checkpoint's averaged weights into `out`, with a draft of its card, and return it.

    The settings are chosen, and their metrics measured, with half-precision weights, as they are written. Nothing is
    written before that is done.

    Parameters
    ----------
    checkpoint : of the model
    data : the folder that holds the sets' folders
    out : the model's folder; its name becomes the model's
    folds : checkpoints of all folds of a cross-validation: the settings are chosen on what each of them held out; without
        them, on the images that the checkpoint's own configuration validates on
    method : how cells are found in a map; by default as the training validated
    evidence, window_px, threshold, negative_gain : if they are settled otherwise, see `select`
    version, halo_px : of the model
    changed_data : whether the settings may be chosen on images, or by labels, other than those that the training was
        validated on; the card then says what changed
    overwrite : whether to replace a model that is there
    overwrite_card : whether to replace a card that is there

    Raises
    ------
    UsageError
        If the halo is off the grid, the version is empty, the settings don't fit the maps, no image was held out, the folds
        aren't one whole cross-validation of such models, or `out` holds a model or anything else that isn't to be replaced.
    ModelError
        If the checkpoint can't be read, or the images to choose on changed.
    """
    if halo_px < 0 or halo_px % UNIT_PX:
        raise UsageError(
            "isn't on the tiles' grid",
            where=f"--halo-px {halo_px}",
            remedy=f"give 0 or a multiple of {UNIT_PX}, for example 64",
        )
    if not version.strip():
        raise UsageError("is empty", where="--version", remedy="give 2, for example")
    replaces = refuse_to_replace(out, overwrite=overwrite)
    trained = read_trained(checkpoint)
    config = trained.provenance.config
    own = method or config.maps.method
    # What makes no sense for these maps is refused before minutes are spent on them.
    compared(
        config.maps.names,
        method=own,
        evidence=evidence,
        window_px=window_px,
        threshold=threshold,
        negative_gain=1.0 if negative_gain is None else negative_gain,
    )
    held_out = (
        from_folds(config, folds, data, changed_data=changed_data)
        if folds
        else from_validation(trained, checkpoint, data, changed_data=changed_data)
    )
    warn_of_changes(trained, checkpoint, data)
    selection = select(
        held_out.predicted,
        method=own,
        evidence=evidence,
        window_px=window_px,
        threshold=threshold,
        negative_gain=negative_gain,
    )
    if not selection.metrics.get("f1_10px"):
        _log.warning(
            "these settings find no annotated cell (threshold %g): train longer, or look at the training's predictions/",
            selection.settings.threshold,
        )
    draft = Bundle(
        directory=out,
        name=out.resolve().name,
        version=version,
        network=config.spec,
        normalisation=IMAGENET,
        model_mpp=config.mpp,
        halo_px=halo_px,
        decode=selection.settings,
        sha256="",
        counts=_counts(config),
        licence=f"research use only; {trained.provenance.licences}",
        training=_training(trained, held_out),
        metrics=selection.metrics,
        stains=trained.provenance.stains,
    )
    written = write_bundle(draft, trained.weights)
    card = out / CARD
    if overwrite_card or not card.exists():
        command = f"wsi-edt bundle RUN/{checkpoint.name} --data DATA --out MODEL"
        command += "".join(f" --fold FOLD-{number}" for number in range(len(folds)))
        command += f" --method {method}" if method else ""
        command += f" --evidence {evidence}" if evidence else ""
        command += f" --window {window_px}" if window_px is not None else ""
        command += f" --threshold {threshold:g}" if threshold is not None else ""
        command += f" --negative-gain {negative_gain:g}" if negative_gain is not None else ""
        command += " --changed-data" if held_out.changes else ""
        write_atomically(card, draft_card(written, trained, command).encode())
    elif replaces:
        _log.warning(
            "%s stays as it was and may describe the model before; --overwrite-card drafts it anew", card
        )
    return written


def _training(trained: Trained, held_out: HeldOut) -> dict[str, str]:
    """What a model's description says about its training."""
    provenance = trained.provenance
    changed = f"; these changed after the training: {held_out.changes}" if held_out.changes else ""
    entries = {
        "configuration": provenance.configuration,
        "steps": str(trained.step),
        "started_from": provenance.started_from,
        "settings_chosen_on": held_out.words + changed,
    }
    return entries if provenance.data is None else entries | {"data": provenance.data.digest}


def _counts(config: TrainConfig) -> str:
    if "positive" not in config.maps.names:
        return COUNTS_NUCLEI
    return COUNTS if any(one.format == "bcdata" for one in config.sets) else COUNTS_OWN
