"""A bounded sample of a slide's tissue, fine enough to see nuclei's edges; and the light that it is seen in."""

from __future__ import annotations

import numpy as np

from wsi_edt.geometry import Scale, Window
from wsi_edt.slides.morphology import BoolArray
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp
from wsi_edt.slides.staining import DARKEST_GLASS, light_colour
from wsi_edt.slides.tissue import FloatArray, TissueMask
from wsi_edt.slides.window import read_window

FIELD_MPP = 0.5
FIELD_UNITS = 8  # side of a field in mask units: 80 µm
# One field at most in a square of 160 µm, which is the least that keeps the cost below 2 % of a small slide's run.
CELL_UNITS = 16
MOST_FIELDS = 48
LEAST_TISSUE = 0.5  # of a field
FEWEST_GLASS_UNITS = 100


def sample_fields(slide: Slide, tissue: TissueMask) -> tuple[tuple[RgbArray, ...], float]:
    """Up to 48 fields of 80 µm, spread evenly over the tissue, each (H, W, 3) uint8, and their µm/px, about 0.5.

    Raises
    ------
    SlideError
        If the file is damaged or truncated.
    """
    px_per_unit = max(round(tissue.unit_mpp / FIELD_MPP), 1)
    field_mpp = tissue.unit_mpp / px_per_unit
    width, height = Scale(required_mpp(slide), field_mpp).model_extent(*slide.dimensions)
    fields = []
    for row, column in _places(tissue.mask):
        x, y, side = column * px_per_unit, row * px_per_unit, FIELD_UNITS * px_per_unit
        # Cut at the slide's edge: the white beyond it would be the sharpest edge of all.
        window = Window(x, y, min(side, width - x), min(side, height - y))
        fields.append(read_window(slide, window, wanted_mpp=field_mpp))
    return tuple(fields), field_mpp


def light_of(overview: RgbArray, tissue: TissueMask, fields: tuple[RgbArray, ...]) -> FloatArray:
    """The colour of glass (3,): beside the tissue if the overview shows some, else as far as the fields tell."""
    beside = overview[~tissue.mask]
    glass = beside[beside.min(axis=1) < 254]  # what wasn't scanned is pure white
    if len(glass) >= FEWEST_GLASS_UNITS:
        return np.asarray(np.maximum(np.median(glass, axis=0), DARKEST_GLASS), dtype=np.float32)
    if not fields:
        return np.full(3, 255, np.float32)
    return light_colour(np.concatenate([field.reshape(-1, 3) for field in fields]).astype(np.float32))


def _places(mask: BoolArray) -> list[tuple[int, int]]:
    """(row, column) of the first unit of each field, in row-major order."""
    margin = (CELL_UNITS - FIELD_UNITS) // 2
    rows, columns = (-(-side // CELL_UNITS) for side in mask.shape)
    cells = np.zeros((rows * CELL_UNITS, columns * CELL_UNITS), np.bool_)
    cells[: mask.shape[0], : mask.shape[1]] = mask
    middle = slice(margin, margin + FIELD_UNITS)
    held = cells.reshape(rows, CELL_UNITS, columns, CELL_UNITS)[:, middle, :, middle].mean(axis=(1, 3))
    found = np.argwhere(held >= LEAST_TISSUE) * CELL_UNITS + margin
    places: list[tuple[int, int]] = [(row, column) for row, column in found.tolist()]
    if len(places) <= MOST_FIELDS:
        return places
    return [places[i] for i in np.linspace(0, len(places) - 1, MOST_FIELDS).round().astype(int).tolist()]
