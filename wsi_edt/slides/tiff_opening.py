"""Which library shows a TIFF file as it is: openslide, tifffile, or tiffslide for scanners' own formats at URLs."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath, file_name, open_binary
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.picture_roles import Picture, chosen_picture, pictures_of
from wsi_edt.slides.tiff_pictures import TiffPicture, tiff_pictures
from wsi_edt.slides.tiff_reader import TiffFileSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

_SCANNERS = ("svs", "scn", "ndpi", "philips")  # as tifffile calls the kinds of their series
# What openslide turns into RGB, though tifffile doesn't.
_OPENSLIDE_COLOURS = (
    tifffile.PHOTOMETRIC.PALETTE,
    tifffile.PHOTOMETRIC.SEPARATED,
    tifffile.PHOTOMETRIC.CIELAB,
)


def open_tiff(
    path: SlidePath, fallback_mpp: float | None, series: int | None
) -> TiffFileSlide | TiffSlideSlide:
    """A TIFF file that openslide doesn't open: a scanner's own format (its scan) or the picture of that number.

    Raises
    ------
    Exception
        Whatever tifffile and tiffslide raise if they can't open it.
    SlideError
        See `TiffFileSlide`.
    """
    with ExitStack() as files:
        tiff = _opened(path, files)
        kind = tiff.series[0].kind if tiff.series else ""
    if kind == "bif":
        raise SlideError(
            "is a Ventana file, whose overlapping tiles only openslide puts together, from local files",
            where=path,
            remedy="copy it to this machine, or export it as a pyramidal TIFF",
        )
    if kind in _SCANNERS:
        return TiffSlideSlide(path, fallback_mpp)
    return TiffFileSlide(path, fallback_mpp, series)


def tiff_file_pictures(path: SlidePath) -> tuple[Picture, ...]:
    """The pictures of a TIFF file that openslide doesn't know.

    Raises
    ------
    Exception
        Whatever tifffile and tiffslide raise if they can't open it.
    """
    with ExitStack() as files:
        tiff = _opened(path, files)
        if tiff.series and tiff.series[0].kind in _SCANNERS:
            with TiffSlideSlide(path, None) as slide:
                return slide.pictures
        return pictures_of([picture.evidence for picture in tiff_pictures(tiff)])


def openslide_shows_it(slide: OpenSlideSlide, series: int | None) -> bool:
    """Whether what openslide shows of a plain TIFF is the picture that is wanted, with all of its levels, as it is.

    openslide takes the first page for the slide, turns tiles by themselves if a tag says that the picture is turned,
    takes a fourth sample for alpha, and shows greyscale and 16 bits as if they were 8-bit colours.

    Raises
    ------
    SlideError
        If the file holds several scans and `series` doesn't say which.
    """
    try:
        with tifffile.TiffFile(slide.path) as tiff:
            found = tiff_pictures(tiff)
            pictures = pictures_of([picture.evidence for picture in found])
            picture = found[chosen_picture(pictures, series, slide.path).number - 1]
            return tiff.series[0].kind != "ome" and _is_as_openslide_shows(picture, slide)
    except SlideError:
        raise
    except Exception:  # tifffile raises what it likes; openslide has opened the file
        return True


def _is_as_openslide_shows(picture: TiffPicture, slide: OpenSlideSlide) -> bool:
    page = picture.levels[0].keyframe
    plain = not picture.plane and not page.extrasamples and page.tags.valueof("Orientation", default=1) == 1
    colours = picture.other_pixels is None or (
        page.photometric in _OPENSLIDE_COLOURS and np.max(page.bitspersample) == 8
    )
    levels = tuple((level.width, level.height) for level in picture.levels)
    return page.index == 0 and plain and colours and set(levels) <= set(slide.level_dimensions)


def _opened(path: SlidePath, files: ExitStack) -> tifffile.TiffFile:
    if isinstance(path, Path):
        return files.enter_context(tifffile.TiffFile(path))
    file = files.enter_context(open_binary(path))
    return files.enter_context(tifffile.TiffFile(file, name=file_name(path)))
