"""Scanners' TIFF formats, made small: with the tags and the XML by which OpenSlide knows them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import tifffile

Pixels = npt.NDArray[np.uint8]

MPP = 0.5
_PER_CM = 1e4 / MPP
_LEICA_NM = 500  # a px
_WHERE = (2000, 4000)  # px of the picture's corner on Leica's canvas


def _levels(
    file: tifffile.TiffWriter, pixels: Pixels, first: dict[str, Any], *, mpp_tag: float = 0.0
) -> None:
    """The picture and its half, in JPEG, with words for the first page; `mpp_tag` instead of px per cm."""
    for k in (0, 1):
        file.write(
            pixels[:: 1 << k, :: 1 << k],
            photometric="rgb",
            tile=(128, 128),
            compression="jpeg",
            compressionargs={"level": 95},
            resolution=(mpp_tag * 2**k,) * 2 if mpp_tag else (_PER_CM / 2**k,) * 2,
            resolutionunit="NONE" if mpp_tag else "CENTIMETER",
            subfiletype=k,
            metadata=None,
            **(first if k == 0 else {}),
        )


def write_aperio(path: Path, pixels: Pixels, *, compression: str = "jpeg") -> None:
    """Aperio SVS: one level and a thumbnail."""
    height, width = pixels.shape[:2]
    words = f"Aperio Image Library v10.0\r\n{width}x{height} (128x128) Q=95|AppMag = 20|MPP = {MPP}"
    with tifffile.TiffWriter(path) as file:
        file.write(
            pixels,
            photometric="rgb",
            tile=(128, 128),
            compression=compression,
            compressionargs={"level": 95},
            description=words,
            metadata=None,
        )
        file.write(pixels[::8, ::8], photometric="rgb", description=words, metadata=None)


def write_leica(path: Path, pixels: Pixels) -> tuple[int, int]:
    """Leica SCN: a macro and a picture that lies somewhere on the slide's canvas; gives the (x, y) of its corner."""
    height, width = pixels.shape[:2]
    x, y = _WHERE

    def image(name: str, view: str, objective: str, dimensions: str) -> str:
        return (
            f'<image name="{name}" uuid="urn:uuid:{name}"><creationDate>2012-01-01T00:00:00.0Z</creationDate>'
            f'<device model="m" version="1"/><pixels sizeX="{width}" sizeY="{height}">{dimensions}</pixels>'
            f'<view {view} spacingZ="0"/><scanSettings><objectiveSettings><objective>{objective}</objective>'
            "</objectiveSettings><illuminationSettings><numericalAperture>0.5</numericalAperture>"
            "<illuminationSource>brightfield</illuminationSource></illuminationSettings></scanSettings></image>"
        )

    whole = 'sizeX="4000000" sizeY="5000000"'
    sizes = "".join(
        f'<dimension sizeX="{width >> k}" sizeY="{height >> k}" r="{k}" ifd="{k + 1}"/>' for k in (0, 1)
    )
    macro = image(
        "macro",
        f'{whole} offsetX="0" offsetY="0"',
        "0.6",
        f'<dimension sizeX="{width // 4}" sizeY="{height // 4}" r="0" ifd="0"/>',
    )
    view = (
        f'sizeX="{width * _LEICA_NM}" sizeY="{height * _LEICA_NM}" '
        f'offsetX="{x * _LEICA_NM}" offsetY="{y * _LEICA_NM}"'
    )
    xml = (
        '<?xml version="1.0"?><scn xmlns="http://www.leica-microsystems.com/scn/2010/10/01" uuid="urn:uuid:1">'
        f'<collection name="c" uuid="urn:uuid:2" {whole}><barcode></barcode>{macro}'
        f"{image('scan', view, '20', sizes)}</collection></scn>"
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(pixels[::4, ::4], photometric="rgb", tile=(128, 128), description=xml, metadata=None)
        _levels(file, pixels, {})
    return x, y


def write_philips(path: Path, pixels: Pixels) -> None:
    """Philips TIFF: the sizes and spacings of its levels in XML."""
    height, width = pixels.shape[:2]

    def attribute(name: str, kind: str, value: str) -> str:
        return f'<Attribute Name="{name}" Group="0x0" Element="0x0" PMSVR="{kind}">{value}</Attribute>'

    def spacing(level: int) -> str:
        mm = MPP / 1000 * 2**level
        return attribute("DICOM_PIXEL_SPACING", "IDoubleArray", f"&quot;{mm}&quot; &quot;{mm}&quot;")

    levels = "".join(
        '<DataObject ObjectType="PixelDataRepresentation">'
        + spacing(k)
        + attribute("PIIM_PIXEL_DATA_REPRESENTATION_NUMBER", "IUInt16", str(k))
        + attribute("PIIM_PIXEL_DATA_REPRESENTATION_COLUMNS", "IUInt32", str(width >> k))
        + attribute("PIIM_PIXEL_DATA_REPRESENTATION_ROWS", "IUInt32", str(height >> k))
        + "</DataObject>"
        for k in (0, 1)
    )
    sequence = attribute(
        "PIIM_PIXEL_DATA_REPRESENTATION_SEQUENCE", "IDataObjectArray", f"<Array>{levels}</Array>"
    )
    scan = (
        '<DataObject ObjectType="DPScannedImage">'
        + attribute("PIM_DP_IMAGE_TYPE", "IString", "WSI")
        + spacing(0)
        + sequence
        + "</DataObject>"
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8" ?><DataObject ObjectType="DPUfsImport">'
        + attribute("DICOM_MANUFACTURER", "IString", "PHILIPS")
        + attribute("PIM_DP_SCANNED_IMAGES", "IDataObjectArray", f"<Array>{scan}</Array>")
        + "</DataObject>"
    )
    with tifffile.TiffWriter(path) as file:
        _levels(file, pixels, {"description": xml, "software": "Philips DP v1.0"})


def write_trestle(path: Path, pixels: Pixels) -> None:
    """Trestle: known by its software's name; its resolution tags are µm per px."""
    words = "Objective Power=20;Background Color=FFFFFF;OverlapsXY=0 0 0 0;"
    with tifffile.TiffWriter(path) as file:
        _levels(file, pixels, {"description": words, "software": "MedScan v1"}, mpp_tag=MPP)


def write_ventana(path: Path, pixels: Pixels) -> None:
    """Ventana BIF: its tiles are numbered like a snake from the lower left corner, and each says how it joins the next.

    Sides are multiples of 128 px.
    """
    rows, columns = int(pixels.shape[0]) // 128, int(pixels.shape[1]) // 128

    def number(row: int, column: int) -> int:
        up = rows - 1 - row
        return up * columns + (column if up % 2 == 0 else columns - 1 - column) + 1

    def joint(direction: str, one: int, other: int) -> str:
        return (
            f'<TileJointInfo FlagJoined="1" Confidence="100" Direction="{direction}" Tile1="{one}" Tile2="{other}" '
            'OverlapX="0" OverlapY="0"/>'
        )

    joints = [
        joint("RIGHT", number(row, column), number(row, column + 1))
        for row in range(rows)
        for column in range(columns - 1)
    ]
    joints += [
        joint("UP", number(row, column), number(row - 1, column))
        for row in range(rows - 1, 0, -1)
        for column in range(columns)
    ]
    scan = f'<iScan Magnification="20" ScanRes="{MPP}" UnitNumber="1"/>'
    area = f'AOIScanned="1" AOIIndex="0" NumRows="{rows}" NumCols="{columns}" Width="128" Height="128"'
    stitched = (
        f'<?xml version="1.0"?><EncodeInfo Ver="2"><SlideInfo>{scan}</SlideInfo><SlideStitchInfo>'
        f'<ImageInfo {area} Pos-X="0" Pos-Y="0">{"".join(joints)}</ImageInfo></SlideStitchInfo>'
        '<AoiOrigin><AOI0 OriginX="0" OriginY="0"/></AoiOrigin></EncodeInfo>'
    )
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        file.write(
            pixels[::8, ::8],
            photometric="rgb",
            description="Label Image",
            metadata=None,
            extratags=[_xmp(scan)],
        )
        for k, words in ((0, "level=0 mag=20 quality=95"), (1, "level=1 mag=10 quality=95")):
            file.write(
                pixels[:: 1 << k, :: 1 << k],
                photometric="rgb",
                tile=(128, 128),
                compression="jpeg",
                compressionargs={"level": 95},
                description=words,
                metadata=None,
                extratags=[_xmp(stitched)] if k == 0 else [],
            )


def _xmp(text: str) -> tuple[int, int, int, bytes, bool]:
    return (700, 1, len(text), text.encode(), True)
