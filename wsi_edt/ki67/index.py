"""From cells to a Ki-67 index: counts, density, and when there is no index to give."""

from __future__ import annotations

from dataclasses import dataclass

from wsi_edt.cells import CellClass, Cells

FEW_CELLS = 500  # the count below which published recommendations call an index unreliable

NO_DAB = "no DAB"
NO_COLOUR = "no colour"
NO_CELLS = "no cells"
NO_TISSUE = "no tissue was found; --no-tissue-mask looks everywhere"
NO_CLASSES = "the model does not tell positive from negative"


@dataclass(frozen=True, slots=True)
class Ki67Score:
    """The counts of one slide and its index, or the reason why it has none.

    Attributes
    ----------
    positive, negative : cells of each class
    unclassified : nuclei of a model that tells no classes; they are no part of the index
    area_mm2 : the tissue that was looked at
    reason : why there is no index; None where there is one
    """

    positive: int
    negative: int
    unclassified: int
    area_mm2: float
    reason: str | None

    def __post_init__(self) -> None:
        assert min(self.positive, self.negative, self.unclassified, self.area_mm2) >= 0, self
        assert self.reason is not None or self.positive + self.negative > 0, "an index needs cells"

    @property
    def total(self) -> int:
        """All cells."""
        return self.positive + self.negative + self.unclassified

    @property
    def assessable(self) -> bool:
        """Whether there is an index."""
        return self.reason is None

    @property
    def index_percent(self) -> float | None:
        """100 × positive / (positive + negative), or None where the slide is not assessable."""
        if self.reason is not None:
            return None
        return 100.0 * self.positive / (self.positive + self.negative)

    @property
    def cells_per_mm2(self) -> float | None:
        """All cells over the area, or None where there is no area."""
        return self.total / self.area_mm2 if self.area_mm2 > 0 else None

    @property
    def few_cells(self) -> bool:
        """Whether fewer than `FEW_CELLS` cells were found: of those that the index rests on, where there is one."""
        return (self.positive + self.negative if self.assessable else self.total) < FEW_CELLS


def score_cells(cells: Cells, *, area_mm2: float, staining_note: str | None = None) -> Ki67Score:
    """Return the score of one slide's cells.

    Parameters
    ----------
    cells : in any frame; only their classes matter
    area_mm2 : the area of the tissue that was looked at
    staining_note : why the staining allows no index, for example `NO_DAB` on an H&E slide; None where it does

    Notes
    -----
    No cells is "not assessable", never 0 %: an index is a share, and nothing has no share.
    """
    positive, negative = cells.count(CellClass.POSITIVE), cells.count(CellClass.NEGATIVE)
    unclassified = len(cells) - positive - negative
    reason = staining_note
    if reason is None and positive + negative == 0:
        reason = NO_CLASSES if unclassified else NO_CELLS if area_mm2 > 0 else NO_TISSUE
    # To 1 µm², which is what ki67.json keeps: a score read back gives the same density.
    return Ki67Score(positive, negative, unclassified, round(float(area_mm2), 6), reason)
