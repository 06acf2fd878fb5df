"""Haematoxylin and DAB told apart: against scikit-image with the same vectors, and by hand."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import pytest
from skimage.color import separate_stains
from skimage.draw import disk

from wsi_edt.detection.densities import OD_UNIT, mean_densities
from wsi_edt.ki67.deconvolution import DAB, HAEMATOXYLIN, deconvolved

# As QuPath writes its default into a project: "Values 1" and "Values 2" of "H-DAB default".
QUPATH = np.array([[0.65111, 0.70119, 0.29049], [0.26917, 0.56824, 0.77759]])


def colour_of(haematoxylin: float, dab: float) -> npt.NDArray[np.float64]:
    """The grey levels (3,) of tissue with that much of each stain."""
    found: npt.NDArray[np.float64] = 255 * 10 ** -(haematoxylin * QUPATH[0] + dab * QUPATH[1])
    return found


def separated(pixels: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """scikit-image's densities of haematoxylin and DAB, (..., 2).

    It measures light by ln(px) / ln(1e-6) and not by −log10(px), and calls what is negative 0.
    """
    residual = np.cross(*QUPATH)
    matrix = np.linalg.inv(np.vstack([QUPATH, residual / np.linalg.norm(residual)]))
    found = separate_stains(pixels / 255, matrix)
    return np.asarray(found[..., :2] * 6, np.float64)


@pytest.mark.parametrize("stains", [(0.4, 0.0), (0.0, 0.8), (0.3, 0.5), (0.05, 0.25), (0.0, 0.0)])
def test_drawn_nuclei_have_the_stains_that_they_were_drawn_with(stains: tuple[float, float]) -> None:
    image = np.full((64, 64, 3), 255, np.uint8)
    image[disk((30, 34), 10)] = np.rint(colour_of(*stains))  # type: ignore[no-untyped-call]
    density = mean_densities(image, np.array([34], np.int32), np.array([30], np.int32), radius_px=6.4)
    found = np.concatenate(deconvolved(density, unit=OD_UNIT))
    # Grey levels are whole numbers: half a level of 60 is 0.004.
    assert found == pytest.approx(stains, abs=0.006)
    assert found == pytest.approx(separated(image[30, 34].astype(np.float64)), abs=7e-4)  # rounded to 0.001


def test_the_stains_of_means_are_the_means_of_stains() -> None:
    """Unlike the colours: so the slide isn't needed to unmix."""
    rng = np.random.default_rng(0)
    stains = rng.uniform(0.05, 0.9, (129, 2))
    pixels = np.array([colour_of(*stain) for stain in stains])
    found = np.concatenate(
        deconvolved(-np.log10(pixels / 255).mean(axis=0, keepdims=True))
    )  # with three decimals
    assert found == pytest.approx(stains.mean(axis=0), abs=6e-4)
    assert found == pytest.approx(separated(pixels).mean(axis=0), abs=6e-4)
    of_mean_colour = np.concatenate(deconvolved(-np.log10(pixels.mean(axis=0, keepdims=True) / 255)))
    assert of_mean_colour != pytest.approx(stains.mean(axis=0), abs=0.02)


def test_the_vectors_are_qupaths() -> None:
    """QuPath makes them of the numbers with two digits that ImageJ's plugin has, as unit vectors."""
    for vector, digits in ((HAEMATOXYLIN, (0.65, 0.70, 0.29)), (DAB, (0.27, 0.57, 0.78))):
        assert vector == pytest.approx(np.array(digits) / np.linalg.norm(digits), abs=1e-5)


def test_each_cell_is_told_by_itself() -> None:
    """The same bits, whoever stands beside it."""
    rgb = np.random.default_rng(1).integers(0, 24_000, (1001, 3)).astype(np.uint16)
    together = np.stack(deconvolved(rgb, unit=OD_UNIT))
    alone = [np.stack(deconvolved(rgb[i : i + 1], unit=OD_UNIT))[:, 0] for i in range(len(rgb))]
    assert np.array_equal(together.T, alone)
    assert np.stack(deconvolved(rgb[:0])).shape == (2, 0)
