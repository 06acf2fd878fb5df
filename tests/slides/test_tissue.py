from __future__ import annotations

import csv
import json
import tracemalloc
from pathlib import Path

import cv2
import h5py
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from wsi_edt.errors import OutputError
from wsi_edt.slides import (
    ImageSlide,
    TissueMask,
    find_tissue,
    open_slide,
    save_tissue_picture,
    slide_tissue,
    tissue,
)
from wsi_edt.slides.protocol import RgbArray

MODEL_MPP = 0.3125
GLASS = (236, 234, 238)
BLOCK = slice(80, 140)  # where the generated overviews have tissue, rows and columns
INKS = {
    "black": (35, 33, 38),
    "blue": (30, 60, 180),
    "navy": (25, 25, 110),
    "green": (20, 130, 60),
    "cyan": (0, 150, 210),
    "red": (200, 30, 45),
    "orange": (245, 140, 20),
    "yellow": (240, 220, 40),
    "purple": (110, 40, 150),
}


def glass(side: int = 200) -> npt.NDArray[np.float64]:
    """Glass as scanned: tinted, brighter in the middle, with the noise that JPEG leaves at 10 µm/px."""
    y, x = np.mgrid[:side, :side] / side - 0.5
    noise = np.random.default_rng(0).normal(0, 0.7, (side, side, 3))
    return np.asarray(GLASS - 8 * (x * x + y * y)[..., np.newaxis] + noise, np.float64)


def tissue_on_glass(ihc_pixels: RgbArray, strength: float) -> RgbArray:
    """60 × 60 px of real IHC tissue, as many times paler, on glass."""
    small = cv2.resize(ihc_pixels, (60, 60), interpolation=cv2.INTER_AREA).astype(np.float64)
    overview = glass()
    overview[BLOCK, BLOCK] *= (small / 255) ** strength
    return np.clip(overview.round(), 0, 255).astype(np.uint8)


def haematoxylin_on_glass(density: float) -> RgbArray:
    """Scattered nuclei of haematoxylin alone: each darkens one px of 10 µm by that optical density in red."""
    overview = glass()
    nuclei = np.random.default_rng(1).random((60, 60, 1)) < 0.15
    # Haematoxylin's densities in red, green and blue: Ruifrok and Johnston (2001).
    overview[BLOCK, BLOCK] *= 10 ** (-density * nuclei * np.array([1.0, 1.08, 0.44]))
    return np.clip(overview.round(), 0, 255).astype(np.uint8)


