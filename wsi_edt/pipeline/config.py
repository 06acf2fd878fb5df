"""What a run was asked for: what changes cells, apart from what doesn't."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wsi_edt.detection import Precision
from wsi_edt.errors import UsageError
from wsi_edt.export.qupath import Geometry
from wsi_edt.maps import DecodeSettings

Origin = Literal["qupath", "openslide"]

# What a difference between two runs is called, and the option that undoes it.
_OPTIONS = {
    "model": "--model",
    "tile_px": "--tile-px",
    "batch_size": "--batch-size",
    "decode": "--threshold",
    "precision": "--precision",
    "device": "--device",
    "threads": "--threads",
    "tissue_mask": "--no-tissue-mask",
}


@dataclass(frozen=True, slots=True)
class CellsConfig:
    """All that changes cells, and nothing else; with the slide's own µm/px it decides every byte of a result.

    Attributes
    ----------
    model : name and version, for people; `model_sha256` is what counts
    model_mpp : µm per model px
    tile_px, halo_px : model px
    threads : of one worker's network; part of this because sums in another order round differently
    tissue_mask : False looks at the whole slide
    """

    model: str
    model_sha256: str
    model_mpp: float
    tile_px: int
    halo_px: int
    batch_size: int
    decode: DecodeSettings
    runtime: str
    device: str
    precision: Precision
    threads: int
    tissue_mask: bool

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small; give at least 1")
        if self.threads < 1:
            raise UsageError(f"--threads {self.threads} is too small; give at least 1")

    def to_json(self) -> dict[str, object]:
        """The settings as JSON values, equal to what a JSON file gives back."""
        fields: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return fields

    def cells_hash(self) -> str:
        """The sha256 of the settings, but for the model's name, which may change while its weights don't."""
        fields = self.to_json()
        del fields["model"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    def differences(self, stored: Mapping[str, object]) -> str:
        """What differs from the settings of an earlier run, in words: "threads 2 there, 1 now (--threads)"."""
        here = self.to_json()
        words = []
        for name in sorted(here.keys() | stored.keys()):
            if here.get(name) != stored.get(name) and name != "model":
                option = _OPTIONS.get(name)
                there, now = _short(stored.get(name)), _short(here.get(name))
                words.append(f"{name} {there} there, {now} now" + (f" ({option})" if option else ""))
        return "; ".join(words)


@dataclass(frozen=True, slots=True)
class RunConfig:
    """A run's settings.

    Attributes
    ----------
    cells : what changes cells
    model_name, model_directory : of the model, and where the client's copy lies
    mpp : µm per level-0 px for slides that state none
    geometry, origin, gzip : how cells.geojson is written
    overwrite : whether results of other settings may be replaced
    """

    cells: CellsConfig
    model_name: str
    model_directory: Path
    mpp: float | None
    geometry: Geometry
    origin: Origin
    gzip: bool
    overwrite: bool

    def __post_init__(self) -> None:
        if self.mpp is not None and not 0.01 <= self.mpp <= 10.0:
            raise UsageError(f"--mpp {self.mpp:g} is no µm/px of a microscope; give for example 0.25")

    @property
    def geojson_name(self) -> str:
        """The name of a slide's file of cells."""
        return "cells.geojson.gz" if self.gzip else "cells.geojson"

    def written_as(self) -> dict[str, object]:
        """How results are written: a finished slide that was written otherwise is written again from its store."""
        return {"geometry": self.geometry, "origin": self.origin, "gzip": self.gzip}

    def to_json(self) -> dict[str, object]:
        """The settings for run.json."""
        return {**self.cells.to_json(), "mpp": self.mpp, **self.written_as()}


def _short(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
