"""Whole slides in DICOM, made: a file a level, tiled, uncompressed or in JPEG-LS, so that pixels stay as they are."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imagecodecs
import numpy as np
import numpy.typing as npt
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate
from pydicom.uid import UID, ExplicitVRLittleEndian, JPEGLSLossless, generate_uid

WHOLE_SLIDE = UID("1.2.840.10008.5.1.4.1.1.77.1.6")
SEGMENTATION = UID("1.2.840.10008.5.1.4.1.1.66.4")
ORIGINAL = ("ORIGINAL", "PRIMARY", "VOLUME", "NONE")
RESAMPLED = ("DERIVED", "PRIMARY", "VOLUME", "RESAMPLED")
LABEL = ("ORIGINAL", "PRIMARY", "LABEL", "NONE")
TILE_PX = 64
_STUDY, _FRAME = generate_uid(), generate_uid()


def write_series(
    folder: Path, pixels: npt.NDArray[np.uint8], names: Sequence[str], *, mpp: float = 0.25
) -> str:
    """Write a slide of as many levels as there are names, each half as fine as the one before; the series' UID."""
    series = generate_uid()
    for level, name in enumerate(names):
        step = 2**level
        kind = RESAMPLED if level else ORIGINAL
        write_dicom(folder / name, pixels[::step, ::step], series=series, mpp=mpp * step, image_type=kind)
    return series


def write_dicom(
    path: Path,
    pixels: npt.NDArray[np.uint8],
    *,
    series: str,
    mpp: float = 0.25,
    image_type: Sequence[str] = ORIGINAL,
    sop_class: UID = WHOLE_SLIDE,
    syntax: UID = ExplicitVRLittleEndian,
    places: Sequence[int] | None = None,
    **changed: object,
) -> Dataset:
    """Write (H, W, 3) pixels as one file of a series, and return what was written.

    Parameters
    ----------
    places : which tiles are written (TILED_SPARSE), in that order, counted row by row; by default all
    changed : attributes that are to differ, by DICOM's names
    """
    height, width = pixels.shape[:2]
    data = Dataset()
    data.file_meta = FileMetaDataset()
    data.file_meta.TransferSyntaxUID = syntax
    data.SOPClassUID = data.file_meta.MediaStorageSOPClassUID = sop_class
    data.SOPInstanceUID = data.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    data.SeriesInstanceUID, data.StudyInstanceUID, data.FrameOfReferenceUID = series, _STUDY, _FRAME
    data.Modality = "SM"
    data.ImageType = list(image_type)
    data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
    data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    data.Rows = data.Columns = TILE_PX
    data.TotalPixelMatrixColumns, data.TotalPixelMatrixRows = width, height
    data.TotalPixelMatrixFocalPlanes = data.NumberOfOpticalPaths = 1
    data.DimensionOrganizationType = "TILED_FULL"
    data.ImagedVolumeWidth, data.ImagedVolumeHeight = width * mpp / 1000, height * mpp / 1000
    data.ImagedVolumeDepth = 0.001
    measures, shared, light = Dataset(), Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness = [mpp / 1000] * 2, 0.001
    shared.PixelMeasuresSequence = [measures]
    data.SharedFunctionalGroupsSequence = [shared]
    light.OpticalPathIdentifier = "1"
    data.OpticalPathSequence = [light]
    tiles = _tiles(pixels)
    if places is not None:
        across = -(-width // TILE_PX)
        data.DimensionOrganizationType = "TILED_SPARSE"
        data.PerFrameFunctionalGroupsSequence = [_place(*divmod(place, across)) for place in places]
        tiles = [tiles[place] for place in places]
    data.NumberOfFrames = len(tiles)
    for name, value in changed.items():
        setattr(data, name, value)
    if syntax == JPEGLSLossless:
        data.PixelData = encapsulate([bytes(imagecodecs.jpegls_encode(tile)) for tile in tiles])
        data["PixelData"].is_undefined_length = True
        data["PixelData"].VR = "OB"
    else:
        assert syntax == ExplicitVRLittleEndian, syntax
        data.PixelData = b"".join(tile.tobytes() for tile in tiles)
        data["PixelData"].VR = "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    data.save_as(path, enforce_file_format=True)
    return data


def _place(row: int, column: int) -> Dataset:
    """Where a tile lies."""
    frame, position = Dataset(), Dataset()
    position.RowPositionInTotalImagePixelMatrix = row * TILE_PX + 1
    position.ColumnPositionInTotalImagePixelMatrix = column * TILE_PX + 1
    for axis in "XYZ":
        setattr(position, f"{axis}OffsetInSlideCoordinateSystem", 0)
    frame.PlanePositionSlideSequence = [position]
    return frame


def _tiles(pixels: npt.NDArray[np.uint8]) -> list[npt.NDArray[np.uint8]]:
    """The tiles row by row, filled up with white."""
    height, width = pixels.shape[:2]
    padded = np.pad(pixels, ((0, -height % TILE_PX), (0, -width % TILE_PX), (0, 0)), constant_values=255)
    return [
        np.ascontiguousarray(padded[y : y + TILE_PX, x : x + TILE_PX])
        for y in range(0, height, TILE_PX)
        for x in range(0, width, TILE_PX)
    ]