def drawn(
    overview: RgbArray, points: list[tuple[int, int]], ink: tuple[int, int, int], width: int
) -> RgbArray:
    """A stroke of uneven ink with a soft edge, multiplied onto the overview."""
    stroke = np.zeros(overview.shape[:2], np.uint8)
    cv2.polylines(stroke, [np.array(points, np.int32)], False, 255, width)
    cover = cv2.GaussianBlur(stroke.astype(np.float32) / 255, (0, 0), 1.0)[..., np.newaxis] * 0.92
    streaks = np.random.default_rng(2).normal(1, 0.05, overview.shape[:2]).astype(np.float32)
    thickness = cv2.GaussianBlur(streaks, (0, 0), 1.5)[..., np.newaxis]
    through = (np.array(ink) / 255) ** thickness
    return np.clip(overview * (1 - cover + cover * through), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("strength", [1.0, 0.3, 0.2])
def test_dark_and_pale_tissue_is_kept_and_glass_is_not(ihc_pixels: RgbArray, strength: float) -> None:
    mask = find_tissue(tissue_on_glass(ihc_pixels, strength))
    assert mask[BLOCK, BLOCK].mean() > 0.99
    mask[70:150, 70:150] = False
    assert not mask.any()


@pytest.mark.parametrize("density", [0.25, 0.08, 0.04])
def test_pale_haematoxylin_alone_is_kept(density: float) -> None:
    overview = haematoxylin_on_glass(density)
    nuclei = np.zeros(overview.shape[:2], dtype=bool)
    nuclei[BLOCK, BLOCK] = np.random.default_rng(1).random((60, 60, 1))[..., 0] < 0.15
    assert find_tissue(overview)[nuclei].all()


@pytest.mark.parametrize("ink", INKS.values(), ids=INKS.keys())
def test_pen_marks_beside_tissue_are_ignored(ihc_pixels: RgbArray, ink: tuple[int, int, int]) -> None:
    clean = tissue_on_glass(ihc_pixels, 1.0)
    marked = drawn(clean, [(20, 20), (25, 180), (175, 175)], ink, 14)
    mask = find_tissue(marked)
    assert mask[BLOCK, BLOCK].all()
    inked = np.abs(marked.astype(int) - clean).max(axis=2) > 20
    assert inked.sum() > 3000
    assert mask[inked].mean() < 0.01


def test_a_ring_drawn_round_tissue_leaves_the_tissue(ihc_pixels: RgbArray) -> None:
    ring = [(60, 60), (160, 60), (160, 160), (60, 160), (60, 60)]
    mask = find_tissue(drawn(tissue_on_glass(ihc_pixels, 1.0), ring, INKS["black"], 12))
    assert mask[BLOCK, BLOCK].all()
    assert not mask[:50].any()


def test_black_nuclei_are_no_pen(ihc_pixels: RgbArray) -> None:
    """Clumps of strongly stained nuclei, 20 to 50 µm across, black at 10 µm/px."""
    overview = tissue_on_glass(ihc_pixels, 1.0)
    for x, y, side in ((90, 90, 2), (100, 120, 5), (120, 95, 4), (128, 128, 5)):
        overview[y : y + side, x : x + side] = (25, 20, 18)
    assert find_tissue(overview)[BLOCK, BLOCK].all()


@pytest.mark.parametrize("level", [255, 254, 240, 128, 0])
def test_an_empty_slide_has_no_tissue(level: int) -> None:
    assert not find_tissue(np.full((50, 60, 3), level, dtype=np.uint8)).any()
    assert not find_tissue(np.full((1, 1, 3), level, dtype=np.uint8)).any()


def test_what_was_not_scanned_is_no_tissue() -> None:
    """White fields beside tinted glass, as scanners stitch them: their edge isn't tissue."""
    overview = glass().round().astype(np.uint8)
    overview[:70, :90] = 255
    overview[150:, 120:] = 0
    assert not find_tissue(overview).any()


def test_a_field_without_glass_is_tissue(ihc_pixels: RgbArray) -> None:
    field = cv2.resize(ihc_pixels, (25, 25), interpolation=cv2.INTER_AREA)
    assert find_tissue(np.asarray(field, dtype=np.uint8)).all()


@pytest.mark.parametrize("ink", ["black", "green"])
def test_bands_give_what_the_whole_gives(
    ihc_pixels: RgbArray, ink: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overview = tissue_on_glass(ihc_pixels, 0.5)
    for x, width in (
        (20, 12),
        (160, 9),
        (110, 14),
    ):  # strokes down through all bands, one of them over tissue
        cv2.line(overview, (x, 10), (x + 25, 190), INKS[ink], width)
    overview[:7] = 255
    monkeypatch.setattr(tissue, "BAND_PX", overview.size)
    whole = find_tissue(overview)
    assert whole[BLOCK, BLOCK].any() and not whole[BLOCK, BLOCK].all()
    monkeypatch.setattr(tissue, "BAND_PX", 1)
    assert np.array_equal(find_tissue(overview), whole)


def test_memory_grows_by_less_than_16_bytes_a_px(
    ihc_pixels: RgbArray, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tissue, "BAND_PX", 1 << 15)
    small = tissue_on_glass(ihc_pixels, 1.0)
    peaks = []
    for copies in (2, 6):
        overview = np.tile(small, (copies, 2, 1))
        tracemalloc.start()
        find_tissue(overview)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 16 * small.shape[0] * small.shape[1] * 8


def test_the_mask_lies_on_the_grid_of_32_model_px(ihc_pixels: RgbArray) -> None:
    """Tissue in level-0 px [640, 1152) × [320, 832) of 0.25 µm is model px [512, 921.6) × [256, 665.6)."""
    pixels = np.full((1500, 2000, 3), 240, dtype=np.uint8)
    pixels[320:832, 640:1152] = ihc_pixels
    tissue, overview = slide_tissue(ImageSlide(Path("a.png"), pixels, 0.25), model_mpp=MODEL_MPP)
    assert tissue.extent == (1600, 1200)
    assert tissue.mask.shape == overview.shape[:2] == (38, 50)
    assert tissue.unit_mpp == 10
    assert tissue.mask[8:20, 16:28].all()
    tissue.mask[5:24, 13:32] = False  # closing and dilation reach 3 units
    assert not tissue.mask.any()


def test_points_and_areas_of_a_known_mask() -> None:
    mask = np.zeros((2, 3), dtype=np.bool_)
    mask[0, 1] = mask[1, 2] = True
    tissue = TissueMask(mask, 10.0, (80, 40))
    x = np.array([31.99, 32.0, 63.99, 64.0, 79.9, 80.0, -1.0, 70.0])
    y = np.array([0.0, 0.0, 31.99, 31.99, 39.9, 39.9, 0.0, 40.0])
    assert tissue.holds(x, y).tolist() == [False, True, True, False, True, False, False, False]
    # 32 × 32 px and, cut by the edge, 16 × 8 px, of 0.3125 µm
    assert tissue.area_mm2 == pytest.approx((1024 + 128) * 0.3125e-3**2)
    everything = TissueMask(np.ones_like(mask), 10.0, (80, 40))
    assert everything.area_mm2 == pytest.approx(3200 * 0.3125e-3**2)
    # The slide is 79.5 × 39.2 px: the unit at the edge has 15.5 × 7.2 of it
    cut = TissueMask(mask, 10.0, (80, 40), (79.5, 39.2))
    assert cut.area_mm2 == pytest.approx((1024 + 15.5 * 7.2) * 0.3125e-3**2)


@given(seed=st.integers(0, 50), width=st.integers(1, 200), height=st.integers(1, 200))
def test_area_and_points_agree_with_counting_pixels(seed: int, width: int, height: int) -> None:
    mask = np.random.default_rng(seed).random((-(-height // 32), -(-width // 32))) < 0.5
    tissue = TissueMask(mask, 10.0, (width, height))
    pixels = np.repeat(np.repeat(mask, 32, axis=0), 32, axis=1)[:height, :width]
    assert tissue.area_mm2 == pytest.approx(pixels.sum() * 0.3125e-3**2)
    y, x = np.mgrid[:height, :width] + 0.5
    assert np.array_equal(tissue.holds(x.ravel(), y.ravel()), pixels.ravel())


def test_the_picture_shows_overview_and_outline(tmp_path: Path, ihc_pixels: RgbArray) -> None:
    overview = tissue_on_glass(ihc_pixels, 1.0)
    save_tissue_picture(tmp_path / "tissue.png", overview, find_tissue(overview))
    picture = np.asarray(Image.open(tmp_path / "tissue.png"))
    assert picture.shape == (1200, 1200, 3)
    assert np.array_equal(picture[3::6, 3::6][:60], overview[:60])
    assert (picture == (0, 160, 0)).all(axis=2).sum() > 1000
    assert [path.name for path in tmp_path.iterdir()] == ["tissue.png"]
    with pytest.raises(OutputError, match="can't be written"):
        save_tissue_picture(tmp_path / "tissue.png" / "tissue.png", overview, find_tissue(overview))


def annotated_fields(data_dir: Path) -> list[tuple[Path, float, npt.NDArray[np.float64]]]:
    """Ki-67 images, their µm/px, and their annotated nuclei (N, 2) in px."""
    fields = []
    for path in sorted(data_dir.glob("bcdata/images/*/*.png")):
        points = []
        for kind in ("positive", "negative"):
            name = f"{path.stem}.h5"
            with h5py.File(data_dir / "bcdata" / "annotations" / path.parent.name / kind / name) as file:
                points.append(np.asarray(file["coordinates"], dtype=np.float64).reshape(-1, 2))
        fields.append((path, 0.25, np.concatenate(points)))
    for path in sorted(data_dir.glob("shidc/*/*.jpg")):
        stated = json.loads(path.with_suffix(".json").read_text())
        fields.append((path, 0.25, np.array([[p["x"], p["y"]] for p in stated], dtype=np.float64)))
    for path in sorted(data_dir.glob("glioma/images/*.jpg")):
        with (data_dir / "glioma" / "points" / f"{path.stem}.csv").open() as file:
            rows = [[float(row["x"]), float(row["y"])] for row in csv.DictReader(file)]
        fields.append((path, 0.125, np.array(rows)))
    return fields


@pytest.mark.slide
def test_every_annotated_ki67_nucleus_lies_on_tissue(data_dir: Path) -> None:
    fields = annotated_fields(data_dir)
    assert sum(len(points) for _, _, points in fields) > 6000
    for path, mpp, points in fields:
        with open_slide(path, mpp) as slide:
            tissue, _ = slide_tissue(slide, model_mpp=MODEL_MPP)
        x, y = (points * mpp / MODEL_MPP).T
        assert tissue.holds(x.clip(0, tissue.extent[0] - 0.1), y.clip(0, tissue.extent[1] - 0.1)).all(), path


@pytest.mark.slide
@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("ki67-scanner-a.tif", 0.93, 0.99),  # a lumen is glass
        ("ki67-scanner-b.ome.tif", 0.93, 0.99),
        ("he-scanner-a.ome.tif", 1.0, 1.0),
        ("CMU-1-Small-Region.svs", 0.45, 0.55),
        ("no-mpp.svs", 0.65, 0.8),
    ],
)
def test_the_share_of_tissue_on_real_slides(data_dir: Path, name: str, least: float, most: float) -> None:
    with open_slide(data_dir / "slides" / name, 0.25) as slide:
        tissue, _ = slide_tissue(slide, model_mpp=MODEL_MPP)
    assert least <= tissue.mask.mean() <= most
