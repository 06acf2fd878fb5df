"""The paper's other ways from a map to cells, against brute force and hand-made maps; and what all have in common."""

import subprocess
import sys
from dataclasses import replace
from typing import get_args

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.ndimage import maximum_filter

from tests.maps.test_decode import brute_ccls, brute_maximum, brute_plateau, flat
from wsi_edt.cells import CellClass
from wsi_edt.errors import UsageError
from wsi_edt.maps import METHODS, DecodeSettings, Evidence, decode, lmds, lmss, peak_local_max
from wsi_edt.maps.methods import LMDS_SHARE

FloatMap = npt.NDArray[np.float32]

NAMES = ("positive", "negative", "nucleus")
POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def places(found: tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]) -> list[tuple[int, int]]:
    return list(zip(found[0].tolist(), found[1].tolist(), strict=True))


def brute_shares(map_: FloatMap, window_px: int, share: float) -> list[tuple[int, int]]:
    """Window maxima above a share of the map's maximum, the first of each plateau."""
    pooled, highest = brute_maximum(map_, window_px), float(map_.max())
    cells: list[tuple[int, int]] = []
    taken: set[tuple[int, int]] = set()
    for row, column in np.argwhere((pooled == map_) & (map_ / highest > np.float32(share))).tolist():
        if (row, column) not in taken:
            cells.append((row, column))
            taken |= brute_plateau(map_, row, column)
    return cells


def random_map(seed: int, shape: tuple[int, int], levels: int) -> FloatMap:
    # Few levels make plateaus of all shapes, many make none.
    return (np.random.default_rng(seed).integers(0, levels, shape) / levels).astype(np.float32)


SHAPES = st.tuples(st.integers(1, 20), st.integers(1, 20))


@given(
    seed=st.integers(0, 10**6),
    shape=SHAPES,
    levels=st.sampled_from([2, 5, 1000]),
    window_px=st.sampled_from([3, 5, 11]),
    share=st.sampled_from([0.0, 0.2, 0.5]),
)
def test_lmss_and_lmds_equal_brute_force(
    seed: int, shape: tuple[int, int], levels: int, window_px: int, share: float
) -> None:
    map_ = random_map(seed, shape, levels)
    expected = brute_shares(map_, window_px, share) if map_.max() > 0 else []
    assert places(lmss(map_, relative_threshold=share, window_px=window_px)) == expected
    published = brute_shares(map_, 3, 100 / 255) if map_.max() >= 0.1 else []
    assert places(lmds(map_)) == published
    other = expected if map_.max() >= 0.1 else []
    assert places(lmds(map_, relative_threshold=share, window_px=window_px)) == other


def test_lmds_keeps_what_its_publication_keeps() -> None:
    """Liang et al.: 3×3 maxima, those under 100/255 of the maximum set to 0, none if it is under 0.1."""
    map_ = np.random.default_rng(0).random((60, 70), dtype=np.float32)
    kept = (maximum_filter(map_, 3, mode="constant") == map_) * map_
    kept[kept < 100 / 255 * kept.max()] = 0
    assert 200 < len(np.argwhere(kept)) < 700
    np.testing.assert_array_equal(np.column_stack(lmds(map_)), np.argwhere(kept))
    assert len(lmds(map_ * np.float32(0.09))[0]) == 0


@given(
    seed=st.integers(0, 10**6),
    shape=SHAPES,
    window_px=st.sampled_from([3, 5, 11]),
    threshold=st.sampled_from([0.02, 0.5]),
)
def test_peak_local_max_finds_what_ccls_does_where_no_two_are_equal(
    seed: int, shape: tuple[int, int], window_px: int, threshold: float
) -> None:
    values = np.random.default_rng(seed).permutation(shape[0] * shape[1])
    map_ = ((values + 1) / len(values)).astype(np.float32).reshape(shape)
    # A map of one px is "trivial" for scikit-image in some versions, but never a cell's neighbourhood.
    if map_.size > 1:
        found = places(peak_local_max(map_, threshold=threshold, window_px=window_px))
        assert found == brute_ccls(map_, window_px, threshold)


def test_peak_local_max_keeps_one_of_equal_neighbours() -> None:
    twins = flat((0, 10, 0.9), (0, 13, 0.9), (20, 29, 0.4))
    assert places(peak_local_max(twins, threshold=0.3, window_px=11)) == [(0, 10), (20, 29)]
    assert places(peak_local_max(twins, threshold=0.5, window_px=11)) == [(0, 10)]
    assert len(peak_local_max(np.zeros((0, 4), np.float32), threshold=0.0)[0]) == 0
    assert len(peak_local_max(np.zeros((5, 4), np.float32), threshold=0.0)[0]) == 0
    with pytest.raises(UsageError, match="window_px is 10"):
        peak_local_max(twins, threshold=0.3, window_px=10)


