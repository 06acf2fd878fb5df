"""Opens a slide with the first library that knows it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePath

import openslide

from wsi_edt.errors import SlideError
from wsi_edt.slides.companions import refuse_incomplete
from wsi_edt.slides.czi_reader import CziSlide
from wsi_edt.slides.dicom import DICOM_SUFFIX, is_dicom
from wsi_edt.slides.dicom_opening import open_dicom
from wsi_edt.slides.icc import with_profile
from wsi_edt.slides.image_reader import open_image
from wsi_edt.slides.location import SlidePath, file_name, open_binary, read_failure
from wsi_edt.slides.metadata import refuse_implausible_mpp
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.picture_roles import Picture, Role, chosen_picture
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tiff_file import is_tiff
from wsi_edt.slides.tiff_opening import open_tiff, openslide_shows_it, tiff_file_pictures
from wsi_edt.slides.tiff_reader import TiffFileSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide
from wsi_edt.slides.unsupported import refuse_unread_format
from wsi_edt.slides.wsidicom_reader import WsiDicomSlide
from wsi_edt.slides.zarr_reader import ZARR_SUFFIX, ZarrSlide, is_zarr, zarr_pictures

# What openslide 4 and tifffile read, by the suffix of the file that is opened; any other TIFF opens where it is named.
SLIDE_SUFFIXES = frozenset(
    {
        ".svs",
        ".tif",
        ".tiff",
        ".ptif",
        ".ptiff",
        ".qptiff",
        ".btf",
        ".tf2",
        ".tf8",
        ".zif",
        ".avs",
        ".ndpi",
        ".scn",
        ".mrxs",
        ".vms",
        ".vmu",
        ".bif",
        ".svslide",
        ".czi",
        ".dcm",
        ".dicom",
        ZARR_SUFFIX,
    }
)
IMAGE_SUFFIXES = frozenset(
    {
        ".png",
        ".jpg",
        ".jpeg",
        ".jpe",
        ".jfif",
        ".jp2",
        ".j2k",
        ".j2c",
        ".jpc",
        ".jpf",
        ".jpx",
        ".webp",
        ".bmp",
        ".dib",
    }
)
# What only openslide reads, which takes no URLs. (The .mrxs itself is a JPEG: a small picture of the slide.)
_OPENSLIDE_ONLY = frozenset({".mrxs", ".vms", ".vmu", ".svslide", ".czi"})
_LOCAL_SUFFIXES = _OPENSLIDE_ONLY | {DICOM_SUFFIX, ".dicom", ".bif", ZARR_SUFFIX}


def open_slide(
    path: SlidePath, fallback_mpp: float | None = None, *, series: int | None = None, icc: bool = False
) -> Slide:
    """The slide at `path`, opened with openslide, else tifffile or tiffslide, else as a plain PNG or JPEG image.

    What openslide would open as plain TIFFs but show otherwise than they are goes to tifffile: OME-TIFF, files of several
    pictures. So do all URLs, which openslide can't open; scanners' own TIFF formats there go to tiffslide.

    Parameters
    ----------
    path : the file or its URL
    fallback_mpp : µm per level-0 px of a file that states none; never overrules one that does
    series : the number of the picture in a file of several, from 1 as `wsi-edt info` lists them; by default its one scan
    icc : whether the file's ICC profile is applied to its px

    Raises
    ------
    SlideError
        If the file is missing, damaged, neither a slide nor an image, holds several scans and `series` doesn't say
        which, or has pixels that aren't square 8-bit RGB; a URL also if it can't be reached.
    UsageError
        If no microscope could have that `fallback_mpp`.
    """
    if fallback_mpp is not None:
        refuse_implausible_mpp(fallback_mpp)
    slide = _opened(path, fallback_mpp, series)
    return with_profile(slide) if icc else slide


def _opened(path: SlidePath, fallback_mpp: float | None, series: int | None) -> Slide:
    reason = None
    if isinstance(path, Path) and is_zarr(path):
        return ZarrSlide(path, fallback_mpp, series)
    _refuse_by_name(path)
    if isinstance(path, Path):
        if _is_dicom(path):
            dicom = open_dicom(path, fallback_mpp)
            if isinstance(dicom, WsiDicomSlide):
                return _only_picture(dicom, series)
            return _picture_of(dicom, fallback_mpp, series)
        try:
            slide = OpenSlideSlide(path, fallback_mpp)
            if slide.vendor != "generic-tiff":
                return _picture_of(slide, fallback_mpp, series)
            try:
                if openslide_shows_it(slide, series):
                    return slide
            except BaseException:
                slide.close()
                raise
            slide.close()
        except openslide.OpenSlideUnsupportedFormatError as error:
            if path.suffix.lower() in _OPENSLIDE_ONLY:
                what = f"isn't the {path.suffix} file that its name says, or is damaged or truncated"
                raise SlideError(what, where=path, remedy="copy or export it again") from error
        except openslide.OpenSlideError as error:
            if path.suffix.lower() == ".czi":
                return _only_picture(_czi(path, fallback_mpp, error), series)
            if path.suffix.lower() in _OPENSLIDE_ONLY:
                raise read_failure(path, error, "can't be opened") from error
            reason = error  # one of its formats, but damaged or packed in a way that it can't unpack
    elif PurePath(file_name(path)).suffix.lower() in _LOCAL_SUFFIXES:
        raise SlideError(
            "has a format that is read from local files only", where=path, remedy="copy it to this machine"
        )
    try:
        tiff = open_tiff(path, fallback_mpp, series)
        return tiff if isinstance(tiff, TiffFileSlide) else _picture_of(tiff, fallback_mpp, series)
    except SlideError:
        raise
    except Exception as error:  # tifffile, zarr and the decoders raise what they like
        if is_tiff(path):
            raise read_failure(path, reason or error, "can't be opened") from error
    try:
        image = open_image(path, fallback_mpp)
    except SlideError as error:
        if reason is None:
            raise
        raise read_failure(path, reason, "can't be opened") from error
    return _only_picture(image, series)


def list_pictures(path: SlidePath) -> tuple[Picture, ...]:
    """All pictures of a file, with what each is; see `Picture`.

    Raises
    ------
    SlideError
        If the file can't be opened at all; see `open_slide`.
    """
    if isinstance(path, Path) and is_zarr(path):
        return zarr_pictures(path)
    _refuse_by_name(path)
    if isinstance(path, Path):
        if _is_dicom(path):
            with open_dicom(path, None) as dicom:
                return (_scan(dicom),) if isinstance(dicom, WsiDicomSlide) else dicom.pictures
        if openslide.OpenSlide.detect_format(path) not in (None, "generic-tiff"):
            with suppress(openslide.OpenSlideError), OpenSlideSlide(path, None) as slide:
                return slide.pictures
    with suppress(Exception):  # whatever tifffile raises of what is no TIFF
        found = tiff_file_pictures(path)
        if found:
            return found
    with open_slide(path, series=1) as one:
        return (_scan(one),)


def _refuse_by_name(path: SlidePath) -> None:
    """Raise SlideError for what is no file, a format that isn't read, or a slide of several files that lacks some."""
    refuse_unread_format(path, file_name(path))
    if isinstance(path, Path):
        open_binary(path).close()  # explains what isn't a file better than the libraries do
        refuse_incomplete(path)


