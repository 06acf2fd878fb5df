"""Plain images (PNG, JPEG, JPEG 2000, WebP, BMP) as slides of one level, held in memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ImageFile import ImageFile
from PIL.Jpeg2KImagePlugin import Jpeg2KImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.WebPImagePlugin import WebPImageFile

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath, open_binary, read_failure
from wsi_edt.slides.pixels import inside, on_white, other_pixels
from wsi_edt.slides.protocol import REMARK, RgbArray
from wsi_edt.slides.tiff_reader import ORIENTATIONS

# A plain image is held whole: 16384 x 16384 px are 0.8 GB. Beyond that it belongs in a pyramid.
LARGEST_IMAGE_PX = 2**28
_HEAD_BYTES = 12
_ORIENTATION_TAG = 274
_JPEG2000_HEAD_BYTES = 2**20  # boxes, such as a profile's, come before the codestream
_SIZ = b"\xff\x4f\xff\x51"
_PLUGINS: tuple[tuple[Callable[[bytes], bool], type[ImageFile]], ...] = (
    (lambda head: head.startswith(b"\x89PNG\r\n\x1a\n"), PngImageFile),
    (lambda head: head.startswith(b"\xff\xd8\xff"), JpegImageFile),
    (lambda head: head.startswith((b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51")), Jpeg2KImageFile),
    (lambda head: head.startswith(b"RIFF") and head[8:12] == b"WEBP", WebPImageFile),
    (lambda head: head.startswith(b"BM"), BmpImageFile),
)


class ImageSlide:
    """A slide of one level made of an array: (H, W, 3) uint8 RGB. Safe to read from several threads.

    `slide_mpp` is what the caller says, since plain images state none that could be relied on; `icc_profile` is the
    file's, if it has one.
    """

    def __init__(
        self,
        path: SlidePath,
        pixels: RgbArray,
        slide_mpp: float | None,
        properties: Mapping[str, str] = MappingProxyType({}),
        icc_profile: bytes | None = None,
    ) -> None:
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
        self.properties = properties
        self.icc_profile = icc_profile

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
    """A PNG, JPEG, JPEG 2000, WebP or BMP file as a slide of one level, decoded whole.

    It is read as it is stored: an orientation that EXIF states is not applied, as QuPath doesn't, but said. Densities that
    such files state are printers', never a µm/px.

    Raises
    ------
    SlideError
        If the file is none of these, is damaged, has other px than 8-bit RGB, or more than 2^28 of them.
    """
    try:
        with open_binary(path) as file:
            head = file.read(_HEAD_BYTES)
            file.seek(0)
            # The plugins by name, not Image.open: that warns about large images and would try all formats.
            plugin = next((plugin for begins, plugin in _PLUGINS if begins(head)), None)
            if plugin is None:
                raise SlideError(
                    "is neither a slide that openslide or tiffslide opens nor a PNG, JPEG or TIFF image",
                    where=path,
                    remedy="export the slide as a pyramidal TIFF",
                )
            image = plugin(file, str(path))
            _refuse_deep(image, path)
            return ImageSlide(path, _rgb(image, path), fallback_mpp, _properties(image), _profile(image))
    except SlideError:
        raise
    except Exception as error:  # decoders raise what they like for damaged files
        raise read_failure(path, error, "can't be decoded") from error


def _properties(image: ImageFile) -> dict[str, str]:
    turned = ORIENTATIONS.get(image.getexif().get(_ORIENTATION_TAG, 1))
    if turned is None:
        return {}
    return {REMARK: f"its EXIF data say that it is {turned}; it is read as it is stored"}


def _profile(image: ImageFile) -> bytes | None:
    profile = image.info.get("icc_profile")
    return profile if isinstance(profile, bytes) and profile else None


def _rgb(image: ImageFile, path: SlidePath) -> RgbArray:
    _refuse_huge(image.size, path)
    if image.mode in ("RGB", "CMYK", "YCbCr"):
        return np.array(image.convert("RGB"), dtype=np.uint8)
    if image.mode in ("RGBA", "P", "PA"):
        return on_white(np.array(image.convert("RGBA"), dtype=np.uint8))
    kind = "greyscale" if image.mode in ("1", "L", "LA", "I", "I;16", "I;16B", "F") else image.mode
    raise other_pixels(f"{kind} pixels", path)


def _refuse_deep(image: ImageFile, path: SlidePath) -> None:
    """Raise SlideError for colours of more than 8 bits.

    Pillow 13 calls them RGB too: of PNG it drops the low byte, and in JPEG 2000 of 16 bits its white becomes black.
    """
    bits = 8
    if isinstance(image, PngImageFile):
        bits = 16 if any(str(tile.args).endswith(";16B") for tile in image.tile) else 8
    elif isinstance(image, Jpeg2KImageFile):
        bits = _jpeg2000_bits(image)
    if bits > 8 and image.mode.startswith("RGB"):
        raise other_pixels(f"{image.width}×{image.height} px of {bits} bits a colour", path)


def _jpeg2000_bits(image: Jpeg2KImageFile) -> int:
    """Bits a sample, the most of any component, from the codestream's SIZ segment (ISO 15444-1, A.5.1)."""
    file = image.fp
    assert file is not None
    place = file.tell()
    file.seek(0)
    head = file.read(_JPEG2000_HEAD_BYTES)
    file.seek(place)
    start = head.find(_SIZ)
    if start < 0:
        return 8  # its decoder will say what is wrong
    count = int.from_bytes(head[start + 40 : start + 42], "big")
    return 1 + max((byte & 0x7F for byte in head[start + 42 : start + 42 + 3 * count : 3]), default=7)


def _refuse_huge(size: tuple[int, int], path: SlidePath) -> None:
    if size[0] * size[1] > LARGEST_IMAGE_PX:
        raise SlideError(
            f"has {size[0]} x {size[1]} px, but a plain image may have {LARGEST_IMAGE_PX / 1e6:.0f} million at most",
            where=path,
            remedy="convert it to a pyramidal TIFF (for example with vips tiffsave --tile --pyramid)",
        )
