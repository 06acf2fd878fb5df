"""Which formats can really be read here: a small file of each is written, opened and compared."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from wsi_edt.doctor.dicom_samples import write_jpeg, write_jpeg_ls
from wsi_edt.doctor.findings import Finding, Level
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import SLIDE_SUFFIXES, open_slide

_SIDE_PX = 512
_TILE_PX = 256
_MPP = 0.25
_APERIO = "Aperio Image Library v11.2.1\n{0}x{0} [0,0 {0}x{0}] ({1}x{1}) {2}|AppMag = 40|MPP = {3}"
# Grey levels between what was written and what is read, on average: JPEG took 0.5 off this ramp, red swapped with blue 53.
_LOSS = 5.0

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Sample:
    """A format that can be written here.

    Attributes
    ----------
    levels : how many are written
    states_mpp : whether the file states its µm/px
    """

    name: str
    file: str
    write: Callable[[Path, Pixels], None]
    levels: int = 1
    states_mpp: bool = False


def formats() -> Iterator[Finding]:
    """A finding for each format; the files lie in a temporary folder."""
    with tempfile.TemporaryDirectory(prefix="wsi-edt-doctor-") as folder:
        for sample in SAMPLES:
            yield tried(sample, Path(folder))
        for sample, package, extra in OPTIONAL:
            yield optional(sample, package, extra, Path(folder))
    suffixes = " ".join(sorted(SLIDE_SUFFIXES - {".svs", ".tif", ".tiff", ".dcm"}))
    yield Finding(
        "other formats",
        Level.OK,
        f"{suffixes} can't be tried without a slide: `wsi-edt info SLIDE` tries yours",
    )


def optional(sample: Sample, package: str, extra: str, folder: Path) -> Finding:
    """Whether a format is read with the optional package that it needs, from a file in that folder."""
    try:
        version = metadata.version(package)
    except metadata.PackageNotFoundError:
        return Finding(
            sample.name,
            Level.OK,
            f"isn't read, as the optional package {package} isn't installed; "
            f"pip install 'wsi-edt[{extra}]' if you need it",
        )
    finding = tried(sample, folder)
    if finding.level is not Level.OK:  # nothing else depends on it
        return replace(finding, level=Level.WARNING, sentence=f"{finding.sentence} {package}")
    return replace(finding, sentence=f"{finding.sentence} {version}")


def tried(sample: Sample, folder: Path) -> Finding:
    """How well one format is read, from a file in that folder."""
    path, pixels = folder / sample.file, ramp()
    try:
        sample.write(path, pixels)
    except Exception as error:  # encoders raise all kinds
        refused = isinstance(error, OSError) and error.errno is not None  # by the system
        remedy = f"{folder.parent} needs room; or set TMPDIR" if refused else "pip install -U imagecodecs"
        return Finding(
            sample.name, Level.WARNING, f"can't be tried, as no file of it can be written ({error}); {remedy}"
        )
    try:
        with open_slide(path, None if sample.states_mpp else _MPP) as slide:
            read = slide.read_level(0, Window(0, 0, _SIDE_PX, _SIDE_PX))
            levels, mpp, reader = len(slide.level_dimensions), slide.mpp, slide.reader
    except SlideError as error:
        reason = error.sentence(where="", with_remedy=False)
        return Finding(sample.name, Level.PROBLEM, f"doesn't open here: {reason}; {_REMEDY}")
    except Exception as error:  # a broken installation
        return Finding(sample.name, Level.PROBLEM, f"doesn't open here: {error}; {_REMEDY}")
    loss = float(np.abs(read.astype(np.int16) - pixels).mean())
    if loss > _LOSS:
        return Finding(
            sample.name, Level.PROBLEM, f"{reader} reads other colours, by {loss:.0f} grey levels; {_REMEDY}"
        )
    if levels != sample.levels or mpp is None or abs(mpp - _MPP) > 0.01 * _MPP:
        return Finding(
            sample.name,
            Level.PROBLEM,
            f"{reader} sees {levels} levels and {mpp} µm/px instead of {sample.levels} and {_MPP}; {_REMEDY}",
        )
    return Finding(sample.name, Level.OK, f"opens with {reader}")


def ramp() -> Pixels:
    """Red grows to the right, green downwards, blue to the left: swapped colours or sides can't go unnoticed."""
    along = np.linspace(60, 220, _SIDE_PX).astype(np.uint8)
    red = np.broadcast_to(along, (_SIDE_PX, _SIDE_PX))
    return np.stack([red, red.T, red[:, ::-1]], axis=-1)


