"""CCLS and its relatives against brute force, hand-made plateaus and the paper's own windows."""

from functools import partial
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.io import loadmat

from wsi_edt.cells import CellClass
from wsi_edt.errors import UsageError
from wsi_edt.evaluation import match_points
from wsi_edt.maps import DecodeSettings, ccls, decode, edt_map, lmds, lmss, window_maximum

FloatMap = npt.NDArray[np.float32]

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def brute_maximum(map_: FloatMap, window_px: int) -> FloatMap:
    reach = window_px // 2
    pooled = np.empty_like(map_)
    for row in range(map_.shape[0]):
        for column in range(map_.shape[1]):
            rows = slice(max(row - reach, 0), row + reach + 1)
            pooled[row, column] = map_[rows, max(column - reach, 0) : column + reach + 1].max()
    return pooled


def brute_plateau(map_: FloatMap, row: int, column: int) -> set[tuple[int, int]]:
    """All pixels that equal ones join to this one, diagonally too."""
    found, edge = {(row, column)}, [(row, column)]
    while edge:
        r, c = edge.pop()
        for near in ((r + i, c + j) for i in (-1, 0, 1) for j in (-1, 0, 1)):
            inside = 0 <= near[0] < map_.shape[0] and 0 <= near[1] < map_.shape[1]
            if inside and near not in found and map_[near] == map_[row, column]:
                found.add(near)
                edge.append(near)
    return found


def brute_ccls(map_: FloatMap, window_px: int, threshold: float) -> list[tuple[int, int]]:
    pooled = brute_maximum(map_, window_px)
    cells: list[tuple[int, int]] = []
    taken: set[tuple[int, int]] = set()
    for row in range(map_.shape[0]):
        for column in range(map_.shape[1]):
            if map_[row, column] != pooled[row, column] or map_[row, column] <= threshold:
                continue
            if (row, column) not in taken:
                cells.append((row, column))
                taken |= brute_plateau(map_, row, column)
    return cells if map_.max() > 0.01 else []


def found(map_: FloatMap, *, threshold: float, window_px: int = 11) -> list[tuple[int, int]]:
    rows, columns = ccls(map_.astype(np.float32), threshold=threshold, window_px=window_px)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def flat(*peaks: tuple[int, int, float], background: float = 0.0) -> FloatMap:
    """A 30×30 map of one background with peaks (row, column, value)."""
    map_ = np.full((30, 30), background, np.float32)
    for row, column, value in peaks:
        map_[row, column] = value
    return map_


@given(
    seed=st.integers(0, 10**6),
    shape=st.tuples(st.integers(1, 24), st.integers(1, 24)),
    levels=st.sampled_from([2, 3, 6, 1000]),
    window_px=st.sampled_from([3, 5, 11]),
    threshold=st.sampled_from([0.0, 0.06, 0.5]),
)
def test_ccls_equals_brute_force(
    seed: int, shape: tuple[int, int], levels: int, window_px: int, threshold: float
) -> None:
    # Few levels make plateaus of all shapes, many make none.
    map_ = (np.random.default_rng(seed).integers(0, levels, shape) / levels).astype(np.float32)
    assert found(map_, window_px=window_px, threshold=threshold) == brute_ccls(map_, window_px, threshold)


def test_connected_equal_pixels_are_one_cell() -> None:
    square = flat(*((row, column, 0.9) for row in (10, 11) for column in (10, 11)))
    assert found(square, threshold=0.3) == [(10, 10)]
    diagonal = flat((10, 12, 0.9), (11, 11, 0.9), (12, 10, 0.9))
    assert found(diagonal, threshold=0.3) == [(10, 12)]


def test_separate_equal_peaks_both_stay() -> None:
    assert found(flat((10, 10, 0.9), (10, 12, 0.9)), threshold=0.3) == [(10, 10), (10, 12)]
    # Also when what lies between them is not empty.
    assert found(flat((5, 5, 0.9), (25, 25, 0.9), background=0.2), threshold=0.3) == [(5, 5), (25, 25)]


def test_a_plateau_that_passes_a_higher_peak_is_one_cell() -> None:
    bar = [(10, column, 0.6) for column in range(30)]
    map_ = flat(*bar, (13, 15, 0.9))
    pooled = brute_maximum(map_, 11)
    candidates = np.flatnonzero((pooled == map_)[10])
    # The fixture has candidates at both ends of the bar and none in its middle.
    assert candidates.tolist() == [*range(10), *range(21, 30)]
    assert found(map_, threshold=0.3) == [(10, 0), (13, 15)]


