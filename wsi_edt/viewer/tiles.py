"""Tiles of a slide as JPEGs, made when they are asked for."""

from __future__ import annotations

import threading
from collections import OrderedDict

import cv2
import numpy as np

from wsi_edt.slides import Slide, required_mpp
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.window import read_in_blocks
from wsi_edt.viewer.deep_zoom import DeepZoom

_QUALITY = 85
_KEPT_BYTES = 64 << 20  # 1,000 tiles of 512 px


def tile_jpeg(slide: Slide, zoom: DeepZoom, level: int, column: int, row: int) -> bytes | None:
    """A tile of an open slide as a JPEG; None if there is no such tile.

    Raises
    ------
    SlideError
        If the slide can't be read.
    """
    window = zoom.window(level, column, row)
    if window is None:
        return None
    return jpeg(read_in_blocks(slide, window, wanted_mpp=required_mpp(slide) * zoom.per_px(level)))


def jpeg(picture: RgbArray) -> bytes:
    """A picture (H, W, 3) uint8 RGB as the bytes of a JPEG."""
    options = (cv2.IMWRITE_JPEG_QUALITY, _QUALITY)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    assert done, "OpenCV can't encode a JPEG"
    return data.tobytes()


TileName = tuple[int, int, int, int]  # slide, level, column, row


class KeptTiles:
    """Tiles that were made lately, up to `_KEPT_BYTES` of them."""

    def __init__(self, *, most_bytes: int = _KEPT_BYTES) -> None:
        self._most = most_bytes
        self._held = 0
        self._tiles: OrderedDict[TileName, bytes] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, name: TileName) -> bytes | None:
        """The tile; None if it isn't kept."""
        with self._lock:
            if name in self._tiles:
                self._tiles.move_to_end(name)
            return self._tiles.get(name)

    def put(self, name: TileName, tile: bytes) -> None:
        """Keep a tile; those that were asked for longest ago make room."""
        with self._lock:
            self._held += len(tile) - len(self._tiles.pop(name, b""))
            self._tiles[name] = tile
            while self._held > self._most:
                _, oldest = self._tiles.popitem(last=False)
                self._held -= len(oldest)
