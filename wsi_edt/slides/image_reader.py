"""Plain images (PNG, JPEG, single TIFF pages) as slides of one level, held in memory."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import BinaryIO, Self

import numpy as np
import tifffile
from PIL import JpegImagePlugin, PngImagePlugin
from PIL.Image import Image

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath, open_binary, read_failure
from wsi_edt.slides.pixels import as_rgb, inside, on_white, other_pixels
from wsi_edt.slides.protocol import RgbArray

# A plain image is held whole: 16384 x 16384 px are 0.8 GB. Beyond that it belongs in a pyramid.
LARGEST_IMAGE_PX = 2**28


class ImageSlide:
    """A slide of one level made of an array: (H, W, 3) uint8 RGB. Safe to read from several threads.

    `slide_mpp` is what the caller says, since plain images state none that could be relied on.
    """

    def __init__(self, path: SlidePath, pixels: RgbArray, slide_mpp: float | None) -> None:
        assert pixels.dtype == np.uint8, pixels.dtype
        assert pixels.ndim == 3, pixels.shape
        assert pixels.shape[2] == 3, pixels.shape
        height, width = pixels.shape[:2]
        self._pixels = pixels
        self.path = path
        self.reader = "image"
        self.dimensions = (width, height)
        self.level_dimensions: tuple[tuple[int, int], ...] = ((width, height),)
        self.level_downsamples: tuple[float, ...] = (1.0,)
        self.mpp = slide_mpp
        self.mpp_stated = False
        self.bounds = Window(0, 0, width, height)
        self.vendor: str | None = None
        self.objective_power: float | None = None
        self.properties: Mapping[str, str] = MappingProxyType({})

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside the image; `level` is 0."""
        assert level == 0, level
        assert inside(window, self.dimensions), (window, self.dimensions)
        return self._pixels[window.y : window.bottom, window.x : window.right].copy()

    def close(self) -> None:
        """Nothing is kept open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def open_image(path: SlidePath, fallback_mpp: float | None) -> ImageSlide:
    """A PNG, JPEG or TIFF file as a slide of one level, decoded whole.

    Raises
    ------
    SlideError
        If the file is none of these, is damaged, or has more than 2^28 px.
    """
    try:
        return ImageSlide(path, _decoded(path), fallback_mpp)
    except SlideError:
        raise
    except Exception as error:  # decoders raise what they like for damaged files
        raise read_failure(path, error, "can't be decoded") from error


def _decoded(path: SlidePath) -> RgbArray:
    with open_binary(path) as file:
        head = file.read(8)
        file.seek(0)
        # The two plugins by name, not Image.open: that warns about large images and would try all formats.
        if head.startswith(b"\x89PNG\r\n\x1a\n"):
            return _rgb(PngImagePlugin.PngImageFile(file, str(path)), path)
        if head.startswith(b"\xff\xd8\xff"):
            return _rgb(JpegImagePlugin.JpegImageFile(file, str(path)), path)
        if head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            return _tiff_page(file, path)
    raise SlideError(
        "is neither a slide that openslide or tiffslide opens nor a PNG, JPEG or TIFF image",
        where=path,
        remedy="export the slide as a pyramidal TIFF",
    )


def _rgb(image: Image, path: SlidePath) -> RgbArray:
    _refuse_huge(image.size, path)
    if image.mode in ("RGB", "CMYK", "YCbCr"):
        return np.array(image.convert("RGB"), dtype=np.uint8)
    if image.mode in ("RGBA", "P", "PA"):
        return on_white(np.array(image.convert("RGBA"), dtype=np.uint8))
    kind = "greyscale" if image.mode in ("1", "L", "LA") else image.mode
    raise other_pixels(f"{kind} pixels", path)


def _tiff_page(file: BinaryIO, path: SlidePath) -> RgbArray:
    with tifffile.TiffFile(file, name=path.name) as tiff:
        if not tiff.pages:
            raise SlideError(
                "is damaged or truncated: it holds no image", where=path, remedy="copy or export it again"
            )
        page = tiff.pages[0]
        _refuse_huge((page.shape[1], page.shape[0]), path)
        return as_rgb(page.asarray(), path)


def _refuse_huge(size: tuple[int, int], path: SlidePath) -> None:
    if size[0] * size[1] > LARGEST_IMAGE_PX:
        raise SlideError(
            f"has {size[0]} x {size[1]} px, but a plain image may have {LARGEST_IMAGE_PX / 1e6:.0f} million at most",
            where=path,
            remedy="convert it to a pyramidal TIFF (for example with vips tiffsave --tile --pyramid)",
        )
