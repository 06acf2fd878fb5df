"""What is said of a slide's quality, on real tissue that was blurred, bleached, browned or drawn on here."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, Staining, TissueMask, classify_staining, open_slide, slide_tissue
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.quality import MEASURES, SlideQuality, measure_quality
from wsi_edt.slides.quality.fields import sample_fields
from wsi_edt.slides.quality.focus import edge_width_um
from wsi_edt.slides.stain_style import KnownStains, stain_style
from wsi_edt.slides.tissue import look_for_tissue

MODEL_MPP = 0.3125
MPP = 0.5
DAB = np.array([0.268, 0.570, 0.776])  # Ruifrok and Johnston (2001)


@pytest.fixture(scope="module")
def tissue_pixels(ihc_pixels: RgbArray) -> RgbArray:
    """0.77 mm of real tissue at 0.5 µm/px, (1536, 1536, 3), a frame of glass around it."""
    row = np.concatenate([ihc_pixels, ihc_pixels[:, ::-1], ihc_pixels], axis=1)
    tissue = np.concatenate([row, row[::-1], row])
    return np.pad(tissue, ((300, 300), (300, 300), (0, 0)), constant_values=240)


def quality_of(
    pixels: RgbArray, mpp: float = MPP, *, staining: Staining = Staining.DAB, zero_share: float = 0.0
) -> SlideQuality:
    slide = ImageSlide(Path("a.png"), pixels, mpp)
    tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
    return measure_quality(slide, tissue, overview, staining, zero_share=zero_share)


def blurred(pixels: RgbArray, sigma_um: float) -> RgbArray:
    return np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma_um / MPP), dtype=np.uint8)


def flags(quality: SlideQuality) -> list[str]:
    return [flag.name for flag in quality.flags]


def test_a_good_slide_has_no_flag(tissue_pixels: RgbArray) -> None:
    quality = quality_of(tissue_pixels)
    assert quality.flags == ()
    assert quality.flag_names == ""
    assert quality.values["out_of_focus_share"] == 0.0
    assert quality.values["pen_share"] == 0.0


def test_blurred_tissue_is_out_of_focus(tissue_pixels: RgbArray) -> None:
    quality = quality_of(blurred(tissue_pixels, 2.0))
    assert flags(quality) == ["out of focus"]
    assert quality.values["out_of_focus_share"] == 1.0


def stain_distance(
    pixels: RgbArray, known: KnownStains | None, staining: Staining = Staining.DAB
) -> SlideQuality:
    slide = ImageSlide(Path("a.png"), pixels, MPP)
    tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
    return measure_quality(slide, tissue, overview, staining, zero_share=0.0, known_stains=known)


def test_a_stain_unlike_the_training_pictures_is_flagged(tissue_pixels: RgbArray) -> None:
    style = stain_style([tissue_pixels[300:-300, 300:-300]], mpp=MPP)
    assert style is not None
    rng = np.random.default_rng(1)
    known = KnownStains.of([style + rng.normal(0, 0.1, 6) for _ in range(20)])
    assert stain_distance(tissue_pixels, known).flags == ()
    # The same tissue in a much paler blue: red's density as it is, green's and blue's a quarter.
    density = -np.log((tissue_pixels.astype(np.float64) + 1) / 256) * (1, 0.25, 0.25)
    recoloured = (256 * np.exp(-density) - 1).round().clip(0, 255).astype(np.uint8)
    quality = stain_distance(recoloured, known)
    assert "stain unlike the training pictures" in flags(quality)
    # log 4 in four of six numbers, at a deviation of 0.17 each: about 16.
    assert 10 < (quality.values["stain_distance"] or 0) < 25


def test_without_known_stains_or_dab_nothing_is_said_of_the_stain(tissue_pixels: RgbArray) -> None:
    known = KnownStains.of([np.full(6, value) for value in (0.0, 0.1, 0.2)])
    assert stain_distance(tissue_pixels, None).values["stain_distance"] is None
    assert stain_distance(tissue_pixels, known, Staining.HE).values["stain_distance"] is None


def test_the_share_is_that_of_the_tissue(tissue_pixels: RgbArray) -> None:
    """The upper 43 % of the tissue are blurred, and the sentence says so, as far as 25 fields tell."""
    part = tissue_pixels.copy()
    part[:960] = blurred(tissue_pixels, 2.0)[:960]
    quality = quality_of(part)
    assert quality.values["out_of_focus_share"] == pytest.approx((960 - 300) / 1536, abs=0.1)
    sentence = quality.flags[0].sentence
    assert (
        f"{100 * (quality.values['out_of_focus_share'] or 0):.0f} % of the tissue is out of focus" in sentence
    )


def test_glass_is_never_out_of_focus() -> None:
    """Neither blank glass nor dust on it; nothing can be said of the focus then."""
    pixels = np.full((900, 900, 3), 240, dtype=np.uint8)
    assert quality_of(pixels, staining=Staining.NONE).values["out_of_focus_share"] is None


def test_the_width_of_an_edge_is_that_of_its_blur() -> None:
    """A grid of squares, blurred by a known Gaussian: the measure adds its own smoothing of 0.5 µm in quadrature."""
    pixels = np.full((160, 160), 220, np.float32)
    for row in range(20, 160, 40):
        for column in range(20, 160, 40):
            pixels[row : row + 20, column : column + 20] = 150
    for sigma_um in (0.6, 0.9, 1.2):
        soft = cv2.GaussianBlur(pixels, (0, 0), sigma_um / MPP).round().astype(np.uint8)
        width = edge_width_um(np.repeat(soft[..., np.newaxis], 3, axis=2), mpp=MPP)
        assert width == pytest.approx(np.hypot(sigma_um, 0.5), rel=0.12)


def test_focus_hangs_neither_on_stain_nor_light_nor_jpeg(ihc_pixels: RgbArray) -> None:
    pale = (240 * (np.maximum(ihc_pixels, 1) / 240.0) ** 0.5).astype(np.uint8)
    yellow = (ihc_pixels * np.array([1.0, 0.97, 0.85])).astype(np.uint8)
    file = io.BytesIO()
    Image.fromarray(ihc_pixels).save(file, format="JPEG", quality=50)
    jpeg = np.asarray(Image.open(file))
    field = (slice(100, 260), slice(100, 260))
    sharp = edge_width_um(ihc_pixels[field], mpp=MPP)
    assert sharp is not None
    for changed in (pale, yellow, jpeg):
        assert edge_width_um(changed[field], mpp=MPP) == pytest.approx(sharp, rel=0.12)
    soft = edge_width_um(blurred(ihc_pixels, 1.5)[field], mpp=MPP)
    assert soft is not None
    assert soft > 1.4 * sharp


def test_a_pen_over_tissue_hides_it_and_one_on_glass_does_not(tissue_pixels: RgbArray) -> None:
    green = (30, 140, 60)
    over = tissue_pixels.copy()
    cv2.line(over, (400, 1000), (1700, 1000), green, 300)
    quality = quality_of(over)
    assert flags(quality) == ["pen"]
    # 300 px of 1536, and the blurred edge that is taken away too
    assert 0.15 < (quality.values["pen_share"] or 0) < 0.3
    on_glass = np.pad(tissue_pixels, ((0, 700), (0, 0), (0, 0)), constant_values=240)
    cv2.line(on_glass, (200, 2400), (1800, 2400), green, 200)
    slide = ImageSlide(Path("a.png"), on_glass, MPP)
    assert look_for_tissue(slide_tissue(slide, model_mpp=MODEL_MPP)[1]).pen.any()  # the mark is seen
    assert (quality_of(on_glass).values["pen_share"] or 0) < 0.02


def test_a_pale_counterstain_is_said(tissue_pixels: RgbArray) -> None:
    pale = (240 * (np.minimum(np.maximum(tissue_pixels, 1), 240) / 240.0) ** 0.2).round().astype(np.uint8)
    assert flags(quality_of(pale)) == ["pale counterstain"]


def test_a_brown_background_is_said(tissue_pixels: RgbArray) -> None:
    """On tissue, not on glass, which tells what the light is."""
    brown = tissue_pixels.copy()
    tissue = (slice(300, -300), slice(300, -300))
    brown[tissue] = (brown[tissue] * 10 ** (-0.35 * DAB)).astype(np.uint8)
    before, after = (quality_of(pixels).values["background_dab"] or 0 for pixels in (tissue_pixels, brown))
    assert after - before == pytest.approx(0.35, abs=0.03)  # what was added
    assert "brown background" in flags(quality_of(brown))
    yellow_light = (tissue_pixels * np.array([1.0, 0.97, 0.85])).astype(np.uint8)
    assert quality_of(yellow_light).values["background_dab"] == pytest.approx(before, abs=0.03)


def test_h_and_e_has_no_counterstain_and_no_dab(tissue_pixels: RgbArray) -> None:
    values = quality_of(blurred(tissue_pixels, 2.0), staining=Staining.HE).values
    assert values["counterstain_contrast"] is None
    assert values["background_dab"] is None
    assert values["out_of_focus_share"] == 1.0


def test_a_large_slide_costs_48_small_reads(ihc_pixels: RgbArray) -> None:
    pixels = np.tile(ihc_pixels, (8, 8, 1))
    read: list[Window] = []

    class Counting(ImageSlide):
        def read_level(self, level: int, window: Window) -> RgbArray:
            read.append(window)
            return super().read_level(level, window)

    slide = Counting(Path("a.png"), pixels, 1.0)
    tissue = TissueMask(np.ones((410, 410), np.bool_), 32 * MODEL_MPP, (13108, 13108))
    overview = np.full((*tissue.mask.shape, 3), 200, dtype=np.uint8)
    measure_quality(slide, tissue, overview, Staining.DAB, zero_share=0.0)
    assert len(read) == 48
    assert max(window.bottom for window in read) > 3900
    assert max(window.width * window.height for window in read) < 100**2


def test_fields_end_where_the_slide_does(ihc_pixels: RgbArray) -> None:
    """The white beyond it would be the sharpest of edges."""
    slide = ImageSlide(Path("a.png"), np.full((230, 230, 3), 150, dtype=np.uint8), MPP)
    tissue = TissueMask(np.ones((12, 12), np.bool_), 32 * MODEL_MPP, (368, 368))
    (field,), _ = sample_fields(slide, tissue)  # from 40 to 115 of 120 µm
    assert field.shape == (150, 150, 3)
    assert (field == 150).all()


def test_a_slide_of_a_few_px_is_no_error() -> None:
    for side in (1, 40, 200):
        pixels = np.full((side, side + 3, 3), 150, dtype=np.uint8)
        assert quality_of(pixels, 0.25).values["out_of_focus_share"] is None


def test_the_fields_read_back(tissue_pixels: RgbArray) -> None:
    for quality in (quality_of(blurred(tissue_pixels, 2.0)), quality_of(tissue_pixels, staining=Staining.HE)):
        assert SlideQuality.from_json(quality.to_json()) == quality
    fields = quality.to_json()
    with pytest.raises(KeyError):
        SlideQuality.from_json({key: value for key, value in fields.items() if key != "pen_share"})
    for wrong in ("much", True):
        with pytest.raises(TypeError):
            SlideQuality.from_json({**fields, "pen_share": wrong})


def test_measuring_twice_gives_the_same(tissue_pixels: RgbArray) -> None:
    assert quality_of(tissue_pixels).to_json() == quality_of(tissue_pixels.copy()).to_json()


@pytest.mark.parametrize("staining", list(Staining))
def test_zeros_and_black_are_said_whatever_the_stain(staining: Staining) -> None:
    """A fifth of the picture is black, and the file was said to hold zeros; neither tells below a twentieth."""
    pixels = np.full((600, 500, 3), 240, np.uint8)
    pixels[:300, :400] = 190
    pixels[:, 400:] = 0
    quality = quality_of(pixels, staining=staining, zero_share=0.29)
    assert flags(quality)[-2:] == ["zeros in the file", "black"]
    assert quality.flag_names.endswith("zeros in the file; black")
    zeros, black = quality.flags[-2:]
    assert "About 29 % of the file's bytes are zeros" in zeros.sentence
    assert black.value == pytest.approx(0.2, abs=0.02)
    assert f"{100 * black.value:.0f} % of the picture is black" in black.sentence
    pixels[:, 400:480] = 240
    fewer = flags(quality_of(pixels, staining=staining, zero_share=0.04))
    assert not {"zeros in the file", "black"} & set(fewer)


def test_a_result_of_before_is_read_as_incomplete(tissue_pixels: RgbArray) -> None:
    """So that its slide's files are written again."""
    fields = quality_of(tissue_pixels).to_json()
    for name in ("zero_share", "black_share"):
        with pytest.raises(KeyError):
            SlideQuality.from_json({key: value for key, value in fields.items() if key != name})


