"""Colours that are told apart without seeing hues."""

from __future__ import annotations

import numpy as np
from skimage.color import rgb2lab

from wsi_edt.cells import CellClass
from wsi_edt.report.palette import CIVIDIS, CLASS_RGB, STEPS, VIRIDIS, hexadecimal, step_of


def lightness(rgb: object) -> float:
    return float(rgb2lab(np.array(rgb, np.float64) / 255)[..., 0])


def test_positive_and_negative_differ_in_lightness() -> None:
    positive, negative = (lightness(CLASS_RGB[kind]) for kind in (CellClass.POSITIVE, CellClass.NEGATIVE))
    assert positive - negative > 50


def test_maps_grow_lighter_from_end_to_end() -> None:
    for steps in (VIRIDIS, CIVIDIS):
        assert steps.shape == (STEPS, 3)
        lights = [lightness(colour) for colour in steps]
        assert lights == sorted(lights)
        assert lights[-1] - lights[0] > 60


def test_values_fall_on_their_step() -> None:
    values = np.array([0.0, 1.99, 2.0, 39.9, 40.0, 75.0], np.float32)
    assert step_of(values, 40.0).tolist() == [0, 0, 1, 19, 19, 19]
    assert hexadecimal((255, 176, 0)) == "#ffb000"
