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
from wsi_edt.files import write_atomically
from wsi_edt.maps import DecodeSettings
from wsi_edt.networks import NetworkSpec, Normalisation
from wsi_edt.slides.stain_style import KnownStains

DESCRIPTION, WEIGHTS, CARD = "model.toml", "weights.safetensors", "README.md"
DEFAULT_MODEL = "ki67-m-hrnet-w18"
MEDIAN_SCORE = "median_score"  # its name among the metrics

PACKAGE = Path(__file__).resolve().parents[1]
# In a wheel the models lie inside the package, in an editable installation beside it.
MODEL_FOLDERS = (PACKAGE / "_models", PACKAGE.parent / "models")

_REINSTALL = "install the model again"


@dataclass(frozen=True, slots=True)
class Bundle:
    """A model's description.

    Attributes
    ----------
    directory : where its files lie
    name, version : what reports call it
    network : what its network is built from
    normalisation : of its input
    model_mpp : µm/px that it sees
    halo_px : px at a tile's edge whose maps aren't used; the smallest at which tiles agree with whole images
    decode : how its maps become cells
    sha256 : of its weights
    counts : one sentence on what it counts, for reports
    licence : of its weights
    training : on which data it was trained, by which command
    metrics : measured figures by their names
    stains : of its training pictures; None if it doesn't say
    """

    directory: Path
    name: str
    version: str
    network: NetworkSpec
    normalisation: Normalisation
    model_mpp: float
    halo_px: int
    decode: DecodeSettings
    sha256: str
    counts: str
    licence: str
    training: Mapping[str, str]
    metrics: Mapping[str, float]
    stains: KnownStains | None = None

    @property
    def weights(self) -> Path:
        """The weights' file, also while the model takes another's place (see `wsi_edt.bundles.weights.write_bundle`)."""
        arriving = self.directory / arriving_name(self.sha256)
        return arriving if arriving.is_file() else self.directory / WEIGHTS

    @property
    def median_score(self) -> float | None:
        """Of the cells that it found on the pictures that its settings were chosen on; None if it doesn't say."""
        value = self.metrics.get(MEDIAN_SCORE)
        return value if isinstance(value, float) else None

    def with_decode(self, decode: DecodeSettings, metrics: Mapping[str, float]) -> Bundle:
        """The same model with other settings, and the metrics that they reach."""
        return replace(self, decode=decode, metrics=metrics)

    def verify(self) -> None:
        """Raise ModelError unless the weights are the file that the description names."""
        try:
            with self.weights.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise ModelError(
                f"can't be read: {error.strerror}", where=self.weights, remedy=_REINSTALL
            ) from error
        if found != self.sha256:
            raise ModelError(
                f"isn't the file that {DESCRIPTION} describes (sha256 {found[:12]}…, expected {self.sha256[:12]}…)",
                where=self.weights,
                remedy=_REINSTALL,
            )


def arriving_name(sha256: str) -> str:
    """What a model's weights are called until its description is there."""
    return f"weights-{sha256[:12]}.safetensors"


def find_bundle(name_or_folder: str) -> Bundle:
    """The shipped model of that name, or the model in that folder.

    Raises
    ------
    UnknownModelError
        If there is neither.
    ModelError
        If its description can't be read.
    """
    if not name_or_folder:
        raise UnknownModelError(
            "an empty text doesn't name a model (an unset variable?)",
            remedy=f"shipped are: {', '.join(model_names())}",
        )
    folders = [Path(name_or_folder), *(folder / name_or_folder for folder in MODEL_FOLDERS)]
    for folder in folders:
        if (folder / DESCRIPTION).is_file():
            return read_bundle(folder)
    known = ", ".join(model_names()) or "none"
    raise UnknownModelError(
        f"is neither a folder with a {DESCRIPTION} nor one of the shipped models",
        where=name_or_folder,
        remedy=f"shipped are: {known}",
    )


def model_names() -> list[str]:
    """Names of the shipped models."""
    return sorted({path.parent.name for folder in MODEL_FOLDERS for path in folder.glob(f"*/{DESCRIPTION}")})


def read_bundle(folder: Path) -> Bundle:
    """The description in a model's folder.

    Raises
    ------
    ModelError
        If it is incomplete or can't be read.
    """
    path = folder / DESCRIPTION
    try:
        entries: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        decode, model_input = entries["decode"], entries["input"]
        maps = tuple(decode["maps"])
        return Bundle(
            directory=folder.resolve(),
            name=entries["name"],
            version=entries["version"],
            network=NetworkSpec.from_table(entries["network"], maps=len(maps)),
            normalisation=Normalisation(tuple(model_input["mean"]), tuple(model_input["std"])),
            model_mpp=float(model_input["mpp"]),
            halo_px=model_input["halo_px"],
            decode=DecodeSettings(
                maps,
                decode["evidence"],
                decode["window_px"],
                float(decode["threshold"]),
                decode.get("method", "ccls"),  # models from before there was a choice
                float(decode.get("negative_gain", 1.0)),
            ),
            sha256=entries["sha256"],
            counts=entries["counts"],
            licence=entries["licence"],
            training=entries["training"],
            metrics=entries["scores"],
            stains=_stains(entries.get("stains")),
        )
    except KeyError as error:
        raise ModelError(f"has no entry {error}", where=path, remedy=_REINSTALL) from error
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"can't be read as a model's description: {error}", where=path, remedy=_REINSTALL
        ) from error
    except WsiEdtError as error:
        raise ModelError(
            error.what, where=error.where, remedy=error.remedy, context=(str(path), *error.context)
        ) from error


def _stains(entries: Mapping[str, Any] | None) -> KnownStains | None:
    """The table `stains`, which models of earlier versions lack; ValueError if it isn't one."""
    if entries is None:
        return None
    mean = tuple(float(one) for one in entries["mean"])
    covariance = tuple(tuple(float(one) for one in row) for row in entries["covariance"])
    if len(mean) != 6 or [len(row) for row in covariance] != [6] * 6:
        raise ValueError("the table stains needs 6 means and a 6 × 6 covariance")
    return KnownStains(int(entries["pictures"]), mean, covariance)


def write_description(bundle: Bundle) -> None:
    """Write model.toml into the bundle's folder."""
    entries: dict[str, Any] = {
        "name": bundle.name,
        "version": bundle.version,
        "sha256": bundle.sha256,
        "licence": bundle.licence,
        "counts": bundle.counts,
        "network": bundle.network.to_table(),
        "input": {
            "mpp": bundle.model_mpp,
            "halo_px": bundle.halo_px,
            "mean": list(bundle.normalisation.mean),
            "std": list(bundle.normalisation.std),
        },
        "decode": {
            "maps": list(bundle.decode.maps),
            "method": bundle.decode.method,
            "evidence": bundle.decode.evidence,
            "window_px": bundle.decode.window_px,
            "threshold": bundle.decode.threshold,
            "negative_gain": bundle.decode.negative_gain,
        },
        "training": dict(bundle.training),
        "scores": dict(bundle.metrics),
    }
    if bundle.stains is not None:
        entries["stains"] = {
            "pictures": bundle.stains.pictures,
            "mean": list(bundle.stains.mean),
            "covariance": [list(row) for row in bundle.stains.covariance],
        }
    write_atomically(bundle.directory / DESCRIPTION, tomlkit.dumps(entries).encode())
