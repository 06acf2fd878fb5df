"""A training's configuration: one validated TOML file. Every default is the shipped model's recipe."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_args

import tomlkit
from pydantic import (
    AfterValidator,
    BaseModel,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import ErrorDetails

from wsi_edt.datasets import SetSpec, TrainingSet, held_out_split
from wsi_edt.errors import UsageError
from wsi_edt.networks import NetworkSpec
from wsi_edt.slides.metadata import PLAUSIBLE_MPP
from wsi_edt.training.maps_table import Maps
from wsi_edt.training.section import Section

LEAST_CONSISTENT_PX = 256  # leaves 32 px around a part of 192 px, of which 64 px lie 64 px from its edge


def _whole_table(entries: dict[str, Any]) -> dict[str, Any]:
    """The ``[network]`` table with every entry; UsageError if there is no such architecture, option or value."""
    return NetworkSpec.from_table(entries, maps=1).to_table()


class Loss(Section):
    """What is minimised.

    Attributes
    ----------
    cell_weight : squared errors of the maps count (1 + cell_weight · target) times
    consistency : weight of the squared difference between the maps of a crop's middle part by itself and within the crop,
        far from the part's edge: it teaches the network not to depend on what a tile's halo can't hold
    """

    cell_weight: float = Field(default=0.0, ge=0)
    consistency: float = Field(default=0.0, ge=0)


class Augmentation(Section):
    """How crops are changed (see `augment`); 0 turns one off.

    Attributes
    ----------
    scale : µm/px are drawn from mpp / (1 + scale) to mpp · (1 + scale)
    stain : each stain's strength is drawn from 1 ± this: more than 0.2 would turn pale brown into blue
    hue : standard deviation of the entries of a matrix that mixes the colours' optical densities
    gamma : optical densities are raised to a power from exp(-gamma) to exp(gamma)
    blur, sharpen, jpeg : the share of crops that get it; blur and sharpen exclude each other
    turns : the share of crops that get one of the eight flips and right-angle turns
    style : the share of crops that take on some of another picture's colours
    styles : the pictures that lend them: names of sets, or of folders of images below the data folder
    """

    scale: float = Field(default=0.2, ge=0, le=1)
    stain: float = Field(default=0.2, ge=0, lt=1)
    hue: float = Field(default=0.04, ge=0, lt=0.5)
    gamma: float = Field(default=0.15, ge=0, le=1)
    blur: float = Field(default=0.2, ge=0, le=1)
    sharpen: float = Field(default=0.2, ge=0, le=1)
    jpeg: float = Field(default=0.2, ge=0, le=1)
    turns: float = Field(default=1.0, ge=0, le=1)
    style: float = Field(default=0.0, ge=0, le=1)
    styles: tuple[str, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _shares_fit(self) -> Self:
        if self.blur + self.sharpen > 1:
            raise UsageError(
                f"are {self.blur:g} and {self.sharpen:g}, more than 1 together, but exclude each other",
                where="augmentation.blur and augmentation.sharpen",
                remedy="give shares that add up to 1 at most",
            )
        if bool(self.style) != bool(self.styles):
            raise UsageError(
                "augmentation.style sets how many crops take on other pictures' colours, and augmentation.styles names the "
                'pictures (for example ["bcdata", "unlabelled"])',
                remedy="give both, or neither",
            )
        return self


class Schedule(Section):
    """How long, how much at a time, and how fast.

    Attributes
    ----------
    steps : of the optimiser
    epoch_steps : after so many steps each time, the network is validated and stored; a kill loses at most so many
    batch_size, crop_px : crops of a step, and their side, a multiple of 32
    learning_rate : of AdamW, after a linear warm-up of `warmup_steps`
    decay : "cosine" falls to 0 at the last step; "step" falls to a tenth for the last third
    weight_decay : of AdamW; without it that is Adam
    ema_decay : of the weights' moving average, which is what is validated and becomes the model
    frozen_norms : batch norms keep the statistics of the model in `init`
    """

    steps: int = Field(default=2200, gt=0)
    epoch_steps: int = Field(default=100, gt=0)
    batch_size: int = Field(default=8, gt=0)
    crop_px: int = Field(default=256, gt=0, multiple_of=32)
    learning_rate: float = Field(default=1.2e-3, gt=0)
    warmup_steps: int = Field(default=30, ge=0)
    decay: Literal["cosine", "step"] = "cosine"
    weight_decay: float = Field(default=0.02, ge=0)
    ema_decay: float = Field(default=0.995, ge=0, lt=1)
    frozen_norms: bool = False


class ValidationSet(SetSpec):
    """A set to validate on: never trained on, chooses the best state and the decoding.

    By default its split is "validation", or all of it if its format has no such split.
    """

    @model_validator(mode="before")
    @classmethod
    def _validates_on_what_is_for_it(cls, entries: Any) -> Any:  # noqa: ANN401 - whatever the file holds
        if not isinstance(entries, dict):
            return entries
        return {"split": held_out_split(str(entries.get("format", entries.get("name"))))} | entries


class Folds(Section):
    """One fold of a cross-validation over the validation sets' images of all splits, dealt out by case.

    Attributes
    ----------
    count : groups that the cases are dealt into
    index : the group, from 0, that is validated on; the others are trained on in place of the set of the same name
    """

    count: int = Field(ge=2)
    index: int = Field(ge=0)

    @model_validator(mode="after")
    def _index_is_a_group(self) -> Self:
        if self.index >= self.count:
            raise UsageError(
                f"is {self.index}", where="folds.index", remedy=f"it counts from 0 to {self.count - 1}"
            )
        return self


SETS = tuple(
    TrainingSet(name=name, weight=weight, split=split)
    for name, split, weight in (
        ("bcdata", "train", 0.42),
        ("glioma", "train", 0.12),
        ("shidc", "train", 0.12),
        ("uw", "all", 0.14),
        ("monuseg", "train", 0.12),
        ("glioma_he", "train", 0.08),
    )
)


class TrainConfig(Section):
    """A training.

    Attributes
    ----------
    init : name or folder of a model to start from; "" starts from random weights
    seed : of weights, windows and augmentation
    mpp : µm/px that the network sees
    network : what the network is built from: its architecture and that architecture's options
    maps, loss, augmentation, schedule : see there
    sets : what is trained on
    validation : what chooses the best state; may be empty
    folds : cross-validation
    """

    init: str = ""
    seed: int = Field(default=1, ge=0, le=2**32 - 1)
    mpp: float = Field(default=0.3125, ge=PLAUSIBLE_MPP[0], le=PLAUSIBLE_MPP[1])
    network: Annotated[dict[str, Any], AfterValidator(_whole_table)] = Field(
        default={}, validate_default=True
    )
    maps: Maps = Maps()
    loss: Loss = Loss()
    augmentation: Augmentation = Augmentation()
    schedule: Schedule = Schedule()
    sets: tuple[TrainingSet, ...] = Field(default=SETS, min_length=1, strict=False)
    validation: tuple[ValidationSet, ...] = Field(default=(ValidationSet(name="bcdata"),), strict=False)
    folds: Folds | None = None

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        for what, specs in (("sets", self.sets), ("validation", self.validation)):
            names = [spec.name for spec in specs]
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise UsageError(
                    f"has two sets named {twice!r}", where=f"[[{what}]]", remedy="give each its own name"
                )
        crop_px, stride = self.schedule.crop_px, self.spec.stride
        if crop_px % stride:
            raise UsageError(
                f"is {crop_px}", where="schedule.crop_px", remedy=f"the network takes multiples of {stride}"
            )
        if self.loss.consistency and crop_px < LEAST_CONSISTENT_PX:
            raise UsageError(
                f"needs schedule.crop_px of at least {LEAST_CONSISTENT_PX}, but that is {crop_px}",
                where="loss.consistency",
            )
        if crop_px == stride and self.schedule.batch_size == 1:
            raise UsageError(
                f"of {crop_px} leaves the network's coarsest maps a single px, too few for a batch norm",
                where="schedule.crop_px",
                remedy=f"give schedule.crop_px of at least {2 * stride}, or schedule.batch_size of at least 2",
            )
        if self.schedule.frozen_norms and not self.init:
            raise UsageError(
                "keeps the statistics of a model to start from",
                where="schedule.frozen_norms",
                remedy="name one as init",
            )
        if self.folds is not None:
            self._check_folds()
        return self

    def _check_folds(self) -> None:
        if not self.validation:
            raise UsageError(
                "deals out the sets of [[validation]]", where="[folds]", remedy="name at least one there"
            )
        missing = {spec.name for spec in self.validation} - {spec.name for spec in self.sets}
        if missing:
            raise UsageError(
                f"trains on what it doesn't validate on, but no set in [[sets]] is named {sorted(missing)[0]!r}",
                where="[folds]",
                remedy="name it there, with its weight",
            )

    @property
    def spec(self) -> NetworkSpec:
        """What the network is built from."""
        return NetworkSpec.from_table(self.network, maps=len(self.maps.names))

    def to_json(self) -> str:
        """The configuration as one line of JSON, for checkpoints and models."""
        return self.model_dump_json()

    def to_toml(self) -> str:
        """The configuration as a file for `read_config`, with every entry."""
        return tomlkit.dumps(self.model_dump(mode="json", exclude_none=True))

    @classmethod
    def from_json(cls, text: str) -> TrainConfig:
        """The configuration that `to_json` wrote; UsageError if it's another version's."""
        try:
            return cls.model_validate_json(text)
        except ValidationError as error:
            raise _usage_error(error.errors()[0]) from error


def read_config(path: Path, *, init: str | None = None) -> TrainConfig:
    """The configuration in a TOML file.

    Parameters
    ----------
    path : the file
    init : replaces the file's entry

    Raises
    ------
    UsageError
        If an entry is unknown, missing or wrong: it names the entry, its value, and what is allowed.
    """
    try:
        entries: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"can't be read as TOML: {error}", where=path) from error
    if init is not None:
        entries["init"] = init
    try:
        return TrainConfig.model_validate(entries)
    except ValidationError as error:
        raise _usage_error(error.errors()[0]).within(str(path)) from error
    except UsageError as error:
        raise error.within(str(path)) from error


# If pydantic's words are Python's, not TOML's.
_ALLOWED = {
    "tuple_type": "it should be a list",
    "model_type": "it should be a table",
    "dict_type": "it should be a table",
    "too_short": "it should not be empty",
    "path_type": "it should be a path in quotes",
}


def _usage_error(details: ErrorDetails) -> UsageError:
    """What is wrong with an entry."""
    location = details["loc"]
    entry = ""
    for part in location:
        entry += f"[{part}]" if isinstance(part, int) else f".{part}" if entry else str(part)
    if details["type"] == "missing":
        return UsageError("is missing", where=entry, remedy="add it: it has no default")
    if details["type"] == "extra_forbidden":
        table = _table_at(location[:-1])
        return UsageError(
            "isn't an entry", where=entry, remedy=f"the entries there are {', '.join(table.model_fields)}"
        )
    allowed = _ALLOWED.get(details["type"], details["msg"].replace("Input should", "it should"))
    try:
        value = json.dumps(details["input"], ensure_ascii=False)
    except (TypeError, ValueError):
        value = str(details["input"])
    return UsageError(f"is {value}, but {allowed}", where=entry)


def _table_at(location: tuple[int | str, ...]) -> type[BaseModel]:
    """The section at that place."""
    model: type[BaseModel] = TrainConfig
    for part in location:
        if isinstance(part, str):
            annotation = model.model_fields[part].annotation
            candidates = (annotation, *get_args(annotation))
            model = next(c for c in candidates if isinstance(c, type) and issubclass(c, BaseModel))
    return model
