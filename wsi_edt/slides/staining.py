"""Tells what a slide is stained with, so that no Ki-67 index is given if nothing shows Ki-67."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from wsi_edt.geometry import Scale, Window
from wsi_edt.slides.black import is_dark_field
from wsi_edt.slides.protocol import RgbArray, Slide, required_mpp
from wsi_edt.slides.tissue import FloatArray, TissueMask, glass_colour, optical_density
from wsi_edt.slides.window import read_window

FIELD_UNITS = 24  # side of a sampled field in mask units: 240 µm
MOST_FIELDS = 48
SAMPLE_MPP = (
    2.0  # nuclei and stroma are apart at 2 µm/px; at 10 they mix and one H&E slide looks like a Ki-67 one
)

DARKEST_GLASS = 150  # no brightfield image's light is darker
PINKEST_LIGHT = (
    6  # grey levels of green below the mean of red and blue; glass on the Ki-67 slides has up to 6
)
STAINED_OD = 0.06
FEWEST_STAINED_PX = 20
# Grey levels between a px's channels, which 95 % of stained px stay below; on the images named below it is at least 40.
GREYEST = 4
PINK_RATIO = 0.7  # red and blue density against green's
# Share of stained px. Ki-67 has at most 0.12, H&E at least 0.34 but for the misses that classify_staining names.
LEAST_PINK = 0.22


class Staining(StrEnum):
    """What a slide is stained with."""

    DAB = "haematoxylin and DAB"
    HE = "haematoxylin and eosin"
    FLUORESCENCE = "fluorescence"
    GREY = "no colour"
    NONE = "no stain"


def classify_staining(slide: Slide, tissue: TissueMask, overview: RgbArray) -> Staining:
    """What the slide is stained with, from up to 48 fields of 240 µm spread over its tissue, read at 2 µm/px.

    A Ki-67 slide without a positive nucleus shows haematoxylin alone; it counts as DAB, whose index is then 0 %.

    Parameters
    ----------
    slide : the open slide
    tissue : its tissue
    overview : (rows, columns, 3) uint8, of the tissue mask's shape

    Notes
    -----
    Measured on images of known staining, right of all: Ki-67 bcdata 16 of 16, shidc 18 of 18, glioma 4 of 4, slides
    3 of 3; H&E uw 97 of 100 (taken for DAB: two pale ones with dirt, 73 and 75; for unstained: 76, blank),
    monuseg 27 of 27, glioma_he 76 of 76, slides 3 of 3; fluorescence 1 of 1. tests/slides/test_staining.py repeats it.

    Raises
    ------
    SlideError
        If the file is damaged or truncated.
    """
    assert overview.shape[:2] == tissue.mask.shape, (overview.shape, tissue.mask.shape)
    if is_dark_field(overview):
        return Staining.FLUORESCENCE
    pixels = _tissue_pixels(slide, tissue)
    return stain_of_pixels(pixels) if len(pixels) else Staining.NONE


def stain_of_pixels(pixels: RgbArray) -> Staining:
    """What brightfield px (N, 3) uint8 of about 2 µm, tissue and some glass, are stained with.

    Eosin absorbs green alone, so that stroma and cytoplasm of H&E are pink: red's and blue's densities lie below
    0.7 of green's. Haematoxylin absorbs red as much as green, DAB blue more than green: neither is pink.
    What was saved as greyscale shows no stain.
    """
    values = pixels.astype(np.float32)
    density = optical_density(values, light_colour(values))
    is_stained = density.mean(axis=1) > STAINED_OD
    stained = density[is_stained]
    if len(stained) < FEWEST_STAINED_PX:
        return Staining.NONE
    if np.percentile(np.ptp(values[is_stained], axis=1), 95) <= GREYEST:
        return Staining.GREY
    red, green, blue = stained.T
    pink = (red < PINK_RATIO * green) & (blue < PINK_RATIO * green)
    return Staining.HE if pink.mean() > LEAST_PINK else Staining.DAB


def light_colour(pixels: FloatArray) -> FloatArray:
    """The light's colour (3,), from px (N, 3) that may show no glass.

    The palest px of H&E without glass are pink, and measuring against pink hides it. A lamp may be yellowish or
    bluish but isn't pink: its green is at most a little below the mean of red and blue.
    """
    red, green, blue = np.maximum(glass_colour(pixels), DARKEST_GLASS)
    return np.array([red, max(green, (red + blue) / 2 - PINKEST_LIGHT), blue], dtype=np.float32)


def _tissue_pixels(slide: Slide, tissue: TissueMask) -> RgbArray:
    """The px (N, 3) of sampled fields that lie on tissue, at about 2 µm/px."""
    px_per_unit = max(round(tissue.unit_mpp / SAMPLE_MPP), 1)
    sample_mpp = tissue.unit_mpp / px_per_unit
    extent = Scale(required_mpp(slide), sample_mpp).model_extent(*slide.dimensions)
    samples = [np.zeros((0, 3), dtype=np.uint8)]
    for row, column in _sampled_fields(tissue):
        mask = tissue.mask[row : row + FIELD_UNITS, column : column + FIELD_UNITS]
        rows, columns = mask.shape
        # Cut at the slide's edge: the white beyond it would be taken for glass.
        x, y = column * px_per_unit, row * px_per_unit
        field = Window(
            x, y, min(columns * px_per_unit, extent[0] - x), min(rows * px_per_unit, extent[1] - y)
        )
        on_tissue = np.repeat(np.repeat(mask, px_per_unit, axis=0), px_per_unit, axis=1)
        on_tissue = on_tissue[: field.height, : field.width]
        samples.append(read_window(slide, field, wanted_mpp=sample_mpp)[on_tissue])
    return np.concatenate(samples)


def _sampled_fields(tissue: TissueMask) -> list[tuple[int, int]]:
    """(row, column) of the first unit of up to 48 fields with tissue, evenly spread in row-major order."""
    rows, columns = tissue.mask.shape
    fields = [
        (row, column)
        for row in range(0, rows, FIELD_UNITS)
        for column in range(0, columns, FIELD_UNITS)
        if tissue.mask[row : row + FIELD_UNITS, column : column + FIELD_UNITS].any()
    ]
    if len(fields) <= MOST_FIELDS:
        return fields
    return [fields[i] for i in np.linspace(0, len(fields) - 1, MOST_FIELDS).round().astype(int).tolist()]
