"""What was found in a set of images, as sums from which all of a table's figures come; folds add up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from ways import RADII_PX, outcomes_of

from wsi_edt.evaluation.outcomes import CLASSES, FALSE, MISSED
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.maps import DecodeSettings

Triples = tuple[tuple[int, int, int], ...]
_NOTHING: Triples = ((0, 0, 0),) * len(CLASSES)


@dataclass(frozen=True, slots=True)
class Tally:
    """Sums over images.

    Attributes
    ----------
    images : how many
    near, far : matched, false and missed at 5 and at 10 px, for all cells, positive and negative ones
    off, off_squared : of the images' numbers of cells
    ways : how the maps became cells, in words; one of each part
    """

    images: int = 0
    near: Triples = _NOTHING
    far: Triples = _NOTHING
    off: int = 0
    off_squared: int = 0
    ways: tuple[str, ...] = ()

    @classmethod
    def of(cls, image: PredictedImage, settings: DecodeSettings) -> Self:
        """The sums of one image."""
        pair = image.paired(settings)
        near, far = (outcomes_of([pair], settings, radius).counts()[0, 0].tolist() for radius in RADII_PX)
        error = far[0][FALSE] - far[0][MISSED]
        return cls(1, _triples(near), _triples(far), abs(error), error**2)

    @classmethod
    def from_json(cls, entries: dict[str, Any]) -> Self:
        """What `asdict` gave; KeyError, TypeError or ValueError for anything else."""
        near, far = _triples(entries["near"]), _triples(entries["far"])
        images, off, off_squared = (int(entries[name]) for name in ("images", "off", "off_squared"))
        # The mean of squares is never less than the mean's square.
        if images < 1 or off * off > images * off_squared or min(map(min, (*near, *far))) < 0:
            raise ValueError("sums that no images have")
        return cls(images, near, far, off, off_squared, tuple(entries["ways"]))

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.images + other.images,
            _sum(self.near, other.near),
            _sum(self.far, other.far),
            self.off + other.off,
            self.off_squared + other.off_squared,
            self.ways + other.ways,
        )

    def figure(self, name: str) -> float:
        """A figure by its column: "MAE", "RMSE", or for example "F1 5", "P 10", "R 10 positive", "F1 10 average".

        Ratios are in per cent. The average is that of the positive and the negative cells' figures.
        """
        if name == "MAE":
            return self.off / self.images
        if name == "RMSE":
            return float(np.sqrt(self.off_squared / self.images))
        ratio, radius, *of_class = name.split()
        counts = self.near if radius == "5" else self.far
        if of_class == ["average"]:
            return sum(_ratio(ratio, counts[CLASSES.index(one)]) for one in CLASSES[1:]) / len(CLASSES[1:])
        return _ratio(ratio, counts[CLASSES.index(of_class[0]) if of_class else 0])


def _ratio(name: str, counts: tuple[int, int, int]) -> float:
    matched, false, missed = counts
    whole = {"P": matched + false, "R": matched + missed, "F1": (2 * matched + false + missed) / 2}[name]
    return 100 * matched / whole if whole else 0.0


def _triples(rows: Any) -> Triples:  # noqa: ANN401 - from JSON
    return tuple((int(row[0]), int(row[1]), int(row[2])) for row in rows)


def _sum(one: Triples, other: Triples) -> Triples:
    return _triples(np.add(one, other).tolist())
