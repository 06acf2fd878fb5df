"""Frames against hand-computed values; round trips for any point."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.geometry import Scale, Window, area_mm2, pixel_centers

mpps = st.floats(0.05, 20.0)


def test_by_hand() -> None:
    # 0.25 µm/px seen at 0.5 µm/px: a model px spans two level-0 px; the centre of model px (3, 0) is level-0 (7, 1).
    scale = Scale(slide_mpp=0.25, model_mpp=0.5)
    assert scale.l0_per_model_px == 2
    assert scale.to_l0(pixel_centers(np.array([3, 0]))).tolist() == [7.0, 1.0]
    assert scale.to_model(np.array([7.0, 1.0])).tolist() == [3.5, 0.5]
    assert scale.model_extent(101, 100) == (51, 50)


@pytest.mark.parametrize(
    ("mpp", "extent"), [(0.25, (512, 512)), (0.3125, (640, 640)), (0.250000000001, (512, 512))]
)
def test_extent_is_not_one_px_too_many(mpp: float, extent: tuple[int, int]) -> None:
    assert Scale(slide_mpp=mpp, model_mpp=0.3125).model_extent(640, 640) == extent


def test_area_by_hand() -> None:
    assert area_mm2(1_000_000, 1.0) == 1.0
    assert area_mm2(4_000_000, 0.25) == pytest.approx(0.25)


@given(mpps, mpps, st.floats(-1e6, 1e6))
def test_round_trip(slide_mpp: float, model_mpp: float, x: float) -> None:
    scale = Scale(slide_mpp, model_mpp)
    assert scale.to_model(scale.to_l0(np.array(x))) == pytest.approx(x, rel=1e-12, abs=1e-9)


@given(mpps, mpps, st.integers(1, 200_000), st.integers(1, 200_000))
def test_extent_covers_the_slide(slide_mpp: float, model_mpp: float, width: int, height: int) -> None:
    scale = Scale(slide_mpp, model_mpp)
    covered = scale.model_extent(width, height)
    for side, px in zip((width, height), covered, strict=True):
        assert px >= side / scale.l0_per_model_px - 1e-6
        assert px == 1 or px - 1 < side / scale.l0_per_model_px


def test_window_is_half_open() -> None:
    window = Window(-2, 3, 4, 5)
    x, y = np.array([-2.0, 1.999, 2.0, 0.0, 0.0]), np.array([3.0, 7.999, 4.0, 2.999, 8.0])
    assert window.contains(x, y).tolist() == [True, True, False, False, False]
    assert window.grown(2) == Window(-4, 1, 8, 9)
