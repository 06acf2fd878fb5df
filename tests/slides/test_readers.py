"""openslide and tiffslide against each other and against the stored pixels."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from tests.conftest import MPP, write_pyramid
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import Slide
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

# tiffslide warns that it parses Hamamatsu's metadata only in part.
pytestmark = pytest.mark.filterwarnings("ignore:hamamatsu-format:UserWarning")


def windows(size: tuple[int, int], count: int = 6) -> list[Window]:
    rng = np.random.default_rng(7)
    width, height = (min(60, side) for side in size)
    corners = [Window(0, 0, width, height), Window(size[0] - width, size[1] - height, width, height)]
    return corners + [
        Window(int(rng.integers(size[0] - width + 1)), int(rng.integers(size[1] - height + 1)), width, height)
        for _ in range(count)
    ]


def assert_readers_agree(path: Path) -> None:
    with OpenSlideSlide(path, MPP) as one, TiffSlideSlide(path, MPP) as other:
        assert one.mpp == pytest.approx(other.mpp, rel=1e-9)
        assert one.mpp_stated == other.mpp_stated
        assert one.bounds == other.bounds
        assert one.objective_power == other.objective_power
        # tiffslide leaves out NDPI's smallest levels.
        levels = len(other.level_dimensions)
        assert one.level_dimensions[:levels] == other.level_dimensions
        assert one.level_downsamples[:levels] == other.level_downsamples
        for level, size in enumerate(other.level_dimensions):
            for window in windows(size):
                assert np.array_equal(one.read_level(level, window), other.read_level(level, window)), (
                    level,
                    window,
                )


def test_both_readers_give_the_stored_pixels(ruler_slide_path: Path) -> None:
    stored = [page.asarray() for page in tifffile.TiffFile(ruler_slide_path).pages]
    readers: tuple[Callable[[Path, None], Slide], ...] = (OpenSlideSlide, TiffSlideSlide)
    for reader in readers:
        with reader(ruler_slide_path, None) as slide:
            assert slide.level_downsamples == (1.0, 2.0, 4.0)
            assert slide.mpp == pytest.approx(MPP)
            for level, size in enumerate(slide.level_dimensions):
                for window in windows(size):
                    expected = stored[level][window.y : window.bottom, window.x : window.right]
                    assert np.array_equal(slide.read_level(level, window), expected), (level, window)


def test_readers_agree_on_generated_pyramids(ihc_slide_path: Path, ruler_slide_path: Path) -> None:
    assert_readers_agree(ihc_slide_path)
    assert_readers_agree(ruler_slide_path)


def test_readers_agree_where_sizes_leave_a_rest(tmp_path: Path) -> None:
    """2202 px become 550: openslide's own quotient is 4.0036, and it interpolates where that isn't met."""
    pixels = np.random.default_rng(0).integers(0, 256, (1102, 1102, 3), dtype=np.uint8)
    write_pyramid(tmp_path / "rest.tif", pixels, compression="deflate")
    assert_readers_agree(tmp_path / "rest.tif")


@pytest.mark.slide
@pytest.mark.parametrize(
    "name", ["ki67-scanner-a.tif", "CMU-1-Small-Region.svs", "no-mpp.svs", "fluorescence-dapi.ndpi"]
)
def test_readers_agree_on_real_slides(data_dir: Path, name: str) -> None:
    assert_readers_agree(data_dir / "slides" / name)


def test_sixteen_bits_and_many_channels_are_refused(tmp_path: Path) -> None:
    deep, many = tmp_path / "deep.ome.tif", tmp_path / "many.ome.tif"
    tifffile.imwrite(deep, np.zeros((300, 300, 3), dtype=np.uint16), tile=(128, 128), photometric="rgb")
    tifffile.imwrite(many, np.zeros((5, 300, 300), dtype=np.uint8), tile=(128, 128), metadata={"axes": "CYX"})
    for path in (deep, many):
        with pytest.raises(SlideError, match="only 8-bit RGB is read"):
            TiffSlideSlide(path, None)


def test_reading_a_closed_slide_is_a_slide_error(ihc_slide_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # tiffslide's reader of a closed file
        slide = OpenSlideSlide(ihc_slide_path, None)
        slide.close()
        with pytest.raises(SlideError, match="can't be read"):
            slide.read_level(0, Window(0, 0, 10, 10))