def test_names_are_one_each() -> None:
    assert (
        len({measure.name for measure in MEASURES})
        == len({measure.flag for measure in MEASURES})
        == len(MEASURES)
    )


@pytest.mark.slide
@pytest.mark.parametrize(
    "name",
    [
        "ki67-scanner-a.tif",
        "ki67-scanner-a.ome.tif",
        "ki67-scanner-b.ome.tif",
        "he-scanner-a.ome.tif",
        "CMU-1-Small-Region.svs",
        "no-mpp.svs",
    ],
)
def test_real_slides_are_sharp_and_clean(data_dir: Path, name: str) -> None:
    """As the eye finds them, and each out of focus once it is blurred."""
    with open_slide(data_dir / "slides" / name, 0.25) as slide:
        tissue, overview = slide_tissue(slide, model_mpp=MODEL_MPP)
        staining = classify_staining(slide, tissue, overview)
        assert measure_quality(slide, tissue, overview, staining, zero_share=0.0).flags == ()
        mpp = slide.mpp or 0.25
        pixels = slide.read_level(0, Window(0, 0, *slide.dimensions))
    soft = np.asarray(cv2.GaussianBlur(pixels, (0, 0), 2.0 / mpp), dtype=np.uint8)
    assert (quality_of(soft, mpp, staining=staining).values["out_of_focus_share"] or 0) > 0.9
