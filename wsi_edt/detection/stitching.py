"""One slide's cells from the peaks of its tiles: each nucleus once, whichever tiles saw it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.spatial import cKDTree

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.maps import Peaks
from wsi_edt.slides import TileGrid

# A peak may shift by a pixel or two between two tiles: a tile keeps the peaks in its core and this far around it, so
# that a shift across a seam loses none.
MARGIN_PX = 4


def stitch(peaks: TilePeaks, grid: TileGrid, *, radius_px: int) -> Peaks:
    """The slide's peaks without those that two tiles found twice, ordered by y, then x.

    Of two peaks of *different* tiles within `radius_px` (Chebyshev) the weaker is dropped; peaks are visited from the
    strongest (then by y, x), and a dropped peak drops nothing. Peaks that one tile sees side by side both stay: two peaks
    count as seen by one tile also where one of them stands, at the same pixel, among another tile's.

    Parameters
    ----------
    peaks : of all tiles, in any order
    grid : the tiles'
    radius_px : the decoder's own radius, half its window
    """
    order = np.lexsort((peaks.tile, peaks.class_id, peaks.x, peaks.y, -peaks.score))
    peaks = peaks.select(order)
    spot, first = _spots(peaks)
    near_seam = _near_seam(peaks, grid, reach_px=MARGIN_PX + radius_px)
    kept = first
    kept &= ~_dropped(peaks, spot, np.flatnonzero(near_seam), radius_px=radius_px)[spot]
    found = np.flatnonzero(kept)
    found = found[np.lexsort((peaks.x[found], peaks.y[found]))]
    return Peaks(peaks.x[found], peaks.y[found], peaks.score[found], peaks.class_id[found])


def _spots(peaks: TilePeaks) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """For each peak, given from the strongest on: the index of the strongest at its pixel, and whether it is that one."""
    pixel = peaks.y.astype(np.int64) << 32 | (peaks.x.astype(np.int64) & 0xFFFFFFFF)
    _, strongest, inverse = np.unique(pixel, return_index=True, return_inverse=True)
    spot = strongest[inverse]
    return spot, spot == np.arange(len(spot))


def _near_seam(peaks: TilePeaks, grid: TileGrid, *, reach_px: int) -> npt.NDArray[np.bool_]:
    """Which peaks lie so near a core's edge that another tile's peak may be within the radius."""
    core = grid.core_px
    from_edge = np.minimum(
        np.minimum(peaks.x % core, core - 1 - peaks.x % core),
        np.minimum(peaks.y % core, core - 1 - peaks.y % core),
    )
    return np.asarray(from_edge <= reach_px)


def _dropped(
    peaks: TilePeaks, spot: npt.NDArray[np.intp], candidates: npt.NDArray[np.intp], *, radius_px: int
) -> npt.NDArray[np.bool_]:
    """For each peak, whether a stronger spot of another tile drops its spot (told at the spot's strongest peak)."""
    dropped = np.zeros(len(peaks), bool)
    if len(candidates) < 2:
        return dropped
    tree = cKDTree(np.column_stack([peaks.x[candidates], peaks.y[candidates]]).astype(np.float64))
    pairs = candidates[tree.query_pairs(radius_px, p=np.inf, output_type="ndarray")]
    stronger, weaker = spot[pairs].min(axis=1), spot[pairs].max(axis=1)
    same_tile = peaks.tile[pairs[:, 0]] == peaks.tile[pairs[:, 1]]
    keys = stronger.astype(np.int64) * len(peaks) + weaker
    conflicts = np.setdiff1d(keys[stronger != weaker], keys[same_tile])
    for key in conflicts.tolist():  # from the strongest on, as the keys are sorted
        strong, weak = divmod(key, len(peaks))
        if not dropped[strong]:
            dropped[weak] = True
    return dropped