def test_a_share_is_of_the_maximum_and_a_threshold_is_not() -> None:
    """A strong neighbour hides a weak cell from the relative methods alone."""
    weak, beside = flat((20, 20, 0.3)), flat((5, 5, 1.0), (20, 20, 0.3))
    for method in METHODS:
        settings = DecodeSettings(("nucleus",), "nucleus", 3, 0.35, method)
        alone, both = (len(decode(map_[None], settings)) for map_ in (weak, beside))
        assert (alone, both) == ((1, 1) if METHODS[method].is_relative else (0, 1)), method
    lower = DecodeSettings(("nucleus",), "nucleus", 3, 0.25, "ccls")
    assert len(decode(weak[None], lower)) == 1
    assert len(decode(beside[None], lower)) == 2
    assert {name for name, one in METHODS.items() if one.is_relative} == {"lmss", "lmds"}


@pytest.mark.parametrize(("method", "score"), [("ccls", 0.4), ("lmss", 0.5), ("lmds", 0.5)])
def test_the_score_is_what_the_threshold_is_compared_with(method: str, score: float) -> None:
    map_ = flat((5, 5, 0.8), (20, 20, 0.4))
    settings = DecodeSettings(("nucleus",), "nucleus", 3, 0.3, method)
    assert decode(map_[None], settings).score[1] == np.float32(score)


@given(
    seed=st.integers(0, 10_000),
    levels=st.sampled_from([4, 20, 1000]),
    method=st.sampled_from(list(METHODS)),
    evidence=st.sampled_from(get_args(Evidence)),
    threshold=st.sampled_from([0.25, 0.4, 100 / 255, 0.75]),
)
def test_a_threshold_is_a_filter_of_what_a_lower_one_finds(
    seed: int, levels: int, method: str, evidence: Evidence, threshold: float
) -> None:
    maps = np.stack([random_map(seed + number, (24, 33), levels) for number in range(3)])
    settings = DecodeSettings(NAMES, evidence, METHODS[method].windows_px[0], threshold, method)
    found, low = decode(maps, settings), decode(maps, replace(settings, threshold=0.1))
    kept = low.score > threshold
    for name in ("x", "y", "score", "class_id"):
        np.testing.assert_array_equal(getattr(found, name), getattr(low, name)[kept])


@pytest.mark.parametrize("method", METHODS)
def test_separate_is_each_map_for_itself(method: str) -> None:
    positive = flat((10, 10, 0.9), (20, 5, 0.8))
    negative = flat((10, 12, 0.5), (20, 5, 0.7), (25, 25, 0.1))
    maps = np.stack([negative, flat((3, 3, 1.0)), positive])
    settings = DecodeSettings(("negative", "nucleus", "positive"), "separate", 11, 0.4, method)
    found = decode(maps, settings)
    rows = list(zip(found.y.tolist(), found.x.tolist(), found.class_id.tolist(), strict=True))
    # One nucleus that both maps show, 2 px apart, and one at the same px in both: a cell of each class.
    assert rows == [(10, 10, POSITIVE), (10, 12, NEGATIVE), (20, 5, NEGATIVE), (20, 5, POSITIVE)]
    highest = (0.7, 0.9) if METHODS[method].is_relative else (1, 1)
    expected = [0.9 / highest[1], 0.5 / highest[0], 0.7 / highest[0], 0.8 / highest[1]]
    assert found.score == pytest.approx(expected)
    assert len(decode(maps, replace(settings, evidence="max"))) == 2


def test_a_method_changes_with_what_its_threshold_means() -> None:
    own = DecodeSettings(("nucleus",), "nucleus", 21, 0.17)
    assert own.method == "ccls"
    assert own.changed() == own
    assert own.changed(window_px=11, threshold=0.2) == replace(own, window_px=11, threshold=0.2)
    # Another method with an absolute threshold takes both over.
    assert own.changed(method="peak_local_max") == replace(own, method="peak_local_max")
    # A share is something else: LMDS has its publication's, LMSS has none.
    assert own.changed(method="lmds") == DecodeSettings(("nucleus",), "nucleus", 3, LMDS_SHARE, "lmds")
    assert own.changed(method="lmss", threshold=0.4) == replace(
        own, method="lmss", window_px=3, threshold=0.4
    )
    with pytest.raises(UsageError, match=r"the method lmss needs .* a share of each map's maximum, unlike"):
        own.changed(method="lmss")
    shares = own.changed(method="lmds")
    assert shares.changed(method="lmss") == replace(shares, method="lmss")
    with pytest.raises(UsageError, match=r"the method ccls needs .* it is absolute, unlike lmds's"):
        shares.changed(method="ccls")
    with pytest.raises(UsageError, match=r"no method 'CCLS'; choose ccls, lmss, lmds, peak_local_max"):
        own.changed(method="CCLS")


@pytest.mark.parametrize("method", ["lmss", "lmds"])
def test_a_share_that_nothing_exceeds_is_refused(method: str) -> None:
    with pytest.raises(UsageError, match=f"nothing exceeds the threshold 1 of {method}, a share"):
        DecodeSettings(("nucleus",), "nucleus", 3, 1.0, method)
    DecodeSettings(("nucleus",), "nucleus", 3, 1.0)


def test_settings_are_checked_without_torch_or_scikit_image() -> None:
    code = (
        "import sys; from wsi_edt.maps import DecodeSettings;"
        "DecodeSettings(('nucleus',), 'nucleus', 11, 0.1, 'peak_local_max');"
        "print({'torch', 'skimage.feature'} & set(sys.modules))"
    )
    assert subprocess.check_output([sys.executable, "-c", code], text=True).strip() == "set()"
