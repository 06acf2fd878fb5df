"""Black that wasn't scanned is read as white, light on black stays what it is."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from tests.slides.made_tissue import drawn_tissue
from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, SlideSource, Staining, classify_staining, open_slide, slide_tissue
from wsi_edt.slides.black import BlackAsWhite, is_dark_field, unscanned_black, whitened
from wsi_edt.slides.protocol import RgbArray

MODEL_MPP = 0.3125


def half_black(jpeg: bool = False, *, black_from: int = 300, side: int = 600) -> RgbArray:
    """Tissue on the left, black on the right."""
    pixels = drawn_tissue(np.ones((side, side), np.bool_))
    pixels[:, black_from:] = 0
    if not jpeg:
        return pixels
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=60)
    return np.array(Image.open(file), np.uint8)


def fluorescence(kind: str, background: int, *, section: int = 600, side: int = 600) -> RgbArray:
    """Blurred nuclei of light on black, or on noise up to `background`, on the slide's first `section` columns."""
    rng = np.random.default_rng(2)
    nuclei = np.zeros((side, side), np.float32)
    for x, y in zip(rng.integers(0, section, 250), rng.integers(0, side, 250), strict=True):
        cv2.circle(nuclei, (int(x), int(y)), 9, 1.0, -1)
    soft = cv2.GaussianBlur(nuclei, (0, 0), 2)
    colours = {"blue": (0, 0, 220), "blue and green": (0, 120, 220), "grey": (200, 200, 200)}
    noise = rng.integers(0, background + 1, (side, side, 3))
    return np.asarray(np.clip(soft[..., np.newaxis] * colours[kind] + noise, 0, 255), np.uint8)


def looked_at(pixels: RgbArray, mpp: float = 0.5) -> tuple[Staining, float]:
    slide = ImageSlide(Path("a.png"), pixels, mpp)
    tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
    seen = BlackAsWhite(slide) if tissue.black_share else slide
    return classify_staining(seen, tissue, overview), tissue.black_share


@pytest.mark.parametrize("jpeg", [False, True], ids=["sharp", "smeared"])
@pytest.mark.parametrize("black_from", [100, 300, 500])
def test_a_brightfield_slide_stays_one_however_much_of_it_is_black(black_from: int, jpeg: bool) -> None:
    staining, share = looked_at(half_black(jpeg, black_from=black_from))
    assert staining is Staining.DAB
    assert share == pytest.approx(1 - black_from / 600, abs=0.02)


@pytest.mark.parametrize("section", [200, 600])
@pytest.mark.parametrize("background", [0, 5])
@pytest.mark.parametrize("kind", ["blue", "blue and green", "grey"])
def test_light_on_black_is_fluorescence(kind: str, background: int, section: int) -> None:
    assert looked_at(fluorescence(kind, background, section=section)) == (Staining.FLUORESCENCE, 0.0)


@pytest.mark.parametrize("jpeg", [False, True], ids=["sharp", "smeared"])
def test_black_becomes_white_and_the_tissue_beside_it_stays(jpeg: bool) -> None:
    pixels = half_black(jpeg)
    white = whitened(pixels, px_um=0.5)
    assert (white[:, 300:] == 255).mean() > (0.99 if jpeg else 0.9999)
    assert (white[:, 310:] == 255).all()
    assert (white[:, :290] == pixels[:, :290]).all()
    # No dark rim is left, which the network would take for nuclei.
    assert white[:, 300:].max(axis=2).min() >= 60


def test_windows_show_what_the_whole_shows() -> None:
    slide = BlackAsWhite(ImageSlide(Path("a.png"), half_black(), 0.5))
    whole = slide.read_level(0, Window(0, 0, 600, 600))
    for window in (Window(200, 100, 128, 128), Window(290, 0, 256, 64), Window(0, 0, 305, 600)):
        part = slide.read_level(0, window)
        assert (part == whole[window.y : window.bottom, window.x : window.right]).all()


def test_black_nuclei_and_narrow_black_are_left() -> None:
    pixels = drawn_tissue(np.ones((400, 400), np.bool_))
    for x in range(40, 400, 60):
        cv2.circle(pixels, (x, 200), 10, (0, 0, 0), -1)  # 10 µm across
    assert whitened(pixels, px_um=0.5) is pixels


def test_pictures_without_black_are_not_even_copied() -> None:
    pixels = drawn_tissue(np.ones((64, 64), np.bool_))
    assert whitened(pixels, px_um=0.5) is pixels


def test_a_black_marker_is_not_unscanned() -> None:
    overview = np.full((80, 80, 3), 236, np.uint8)
    overview[20:60, 20:40] = (35, 33, 38)
    assert not unscanned_black(overview).any()


def test_a_source_hands_the_wish_on(tmp_path: Path) -> None:
    Image.fromarray(half_black()).save(tmp_path / "a.png")
    window = Window(280, 0, 100, 100)
    with SlideSource(tmp_path / "a.png", 0.5).open() as plain:
        assert plain.read_level(0, window)[:, 20:].max() == 0
    with SlideSource(tmp_path / "a.png", 0.5, black_as_white=True).open() as white:
        assert white.read_level(0, window)[:, 20:].min() == 255


def test_tissue_is_found_up_to_the_black() -> None:
    tissue, _ = slide_tissue(ImageSlide(Path("a.png"), half_black(), 0.5), model_mpp=MODEL_MPP)
    assert tissue.mask[:, :14].all()  # of 15 units of 10 µm
    assert tissue.area_mm2 == pytest.approx(0.15 * 0.3, rel=0.05)


@pytest.mark.slide
def test_no_real_brightfield_slide_has_black_and_real_fluorescence_is_dark(data_dir: Path) -> None:
    for path in sorted((data_dir / "slides").iterdir()):
        with open_slide(path, 0.25) as slide:
            tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
        assert tissue.black_share == 0, path
        assert is_dark_field(overview) is ("fluorescence" in path.name), path
