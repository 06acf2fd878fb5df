"""From a checkpoint to a model that runs: half-precision weights, settings chosen on validation images, scores."""

from __future__ import annotations

from pathlib import Path

from wsi_edt.bundles import Bundle, load_network, write_bundle, write_description
from wsi_edt.networks import IMAGENET
from wsi_edt.training.checkpoint import read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.datasets import SETS, read_dataset
from wsi_edt.training.selection import select
from wsi_edt.training.validation import VALIDATION_DECODE, predict

COUNTS = (
    "nuclei as a BCData-style tumour count would: tumour-cell nuclei, positive and negative; it does not tell tumour from "
    "stroma by region"
)


def bundle_checkpoint(
    checkpoint: Path, data: Path, out: Path, *, validate_on: str, version: str, halo_px: int
) -> Bundle:
    """Write the model of a checkpoint's averaged weights into `out` and return it.

    The settings are chosen, and the scores measured, with the half-precision weights that are written.
    """
    trained = read_trained(checkpoint)
    config = TrainConfig.from_json(trained.description)
    images = read_dataset(validate_on, data / validate_on, "validation")
    licences = ", ".join(f"{name}: {SETS[name].licence}" for name in config.weights)
    draft = Bundle(
        directory=out,
        name=out.name,
        version=version,
        network=config.network,
        normalisation=IMAGENET,
        mpp=config.mpp,
        halo_px=halo_px,
        decode=VALIDATION_DECODE,
        sha256="",
        counts=COUNTS,
        licence=f"research use only; trained on {licences}",
        training={
            "configuration": trained.description,
            "steps": str(trained.step),
            "settings_chosen_on": f"{validate_on} validation, {len(images)} images",
        },
        scores={},
    )
    written = write_bundle(draft, trained.weights)
    selection = select(predict(load_network(written), images, mpp=config.mpp))
    chosen = written.with_decode(selection.settings, selection.scores)
    write_description(chosen)
    return chosen
