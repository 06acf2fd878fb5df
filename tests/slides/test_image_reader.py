from __future__ import annotations

from pathlib import Path

import numpy as np

from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, Slide


def test_an_array_is_a_slide_of_one_level() -> None:
    pixels = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
    slide: Slide = ImageSlide(Path("a.png"), pixels, 0.25)
    assert (slide.dimensions, slide.level_downsamples, slide.mpp) == ((7, 5), (1.0,), 0.25)
    assert not slide.mpp_stated
    assert slide.bounds == Window(0, 0, 7, 5)
    read = slide.read_level(0, Window(2, 1, 3, 2))
    assert np.array_equal(read, pixels[1:3, 2:5])
    read[:] = 0  # what is read is the reader's own
    assert pixels.any()


def test_the_stand_in_with_bounds_shows_tissue_only_inside(bounded_slide: ImageSlide) -> None:
    whole = bounded_slide.read_level(0, Window(0, 0, *bounded_slide.dimensions))
    inside = bounded_slide.read_level(0, bounded_slide.bounds)
    assert inside.mean() < 220
    assert whole[:50].min() == whole[:, :100].min() == 255
