"""The benchmark of the quality measures: its changes do what they say, and its table tells it. No network, no real data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from wsi_edt.slides.protocol import RgbArray

LIGHT = np.array([240, 235, 230], dtype=np.float32)


@pytest.fixture(scope="module")
def curve(scripts: Any) -> Any:
    return scripts("quality_curve")


@pytest.fixture
def picture(curve: Any, ihc_pixels: RgbArray) -> Any:
    """At 0.5 µm/px: 256 µm, in which fit four fields."""
    return curve.Picture(ihc_pixels, 0.5)


def test_the_changes_are_those_of_densities(curve: Any) -> None:
    pixels = np.array([[[120, 90, 60]]], dtype=np.uint8)
    density = np.log10(LIGHT / pixels)
    pale = curve.paler(pixels, 0.5, LIGHT, 0.5)
    assert np.log10(LIGHT / pale) == pytest.approx(density / 2, abs=0.003)
    brown = curve.browner(pixels, 0.5, LIGHT, 0.3)
    added = np.log10(LIGHT / brown) - density
    assert np.linalg.norm(added) == pytest.approx(0.3, abs=0.01)
    assert added[0, 0, 2] > added[0, 0, 1] > added[0, 0, 0] > 0  # brown takes blue most


def test_a_blur_is_of_micrometres(curve: Any, ihc_pixels: RgbArray) -> None:
    assert curve.blurred(ihc_pixels, 0.5, LIGHT, 0.0) is ihc_pixels
    expected = cv2.GaussianBlur(ihc_pixels, (0, 0), 4.0)  # 2 µm at 0.5 µm/px
    assert np.array_equal(curve.blurred(ihc_pixels, 0.5, LIGHT, 2.0), expected)


def test_the_first_amount_leaves_the_picture_as_it_is(curve: Any, picture: Any) -> None:
    for change in (curve.BLUR, curve.PALE, curve.BROWN):
        assert picture.changed(change, change.amounts[0]) is picture.pixels


def test_points_follow_the_changes(curve: Any, picture: Any) -> None:
    sharp, soft = (curve.point("a", [picture], curve.BLUR, sigma, None) for sigma in (0.0, 2.0))
    assert (sharp.out_of_focus, soft.out_of_focus) == (0.0, 1.0)
    assert np.isnan(sharp.recall)
    plain, half = (curve.point("a", [picture], curve.PALE, factor, None) for factor in (1.0, 0.4))
    assert half.contrast == pytest.approx(0.4 * plain.contrast, rel=0.15)
    none, some = (curve.point("a", [picture], curve.BROWN, density, None) for density in (0.0, 0.3))
    assert some.dab - none.dab == pytest.approx(0.3, abs=0.02)
    assert len(sharp.cells()) == len(curve.HEAD)


def test_the_figure_is_drawn(curve: Any, picture: Any, tmp_path: Path) -> None:
    points = [
        curve.point("a", [picture], change, amount, None)
        for change in (curve.BLUR, curve.PALE, curve.BROWN)
        for amount in change.amounts[:2]
    ]
    curve.draw(tmp_path / "a.png", points)
    assert (tmp_path / "a.png").stat().st_size > 10_000
