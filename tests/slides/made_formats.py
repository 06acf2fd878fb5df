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
