"""One slide's cells from the peaks of its tiles: each nucleus once, whichever tiles saw it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.slides import TileGrid

# A peak may shift by a pixel or two between two tiles: a tile keeps the peaks in its core and this far around it, so
# that a shift across a seam loses none.
MARGIN_PX = 4


def stitch(peaks: TilePeaks, grid: TileGrid, *, radius_px: int, by_class: bool = False) -> TilePeaks:
    """The slide's peaks without those that two tiles found twice, ordered by y, x and class.

    Of two peaks of *different* tiles within `radius_px` (Chebyshev) the weaker is dropped; peaks are visited from the
    strongest (then by y, x), and a dropped peak drops nothing. Peaks that one tile sees side by side both stay: two peaks
    also count as seen by one tile if one of them, at the same pixel, is among another tile's.

    Parameters
    ----------
    peaks : of all tiles, in any order; each tile's in its core and `MARGIN_PX` around it, none twice
    grid : the tiles'
    radius_px : the decoder's own radius, half its window
    by_class : whether each class is stitched for itself, as if there were no other: for maps that were decoded separately,
        where a tile finds a nucleus once in each map

    Notes
    -----
    A slide has millions of peaks, of which few lie so near a seam that another tile's may be close: only those are
    compared. Beside `peaks`, 23 bytes a peak, this takes at most 40.
    """
    near = np.flatnonzero(_near_seam(peaks, grid, reach_px=MARGIN_PX + radius_px))
    kept = np.ones(len(peaks), bool)
    classes = peaks.class_id[near]
    groups = [near[classes == one] for one in np.unique(classes)] if by_class else [near]
    for own in groups:
        kept[own] = _kept(peaks.select(own), radius_px=radius_px)
    found = np.flatnonzero(kept)
    places = _pixel(peaks.x[found], peaks.y[found])
    order = np.lexsort((peaks.class_id[found], places)) if by_class else np.argsort(places)
    return peaks.select(found[order])


def _near_seam(peaks: TilePeaks, grid: TileGrid, *, reach_px: int) -> npt.NDArray[np.bool_]:
    """For each peak, whether it lies so near a core's edge that another tile's peak may be within the radius."""
    near = np.zeros(len(peaks), bool)
    for axis in (peaks.x, peaks.y):
        within = axis % grid.core_px
        near |= (within <= reach_px) | (within >= grid.core_px - 1 - reach_px)
    return near


def _kept(peaks: TilePeaks, *, radius_px: int) -> npt.NDArray[np.bool_]:
    """For each of the peaks near seams, whether it stays: the strongest at its pixel, and not dropped."""
    order = np.lexsort((peaks.tile, peaks.class_id, peaks.x, peaks.y, -peaks.score))
    ordered = peaks.select(order)
    spot = _spots(ordered)
    kept = np.zeros(len(peaks), bool)
    kept[order] = (spot == np.arange(len(spot))) & ~_dropped(ordered, spot, radius_px=radius_px)
    return kept


def _spots(peaks: TilePeaks) -> npt.NDArray[np.intp]:
    """For each peak, in order of strength: the index of the strongest at its pixel."""
    _, strongest, inverse = np.unique(_pixel(peaks.x, peaks.y), return_index=True, return_inverse=True)
    return np.asarray(strongest[inverse])


def _dropped(peaks: TilePeaks, spot: npt.NDArray[np.intp], *, radius_px: int) -> npt.NDArray[np.bool_]:
    """For each spot, at the index of its strongest peak, whether a stronger spot of another tile drops it."""
    dropped = np.zeros(len(peaks), bool)
    if len(peaks) < 2:
        return dropped
    tree = cKDTree(np.column_stack([peaks.x, peaks.y]).astype(np.float64))
    pairs = tree.query_pairs(radius_px, p=np.inf, output_type="ndarray")
    stronger, weaker = spot[pairs].min(axis=1), spot[pairs].max(axis=1)
    same_tile = peaks.tile[pairs[:, 0]] == peaks.tile[pairs[:, 1]]
    keys = stronger.astype(np.int64) * len(peaks) + weaker
    conflicts = np.setdiff1d(keys[stronger != weaker], keys[same_tile])
    for key in conflicts.tolist():  # from the strongest on, as the keys are sorted
        strong, weak = divmod(key, len(peaks))
        if not dropped[strong]:
            dropped[weak] = True
    return dropped


def _pixel(x: npt.NDArray[np.int32], y: npt.NDArray[np.int32]) -> npt.NDArray[np.int64]:
    """One number for each pixel, ordered by y, then x; in margins beyond the slide both may be negative."""
    places = y.astype(np.int64)
    places <<= 32
    places += x
    return places
