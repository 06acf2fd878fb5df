"""Slides of several files, made: MRXS (3DHISTECH) and VMS (Hamamatsu), as openslide's documentation describes them."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

Pixels = npt.NDArray[np.uint8]
MRXS_TILE_PX = 128
_SLIDE_ID = "0123456789ABCDEF0123456789ABCDEF"
_VERSION = "01.02"


def write_mrxs(path: Path, pixels: Pixels, *, mpp: float, empty_columns: int = 0) -> None:
    """Write pixels as one level of PNG tiles, to the right of columns of tiles that weren't scanned.

    The sides are multiples of `MRXS_TILE_PX`. What isn't scanned makes the bounds differ from the slide.
    """
    rows, columns = pixels.shape[0] // MRXS_TILE_PX, pixels.shape[1] // MRXS_TILE_PX
    folder = path.with_suffix("")
    folder.mkdir(parents=True)
    Image.new("RGB", (40, 30), (255, 0, 255)).save(path, "JPEG")  # what a .mrxs is outside: a small picture
    data, records, across = io.BytesIO(), [], columns + empty_columns
    for row in range(rows):
        for column in range(columns):
            top, left = row * MRXS_TILE_PX, column * MRXS_TILE_PX
            png = io.BytesIO()
            Image.fromarray(pixels[top : top + MRXS_TILE_PX, left : left + MRXS_TILE_PX]).save(png, "PNG")
            index = row * across + column + empty_columns
            records.append((index, data.tell(), len(png.getvalue()), 0))
            data.write(png.getvalue())
    (folder / "Data0000.dat").write_bytes(data.getvalue())
    (folder / "Index.dat").write_bytes(_index(records))
    (folder / "Slidedat.ini").write_text(_slidedat(across, rows, mpp), encoding="utf-8-sig")


def _index(records: list[tuple[int, int, int, int]]) -> bytes:
    """Version and id; where the levels and the other records begin; one level, of one page after an empty one."""
    head = (_VERSION + _SLIDE_ID).encode()
    levels = len(head) + 8  # behind the two pointers
    entry, page = levels + 4, levels + 12
    level = struct.pack("<iii", entry, 0, page)
    body = struct.pack("<ii", len(records), 0) + b"".join(struct.pack("<iiii", *one) for one in records)
    return head + struct.pack("<ii", levels, levels) + level + body


def _slidedat(columns: int, rows: int, mpp: float) -> str:
    return f"""[GENERAL]
SLIDE_VERSION={_VERSION}
SLIDE_ID={_SLIDE_ID}
IMAGENUMBER_X={columns}
IMAGENUMBER_Y={rows}
OBJECTIVE_MAGNIFICATION=20
CameraImageDivisionsPerSide=1
[HIERARCHICAL]
INDEXFILE=Index.dat
HIER_COUNT=1
NONHIER_COUNT=0
HIER_0_NAME=Slide zoom level
HIER_0_COUNT=1
HIER_0_VAL_0=ZoomLevel_0
HIER_0_VAL_0_SECTION=LAYER_0_LEVEL_0_SECTION
[DATAFILE]
FILE_COUNT=1
FILE_0=Data0000.dat
[LAYER_0_LEVEL_0_SECTION]
OVERLAP_X=0
OVERLAP_Y=0
MICROMETER_PER_PIXEL_X={mpp}
MICROMETER_PER_PIXEL_Y={mpp}
IMAGE_FORMAT=PNG
IMAGE_FILL_COLOR_BGR=16777215
DIGITIZER_WIDTH={MRXS_TILE_PX}
DIGITIZER_HEIGHT={MRXS_TILE_PX}
IMAGE_CONCAT_FACTOR=0
"""


def write_vms(path: Path, left: Pixels, right: Pixels, *, mpp: float) -> None:
    """Write two pictures of one height side by side, as JPEGs that restart every 64 px."""
    small = np.concatenate([left, right], axis=1)[::4, ::4]
    for name, pixels in (("left.jpg", left), ("right.jpg", right), ("map.jpg", small)):
        Image.fromarray(np.ascontiguousarray(pixels)).save(
            path.with_name(name), "JPEG", quality=95, subsampling=0, restart_marker_blocks=8
        )
    Image.fromarray(left[::8, ::8].copy()).save(path.with_name("macro.jpg"), "JPEG")
    width, height = left.shape[1] + right.shape[1], left.shape[0]
    path.write_text(f"""[Virtual Microscope Specimen]
NoLayers=1
NoJpegColumns=2
NoJpegRows=1
ImageFile=left.jpg
ImageFile(1,0)=right.jpg
MapFile=map.jpg
MacroImage=macro.jpg
PhysicalWidth={round(width * mpp * 1000)}
PhysicalHeight={round(height * mpp * 1000)}
SourceLens=20
""")
