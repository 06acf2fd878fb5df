"""Opens a slide with the first library that knows it."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path, PurePath

import openslide

from wsi_edt.errors import SlideError
from wsi_edt.slides.image_reader import open_image
from wsi_edt.slides.location import SlidePath, file_name, open_binary, read_failure
from wsi_edt.slides.metadata import refuse_implausible_mpp
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.picture_roles import Picture, Role, chosen_picture
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tiff_opening import open_tiff, openslide_shows_it, tiff_file_pictures
from wsi_edt.slides.tiff_reader import TiffFileSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

# What openslide 4 and tifffile read, by the suffix of the file that is opened.
SLIDE_SUFFIXES = frozenset(
    {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".svslide", ".czi", ".dcm"}
)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
# What only openslide reads, which takes no URLs. (The .mrxs itself is a JPEG: a small picture of the slide.)
_LOCAL_SUFFIXES = frozenset({".mrxs", ".vms", ".vmu", ".svslide", ".czi", ".dcm", ".bif"})


def open_slide(path: SlidePath, fallback_mpp: float | None = None, *, series: int | None = None) -> Slide:
    """The slide at `path`, opened with openslide, else tifffile or tiffslide, else as a plain PNG or JPEG image.

    What openslide would open as plain TIFFs but show otherwise than they are goes to tifffile: OME-TIFF, files of several
    pictures. So do all URLs, which openslide can't open; scanners' own TIFF formats there go to tiffslide.

    Parameters
    ----------
    path : the file or its URL
    fallback_mpp : µm per level-0 px of a file that states none; never overrules one that does
    series : the number of the picture in a file of several, from 1 as `wsi-edt info` lists them; by default its one scan

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
    reason = None
    if isinstance(path, Path):
        open_binary(path).close()  # explains what isn't a file better than the libraries do
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
        except openslide.OpenSlideUnsupportedFormatError:
            pass  # not one of openslide's formats
        except openslide.OpenSlideError as error:
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
    except Exception:  # tifffile, zarr and the decoders raise what they like
        pass
    try:
        image = open_image(path, fallback_mpp)
    except SlideError as error:
        if reason is None:
            raise
        raise read_failure(path, reason, "can't be opened") from error
    chosen_picture([Picture(1, "", image.dimensions, None, Role.SCAN)], series, path)
    return image


def list_pictures(path: SlidePath) -> tuple[Picture, ...]:
    """All pictures of a file, with what each is; see `Picture`.

    Raises
    ------
    SlideError
        If the file can't be opened at all; see `open_slide`.
    """
    if isinstance(path, Path):
        open_binary(path).close()
        if openslide.OpenSlide.detect_format(path) not in (None, "generic-tiff"):
            with suppress(openslide.OpenSlideError), OpenSlideSlide(path, None) as slide:
                return slide.pictures
    with suppress(Exception):  # whatever tifffile raises of what is no TIFF
        found = tiff_file_pictures(path)
        if found:
            return found
    with open_slide(path, series=1) as one:
        mpp = one.mpp if one.mpp_stated else None
        return (Picture(1, "", one.dimensions, mpp, Role.SCAN),)


def _picture_of(
    slide: OpenSlideSlide | TiffSlideSlide, fallback_mpp: float | None, series: int | None
) -> Slide:
    """The picture of that number of a file whose format says which picture is the scan."""
    if series in (None, 1):
        return slide
    with slide:
        return slide.other_picture(chosen_picture(slide.pictures, series, slide.path).number, fallback_mpp)
