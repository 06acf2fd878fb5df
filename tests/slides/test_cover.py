"""Tissue's area against shapes whose area is known by hand."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from tests.slides.made_tissue import drawn_tissue
from wsi_edt.slides import ImageSlide, TissueMask, open_slide, slide_tissue
from wsi_edt.slides import cover as cover_module
from wsi_edt.slides.cover import FULL, tissue_cover
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.window import read_overview

MODEL_MPP = 0.3125
MPP = 1.0


def found(pixels: RgbArray, mpp: float = MPP) -> TissueMask:
    return slide_tissue(ImageSlide(Path("a.png"), pixels, mpp), model_mpp=MODEL_MPP)[0]


def disc(diameter_px: int, hole_px: int = 0) -> npt.NDArray[np.bool_]:
    side = diameter_px + 400
    y, x = np.mgrid[:side, :side] + 0.5 - side / 2 - np.array([[[3.7]], [[-2.2]]])
    radius = np.hypot(x, y)
    return np.asarray((radius <= diameter_px / 2) & (radius >= hole_px / 2), np.bool_)


@pytest.mark.parametrize("glass", [243, 215])
@pytest.mark.parametrize("strength", [1.0, 0.3])
@pytest.mark.parametrize("diameter", [360, 600, 1000])
def test_discs(diameter: int, strength: float, glass: int) -> None:
    tissue = found(drawn_tissue(disc(diameter), strength=strength, glass=glass))
    assert tissue.area_mm2 == pytest.approx(np.pi * (diameter / 2000) ** 2, rel=0.02)
    assert (
        tissue.mask.sum() * (tissue.unit_mpp / 1000) ** 2 > 1.07 * tissue.area_mm2
    )  # what is searched is more


def test_a_small_piece() -> None:
    piece = np.zeros((600, 600), np.bool_)
    piece[203 : 203 + 177, 211 : 211 + 177] = True
    tissue = found(drawn_tissue(piece), mpp=0.5)
    assert tissue.area_mm2 == pytest.approx((177 * 0.5 / 1000) ** 2, rel=0.1)


def test_a_thin_strip() -> None:
    strip = np.zeros((400, 1900), np.bool_)
    strip[152:252, 203:1703] = True
    assert found(drawn_tissue(strip)).area_mm2 == pytest.approx(0.15, rel=0.02)


@pytest.mark.parametrize("glass", [240, 255])
@pytest.mark.parametrize("gap_px", [50, 70, 100])
def test_glass_between_pieces_is_no_tissue(gap_px: int, glass: int) -> None:
    pieces = np.zeros((700, 900), np.bool_)
    pieces[200:500, 151:351] = pieces[200:500, 351 + gap_px : 551 + gap_px] = True
    assert found(drawn_tissue(pieces, glass=glass)).area_mm2 == pytest.approx(0.12, rel=0.03)


@pytest.mark.parametrize("glass", [240, 255])
def test_glass_along_the_edge_of_the_picture_is_no_tissue(glass: int) -> None:
    piece = np.zeros((600, 500), np.bool_)
    piece[56:456, 56:456] = True
    assert found(drawn_tissue(piece, glass=glass)).area_mm2 == pytest.approx(0.16, rel=0.03)


@pytest.mark.parametrize(("hole", "counted"), [(300, False), (60, True)])
def test_a_large_lumen_is_no_tissue_and_a_small_one_is(hole: int, counted: bool) -> None:
    tissue = found(drawn_tissue(disc(800, hole)))
    mm2 = np.pi / 4 * (0.8**2 - (0 if counted else (hole / 1000) ** 2))
    assert tissue.area_mm2 == pytest.approx(mm2, rel=0.01)


def test_a_field_full_of_tissue_counts_whole() -> None:
    pixels = drawn_tissue(np.ones((403, 607), np.bool_))
    assert found(pixels).area_mm2 == pytest.approx(0.403 * 0.607, rel=1e-6)


def test_without_a_mask_the_whole_slide_counts() -> None:
    tissue = found(drawn_tissue(disc(360))).everywhere()
    assert tissue.mask.all()
    assert tissue.area_mm2 == pytest.approx(0.76**2, rel=1e-6)


def test_glass_has_no_area() -> None:
    assert found(drawn_tissue(np.zeros((300, 300), np.bool_))).area_mm2 == 0


def test_what_is_too_thin_to_judge_by_counts_whole() -> None:
    searched = np.zeros((30, 30), np.bool_)
    searched[10:12, 5:25] = True
    overview = np.full((30, 30, 3), 240, np.uint8)
    cover = tissue_cover(overview, searched, np.zeros_like(searched))
    assert (cover == np.where(searched, FULL, 0)).all()


def test_a_pen_beside_tissue_takes_none_of_it() -> None:
    overview = np.full((60, 60, 3), 120, np.uint8)
    searched, pen = np.zeros((2, 60, 60), np.bool_)
    searched[:, :30], pen[:, 30:40] = True, True
    overview[:, 30:40], overview[:, 40:] = 20, 240
    cover = tissue_cover(overview, searched, pen)
    assert (cover[:, :30] == FULL).all()
    assert (cover[:, 30:] == 0).all()


def test_bands_give_what_the_whole_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    overview = cv2.resize(drawn_tissue(disc(1000, 400)), (140, 140), interpolation=cv2.INTER_AREA)
    rgb = np.asarray(overview, np.uint8)
    searched = np.asarray(cv2.dilate((rgb[..., 1] < 225).astype(np.uint8), np.ones((5, 5))), np.bool_)
    pen = np.zeros_like(searched)
    whole = tissue_cover(rgb, searched, pen)
    monkeypatch.setattr(cover_module, "_BAND_PX", 1)
    assert np.abs(tissue_cover(rgb, searched, pen).astype(int) - whole).max() <= 1


@pytest.mark.slide
@pytest.mark.parametrize("name", ["ki67-scanner-a.tif", "ki67-scanner-b.ome.tif"])
def test_real_tissue_cut_out_and_laid_on_glass(data_dir: Path, name: str) -> None:
    """A core of 0.6 mm made of the part of the slide that tissue fills."""
    with open_slide(data_dir / "slides" / name) as slide:
        field = read_overview(slide, wanted_mpp=MPP)[130:460, 200:350]
    twice = np.concatenate([field, field[:, ::-1]], axis=1)
    tiled = np.tile(np.concatenate([twice, twice[::-1]]), (2, 4, 1))
    shape = disc(600)
    light = np.percentile(field.reshape(-1, 3), 99.5, axis=0)
    pixels = np.where(shape[..., np.newaxis], tiled[: len(shape), : len(shape)], light).astype(np.uint8)
    assert found(pixels).area_mm2 == pytest.approx(np.pi * 0.3**2, rel=0.02)
