"""CCLS on the device that holds the maps, so that points and not maps come back: the peaks of `wsi_edt.maps.decode`."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from wsi_edt.cells import CellClass
from wsi_edt.maps import DecodeSettings, Peaks, decode
from wsi_edt.maps.decode import EMPTY_BELOW


def device_peaks(maps: Tensor, settings: DecodeSettings) -> list[Peaks]:
    """The peaks of each of (B, C, H, W) float32 maps, in px of its tile; see `wsi_edt.maps.decode`."""
    evidence = _evidence(maps, settings)  # (B, H, W)
    is_peak = (_window_maximum(evidence, settings.window_px) == evidence) & (evidence > settings.threshold)
    is_peak &= (evidence.amax(dim=(1, 2)) > EMPTY_BELOW)[:, None, None]
    tile, row, column = torch.nonzero(is_peak, as_tuple=True)
    score = evidence[tile, row, column]
    columns = torch.stack([tile, row, column]).cpu().numpy()
    scores = score.cpu().numpy()
    classes = _classes(maps, settings, tile, row, column).cpu().numpy()
    found = []
    for number in range(len(maps)):
        own = columns[0] == number
        if len(np.unique(scores[own])) < own.sum():
            # Equal peaks may be one plateau, which only the map tells; in float32 that is rare.
            found.append(decode(maps[number].cpu().numpy(), settings))
        else:
            y, x = columns[1:, own].astype(np.int32)
            found.append(Peaks(x, y, scores[own], classes[own]))
    return found


def _evidence(maps: Tensor, settings: DecodeSettings) -> Tensor:
    if settings.evidence == "nucleus":
        return maps[:, settings.maps.index("nucleus")]
    positive, negative = (maps[:, settings.maps.index(name)] for name in ("positive", "negative"))
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