def _pyramid(path: Path, pixels: Pixels) -> None:
    per_cm = 1e4 / _MPP
    with tifffile.TiffWriter(path) as file:
        for level in range(2):
            file.write(
                pixels[:: 2**level, :: 2**level],
                tile=(_TILE_PX, _TILE_PX),
                photometric="rgb",
                compression="jpeg",
                resolution=(per_cm / 2**level, per_cm / 2**level),
                resolutionunit="CENTIMETER",
                subfiletype=1 if level else 0,
                metadata=None,
            )


def _aperio(path: Path, pixels: Pixels, *, compression: str | int, note: str) -> None:
    with tifffile.TiffWriter(path) as file:
        for level in range(2):
            # As Aperio's scanners write it: after level 0 comes a thumbnail in strips, which isn't a level.
            if level:
                file.write(
                    pixels[::4, ::4], photometric="rgb", description=_aperio_words(note), metadata=None
                )
            file.write(
                pixels[:: 2**level, :: 2**level],
                tile=(_TILE_PX, _TILE_PX),
                photometric="rgb",
                compression=compression,
                description=_aperio_words(note),
                metadata=None,
            )


def _aperio_words(note: str) -> str:
    return _APERIO.format(_SIDE_PX, _TILE_PX, note, _MPP)


def _aperio_jpeg(path: Path, pixels: Pixels) -> None:
    _aperio(path, pixels, compression="jpeg", note="JPEG/RGB Q=90")


def _aperio_jpeg_2000(path: Path, pixels: Pixels) -> None:
    _aperio(path, pixels, compression=33005, note="J2K/KDU Q=70")  # Aperio's own number for RGB


def _ome(path: Path, pixels: Pixels) -> None:
    with tifffile.TiffWriter(path, ome=True) as file:
        size = {"axes": "YXS", "PhysicalSizeX": _MPP, "PhysicalSizeY": _MPP}
        tile = (_TILE_PX, _TILE_PX)
        file.write(pixels, subifds=1, tile=tile, photometric="rgb", compression="deflate", metadata=size)
        file.write(pixels[::2, ::2], tile=tile, photometric="rgb", compression="deflate", subfiletype=1)


def _dicom(path: Path, pixels: Pixels) -> None:
    write_jpeg(path, pixels, mpp=_MPP)


def _dicom_jpeg_ls(path: Path, pixels: Pixels) -> None:
    write_jpeg_ls(path, pixels, mpp=_MPP)


def _czi(path: Path, pixels: Pixels) -> None:
    from pylibCZIrw import czi

    path.unlink(missing_ok=True)
    with czi.create_czi(str(path)) as file:
        file.write(np.ascontiguousarray(pixels[..., ::-1]))
        file.write_metadata(document_name="doctor", scale_x=_MPP * 1e-6, scale_y=_MPP * 1e-6)


def _lzw(path: Path, pixels: Pixels) -> None:
    tifffile.imwrite(
        path,
        pixels,
        bigtiff=True,
        tile=(_TILE_PX, _TILE_PX),
        photometric="rgb",
        compression="lzw",
        metadata=None,
    )


def _strips(path: Path, pixels: Pixels) -> None:
    tifffile.imwrite(path, pixels, photometric="rgb", metadata=None)


def _image(path: Path, pixels: Pixels) -> None:
    Image.fromarray(pixels).save(path, quality=90)


_REMEDY = "pip install --force-reinstall openslide-bin openslide-python tiffslide tifffile imagecodecs"

# What is read with an optional package, and the extra that installs it. openslide reads other CZI.
OPTIONAL = (
    (
        Sample("DICOM series, JPEG-LS", "jpeg-ls.dcm", _dicom_jpeg_ls, levels=2, states_mpp=True),
        "wsidicom",
        "dicom",
    ),
    (Sample("CZI with planes", "planes.czi", _czi, states_mpp=True), "pylibCZIrw", "czi"),
)
SAMPLES = (
    Sample("TIFF pyramid, JPEG", "pyramid.tif", _pyramid, levels=2, states_mpp=True),
    Sample("Aperio SVS, JPEG", "jpeg.svs", _aperio_jpeg, levels=2, states_mpp=True),
    Sample("Aperio SVS, JPEG 2000", "j2k.svs", _aperio_jpeg_2000, levels=2, states_mpp=True),
    Sample("OME-TIFF pyramid", "pyramid.ome.tif", _ome, levels=2, states_mpp=True),
    Sample("DICOM series, JPEG", "jpeg.dcm", _dicom, levels=2, states_mpp=True),
    Sample("BigTIFF, LZW", "lzw.tif", _lzw),
    Sample("plain TIFF", "strips.tif", _strips),
    Sample("PNG", "image.png", _image),
    Sample("JPEG", "image.jpg", _image),
)
