"""CCLS on the device that holds the maps, so that points and not maps come back: the peaks of `wsi_edt.maps.decode`.

`candidates` has fixed shapes and waits for nothing, as a CUDA graph must; `peaks_of` then brings the few points back.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsi_edt.cells import CellClass
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.maps.methods import EMPTY_BELOW


@dataclass(frozen=True, slots=True, eq=False)
class Candidates:
    """Where a batch's cells may be, all on one device.

    Attributes
    ----------
    maps : (B, C, H, W) float32
    evidence : (B, H, W) float32
    is_peak : (B, H, W) bool, the px that are their window's maximum and exceed the threshold
    """

    maps: Tensor
    evidence: Tensor
    is_peak: Tensor


def finds(settings: DecodeSettings) -> bool:
    """Whether peaks are found here as these settings say: by CCLS on one evidence map; others are decoded on the CPU."""
    return settings.method == "ccls" and not settings.is_separate


def candidates(maps: Tensor, settings: DecodeSettings) -> Candidates:
    """The candidates of (B, C, H, W) float32 maps, of which `peaks_of` makes the peaks of `wsi_edt.maps.decode`."""
    assert finds(settings), settings
    evidence = _evidence(maps, settings)  # (B, H, W)
    is_peak = (_window_maximum(evidence, settings.window_px) == evidence) & (evidence > settings.threshold)
    is_peak &= (evidence.amax(dim=(1, 2)) > EMPTY_BELOW)[:, None, None]
    return Candidates(maps, evidence, is_peak)


def peaks_of(found: Candidates, settings: DecodeSettings) -> list[Peaks]:
    """The peaks of each tile, in px of its tile."""
    tile, row, column = torch.nonzero(found.is_peak, as_tuple=True)
    score = found.evidence[tile, row, column]
    class_id = _classes(found.maps, settings, tile, row, column)
    # One copy brings all: float32 and int32 are as wide.
    columns = [tile.int(), row.int(), column.int(), class_id.int(), score.view(torch.int32)]
    tiles, y, x, classes, bits = torch.stack(columns).cpu().numpy()
    scores = bits.view(np.float32)
    peaks = []
    for number in range(len(found.maps)):
        own = tiles == number
        if len(np.unique(scores[own])) < own.sum():
            # Equal peaks may be one plateau, which only the map tells; in float32 that is rare.
            peaks.append(decode(found.maps[number].cpu().numpy(), settings))
        else:
            peaks.append(Peaks(x[own], y[own], scores[own], classes[own].astype(np.uint8)))
    return peaks


def _evidence(maps: Tensor, settings: DecodeSettings) -> Tensor:
    if settings.evidence == "nucleus":
        return maps[:, settings.maps.index("nucleus")]
    positive, negative = (maps[:, settings.maps.index(name)] for name in ("positive", "negative"))
    if settings.negative_gain != 1.0:
        negative = negative * settings.negative_gain
    return torch.maximum(positive, negative) if settings.evidence == "max" else positive + negative


def _window_maximum(evidence: Tensor, window_px: int) -> Tensor:
    """The maximum over the window around each pixel; max_pool2d pads with −∞, which never wins."""
    reach = window_px // 2
    along_rows = functional.max_pool2d(evidence[:, None], (1, window_px), 1, (0, reach))
    return functional.max_pool2d(along_rows, (window_px, 1), 1, (reach, 0))[:, 0]


def _classes(maps: Tensor, settings: DecodeSettings, tile: Tensor, row: Tensor, column: Tensor) -> Tensor:
    """The class of each peak, uint8: the higher of the positive and the negative map, negative on a tie."""
    if "positive" not in settings.maps:
        return torch.full_like(tile, CellClass.NUCLEUS, dtype=torch.uint8)
    positive, negative = (
        maps[tile, settings.maps.index(name), row, column] for name in ("positive", "negative")
    )
    return torch.where(positive > negative, int(CellClass.POSITIVE), int(CellClass.NEGATIVE)).to(torch.uint8)
