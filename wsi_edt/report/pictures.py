"""Pictures inside a page, as data: a page is one file."""

from __future__ import annotations

import base64

import cv2
import numpy as np
import numpy.typing as npt
from markupsafe import Markup

from wsi_edt.report.palette import ByteArray

_JPEG_QUALITY = 85


def jpeg(picture: ByteArray) -> Markup:
    """A picture (H, W, 3) uint8 RGB as the address of an image: for what a slide shows."""
    options = (cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY)
    done, data = cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), options)
    assert done, "OpenCV can't encode a JPEG"
    return _address("jpeg", data)


def png(picture: ByteArray) -> Markup:
    """A picture (H, W, 4) uint8 RGBA as the address of an image: for maps of few colours."""
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., [2, 1, 0, 3]]))
    assert done, "OpenCV can't encode a PNG"
    return _address("png", data)


def _address(kind: str, data: npt.NDArray[np.uint8]) -> Markup:
    # Nothing in it needs escaping, and looking for that in megabytes takes longer than making them.
    return Markup(f"data:image/{kind};base64,{base64.b64encode(data.tobytes()).decode()}")
