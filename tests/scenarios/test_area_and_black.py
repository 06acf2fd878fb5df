"""Areas against drawn shapes, and black that is no picture: what a run reports of slides whose truth was drawn."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from scipy.spatial import cKDTree

from tests.bundles.tiny import tiny_bundle

RgbArray = npt.NDArray[np.uint8]

MAIN = "from wsi_edt.cli.main import main; main()"
MPP, MODEL_MPP = 0.5, 0.3125
GLASS = 240
DISC_PX, PIECE_PX = 1600, 177  # a core of 0.8 mm, and a piece of 0.0078 mm²
SIDE_PX = 430  # of the piece's slide
HEIGHT, WIDTH, BLACK_FROM = 270, 400, 240  # strips of tissue that are black from that column on,
NOTCH = (80, 60)  # and in a notch of so many rows and columns before it
MOSTLY_BLACK_WIDTH = 640


def command(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        capture_output=True,
        text=True,
        timeout=600,
        cwd=Path(__file__).parents[2],
    )


def write(path: Path, pixels: RgbArray, *, jpeg: bool = False, mpp: float = MPP) -> None:
    tifffile.imwrite(
        path,
        pixels,
        tile=(256, 256),
        photometric="rgb",
        compression="jpeg" if jpeg else "deflate",
        compressionargs={"level": 75} if jpeg else {},
        resolution=(1e4 / mpp, 1e4 / mpp),
        resolutionunit="CENTIMETER",
    )


def tissue(ihc_pixels: RgbArray, height: int, width: int) -> npt.NDArray[np.float64]:
    """Real tissue, mirrored until it fills height × width: what it lets through, in [0, 1]."""
    twice = np.concatenate([ihc_pixels, ihc_pixels[:, ::-1]], axis=1)
    both = np.concatenate([twice, twice[::-1]])
    times = (-(-height // len(both)), -(-width // len(both)), 1)
    return np.asarray(np.tile(both, times)[:height, :width] / 255 * 0.92, np.float64)


def on_glass(shape: npt.NDArray[np.bool_], ihc_pixels: RgbArray) -> RgbArray:
    noise = np.random.default_rng(0).normal(0, 1.5, (*shape.shape, 3))
    through = np.where(shape[..., np.newaxis], tissue(ihc_pixels, *shape.shape), 1)
    return np.clip(GLASS * through + noise, 0, 255).round().astype(np.uint8)


def fluorescence(side: int = 600) -> RgbArray:
    """Blue and green nuclei on exactly 0, on the left third of a slide whose rest is exactly 0 too."""
    nuclei = np.zeros((side, side), np.uint8)
    for x, y in np.random.default_rng(1).integers(0, side, (250, 2)).tolist():
        cv2.circle(nuclei, (x // 3, y), 9, 220, -1)
    soft = cv2.GaussianBlur(nuclei, (0, 0), 2)
    return np.stack([np.zeros_like(soft), cv2.GaussianBlur(soft, (0, 0), 6) // 2, soft], axis=-1)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, ihc_pixels: RgbArray) -> Path:
    folder = tmp_path_factory.mktemp("area")
    slides = folder / "slides"
    slides.mkdir()
    tiny_bundle(folder / "tiny", mpp=MODEL_MPP)
    y, x = np.mgrid[:2000, :2000] - 1000
    write(folder / "disc.tif", on_glass(np.hypot(x, y) <= DISC_PX / 2, ihc_pixels))
    piece = np.zeros((SIDE_PX, SIDE_PX), np.bool_)
    piece[121 : 121 + PIECE_PX, 127 : 127 + PIECE_PX] = True
    write(slides / "piece.tif", on_glass(piece, ihc_pixels))
    for name, level, width, jpeg in (
        ("white.tif", 255, WIDTH, False),
        ("black.tif", 0, WIDTH, False),
        ("mostly_black.tif", 0, MOSTLY_BLACK_WIDTH, True),
    ):
        filled = (tissue(ihc_pixels, HEIGHT, width) * 255).astype(np.uint8)
        filled[:, BLACK_FROM:] = level
        filled[: NOTCH[0], BLACK_FROM - NOTCH[1] :] = level
        write(slides / name, filled, jpeg=jpeg)
    write(slides / "fluorescence.tif", fluorescence())
    write(slides / "nothing.tif", np.zeros((500, 500, 3), np.uint8))
    options = ["--model", str(folder / "tiny"), "--precision", "fp32", "--workers", "1"]
    options += ["--tile-px", "512", "--batch-size", "1"]
    done = command("run", str(slides), "--out", str(folder / "out"), *options)
    assert done.returncode == 1, done.stdout + done.stderr  # fluorescence, and nothing at all
    return folder


def rows(place: Path) -> dict[str, dict[str, str]]:
    with (place / "out/summary.csv").open(newline="") as file:
        return {row["slide"]: row for row in csv.DictReader(file)}


def sentences(place: Path, slide: str) -> str:
    """What is said of the slide's quality."""
    quality = json.loads((place / "out" / slide / "ki67.json").read_text())["quality"]
    return " ".join(flag["sentence"] for flag in quality["flags"])


