"""What a measure of a slide's quality is: how its value follows from the slide, and what is said where it is bad."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.stain_style import KnownStains
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import FloatArray, TissueMask

BRIGHTFIELD = frozenset({Staining.DAB, Staining.HE, Staining.GREY})
EVERY_STAIN = frozenset(Staining)  # and a slide without one


@dataclass(frozen=True, slots=True, eq=False)
class QualityFacts:
    """What a measure may be made from.

    Attributes
    ----------
    overview : (rows, columns, 3) uint8, of the tissue mask's shape
    light : the colour of glass (3,), grey levels
    fields : a sample of the tissue, each (H, W, 3) uint8
    field_mpp : µm/px of the fields
    zero_share : of the file's blocks, how many hold nothing but zeros
    known_stains : of the model's training pictures; None if there is no model, or it doesn't say
    """

    tissue: TissueMask
    overview: RgbArray
    light: FloatArray
    fields: tuple[RgbArray, ...]
    field_mpp: float
    zero_share: float
    known_stains: KnownStains | None = None


@dataclass(frozen=True, slots=True)
class Measure:
    """One measure of quality.

    Attributes
    ----------
    name : its key in ki67.json
    flag : what summary.csv calls a bad value
    of : makes it; None where the slide doesn't show it
    limit : the worst value that isn't flagged
    sentence : says a bad value to people
    remedy : what they can do
    low_is_bad : whether values below the limit are bad; else those above
    stains : that it is meant for
    """

    name: str
    flag: str
    of: Callable[[QualityFacts], float | None]
    limit: float
    sentence: Callable[[float], str]
    remedy: str
    low_is_bad: bool = False
    stains: frozenset[Staining] = BRIGHTFIELD

    def is_bad(self, value: float | None) -> bool:
        """Whether a value is flagged; one that isn't known never is."""
        if value is None:
            return False
        return value < self.limit if self.low_is_bad else value > self.limit


def share_in_words(share: float) -> str:
    """A share as a whole percentage."""
    return f"{100 * share:.0f} %"
