"""What a run was asked for, resolved: what changes cells, apart from what doesn't."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from dataclasses import fields as fields_of

from pydantic import TypeAdapter

from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.detection.compute import Compute
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.ki67 import Conventions, CountedBy
from wsi_edt.maps import DecodeSettings
from wsi_edt.results.outputs import Output, outputs
from wsi_edt.run.options import RunOptions
from wsi_edt.slides.grid import TileGrid
from wsi_edt.slides.stain_style import KnownStains
from wsi_edt.slides.tissue import TissueMask

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
    "icc": "--icc",
}


@dataclass(frozen=True, slots=True)
class CellSettings:
    """All that changes cells, and nothing else; with the slide's own µm/px it decides every byte of a result.

    Attributes
    ----------
    model : name and version, for people; `model_sha256` is what counts
    model_mpp : µm per model px
    tile_px, halo_px : model px
    compute : its threads are part of this because sums in another order round differently
    tissue_mask : False looks at the whole slide
    icc : whether the slides' ICC profiles are applied
    """

    model: str
    model_sha256: str
    model_mpp: float
    tile_px: int
    halo_px: int
    batch_size: int
    decode: DecodeSettings
    compute: Compute
    tissue_mask: bool
    icc: bool = False

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small", remedy="give at least 1")
        if self.compute.threads < 1:
            raise UsageError(f"--threads {self.compute.threads} is too small", remedy="give at least 1")
        if self.tile_px > LARGEST_TILE_PX:
            raise UsageError(
                f"--tile-px {self.tile_px} is too large", remedy=f"give at most {LARGEST_TILE_PX}"
            )
        try:
            TileGrid((1, 1), self.tile_px, self.halo_px)  # refuses sizes that aren't on the grid
        except UsageError as error:
            raise error.within(f"--tile-px {self.tile_px}") from error

    def grid(self, tissue: TissueMask) -> TileGrid:
        """The tiles of a slide."""
        return TileGrid(tissue.extent, self.tile_px, self.halo_px)

    def to_json(self) -> dict[str, object]:
        """The settings as JSON values, equal to what a JSON file gives back."""
        fields: dict[str, object] = json.loads(json.dumps(asdict(self)))
        # Results from before there was a choice continue.
        if not self.icc:
            del fields["icc"]
        decode = fields["decode"]
        assert isinstance(decode, dict)
        if self.decode.method == "ccls":
            del decode["method"]
        if self.decode.negative_gain == 1.0:
            del decode["negative_gain"]
        compute = fields.pop("compute")
        assert isinstance(compute, dict)
        return fields | compute

    @classmethod
    def from_json(cls, fields: Mapping[str, object]) -> CellSettings:
        """The settings that `to_json` gave these fields.

        Raises
        ------
        OutputError
            If they are of another version.
        """
        compute = {field.name for field in fields_of(Compute)}
        own = {name: value for name, value in fields.items() if name not in compute}
        own["compute"] = {name: value for name, value in fields.items() if name in compute}
        try:
            return TypeAdapter(cls).validate_python(own)
        except ValueError as error:
            raise OutputError("has settings that this version of wsi-edt doesn't know") from error

    def with_threshold(self, threshold: float) -> CellSettings:
        """The same with a higher threshold.

        Raises
        ------
        UsageError
            If it is lower, or one that no score exceeds.
        """
        refuse_impossible_threshold(threshold, self.decode)
        own = self.decode.threshold
        if threshold < own:
            raise UsageError(
                f"--threshold {threshold:g} is below the {own:g} of the run, which kept no weaker cells",
                remedy="run again with that threshold, into another --out",
            )
        return replace(self, decode=replace(self.decode, threshold=threshold))

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
            elif name == "icc" and name in differing:
                words.append(f"{option} there, not now" if there.get(name) else f"{option} now, not there")
            elif name in differing:
                why = " (chosen, as it wasn't given)" if name in chosen else ""
                words.append(f"{option} {there.get(name)} there, {here[name]} now{why}")
        return "; ".join(words)


@dataclass(frozen=True, slots=True)
class RunSettings:
    """A run's settings.

    Attributes
    ----------
    options : what the user asked for
    cells : what changes cells
    detector : what workers build
    counted_by : the model, for reports
    known_stains : of its training pictures; None if it doesn't say
    """

    options: RunOptions
    cells: CellSettings
    detector: DetectorSpec
    counted_by: CountedBy
    known_stains: KnownStains | None = None

    @property
    def conventions(self) -> Conventions:
        """The rules that results are made by."""
        return self.options.conventions

    @property
    def outputs(self) -> tuple[Output, ...]:
        """What each slide leaves in its folder."""
        return outputs(self.options.output)

    @property
    def chosen(self) -> frozenset[str]:
        """Names of the settings in `cells` that the user left to the program."""
        options, compute = self.options, self.options.compute
        left = {"threads"} if compute.threads is None else set()
        left |= {"threshold"} if options.threshold is None else set()
        left |= {name for name in ("device", "runtime", "precision") if getattr(compute, name) == "auto"}
        return frozenset(left)

    def to_json(self) -> dict[str, object]:
        """The settings for run.json."""
        return {
            **self.cells.to_json(),
            "mpp": self.options.fallback_mpp,
            "keep_maps": self.options.keep_maps,
            **self.options.output.to_json(),
            "conventions": self.conventions.to_json(),
        }


def refuse_impossible_threshold(threshold: float, decode: DecodeSettings) -> None:
    """UsageError if no score can exceed the threshold; `decode` is the model's own."""
    highest = decode.highest_score
    if not 0 <= threshold < highest:
        raise UsageError(
            f"--threshold {threshold:g} isn't a score that cells can exceed",
            remedy=f"give 0 or more and less than {highest:g} (the model's own is {decode.threshold:g})",
        )


def refuse_relative(model: str, decode: DecodeSettings) -> None:
    """UsageError if whether a cell is found would depend on the strongest one in its tile, see `wsi_edt.maps.Method`."""
    if decode.is_relative:
        raise UsageError(
            f"finds cells by {decode.method}, whose threshold is a share of each tile's maximum, so that on a slide a "
            "cell's neighbours and the tiles' seams would decide whether it is found",
            where=f"the model {model}",
            remedy="bundle it with --method ccls; `wsi-edt evaluate` takes it as it is, on whole images",
        )


def _flat(cells: Mapping[str, object]) -> dict[str, object]:
    """The settings with those of the decoder beside the others."""
    flat = dict(cells)
    decode = flat.pop("decode", None)
    return flat | (decode if isinstance(decode, dict) else {})
