"""Opens a whole slide in DICOM: with openslide, else with wsidicom where it is installed, else says why not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import MappingProxyType

import openslide

from wsi_edt.errors import SlideError
from wsi_edt.slides.dicom import DicomHeader, dicom_header, series_files
from wsi_edt.slides.location import read_failure
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.pixels import other_pixels
from wsi_edt.slides.protocol import LACKS_FINEST, REMARK
from wsi_edt.slides.wsidicom_reader import WsiDicomSlide

_EXTRA = "pip install 'wsi-edt[dicom]'"
_EXPORT = "export it as DICOM with JPEG or JPEG 2000 tiles, or as a pyramidal TIFF"
# As openslide has them: Explicit VR Little Endian, JPEG baseline, JPEG 2000.
_OPENSLIDE_READS = frozenset(
    {"1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"}
)
_COLOURS = ("RGB", "YBR_FULL", "YBR_FULL_422", "YBR_ICT", "YBR_RCT")


def open_dicom(path: Path, fallback_mpp: float | None) -> OpenSlideSlide | WsiDicomSlide:
    """The slide that the series of a DICOM file holds, of the files in its folder.

    If the finest of them was made from a finer one, which is missing, its properties say so.

    Raises
    ------
    SlideError
        If the file belongs to no slide, or to one of other pixels than 8-bit colours, or can't be read.
    """
    own = dicom_header(path)
    if not own.is_whole_slide:
        raise SlideError(
            f"is no slide but a DICOM {own.kind.removesuffix(' Storage')}",
            where=path,
            remedy="leave it out, or name the slide that it belongs to",
        )
    levels = series_files(path)
    if not levels:
        kind = "".join(own.image_type[2:3]).lower() or "picture without a type"
        raise SlideError(
            f"is a slide's {kind}, and its folder holds no level of that slide",
            where=path,
            remedy="copy the whole series into one folder",
        )
    finest = levels[0][1]
    _refuse_what_is_never_read(path, finest)
    _refuse_several_pictures(path, levels)
    slide = _opened(path, [file for file, _ in levels], finest, fallback_mpp)
    if slide.dimensions != finest.size:  # openslide leaves out files whose header it can't read
        slide.close()
        raise SlideError(
            f"has a finest level of {finest.size[0]} x {finest.size[1]} px, which can't be opened",
            where=levels[0][0],
            remedy="the file is damaged or truncated: copy or export it again",
        )
    if finest.is_resampled:
        said = "the finest level in its folder was made from a finer one, which is missing there or damaged"
        slide.properties = MappingProxyType({**slide.properties, REMARK: said, LACKS_FINEST: said})
    return slide


def _opened(
    path: Path, files: list[Path], finest: DicomHeader, fallback_mpp: float | None
) -> OpenSlideSlide | WsiDicomSlide:
    try:
        return OpenSlideSlide(path, fallback_mpp)
    except openslide.OpenSlideError as error:
        reason = error
    what = "can't be opened"
    if finest.transfer_syntax not in _OPENSLIDE_READS:
        what = f"is packed as {finest.packing}, which openslide doesn't read"
    try:
        return WsiDicomSlide(path, files, fallback_mpp)
    except ImportError as error:
        if finest.transfer_syntax not in _OPENSLIDE_READS:
            raise SlideError(what, where=path, remedy=f"{_EXTRA}, or {_EXPORT}") from error
        raise read_failure(path, reason, what) from reason
    except SlideError:
        raise
    except Exception as error:  # wsidicom and the decoders raise what they like
        raise read_failure(path, reason, what) from error


def _refuse_several_pictures(path: Path, levels: Sequence[tuple[Path, DicomHeader]]) -> None:
    """Refuse a series whose finest level is there more than once: it can't be known which is meant."""
    finest = levels[0][1]
    rivals = {one.concatenation or one.instance: file.name for file, one in levels if one.size == finest.size}
    if len(rivals) > 1:
        raise SlideError(
            f"belongs to a series with {len(rivals)} pictures of {finest.size[0]} x {finest.size[1]} px: "
            f"{', '.join(sorted(rivals.values())[:4])}",
            where=path,
            remedy="if they are focal planes, optical paths or versions, leave the one to be scored in the folder",
        )


def _refuse_what_is_never_read(path: Path, finest: DicomHeader) -> None:
    if finest.bits != 8 or finest.colours not in _COLOURS:
        grey = finest.colours.startswith("MONOCHROME")
        name = "greyscale" if grey else "colour" if finest.colours in _COLOURS else finest.colours
        raise other_pixels(f"{name} of {finest.bits} bits a px", path)
    for count, name in ((finest.focal_planes, "focal planes"), (finest.optical_paths, "optical paths")):
        if count > 1:
            raise SlideError(f"holds {count} {name}; one is read", where=path, remedy="export one of them")
    if finest.lacks_places:  # openslide 4.0.1 ends the whole process on these
        raise SlideError(
            "doesn't say where its tiles lie (TILED_SPARSE without a description of its frames)",
            where=path,
            remedy="the file is damaged: copy or export it again",
        )
