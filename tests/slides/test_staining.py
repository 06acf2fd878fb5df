from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from skimage.color import hed2rgb, rgb2hed

from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, Staining, TissueMask, classify_staining, open_slide, slide_tissue
from wsi_edt.slides.protocol import RgbArray

MODEL_MPP = 0.3125


def staining_of(slide_path: Path, mpp: float) -> Staining:
    with open_slide(slide_path, mpp) as slide:
        tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
        return classify_staining(slide, tissue, overview)


def staining_of_pixels(pixels: RgbArray, mpp: float = 0.5) -> Staining:
    slide = ImageSlide(Path("a.png"), pixels, mpp)
    tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
    return classify_staining(slide, tissue, overview)


def with_stains(ihc_pixels: RgbArray, *, eosin: bool, dab: bool) -> RgbArray:
    """The IHC image with its DAB removed or turned into eosin."""
    stains = rgb2hed(ihc_pixels)
    if eosin:
        stains[..., 1] += stains[..., 2]
    if not dab:
        stains[..., 2] = 0
    return np.asarray(np.clip(hed2rgb(stains) * 255, 0, 255).round(), dtype=np.uint8)


def test_real_ihc_is_dab(ihc_pixels: RgbArray) -> None:
    assert staining_of_pixels(ihc_pixels) is Staining.DAB


def test_haematoxylin_alone_counts_as_dab(ihc_pixels: RgbArray) -> None:
    """A Ki-67 slide without a positive nucleus is assessable: 0 %."""
    blue = with_stains(ihc_pixels, eosin=False, dab=False)
    assert (blue[..., 2].astype(int) >= blue[..., 0] - 2).mean() > 0.99  # no brown is left
    assert staining_of_pixels(blue) is Staining.DAB


def test_eosin_instead_of_dab_is_h_and_e(ihc_pixels: RgbArray) -> None:
    assert staining_of_pixels(with_stains(ihc_pixels, eosin=True, dab=False)) is Staining.HE


def test_a_yellowish_or_bluish_lamp_changes_nothing(ihc_pixels: RgbArray) -> None:
    he = with_stains(ihc_pixels, eosin=True, dab=False)
    for lamp in ((1.0, 0.98, 0.86), (0.9, 0.92, 1.0)):
        assert staining_of_pixels((ihc_pixels * np.array(lamp)).astype(np.uint8)) is Staining.DAB
        assert staining_of_pixels((he * np.array(lamp)).astype(np.uint8)) is Staining.HE


def test_light_on_black_is_fluorescence() -> None:
    pixels = np.zeros((600, 600, 3), dtype=np.uint8)
    pixels[..., 2] = np.random.default_rng(0).integers(0, 60, (600, 600))
    pixels[100:200, 100:200, 2] = 250
    assert staining_of_pixels(pixels) is Staining.FLUORESCENCE


def test_greyscale_has_no_colour(ihc_pixels: RgbArray) -> None:
    grey = np.repeat(ihc_pixels.mean(axis=2, keepdims=True).astype(np.uint8), 3, axis=2)
    assert staining_of_pixels(grey) is Staining.GREY
    rounded = grey + np.random.default_rng(0).integers(
        0, 3, grey.shape, dtype=np.uint8
    )  # as a JPEG leaves it
    assert staining_of_pixels(rounded) is Staining.GREY


def test_an_empty_slide_has_no_stain() -> None:
    assert staining_of_pixels(np.full((300, 300, 3), 240, dtype=np.uint8)) is Staining.NONE


def test_a_large_slide_is_sampled(ihc_pixels: RgbArray) -> None:
    """Each read is of a field, and there are at most 48 of them, also from the slide's far end."""
    pixels = np.tile(ihc_pixels, (8, 8, 1))
    read: list[Window] = []

    class Counting(ImageSlide):
        def read_level(self, level: int, window: Window) -> RgbArray:
            read.append(window)
            return super().read_level(level, window)

    slide = Counting(Path("a.png"), pixels, 1.0)
    extent = (13108, 13108)
    tissue = TissueMask(np.ones((410, 410), np.bool_), 32 * MODEL_MPP, extent)
    overview = np.full((*tissue.mask.shape, 3), 200, dtype=np.uint8)
    assert classify_staining(slide, tissue, overview) is Staining.DAB
    assert len(read) == 48
    assert max(window.bottom for window in read) > 3900


SETS = {
    # glob: (µm/px, staining, images, the least that must be right)
    "bcdata/images/*/*.png": (0.25, Staining.DAB, 16, 16),
    "shidc/*/*.jpg": (0.25, Staining.DAB, 18, 18),
    "glioma/images/*.jpg": (0.125, Staining.DAB, 4, 4),
    "slides/ki67-*": (None, Staining.DAB, 3, 3),
    "monuseg/images/*": (0.25, Staining.HE, 27, 27),
    "glioma_he/images/*": (0.25, Staining.HE, 76, 76),
    "uw/Detection/*/*.png": (0.5, Staining.HE, 100, 97),
    "slides/he-*": (None, Staining.HE, 1, 1),
    "slides/CMU-*": (None, Staining.HE, 1, 1),
    "slides/no-mpp.svs": (0.25, Staining.HE, 1, 1),
    "slides/fluorescence-dapi.ndpi": (None, Staining.FLUORESCENCE, 1, 1),
}


@pytest.mark.slide
@pytest.mark.parametrize("pattern", SETS)
def test_real_images_are_told_apart(data_dir: Path, pattern: str) -> None:
    mpp, expected, images, least = SETS[pattern]
    paths = sorted(data_dir.glob(pattern))
    assert len(paths) == images
    found = Counter(staining_of(path, mpp or 0.25) for path in paths)
    assert found[expected] >= least, found
