"""Slides that tifffile reads: OME-TIFF, and TIFFs that openslide doesn't know or shows in part."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Self

import numpy as np
import numpy.typing as npt
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath, read_failure
from wsi_edt.slides.metadata import stated_mpp, true_downsamples
from wsi_edt.slides.picture_roles import chosen_picture, pictures_of
from wsi_edt.slides.pixels import WHITE, inside, on_white, other_pixels, premultiplied_on_white, ycbcr_to_rgb
from wsi_edt.slides.protocol import REMARK, STATED_MPP, RgbArray
from wsi_edt.slides.tiff_file import OpenTiff, refuse_truncated
from wsi_edt.slides.tiff_pictures import TiffLevel, TiffPage, TiffPicture, keyframe_of, tiff_pictures

# Decoded tiles (or strips) that stay in memory, since neighbouring windows share them; the last one always does.
_KEPT_BYTES = 1 << 24
# A strip may be a whole picture: 16384 x 16384 px. Beyond that it belongs in tiles.
_LARGEST_SEGMENT_PX = 2**28
# The codecs that give red, green and blue whatever the file says of its colours.
_DECODED_TO_RGB = (6, 7, 34892, 33007)
ORIENTATIONS = {
    2: "mirrored left to right",
    3: "turned by 180°",
    4: "mirrored top to bottom",
    5: "mirrored and turned by 90°",
    6: "turned by 90°",
    7: "mirrored and turned by 270°",
    8: "turned by 270°",
}


class TiffFileSlide:
    """A picture of a TIFF file, read with tifffile's decoders. What the file has no data for is white."""

    reader = "tifffile"

    def __init__(
        self,
        path: SlidePath,
        fallback_mpp: float | None,
        series: int | None = None,
        *,
        file: OpenTiff | None = None,
    ) -> None:
        """Open the picture of that number, by default the file's one scan; `fallback_mpp` is used if it states none.

        `file` is the file if it is open already; it is closed with the slide.

        Raises
        ------
        Exception
            Whatever tifffile raises if it can't open the file.
        SlideError
            If it is truncated, holds several scans and `series` doesn't say which, or if the picture's pixels aren't
            square or aren't 8-bit RGB.
        """
        self._file = file or OpenTiff(path)
        try:
            self.path = path
            tiff = self._file.tiff
            found = tiff_pictures(tiff)
            if not found:
                raise SlideError(
                    "is damaged or truncated: it holds no image", where=path, remedy="copy or export it again"
                )
            pictures = pictures_of([picture.evidence for picture in found])
            picture = found[chosen_picture(pictures, series, path).number - 1]
            _refuse_unreadable(picture, tiff, path)
            self._levels = picture.levels
            self._colours = [_Colours(level) for level in picture.levels]
            self._kept = _KeptSegments(path)
            self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
                (level.width, level.height) for level in picture.levels
            )
            self.dimensions: tuple[int, int] = self.level_dimensions[0]
            width, height = self.dimensions
            quotients = [(width / w + height / h) / 2 for w, h in self.level_dimensions]
            self.level_downsamples = true_downsamples(self.level_dimensions, quotients)
            own_mpp = stated_mpp(path, *picture.mpp)
            self.mpp = own_mpp or fallback_mpp
            self.mpp_stated = own_mpp is not None
            self.bounds = Window(0, 0, width, height)
            self.vendor: str | None = None
            self.objective_power: float | None = None
            self.properties: Mapping[str, str] = MappingProxyType(_properties(picture))
            self.icc_profile: bytes | None = picture.levels[0].keyframe.iccprofile
            self.read_level(0, Window(0, 0, 1, 1))  # a codec that is missing is known now
        except BaseException:
            self._file.close()
            raise

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        stored = self._levels[level]
        pixels = np.full((window.height, window.width, stored.samples), WHITE, np.uint8)
        try:
            each = stored.samples // len(stored.pages)
            for k, page in enumerate(stored.pages):
                assert page is not None
                self._read_page(page, window, pixels[..., k * each : (k + 1) * each])
        except Exception as error:  # whatever the decoder of the day raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        return self._colours[level].to_rgb(pixels)

    def _read_page(self, page: TiffPage, window: Window, out: npt.NDArray[np.uint8]) -> None:
        """Fill (height, width, samples) with a window of a page."""
        key = keyframe_of(page)
        height, width = (
            (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, key.imagewidth)
        )
        across, down = -(-key.imagewidth // width), -(-key.imagelength // height)
        separate = key.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        for plane in range(out.shape[2] if separate else 1):
            target = out[..., plane : plane + 1] if separate else out
            for row in range(window.y // height, -(-window.bottom // height)):
                for column in range(window.x // width, -(-window.right // width)):
                    segment = self._kept.get(page, (plane * down + row) * across + column)
                    if segment is None:
                        continue
                    top, left = max(window.y, row * height), max(window.x, column * width)
                    bottom = min(window.bottom, row * height + segment.shape[0])
                    right = min(window.right, column * width + segment.shape[1])
                    target[top - window.y : bottom - window.y, left - window.x : right - window.x] = segment[
                        top - row * height : bottom - row * height,
                        left - column * width : right - column * width,
                    ]

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _KeptSegments:
    """Decodes tiles and strips, and keeps the last ones."""

    def __init__(self, path: SlidePath) -> None:
        self._path = path
        self._segments: OrderedDict[tuple[int, int], npt.NDArray[np.uint8]] = OrderedDict()
        self._bytes = 0

    def get(self, page: TiffPage, index: int) -> npt.NDArray[np.uint8] | None:
        """A tile or strip (height, width, samples); None if the file has no data for it."""
        name = (id(page), index)
        if name in self._segments:
            self._segments.move_to_end(name)
            return self._segments[name]
        segment = _decoded(page, index)
        if segment is None:
            return None
        self._segments[name] = segment
        self._bytes += segment.nbytes
        while self._bytes > _KEPT_BYTES and len(self._segments) > 1:
            self._bytes -= self._segments.popitem(last=False)[1].nbytes
        return segment


def _decoded(page: TiffPage, index: int) -> npt.NDArray[np.uint8] | None:
    offset, count = page.dataoffsets[index], page.databytecounts[index]
    if not offset or not count:
        return None
    file = page.parent.filehandle
    file.seek(offset)
    data = file.read(count)
    key = keyframe_of(page)
    segment = key.decode(
        data,
        index,
        **({} if page.jpegtables is None else {"jpegtables": page.jpegtables}),
        **({} if key.jpegheader is None else {"jpegheader": key.jpegheader}),
    )[0]
    assert segment is not None
    pixels: npt.NDArray[np.uint8] = segment[0]
    return pixels


class _Colours:
    """From a level's samples to RGB on white."""

    def __init__(self, level: TiffLevel) -> None:
        page = level.keyframe
        self._is_ycbcr = (
            page.photometric == tifffile.PHOTOMETRIC.YCBCR and page.compression not in _DECODED_TO_RGB
        )
        alphas = [int(kind) for kind in page.extrasamples]
        # A sample that isn't declared to be alpha is none.
        self._alpha = next((k for k, kind in enumerate(alphas) if kind in (1, 2)), None)
        self._is_premultiplied = self._alpha is not None and alphas[self._alpha] == 1

    def to_rgb(self, pixels: npt.NDArray[np.uint8]) -> RgbArray:
        """(H, W, samples) as (H, W, 3)."""
        rgb = np.ascontiguousarray(pixels[..., :3])
        if self._is_ycbcr:
            rgb = ycbcr_to_rgb(rgb)
        if self._alpha is None or 3 + self._alpha >= pixels.shape[2]:
            return rgb
        rgba = np.dstack([rgb, pixels[..., 3 + self._alpha]])
        return premultiplied_on_white(rgba) if self._is_premultiplied else on_white(rgba)


def _refuse_unreadable(picture: TiffPicture, tiff: tifffile.TiffFile, path: SlidePath) -> None:
    """Raise a SlideError if the picture can't be read as it is, and open the other files that hold its pages."""
    pages = [page for level in picture.levels for page in level.pages]
    if any(page is None for page in pages):
        raise SlideError(
            "is one of several files of an OME-TIFF, and another that holds its pixels is missing",
            where=path,
            remedy="put its files into one folder",
        )
    if picture.other_pixels is not None:
        raise other_pixels(picture.other_pixels, path)
    refuse_truncated(tiff, pages, path)
    assert pages[0] is not None
    owner = pages[0].parent
    if owner is not tiff:
        raise SlideError(
            f"is one of several files of an OME-TIFF, whose pixels are in {owner.filehandle.name}",
            where=path,
            remedy=f"give {owner.filehandle.name} and leave this one out",
        )
    for page in pages:
        assert page is not None
        key = keyframe_of(page)
        if key.compression not in tifffile.COMPRESSION.__members__.values():
            raise SlideError(
                f"is compressed in a way that isn't read (TIFF compression {int(key.compression)})",
                where=path,
                remedy="export it with JPEG, LZW or Deflate compression",
            )
        rows, columns = (
            (key.tilelength, key.tilewidth) if key.is_tiled else (key.rowsperstrip, key.imagewidth)
        )
        if min(rows, columns) < 1 or min(rows, key.imagelength) * columns > _LARGEST_SEGMENT_PX:
            raise SlideError(
                f"has {key.imagewidth} x {key.imagelength} px in one piece, but {_LARGEST_SEGMENT_PX / 1e6:.0f} million "
                "are read at most",
                where=path,
                remedy="convert it to a pyramidal TIFF (for example with vips tiffsave --tile --pyramid)",
            )
        if page.parent.filehandle.closed:
            page.parent.filehandle.open()


def _properties(picture: TiffPicture) -> dict[str, str]:
    page = picture.levels[0].keyframe
    tags = {
        "tiff.ImageDescription": page.description,
        "tiff.Software": page.software,
        "tiff.Make": page.tags.valueof("Make"),
        "tiff.Model": page.tags.valueof("Model"),
    }
    orientation = ORIENTATIONS.get(page.tags.valueof("Orientation", default=1))
    remarks = [
        f"{picture.plane} is read" if picture.plane else "",
        f"read as stored, though its tag says that it is to be shown {orientation}" if orientation else "",
    ]
    properties = {key: str(value) for key, value in tags.items() if value}
    if picture.mean_mpp is not None:
        properties[STATED_MPP] = str(picture.mean_mpp)
    remark = "; ".join(words for words in remarks if words)
    return properties | ({REMARK: remark} if remark else {})
