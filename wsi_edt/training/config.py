"""The training's configuration: one validated TOML file."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from pathlib import Path
from typing import Any

from wsi_edt.errors import UsageError
from wsi_edt.networks import NetworkSpec
from wsi_edt.training.datasets import SETS
from wsi_edt.training.targets import MAPS

LEAST_CONSISTENT_PX = 256  # leaves 32 px around a part of 192 px, of which 64 px lie 64 px from its edge


@dataclass(frozen=True, slots=True)
class TrainConfig:
    """A training run.

    Attributes
    ----------
    architecture, width : of the network
    mpp : µm/px that the network is meant for
    weights : how often each set is drawn, relative to the others
    steps, batch_size, crop_px : the training's length and the batches' size
    learning_rate, weight_decay, warmup_steps : of AdamW with a cosine schedule to zero
    scale_jitter : see `WindowSampler`
    ema_decay : of the weights' exponential moving average, which is what is validated and shipped
    validate_on : sets with a validation split; validated and checkpointed every `checkpoint_steps`
    seed : of weights, windows and augmentation
    init : a model to start from, whose batch norms keep their statistics; empty starts from random weights
    consistency : weight of the squared difference between the maps of a crop's middle part alone and within the crop, far
        from the part's edge: it teaches the network not to depend on what a tile's halo can't hold
    """

    architecture: str
    width: int
    mpp: float
    weights: Mapping[str, float]
    steps: int
    batch_size: int
    crop_px: int
    learning_rate: float
    weight_decay: float
    warmup_steps: int
    scale_jitter: float
    ema_decay: float
    validate_on: tuple[str, ...]
    checkpoint_steps: int
    seed: int
    init: str = ""
    consistency: float = 0.0

    def __post_init__(self) -> None:
        unknown = sorted((set(self.weights) | set(self.validate_on)) - set(SETS))
        if unknown:
            raise UsageError(f"no data set is called {', '.join(unknown)}; known are {', '.join(SETS)}")
        if not self.weights or min(self.weights.values()) <= 0:
            raise UsageError("[weights] must name at least one set, each with a number above 0")
        for name in ("mpp", "steps", "batch_size", "crop_px", "learning_rate", "checkpoint_steps"):
            if getattr(self, name) <= 0:
                raise UsageError(f"{name} must be above 0, not {getattr(self, name)}")
        if self.crop_px % 32:
            raise UsageError(f"crop_px must be a multiple of 32, not {self.crop_px}")
        if self.consistency < 0 or (self.consistency > 0 and self.crop_px < LEAST_CONSISTENT_PX):
            raise UsageError(
                f"consistency must be 0 or more, and its crops at least {LEAST_CONSISTENT_PX} px; it is "
                f"{self.consistency} with crops of {self.crop_px} px"
            )
        if not 0 <= self.ema_decay < 1:
            raise UsageError(f"ema_decay must lie in [0, 1), not {self.ema_decay}")

    def to_json(self) -> str:
        """The configuration as one line of JSON, for checkpoints."""
        return json.dumps({field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def from_json(cls, text: str) -> TrainConfig:
        """What `to_json` wrote."""
        entries = json.loads(text)
        return cls(**(entries | {"validate_on": tuple(entries["validate_on"])}))

    @property
    def network(self) -> NetworkSpec:
        """What the network is built from."""
        return NetworkSpec(self.architecture, self.width, len(MAPS))


def read_config(path: Path) -> TrainConfig:
    """The configuration in a TOML file; UsageError for an unknown, missing or wrong entry."""
    try:
        entries: dict[str, Any] = tomllib.loads(path.read_text())
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"{path} can't be read as TOML: {error}") from error
    known = {field.name for field in fields(TrainConfig)}
    optional = {field.name for field in fields(TrainConfig) if field.default is not MISSING}
    if not known - optional <= entries.keys() <= known:
        wrong = sorted((entries.keys() ^ known) - (optional - entries.keys()))
        raise UsageError(
            f"{path}: unknown or missing entries: {', '.join(wrong)}; a configuration has {', '.join(sorted(known))}"
        )
    entries["validate_on"] = tuple(entries["validate_on"])
    try:
        return TrainConfig(**entries)
    except TypeError as error:
        raise UsageError(f"{path}: an entry has the wrong type: {error}") from error
