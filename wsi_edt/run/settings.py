"""What a run was asked for: what changes cells, apart from what doesn't."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from wsi_edt.detection.compute import Precision, RuntimeName
from wsi_edt.errors import UsageError
from wsi_edt.maps import DecodeSettings
from wsi_edt.qupath.cells_out import Geometry
from wsi_edt.slides.grid import TileGrid
from wsi_edt.slides.metadata import refuse_implausible_mpp

Origin = Literal["qupath", "openslide"]

LARGEST_TILE_PX = 8192  # whose maps and features already take tens of GB

# The settings that have an option of their own; all others are the model's.
_OPTIONS = {
    "device": "--device",
    "runtime": "--runtime",
    "precision": "--precision",
    "threads": "--threads",
    "batch_size": "--batch-size",
    "tile_px": "--tile-px",
    "threshold": "--threshold",
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
    runtime: RuntimeName
    device: str
    precision: Precision
    threads: int
    tissue_mask: bool

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small; give at least 1")
        if self.threads < 1:
            raise UsageError(f"--threads {self.threads} is too small; give at least 1")
        if self.tile_px > LARGEST_TILE_PX:
            raise UsageError(f"--tile-px {self.tile_px} is too large; give at most {LARGEST_TILE_PX}")
        TileGrid((1, 1), self.tile_px, self.halo_px)  # refuses what is no tile

    def to_json(self) -> dict[str, object]:
        """The settings as JSON values, equal to what a JSON file gives back."""
        fields: dict[str, object] = json.loads(json.dumps(asdict(self)))
        return fields

    def cells_hash(self) -> str:
        """The sha256 of the settings, but for the model's name, which may change while its weights don't."""
        fields = self.to_json()
        del fields["model"]
        return hashlib.sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()

    def differences(self, stored: Mapping[str, object], *, chosen: Collection[str] = ()) -> str:
        """What differs from the settings of an earlier run, in words: "--threads 2 there, 1 now".

        Parameters
        ----------
        stored : what `to_json` gave there
        chosen : names of settings that weren't asked for but chosen, by the model or for the machine
        """
        there, here = _flat(stored), _flat(self.to_json())
        differing = [name for name in here.keys() | there.keys() if here.get(name) != there.get(name)]
        words = []
        if any(name not in _OPTIONS and name != "model" for name in differing):
            if there.get("model") == here["model"]:
                words.append(f"the files of the model {here['model']} have changed")
            else:
                words.append(f"--model {there.get('model')} there, {here['model']} now")
            if "threshold" in chosen:  # it comes with the model
                differing = [name for name in differing if name != "threshold"]
        for name, option in _OPTIONS.items():
            if name == "tissue_mask" and name in differing:
                words.append(f"{option} now, not there" if there.get(name) else f"{option} there, not now")
            elif name in differing:
                why = " (chosen, as it wasn't given)" if name in chosen else ""
                words.append(f"{option} {there.get(name)} there, {here[name]} now{why}")
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
    chosen : names of the settings in `cells` that nobody asked for: they were chosen
    """

    cells: CellsConfig
    model_name: str
    model_directory: Path
    mpp: float | None
    geometry: Geometry
    origin: Origin
    gzip: bool
    overwrite: bool
    chosen: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.mpp is not None:
            refuse_implausible_mpp(self.mpp)

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


def _flat(cells: Mapping[str, object]) -> dict[str, object]:
    """The settings with those of the decoder beside the others."""
    flat = dict(cells)
    decode = flat.pop("decode", None)
    return flat | (decode if isinstance(decode, dict) else {})
