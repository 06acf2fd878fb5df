"""The `[maps]` table of a training's configuration: which maps, of which kind, and how cells are found in them."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from wsi_edt.errors import UsageError
from wsi_edt.maps import DecodeSettings, Kind, Target, evidence_of, kind_of, method_named
from wsi_edt.training.section import Section
from wsi_edt.training.targets import MAPS

CONSTANTS = ("c1", "c2", "c3", "c", "alpha", "beta", "sigma_px", "adaptive")  # of targets

MapName = Literal["positive", "negative", "nucleus"]


class Maps(Section):
    """What the network's maps show.

    Attributes
    ----------
    names : its maps, always in this order; positive and negative come together, nucleus is any nucleus
    target : what a map looks like around its cells (the paper's Table 10)
    clamp : whether max(DT) is kept within 60 to 150 px; false is the paper's, which makes wide discs if cells are few
    method : how cells are found in the maps when the network is validated, and by `wsi-edt bundle` unless it is told
        otherwise: ccls, lmss, lmds or peak_local_max
    c1, c2, c3 : constants of edt, see `wsi_edt.maps.Edt`; None, as of all that follow: the paper's
    c : of idt and fidt
    alpha, beta : of fidt
    sigma_px, adaptive : of density, see `wsi_edt.maps.Density`
    """

    names: tuple[MapName, ...] = Field(default=("positive", "negative", "nucleus"), strict=False)
    target: Target = "edt"
    clamp: bool = True
    method: str = "ccls"
    c1: float | None = None
    c2: float | None = None
    c3: float | None = None
    c: float | None = None
    alpha: float | None = None
    beta: float | None = None
    sigma_px: float | None = None
    adaptive: bool | None = None

    @field_validator("names")
    @classmethod
    def _can_be_decoded(cls, names: tuple[MapName, ...]) -> tuple[MapName, ...]:
        # 11 and 0 stand for any window and threshold: only the names are checked.
        try:
            DecodeSettings(names, evidence_of(names), 11, 0.0)
        except UsageError as error:
            raise error.within("maps.names") from error
        return tuple(sorted(names, key=MAPS.index))

    @field_validator("method")
    @classmethod
    def _is_a_method(cls, method: str) -> str:
        try:
            method_named(method)
        except UsageError as error:
            raise error.within("maps.method") from error
        return method

    @model_validator(mode="after")
    def _makes_maps(self) -> Self:
        kind_of(self.target, self.constants)  # refuses constants that make none
        return self

    @property
    def kind(self) -> Kind:
        """The target with its constants."""
        return kind_of(self.target, self.constants)

    @property
    def constants(self) -> dict[str, float]:
        """Those that are given; the target has the paper's for the others."""
        return {name: value for name in CONSTANTS if (value := getattr(self, name)) is not None}