def _czi(path: Path, fallback_mpp: float | None, reason: Exception) -> CziSlide:
    """A CZI file that openslide refused for that reason, with pylibCZIrw where it is installed."""
    try:
        return CziSlide(path, fallback_mpp)
    except SlideError:
        raise
    except ImportError as error:
        raise read_failure(path, reason, "can't be opened") from error
    except Exception as error:  # pylibCZIrw raises what it likes for damaged files
        raise read_failure(path, error, "can't be opened") from error


def _is_dicom(path: Path) -> bool:
    return path.suffix.lower() == DICOM_SUFFIX or is_dicom(path)


def _scan(slide: Slide) -> Picture:
    """The one picture of a file that holds one."""
    return Picture(1, "", slide.dimensions, slide.mpp if slide.mpp_stated else None, Role.SCAN)


def _only_picture(slide: Slide, series: int | None) -> Slide:
    """The slide, if it is the picture of that number."""
    try:
        chosen_picture([_scan(slide)], series, slide.path)
    except BaseException:
        slide.close()
        raise
    return slide


def _picture_of(
    slide: OpenSlideSlide | TiffSlideSlide, fallback_mpp: float | None, series: int | None
) -> Slide:
    """The picture of that number of a file whose format says which picture is the scan."""
    if series in (None, 1):
        return slide
    with slide:
        return slide.other_picture(chosen_picture(slide.pictures, series, slide.path).number, fallback_mpp)
