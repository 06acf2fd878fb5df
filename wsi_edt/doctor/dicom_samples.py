"""A small whole slide in DICOM, written to see whether it can be read here."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
from PIL import Image
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, JPEGBaseline8Bit, JPEGLSLossless, generate_uid

Pixels = npt.NDArray[np.uint8]
_WHOLE_SLIDE = UID("1.2.840.10008.5.1.4.1.1.77.1.6")
_ORIGINAL = ["ORIGINAL", "PRIMARY", "VOLUME", "NONE"]
_RESAMPLED = ["DERIVED", "PRIMARY", "VOLUME", "RESAMPLED"]
_LEVELS = 2
_TILE_PX = 256


def write_jpeg(path: Path, pixels: Pixels, *, mpp: float) -> None:
    """Write a series of two levels in JPEG, the coarser one beside `path`."""
    _write_series(path, pixels, mpp=mpp, syntax=JPEGBaseline8Bit, colours="YBR_FULL_422", encode=_jpeg)


def write_jpeg_ls(path: Path, pixels: Pixels, *, mpp: float) -> None:
    """Write a series of two levels in JPEG-LS, the coarser one beside `path`."""
    _write_series(path, pixels, mpp=mpp, syntax=JPEGLSLossless, colours="RGB", encode=_jpeg_ls)


def _jpeg(tile: Pixels) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(tile).save(file, "JPEG", quality=90)
        return file.getvalue()


def _jpeg_ls(tile: Pixels) -> bytes:
    return bytes(imagecodecs.jpegls_encode(np.ascontiguousarray(tile)))


def _write_series(
    path: Path, pixels: Pixels, *, mpp: float, syntax: UID, colours: str, encode: Callable[[Pixels], bytes]
) -> None:
    uids = {f"{name}InstanceUID": generate_uid() for name in ("Series", "Study")}
    uids["FrameOfReferenceUID"] = generate_uid()
    for level in range(_LEVELS):
        file = path.with_stem(f"{path.stem}-{level}") if level else path
        data = _level(pixels[:: 2**level, :: 2**level], mpp * 2**level, is_original=level == 0)
        data.file_meta = FileMetaDataset()
        data.file_meta.TransferSyntaxUID = syntax
        data.file_meta.MediaStorageSOPClassUID = data.SOPClassUID
        data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
        data.PhotometricInterpretation = colours
        for name, uid in uids.items():
            setattr(data, name, uid)
        tiles = _tiles(pixels[:: 2**level, :: 2**level])
        data.NumberOfFrames = len(tiles)
        data.PixelData = encapsulate([encode(tile) for tile in tiles])
        data["PixelData"].VR = "OB"
        data["PixelData"].is_undefined_length = True
        data.save_as(file, enforce_file_format=True)


def _tiles(pixels: Pixels) -> list[Pixels]:
    height, width = pixels.shape[:2]
    starts = [(y, x) for y in range(0, height, _TILE_PX) for x in range(0, width, _TILE_PX)]
    return [pixels[y : y + _TILE_PX, x : x + _TILE_PX] for y, x in starts]


def _level(pixels: Pixels, mpp: float, *, is_original: bool) -> Dataset:
    """What a level's file says of itself; its sides are multiples of the tile's."""
    height, width = pixels.shape[:2]
    data, measures, shared, light = Dataset(), Dataset(), Dataset(), Dataset()
    data.SOPClassUID, data.SOPInstanceUID, data.Modality = _WHOLE_SLIDE, generate_uid(), "SM"
    data.ImageType = _ORIGINAL if is_original else _RESAMPLED
    data.SamplesPerPixel, data.PlanarConfiguration, data.PixelRepresentation = 3, 0, 0
    data.BitsAllocated, data.BitsStored, data.HighBit = 8, 8, 7
    data.Rows = data.Columns = _TILE_PX
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.DimensionOrganizationType = "TILED_FULL"
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    data.ImagedVolumeDepth = measures.SliceThickness = 0.001
    measures.PixelSpacing = [mpp / 1000, mpp / 1000]
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    light.OpticalPathIdentifier = "1"
    data.OpticalPathSequence = [light]
    return data
