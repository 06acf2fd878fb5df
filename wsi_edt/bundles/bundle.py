"""A model as files: model.toml (what it is), weights.safetensors (checked before use), README.md (the model card)."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import tomlkit

from wsi_edt.errors import ModelError, UnknownModelError, WsiEdtError
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import NetworkSpec, Normalisation

DESCRIPTION, WEIGHTS, CARD = "model.toml", "weights.safetensors", "README.md"
DEFAULT_MODEL = "ki67-m-hrnet-w18"

PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel the models lie inside the package, in an editable installation beside it.
MODEL_FOLDERS = (PACKAGE / "_models", PACKAGE.parent / "models")


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model's description.

    Attributes
    ----------
    directory : where its files lie
    name, version : what reports call it
    network : what its network is built from
    normalisation : of its input
    mpp : µm/px that it sees
    halo_px : px at a tile's edge whose maps aren't used; the smallest at which tiles agree with whole images
    decode : how its maps become cells
    sha256 : of its weights
    counts : one sentence on what it counts, for reports
    licence : of its weights
    training : on which data it was trained, by which command
    scores : measured figures by their names
    """

    directory: Path
    name: str
    version: str
    network: NetworkSpec
    normalisation: Normalisation
    mpp: float
    halo_px: int
    decode: DecodeSettings
    sha256: str
    counts: str
    licence: str
    training: Mapping[str, str]
    scores: Mapping[str, float]

    @property
    def weights(self) -> Path:
        """The weights' file."""
        return self.directory / WEIGHTS

    def with_decode(self, decode: DecodeSettings, scores: Mapping[str, float]) -> Bundle:
        """The same model with other settings, and the scores that they reach."""
        return replace(self, decode=decode, scores=scores)

    def verify(self) -> None:
        """ModelError unless the weights are the file that the description names."""
        try:
            with self.weights.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(
                f"{self.weights} can't be read: {error.strerror}; install the model again"
            ) from error
        if found != self.sha256:
            raise ModelError(
                f"{self.weights} is not the file that {DESCRIPTION} describes (sha256 {found[:12]}…, expected "
                f"{self.sha256[:12]}…); install the model again"
            )


def find_bundle(name_or_folder: str) -> Bundle:
    """The shipped model of that name, or the model in that folder; UnknownModelError where there is none."""
    folders = [Path(name_or_folder), *(folder / name_or_folder for folder in MODEL_FOLDERS)]
    for folder in folders:
        if (folder / DESCRIPTION).is_file():
            return read_bundle(folder)
    known = ", ".join(model_names()) or "none"
    raise UnknownModelError(
        f"no model {name_or_folder!r}: it is neither a folder with a {DESCRIPTION} nor one of the shipped models ({known})"
    )


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted({path.parent.name for folder in MODEL_FOLDERS for path in folder.glob(f"*/{DESCRIPTION}")})


def read_bundle(folder: Path) -> Bundle:
    """The description in a model's folder; ModelError for one that is incomplete or can't be read."""
    path = folder / DESCRIPTION
    try:
        entries: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        network, decode, model_input = entries["network"], entries["decode"], entries["input"]
        maps = tuple(decode["maps"])
        return Bundle(
            directory=folder.resolve(),
            name=entries["name"],
            version=entries["version"],
            # Models from before the stem had a choice of strides don't state one: it was 2.
            network=NetworkSpec(
                network["architecture"],
                network["width"],
                len(maps),
                stem_stride=network.get("stem_stride", 2),
            ),
            normalisation=Normalisation(tuple(model_input["mean"]), tuple(model_input["std"])),
            mpp=float(model_input["mpp"]),
            halo_px=model_input["halo_px"],
            decode=DecodeSettings(maps, decode["evidence"], decode["window_px"], float(decode["threshold"])),
            sha256=entries["sha256"],
            counts=entries["counts"],
            licence=entries["licence"],
            training=entries["training"],
            scores=entries["scores"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{path} can't be read as a model's description: {error!r}; install the model again"
        ) from error
    except WsiEdtError as error:
        raise ModelError(f"{path} is not a valid description: {error}") from error


def write_description(bundle: Bundle) -> None:
    """Write model.toml into the bundle's folder."""
    entries: dict[str, Any] = {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.sha256,
        "licence": bundle.licence,
        "counts": bundle.counts,
        "network": {
            "architecture": bundle.network.architecture,
            "width": bundle.network.width,
            "stem_stride": bundle.network.stem_stride,
        },
        "input": {
            "mpp": bundle.mpp,
            "halo_px": bundle.halo_px,
            "mean": list(bundle.normalisation.mean),
            "std": list(bundle.normalisation.std),
        },
        "decode": {
            "maps": list(bundle.decode.maps),
            "evidence": bundle.decode.evidence,
            "window_px": bundle.decode.window_px,
            "threshold": bundle.decode.threshold,
        },
        "training": dict(bundle.training),
        "scores": dict(bundle.scores),
    }
    (bundle.directory / DESCRIPTION).write_text(tomlkit.dumps(entries), encoding="utf-8")