def test_padding_never_wins() -> None:
    # Negative maps, so that a padding of 0 would win at the edge; and peaks in corners and on edges.
    below = np.random.default_rng(3).uniform(-2, -1, (17, 23)).astype(np.float32)
    for window_px in (3, 11, 21):
        np.testing.assert_array_equal(window_maximum(below, window_px), brute_maximum(below, window_px))
    corners = flat((0, 0, 0.5), (0, 29, 0.4), (29, 0, 0.3), (29, 29, 0.2), (0, 15, 0.35))
    assert found(corners, threshold=0.06) == [(0, 0), (0, 15), (0, 29), (29, 0), (29, 29)]


def test_11_twice_equals_21() -> None:
    map_ = np.random.default_rng(4).normal(size=(45, 60)).astype(np.float32)
    twice = window_maximum(window_maximum(map_, 11), 11)
    np.testing.assert_array_equal(twice, window_maximum(map_, 21))
    np.testing.assert_array_equal(twice, brute_maximum(map_, 21))


def test_the_window_says_which_neighbour_is_a_cell() -> None:
    two = flat((10, 10, 0.9), (10, 16, 0.8))
    assert found(two, window_px=11, threshold=0.3) == [(10, 10), (10, 16)]
    assert found(two, window_px=21, threshold=0.3) == [(10, 10)]


def test_threshold_is_absolute_and_exclusive() -> None:
    map_ = flat((5, 5, 1.0), (20, 20, 0.3))
    assert found(map_, threshold=0.25) == [(5, 5), (20, 20)]
    assert found(map_, threshold=float(np.float32(0.3))) == [(5, 5)]
    # A weak cell's fate doesn't depend on a strong one beside it.
    assert found(map_[15:, 15:], threshold=0.25) == [(5, 5)]


def test_a_map_that_never_rises_holds_nothing() -> None:
    assert found(flat((5, 5, 0.01)), threshold=0.0) == []
    assert found(flat((5, 5, 0.011)), threshold=0.0) == [(5, 5)]
    assert found(np.zeros((0, 4), np.float32), threshold=0.0) == []
    assert found(np.zeros((7, 9), np.float32), threshold=0.0) == []


def test_rounding_a_map_to_half_precision_adds_no_cells() -> None:
    # The trap: equality on a rounded map counts every pixel of a rounded top.
    rows, columns = np.mgrid[0:64, 0:64]
    blurred = np.exp(-((rows - 30.2) ** 2 + (columns - 31.3) ** 2) / 200).astype(np.float32)
    rounded = (blurred.view(np.uint32) & 0xFFFF0000).view(np.float32)
    assert np.count_nonzero((window_maximum(rounded, 11) == rounded) & (rounded > 0.3)) > 1
    assert len(found(rounded, threshold=0.3)) == len(found(blurred, threshold=0.3)) == 1


def test_ideal_map_gives_the_points_back() -> None:
    rng = np.random.default_rng(11)
    grid = np.stack(np.meshgrid(np.arange(8, 250, 16), np.arange(8, 250, 16)), -1).reshape(-1, 2)
    points = (grid + rng.integers(-2, 3, grid.shape)).astype(np.float64)
    rows, columns = ccls(edt_map(points + 0.5, (256, 256), max_distance_px=60.0), threshold=0.3)
    expected = points[np.lexsort((points[:, 0], points[:, 1]))]
    np.testing.assert_array_equal(np.stack([columns, rows], 1), expected)


def test_lmds_hand_made() -> None:
    # 3×3 maxima of at least 100/255 = 0.392 of the maximum.
    map_ = flat((5, 5, 0.5), (5, 7, 0.2), (20, 20, 0.19), (9, 9, 0.3), (9, 10, 0.31))
    assert list(zip(*(part.tolist() for part in lmds(map_)), strict=True)) == [(5, 5), (5, 7), (9, 10)]
    assert len(lmds(flat((5, 5, 0.099)))[0]) == 0
    assert len(lmds(flat((5, 5, 0.1)))[0]) == 1


def test_lmss_hand_made() -> None:
    map_ = flat((5, 5, 0.02), (5, 7, 0.011), (20, 20, 0.009), (20, 24, 0.01))
    rows, columns = lmss(map_, relative_threshold=0.5)
    assert list(zip(rows.tolist(), columns.tolist(), strict=True)) == [(5, 5), (5, 7)]
    assert len(lmss(np.zeros((9, 9), np.float32), relative_threshold=0.0)[0]) == 0
    with pytest.raises(UsageError, match="relative_threshold"):
        lmss(map_, relative_threshold=1.0)