def cells(place: Path, slide: str) -> npt.NDArray[np.float64]:
    content = (place / "out" / slide / "cells.geojson").read_text()
    points = re.findall(r'"coordinates":\[([\d.]+),([\d.]+)\]', content)
    return np.array(points, np.float64).reshape(-1, 2)


def test_the_area_of_a_piece_is_the_drawn_one_and_its_density_is_of_it(place: Path) -> None:
    row = rows(place)["piece.tif"]
    mm2 = (PIECE_PX * MPP / 1000) ** 2
    assert float(row["area_mm2"]) == pytest.approx(mm2, rel=0.1)
    assert int(row["total"]) > 20
    assert float(row["cells_per_mm2"]) == pytest.approx(int(row["total"]) / mm2, rel=0.12)


def test_the_area_of_a_core_is_the_drawn_one(place: Path) -> None:
    stated = re.search(r"tissue +([\d.]+) mm²", command("info", str(place / "disc.tif")).stdout)
    assert stated is not None
    assert float(stated[1]) == pytest.approx(np.pi * (DISC_PX * MPP / 2000) ** 2, rel=0.02)


def test_tissue_beside_black_counts_as_beside_white(place: Path) -> None:
    found = {name: cells(place, f"{name}.tif") for name in ("white", "black", "mostly_black")}
    near = {
        name: at[at[:, 0] > BLACK_FROM - 80] for name, at in found.items()
    }  # 40 µm, where 0.1.0 found none
    assert len(near["white"]) > 20
    # The network isn't trained: what is left of an edge changes some of its cells, what JPEG leaves changes more.
    distance, _ = cKDTree(found["black"]).query(near["white"])
    assert np.mean(np.asarray(distance) < 2) > 0.7
    for name in ("black", "mostly_black"):
        assert len(found[name]) == pytest.approx(len(found["white"]), rel=0.1)
        assert len(near[name]) == pytest.approx(len(near["white"]), rel=0.15)
    drawn = (HEIGHT * BLACK_FROM - NOTCH[0] * NOTCH[1]) * (MPP / 1000) ** 2
    for name in found:
        assert float(rows(place)[f"{name}.tif"]["area_mm2"]) == pytest.approx(drawn, rel=0.06)


def test_what_is_black_is_said_and_is_no_fluorescence(place: Path) -> None:
    share = 100 * (1 - (HEIGHT * BLACK_FROM - NOTCH[0] * NOTCH[1]) / (HEIGHT * MOSTLY_BLACK_WIDTH))
    assert rows(place)["mostly_black.tif"]["error"] == ""
    said = re.search(r"(\d+) % of the picture is black", sentences(place, "mostly_black.tif"))
    assert said is not None
    assert int(said[1]) == pytest.approx(share, abs=2)
    assert "black" in rows(place)["mostly_black.tif"]["quality"].split("; ")
    page = (place / "out/report.html").read_text()
    assert re.search(r">mostly_black.tif<.*?class=\"flag\">[^<]*black<", page, re.DOTALL)
    assert "black" not in sentences(place, "white.tif") + rows(place)["white.tif"]["quality"]
    assert "picture is black" in command("info", str(place / "slides/mostly_black.tif")).stdout


def test_fluorescence_on_exact_black_is_refused_and_so_is_a_slide_without_a_picture(place: Path) -> None:
    found = rows(place)
    assert "is a fluorescence slide" in found["fluorescence.tif"]["error"]
    assert "is black all over" in found["nothing.tif"]["error"]
    assert {found[name]["status"] for name in ("fluorescence.tif", "nothing.tif")} == {"failed"}


@pytest.mark.slide
def test_the_shipped_model_finds_the_same_cells_beside_black_as_beside_white(
    data_dir: Path, tmp_path: Path
) -> None:
    """A field of a real slide, two fifths of it covered."""
    (tmp_path / "slides").mkdir()
    field = tifffile.imread(data_dir / "slides/ki67-scanner-a.tif")[600:1300, 900:1600]
    for name, level, jpeg in (("white.tif", 255, False), ("black.tif", 0, False), ("smeared.tif", 0, True)):
        covered = field.copy()
        covered[:, 420:] = level
        write(tmp_path / "slides" / name, covered, jpeg=jpeg, mpp=0.2271)
    words = ["run", str(tmp_path / "slides"), "--out", str(tmp_path / "out"), "--tile-px", "512"]
    done = command(*words, "--batch-size", "1", "--workers", "1")
    assert done.returncode == 0, done.stdout + done.stderr
    white, black, smeared = (rows(tmp_path)[f"{name}.tif"] for name in ("white", "black", "smeared"))
    assert int(white["total"]) > 50
    for other in (black, smeared):
        assert int(other["total"]) == pytest.approx(int(white["total"]), rel=0.03)
        assert float(other["area_mm2"]) == pytest.approx(float(white["area_mm2"]), rel=0.03)
