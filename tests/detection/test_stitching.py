"""Tiles give what the whole image gives: nothing lost at a seam, nothing doubled."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.geometry import Window
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.slides import ImageSlide, SlideSource, TileGrid, read_window, shards

RADIUS = 5
SETTINGS = DecodeSettings(("positive", "negative"), "max", 2 * RADIUS + 1, 0.2)


SEPARATE = replace(SETTINGS, evidence="separate")
WAYS = {"ccls": SETTINGS, "separate": SEPARATE, "peak_local_max": replace(SETTINGS, method="peak_local_max")}


class LocalDetector:
    """A stub network that sees 5×5 px: darkness of blue and of red, smoothed, in whole numbers so that ties are common."""

    def __init__(self, settings: DecodeSettings = SETTINGS) -> None:
        self.settings = settings

    def detect(self, images: npt.NDArray[np.uint8]) -> list[Peaks]:
        return [decode(self.maps(image), self.settings) for image in images]

    def maps(self, image: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        dark = np.pad((255 - image[..., [2, 0]].astype(np.int64)) // 16, ((2, 2), (2, 2), (0, 0)))
        kernel = (1, 2, 3, 2, 1)
        rows = np.array([k * dark[i : i + image.shape[0]] for i, k in enumerate(kernel)]).sum(axis=0)
        total = np.array([k * rows[:, i : i + image.shape[1]] for i, k in enumerate(kernel)]).sum(axis=0)
        maps: npt.NDArray[np.float32] = np.moveaxis(total, -1, 0).astype(np.float32) / np.float32(256)
        return maps


def as_set(peaks: Peaks | TilePeaks) -> set[tuple[int, int, int, float]]:
    columns = (peaks.x, peaks.y, peaks.class_id, peaks.score)
    return set(zip(*(column.tolist() for column in columns), strict=True))


def blobs(seed: int, width: int, height: int) -> npt.NDArray[np.uint8]:
    """Dark spots of few grey levels; every other one has a twin 4 px away, as dark as itself."""
    rng = np.random.default_rng(seed)
    image = np.full((height, width, 3), 255, np.uint8)
    for number in range(450):
        x, y, size = int(rng.integers(width)), int(rng.integers(height)), int(rng.integers(1, 4))
        colour = rng.choice([0, 64, 128, 192], 3)
        image[y : y + size, x : x + size] = colour
        if number % 2:
            image[y : y + size, x + 4 : x + 4 + size] = colour
    return image


def whole(image: npt.NDArray[np.uint8], border: int = 32, settings: DecodeSettings = SETTINGS) -> Peaks:
    """The stub's peaks of the whole image on white."""
    slide = ImageSlide(Path(__file__), image, 1.0)
    height, width = image.shape[:2]
    pixels = read_window(
        slide, Window(-border, -border, width + 2 * border, height + 2 * border), wanted_mpp=1.0
    )
    peaks = decode(LocalDetector().maps(pixels), settings)
    return Peaks(peaks.x - np.int32(border), peaks.y - np.int32(border), peaks.score, peaks.class_id)


def tiled(
    image: npt.NDArray[np.uint8], tile_px: int, order: int, settings: DecodeSettings = SETTINGS
) -> TilePeaks:
    grid = TileGrid((image.shape[1], image.shape[0]), tile_px=tile_px, halo_px=32)
    blocks = list(shards(grid, None, side=2))
    np.random.default_rng(order).shuffle(blocks)
    parts = [
        detect_shard(
            block,
            LocalDetector(settings).detect,
            source=SlideSource(Path("field.png")),
            model_mpp=1.0,
            batch_size=3,
            readers=1,
            opener=lambda source: ImageSlide(source.path, image, 1.0),
        )
        for block in blocks
    ]
    return stitch(TilePeaks.concatenate(parts), grid, radius_px=RADIUS, by_class=settings.is_separate)