def class_maps() -> FloatMap:
    """Positive, negative and nucleus maps: a cell of each kind, a tie, and one that only nucleus sees."""
    positive = flat((5, 5, 0.8), (5, 20, 0.2), (20, 5, 0.4))
    negative = flat((5, 5, 0.3), (5, 20, 0.7), (20, 5, 0.4))
    nucleus = flat((5, 5, 0.6), (5, 20, 0.5), (20, 5, 0.9), (20, 20, 0.35))
    return np.stack([positive, negative, nucleus])


@pytest.mark.parametrize(
    ("evidence", "cells"),
    [
        ("max", [(5, 5, 0.8, POSITIVE), (20, 5, 0.7, NEGATIVE), (5, 20, 0.4, NEGATIVE)]),
        ("sum", [(5, 5, 1.1, POSITIVE), (20, 5, 0.9, NEGATIVE), (5, 20, 0.8, NEGATIVE)]),
        (
            "nucleus",
            [(5, 5, 0.6, POSITIVE), (20, 5, 0.5, NEGATIVE), (5, 20, 0.9, NEGATIVE), (20, 20, 0.35, NEGATIVE)],
        ),
    ],
)
def test_decode_gives_place_class_and_score(
    evidence: Literal["max", "sum", "nucleus"], cells: list[tuple[int, int, float, CellClass]]
) -> None:
    settings = DecodeSettings(("positive", "negative", "nucleus"), evidence, window_px=11, threshold=0.3)
    peaks = decode(class_maps(), settings)
    assert len(peaks) == len(cells)
    assert peaks.x.tolist() == [x for x, _, _, _ in cells]
    assert peaks.y.tolist() == [y for _, y, _, _ in cells]
    assert peaks.score == pytest.approx([score for _, _, score, _ in cells])
    assert peaks.class_id.tolist() == [class_id for *_, class_id in cells]
    # The maps' order is the network's business, and is told by name.
    swapped = DecodeSettings(("nucleus", "negative", "positive"), evidence, window_px=11, threshold=0.3)
    again = decode(class_maps()[::-1], swapped)
    assert again.class_id.tolist() == peaks.class_id.tolist()
    assert again.score.tolist() == peaks.score.tolist()


@pytest.mark.parametrize(
    ("evidence", "cells"),
    [
        ("max", [(5, 5, 0.8, POSITIVE), (20, 5, 1.05, NEGATIVE), (5, 20, 0.6, NEGATIVE)]),
        ("sum", [(5, 5, 1.25, POSITIVE), (20, 5, 1.25, NEGATIVE), (5, 20, 1.0, NEGATIVE)]),
        (
            "nucleus",
            [(5, 5, 0.6, POSITIVE), (20, 5, 0.5, NEGATIVE), (5, 20, 0.9, NEGATIVE), (20, 20, 0.35, NEGATIVE)],
        ),
        (
            "separate",
            [
                (5, 5, 0.8, POSITIVE),
                (5, 5, 0.45, NEGATIVE),
                (20, 5, 1.05, NEGATIVE),
                (5, 20, 0.4, POSITIVE),
                (5, 20, 0.6, NEGATIVE),
            ],
        ),
    ],
)
def test_a_gain_raises_the_negative_map_where_cells_are_looked_for(
    evidence: Literal["max", "sum", "nucleus", "separate"], cells: list[tuple[int, int, float, CellClass]]
) -> None:
    """The maps of `class_maps` with 1.5 × negative: classes are those of the maps as they are."""
    names = ("positive", "negative", "nucleus")
    settings = DecodeSettings(names, evidence, 11, 0.3, negative_gain=1.5)
    maps = class_maps()
    found = decode(maps, settings)
    rows = {
        (x, y, CellClass(one)): s
        for x, y, s, one in zip(found.x, found.y, found.score, found.class_id, strict=True)
    }
    assert rows == {(x, y, one): pytest.approx(score) for x, y, score, one in cells}
    assert len(found) == len(rows)
    np.testing.assert_array_equal(maps, class_maps())  # looking changes nothing


def test_a_gain_changes_no_class() -> None:
    # 1.5 × 0.7 is more than 0.8, but the positive map is the higher one.
    maps = np.stack([flat((10, 10, 0.8)), flat((10, 10, 0.7))])
    settings = DecodeSettings(("positive", "negative"), "sum", 11, 0.3, negative_gain=1.5)
    assert decode(maps, settings).class_id.tolist() == [POSITIVE]


