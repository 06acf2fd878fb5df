"""What isn't read though it is intact: properties of files that the libraries refuse, and formats that none of them knows.

A file is called damaged only where reading it fails within what is read.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from wsi_edt.errors import SlideError

_TO_TIFF = "export it as OME-TIFF or a pyramidal TIFF with JPEG tiles"
_CZI = "pip install 'wsi-edt[czi]' if it is brightfield of one plane, else export it from ZEN as OME-TIFF"
# How openslide, tifffile and wsidicom word that they don't read a property. ("Unsupported marker" is damage to a JPEG.)
_PROPERTY = re.compile(
    r"unsupported (?:tiff compression|transfer syntax|photometric|color type|bmp)"
    r"|(?:is|are) not supported|not a known compression|unknown image flavor|cannot handle imagedepth"
    r"|attribute \w+ value .* != |requires the 'imagecodecs' package|no matching decoder|no decoder",
    re.IGNORECASE,
)
_CZI_DIMENSION = re.compile(r'Unrecognized subblock dimension "(.)"')
_CZI_DIMENSIONS = {
    "T": "times",
    "Z": "focal planes",
    "B": "acquisition blocks",
    "H": "phases",
    "I": "directions of light",
    "R": "rotations",
    "V": "views",
}
# Formats of scanners and microscopes that nothing here reads, by suffix. Some are TIFFs or JPEGs outside, which would
# show a thumbnail; all are refused by name.
UNREAD_FORMATS = {
    ".vsi": (
        "Olympus/Evident VSI",
        "export it from OlyVIA or cellSens as a pyramidal TIFF, or convert it to OME-TIFF",
    ),
    ".ets": (
        "Olympus/Evident ETS, the pixels of a .vsi",
        "export the .vsi from OlyVIA or cellSens as a pyramidal TIFF",
    ),
    ".isyntax": ("Philips iSyntax", "export it as Philips TIFF or as DICOM"),
    ".i2syntax": ("Philips iSyntax 2", "export it as Philips TIFF or as DICOM"),
    ".afi": ("Aperio's list of fluorescence channels (AFI)", "the model is for brightfield, so leave it out"),
    ".ndpis": (
        "Hamamatsu's list of fluorescence channels (NDPIS)",
        "the model is for brightfield, so leave it out",
    ),
    ".lif": ("Leica LIF", "export it from LAS X as TIFF, or convert it to OME-TIFF"),
    ".lof": ("Leica LOF", "export it from LAS X as TIFF, or convert it to OME-TIFF"),
    ".nd2": ("Nikon ND2", "export it from NIS-Elements as TIFF, or convert it to OME-TIFF"),
    ".zvi": ("Zeiss ZVI", "convert it to OME-TIFF"),
    ".lsm": ("Zeiss LSM, of confocal microscopes", "the model is for brightfield, so leave it out"),
    ".oir": ("Olympus OIR, of confocal microscopes", "the model is for brightfield, so leave it out"),
    ".ims": ("Imaris IMS", "convert it to OME-TIFF"),
    ".kfb": ("KFBIO KFB", "export it from the scanner's software as SVS or pyramidal TIFF"),
    ".sdpc": ("Sqray SDPC", "export it from the scanner's software as SVS or pyramidal TIFF"),
    ".tmap": ("Unic TMAP", "export it from the scanner's software as SVS or pyramidal TIFF"),
    ".mds": ("Motic MDS", "export it from the scanner's software as SVS or pyramidal TIFF"),
    ".mdsx": ("Motic MDSX", "export it from the scanner's software as SVS or pyramidal TIFF"),
    ".dzi": ("Deep Zoom", "use the slide that it was made from"),
    ".szi": ("Smart Zoom", "use the slide that it was made from"),
}


def unread_format(name: str) -> str | None:
    """The suffix, if a file of that name is of a known format that isn't read."""
    suffix = PurePath(name).suffix.lower()
    return suffix if suffix in UNREAD_FORMATS else None


def refuse_unread_format(path: object, name: str) -> None:
    """Raise SlideError for a file (its path or URL, and its name) of a known format that isn't read."""
    suffix = unread_format(name)
    if suffix is not None:
        kind, remedy = UNREAD_FORMATS[suffix]
        raise SlideError(f"is in a format that isn't read, {kind}", where=path, remedy=remedy)


def unsupported(path: object, reason: str, what: str) -> SlideError | None:
    """The error for a file whose reader refuses one of its properties; None if that isn't what `reason` says."""
    dimension = _CZI_DIMENSION.search(reason)
    if dimension:
        letter = dimension[1]
        name = f'"{letter}" ({_CZI_DIMENSIONS[letter]})' if letter in _CZI_DIMENSIONS else f'"{letter}"'
        return SlideError(
            f"is a CZI file with the dimension {name}, which openslide doesn't read",
            where=path,
            remedy=_CZI,
        )
    if _PROPERTY.search(reason):
        remedy = _CZI if str(path).lower().endswith(".czi") else _TO_TIFF
        return SlideError(f"{what}: a property of it isn't supported ({reason})", where=path, remedy=remedy)
    return None