@pytest.mark.parametrize("tile_px", [96, 128, 160, 224])
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_tiles_equal_the_whole_image(seed: int, tile_px: int) -> None:
    image = blobs(seed, 300, 230)
    expected = whole(image)
    # The case is a real one: peaks within the radius of each other exist, equal ones, and seams cut between them.
    close = [
        (first, second)
        for first, second in itertools.combinations(range(len(expected)), 2)
        if max(abs(expected.x[first] - expected.x[second]), abs(expected.y[first] - expected.y[second]))
        <= RADIUS
    ]
    core = tile_px - 64
    cut = [
        pair
        for pair in close
        if any(len({int(axis[i]) // core for i in pair}) == 2 for axis in (expected.x, expected.y))
    ]
    assert cut, (len(close), len(expected))
    assert as_set(tiled(image, tile_px, order=seed)) == as_set(expected)


@pytest.mark.parametrize("way", WAYS)
def test_tiles_equal_the_whole_image_however_cells_are_found(way: str) -> None:
    settings = WAYS[way]
    image = blobs(4, 300, 230)
    expected = whole(image, settings=settings)
    if settings.is_separate:
        # Some nuclei are in both maps, at the same px too, beside a seam.
        twice = {place for place in as_rows(expected) if as_rows(expected).count(place) == 2}
        assert len([(x, y) for x, y in twice if x % 64 in (0, 1, 62, 63) or y % 64 in (0, 1, 62, 63)]) > 3
    found = tiled(image, 128, order=1, settings=settings)
    assert as_set(found) == as_set(expected)
    assert len(found) == len(expected)
    order = np.lexsort((found.class_id, found.x, found.y))
    assert order.tolist() == list(range(len(found)))


def as_rows(peaks: Peaks) -> list[tuple[int, int]]:
    return list(zip(peaks.x.tolist(), peaks.y.tolist(), strict=True))


def test_order_of_shards_does_not_matter() -> None:
    image = blobs(3, 300, 230)
    first, second = tiled(image, 96, order=0), tiled(image, 96, order=1)
    for name in ("x", "y", "score", "class_id"):
        assert np.array_equal(getattr(first, name), getattr(second, name))


def peaks_of(*rows: tuple[int, int, float, int]) -> TilePeaks:
    """Rows of x, y, score, tile."""
    x, y, score, tile = (np.array(column) for column in zip(*rows, strict=True))
    return TilePeaks(
        x.astype(np.int32),
        y.astype(np.int32),
        score.astype(np.float32),
        np.ones(len(x), np.uint8),
        tile.astype(np.int32),
        np.stack([x, y, tile], axis=1).astype(np.uint16),
    )


GRID = TileGrid((1024, 512), tile_px=512, halo_px=64)  # cores of 384: the seam is at x = 384


def positions(peaks: TilePeaks) -> list[tuple[int, int]]:
    return list(zip(peaks.x.tolist(), peaks.y.tolist(), strict=True))


@pytest.mark.parametrize(("left", "right"), [(383, 384), (384, 383), (384, 384), (383, 383), (382, 384)])
def test_a_peak_that_shifts_across_the_seam_is_one_cell(left: int, right: int) -> None:
    # The left tile sees the nucleus at `left`, the right tile at `right`, with about the same score.
    found = stitch(peaks_of((left, 100, 0.80, 0), (right, 100, 0.81, 1)), GRID, radius_px=RADIUS)
    assert positions(found) == [(right, 100)]


def test_a_peak_that_one_tile_misses_is_kept() -> None:
    assert positions(stitch(peaks_of((386, 100, 0.31, 0)), GRID, radius_px=RADIUS)) == [(386, 100)]


def test_neighbours_of_one_tile_both_stay() -> None:
    # Two real neighbours 3 px apart, equal in score, seen by both tiles.
    both = [(382, 100, 0.5, 0), (385, 100, 0.5, 0), (382, 100, 0.5, 1), (385, 100, 0.5, 1)]
    assert positions(stitch(peaks_of(*both), GRID, radius_px=RADIUS)) == [(382, 100), (385, 100)]
    # And when the right tile's margin ends before the left one of them.
    assert positions(stitch(peaks_of(*both[:2], both[3]), GRID, radius_px=RADIUS)) == [(382, 100), (385, 100)]


def test_a_dropped_peak_drops_nothing() -> None:
    # a (tile 0) drops b (tile 1); b would have dropped c (tile 0), which is beyond a's reach.
    chain = peaks_of((380, 100, 0.9, 0), (384, 100, 0.8, 1), (388, 100, 0.7, 0))
    assert positions(stitch(chain, GRID, radius_px=RADIUS)) == [(380, 100), (388, 100)]


def test_the_radius_is_chebyshev_and_inclusive() -> None:
    at_radius = peaks_of((382, 100, 0.9, 0), (387, 105, 0.8, 1))
    beyond = peaks_of((382, 100, 0.9, 0), (387, 106, 0.8, 1))
    assert positions(stitch(at_radius, GRID, radius_px=RADIUS)) == [(382, 100)]
    assert len(stitch(beyond, GRID, radius_px=RADIUS)) == 2


def brute_force(peaks: TilePeaks) -> set[tuple[int, int]]:
    """The rule, spot by spot from the strongest on: a kept one drops those of other tiles alone within the radius."""
    spots: dict[tuple[int, int], tuple[float, set[int]]] = {}
    for x, y, score, tile in zip(
        peaks.x.tolist(), peaks.y.tolist(), peaks.score.tolist(), peaks.tile.tolist(), strict=True
    ):
        best, tiles = spots.get((x, y), (0.0, set()))
        spots[x, y] = (max(best, score), tiles | {tile})
    kept: list[tuple[tuple[int, int], set[int]]] = []
    for spot, (_, tiles) in sorted(spots.items(), key=lambda item: (-item[1][0], item[0][1], item[0][0])):
        near = (
            other
            for other, seen in kept
            if max(abs(spot[0] - other[0]), abs(spot[1] - other[1])) <= RADIUS and not seen & tiles
        )
        if next(near, None) is None:
            kept.append((spot, tiles))
    return {spot for spot, _ in kept}


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_equals_the_rule_over_many_tiles(seed: int) -> None:
    # Nuclei closer to each other than the radius everywhere, cores' middles included; a px beside where the next tile
    # finds them, or missed by it.
    rng = np.random.default_rng(seed)
    grid = TileGrid((600, 400), tile_px=192, halo_px=32)
    rows = set()
    for x, y in zip(rng.integers(600, size=900).tolist(), rng.integers(400, size=900).tolist(), strict=True):
        score = float(rng.choice([0.4, 0.5, 0.6]))
        for tile in grid.tiles(None):
            spot = x + int(rng.random() < 0.2), y
            own = tile.core.grown(4)
            if rng.random() < 0.9 and own.contains(np.array([spot[0]]), np.array([spot[1]]))[0]:
                rows.add((*spot, tile.index, score))
    unique = {(x, y, tile): (x, y, score, tile) for x, y, tile, score in sorted(rows)}
    peaks = peaks_of(*unique.values())
    places = set(zip(peaks.x.tolist(), peaks.y.tolist(), strict=True))
    expected = brute_force(peaks)
    assert len(expected) < len(places) < len(peaks)
    found = stitch(peaks.select(rng.permutation(len(peaks))), grid, radius_px=RADIUS)
    assert positions(found) == sorted(expected, key=lambda spot: (spot[1], spot[0]))
    assert np.array_equal(found.density[:, :2], np.stack([found.x, found.y], axis=1)), (
        "another peak's density"
    )


@given(
    st.lists(
        st.tuples(
            st.integers(376, 392), st.integers(376, 392), st.sampled_from([0.4, 0.5, 0.6]), st.integers(0, 5)
        ),
        min_size=1,
        max_size=30,
        unique_by=lambda row: (row[0], row[1], row[3]),
    )
)
def test_equals_the_rule_and_is_idempotent(rows: list[tuple[int, int, float, int]]) -> None:
    grid = TileGrid((1024, 1024), tile_px=512, halo_px=64)
    found = stitch(peaks_of(*rows), grid, radius_px=RADIUS)
    assert set(positions(found)) == brute_force(peaks_of(*rows))
    assert positions(stitch(peaks_of(*reversed(rows)), grid, radius_px=RADIUS)) == positions(found)
    one_tile = replace(found, tile=np.zeros(len(found), np.int32))
    assert positions(stitch(one_tile, grid, radius_px=RADIUS)) == positions(found)