def test_a_gain_finds_pale_nuclei_beside_dark_ones() -> None:
    maps = np.stack([flat((5, 5, 0.3)), flat((20, 20, 0.2))])
    at = partial(DecodeSettings, ("positive", "negative"), "sum", 11, 0.25)
    assert decode(maps, at()).class_id.tolist() == [POSITIVE]
    assert decode(maps, at(negative_gain=1.5)).class_id.tolist() == [POSITIVE, NEGATIVE]


def test_decode_without_classes() -> None:
    settings = DecodeSettings(("nucleus",), "nucleus", window_px=11, threshold=0.3)
    peaks = decode(class_maps()[2:], settings)
    assert peaks.class_id.tolist() == [NUCLEUS] * 4


def test_one_cell_is_never_counted_once_per_class() -> None:
    # Its two maps peak two pixels apart.
    maps = np.stack([flat((10, 10, 0.6)), flat((10, 12, 0.5))])
    for evidence in ("max", "sum"):
        settings = DecodeSettings(("positive", "negative"), evidence, window_px=11, threshold=0.3)
        assert decode(maps, settings).class_id.tolist() == [POSITIVE]


def test_decode_of_nothing() -> None:
    settings = DecodeSettings(("positive", "negative"), "max", window_px=11, threshold=0.3)
    peaks = decode(np.zeros((2, 64, 64), np.float32), settings)
    assert len(peaks) == 0


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"maps": ()}, "maps"),
        ({"maps": ("positive", "positive")}, "maps"),
        ({"maps": ("positive", "negative", "cells")}, "maps"),
        ({"maps": ("positive",), "evidence": "max"}, "come together"),
        ({"maps": ("nucleus",), "evidence": "sum"}, "needs the maps"),
        ({"evidence": "nucleus"}, "needs the maps"),
        ({"maps": ("nucleus",), "evidence": "separate"}, "needs the maps negative, positive"),
        ({"evidence": "mean"}, "evidence"),
        ({"method": "peaks"}, "no method 'peaks'; choose ccls, lmss"),
        ({"window_px": 10}, "odd"),
        ({"window_px": 1}, "odd"),
        ({"window_px": 100_001}, "from 3 to 127"),
        ({"threshold": -0.1}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"negative_gain": 0.0}, "no gain 0 of negative maps"),
        ({"negative_gain": float("inf")}, "no gain inf"),
        ({"negative_gain": 1e300}, r"no gain 1e\+300 of negative maps; choose 0\.1 to 10"),
        ({"negative_gain": 0.09}, "no gain 0.09"),
        ({"negative_gain": float("nan")}, "no gain nan"),
    ],
)
def test_settings_that_make_no_sense_are_refused(changed: dict[str, Any], message: str) -> None:
    settings: dict[str, Any] = {
        "maps": ("positive", "negative"),
        "evidence": "max",
        "window_px": 11,
        "threshold": 0.3,
    }
    with pytest.raises(UsageError, match=message):
        DecodeSettings(**{**settings, **changed})


@pytest.mark.slide
def test_windows_on_ideal_maps_of_real_cells(data_dir: Path) -> None:
    """UW's cells, each image brought to 512×512: 11×11 is known to find about 99.5 %, 21×21 about 82 %."""
    rng = np.random.default_rng(0)
    cells, hits = 0, {11: 0, 21: 0}
    for path in sorted((data_dir / "uw" / "Detection").glob("img?/*_detection.mat")):
        # 1-based pixel indices, as MATLAB has them; the image is 500×500.
        points: npt.NDArray[np.float64] = (
            (loadmat(path)["detection"].astype(np.float64) - 0.5).clip(0, 499.99) * 512 / 500
        )
        ideal = edt_map(points, (512, 512), max_distance_px=100.0)
        # Every centre of an ideal map is 1, and equal peaks all stay; no two of a network's are equal.
        ideal *= rng.uniform(0.999, 1.001, ideal.shape).astype(np.float32)
        cells += len(points)
        for window_px in hits:
            rows, columns = ccls(ideal, window_px=window_px, threshold=0.06)
            found_points = np.stack([columns, rows], axis=1) + 0.5
            hits[window_px] += len(match_points(found_points.astype(np.float64), points, radius_px=1.0))
    assert cells > 1000
    assert hits[11] / cells == pytest.approx(0.995, abs=0.005)
    assert hits[21] / cells == pytest.approx(0.82, abs=0.04)


def test_dilation_gives_what_a_pool_gives() -> None:
    map_ = np.random.default_rng(5).normal(size=(33, 47)).astype(np.float32)
    separable = cv2.dilate(cv2.dilate(map_, np.ones((1, 11), np.uint8)), np.ones((11, 1), np.uint8))
    np.testing.assert_array_equal(window_maximum(map_, 11), separable)
