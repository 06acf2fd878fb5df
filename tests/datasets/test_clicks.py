"""Clicks that miss their nuclei are moved to the middle of them, and to no other nucleus."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from shapely.geometry import box

from wsi_edt.datasets import Labelled, LabelledImage, SetSpec, read_set
from wsi_edt.datasets.clicks import centred
from wsi_edt.qupath.regions import Polygons

MPP = 0.46
BLUE, BROWN = (90, 110, 180), (60, 35, 20)


def drawn(*nuclei: tuple[float, float, tuple[int, int, int]]) -> np.ndarray:
    """White, with nuclei of 8 µm at (x, y) px."""
    pixels = np.full((120, 160, 3), 245, np.uint8)
    for x, y, colour in nuclei:
        cv2.circle(pixels, (round(x * 16), round(y * 16)), round(4 / MPP * 16), colour, -1, shift=4)
    return pixels


def image(
    pixels: np.ndarray, points: list[tuple[float, float]], region: Polygons | None = None
) -> LabelledImage:
    return LabelledImage(
        path=Path("a.png"),
        dataset="clicked",
        case="a",
        pixels=pixels,
        image_mpp=MPP,
        points=np.array(points, np.float64).reshape(-1, 2),
        class_id=np.zeros(len(points), np.uint8),
        classes=Labelled.EVERYWHERE,
        nuclei=Labelled.EVERYWHERE,
        region=region,
    )


@pytest.mark.parametrize("colour", [BLUE, BROWN])
@pytest.mark.parametrize("missed", [(3, -2), (-3, 3), (0, 0)])
def test_a_click_moves_to_the_middle(colour: tuple[int, int, int], missed: tuple[int, int]) -> None:
    pixels = drawn((50, 60, colour))
    moved = centred(image(pixels, [(50 + missed[0], 60 + missed[1])]), within_um=2.75).points
    assert np.hypot(*(moved[0] - (50, 60))) < 1.5


def test_a_neighbour_that_is_darker_does_not_draw_a_click_away() -> None:
    pixels = drawn((50, 60, BLUE), (71, 60, BROWN))
    moved = centred(image(pixels, [(51, 60), (70, 60)]), within_um=2.75).points
    assert np.hypot(*(moved[0] - (50, 60))) < 4
    assert np.hypot(*(moved[1] - (71, 60))) < 1.5


def test_a_click_leaves_a_nearer_nucleus_to_the_click_that_is_meant_for_it() -> None:
    pixels = drawn((50, 60, BLUE), (68, 60, BLUE))
    alone = centred(image(pixels, [(60, 60)]), within_um=5).points
    assert np.hypot(*(alone[0] - (68, 60))) < 1.5
    both = centred(image(pixels, [(60, 60), (69, 60)]), within_um=5).points
    assert np.hypot(*(both - [(50, 60), (68, 60)]).T).max() < 2


def test_a_large_nucleus_with_a_mottled_inside_is_one() -> None:
    pixels = drawn((50, 60, BLUE))
    for x, y in ((46, 57), (54, 63), (47, 64), (53, 56)):
        cv2.circle(pixels, (x, y), 2, (150, 165, 215), -1)
    moved = centred(image(pixels, [(56, 66)]), within_um=5).points
    assert np.hypot(*(moved[0] - (50, 60))) < 1.5


def test_two_clicks_never_become_one() -> None:
    clicks = [(47.0, 60.0), (53.0, 60.0)]
    moved = centred(image(drawn((50, 60, BLUE)), clicks), within_um=2.75).points
    assert moved.tolist() == [list(click) for click in clicks]


def test_a_click_stays_within_its_region() -> None:
    pixels = drawn((50, 60, BLUE))
    moved = centred(image(pixels, [(53, 60)], box(52, 0, 160, 120)), within_um=2.75).points
    assert moved.tolist() == [[53, 60]]


def test_a_click_on_glass_hardly_moves() -> None:
    moved = centred(image(drawn(), [(20.5, 30.5)]), within_um=2.75).points
    assert moved.tolist() == [[20.5, 30.5]]


def test_an_image_without_points_stays() -> None:
    assert centred(image(drawn((50, 60, BLUE)), []), within_um=2.75).points.shape == (0, 2)


def test_a_set_says_that_its_points_are_clicks(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    for name in ("images", "points"):
        (folder / name).mkdir(parents=True)
    cv2.imwrite(str(folder / "images/a.png"), drawn((50, 60, BLUE))[:, :, ::-1])
    (folder / "points/a.csv").write_text("class,x,y\nnegative,53.0,58.25\n")
    plain = SetSpec(name="ours", format="points", mpp=MPP)
    assert read_set(plain, tmp_path)[0].points.tolist() == [[53, 58.25]]
    moved = read_set(plain.model_copy(update={"clicks_um": 2.75}), tmp_path)[0].points
    assert np.hypot(*(moved[0] - (50, 60))) < 1.5
