"""Which library shows a TIFF file as it is: openslide, tifffile, or tiffslide for scanners' own formats at URLs."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.picture_roles import Picture, chosen_picture, pictures_of
from wsi_edt.slides.tiff_file import OpenTiff
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
    file = OpenTiff(path)
    try:
        if file.kind == "bif":
            raise SlideError(
                "is a Ventana file, whose overlapping tiles only openslide puts together, from local files",
                where=path,
                remedy="copy it to this machine, or export it as a pyramidal TIFF",
            )
        if file.kind in _SCANNERS:
            return TiffSlideSlide(path, fallback_mpp, file=file)
        return TiffFileSlide(path, fallback_mpp, series, file=file)
    except BaseException:
        file.close()
        raise


def tiff_file_pictures(path: SlidePath) -> tuple[Picture, ...]:
    """The pictures of a TIFF file that openslide doesn't know.

    Raises
    ------
    Exception
        Whatever tifffile and tiffslide raise if they can't open it.
    """
    with OpenTiff(path) as file:
        if file.kind in _SCANNERS:
            with TiffSlideSlide(path, None, file=file) as slide:
                return slide.pictures
        return pictures_of([picture.evidence for picture in tiff_pictures(file.tiff)])


def openslide_shows_it(slide: OpenSlideSlide, series: int | None) -> bool:
    """Whether what openslide shows of a plain TIFF is the picture that is wanted, with all of its levels, as it is.

    openslide takes the first page for the slide, turns tiles by themselves if a tag says that the picture is turned,
    takes a fourth sample for alpha, and shows greyscale and 16 bits as if they were 8-bit colours.

    Raises
    ------
    SlideError
        If the file holds several scans and `series` doesn't say which.
    """
    stat = slide.path.stat()
    state = (stat.st_ino, stat.st_size, stat.st_mtime_ns)
    is_ome = "<OME" in slide.properties.get("tiff.ImageDescription", "")
    return not is_ome and _openslide_shows_it(slide.path, state, series, slide.level_dimensions)


# Each of a shard's threads opens its slide; this keeps them from parsing its tags each: 3 ms at 60,000 x 60,000 px.
@lru_cache(maxsize=256)
def _openslide_shows_it(
    path: Path, state: tuple[int, int, int], series: int | None, sizes: tuple[tuple[int, int], ...]
) -> bool:
    """`openslide_shows_it` for that state of the file, of which openslide shows levels of these sizes."""
    try:
        with tifffile.TiffFile(path) as tiff:
            found = tiff_pictures(tiff)
            pictures = pictures_of([picture.evidence for picture in found])
            picture = found[chosen_picture(pictures, series, path).number - 1]
            return _is_as_openslide_shows(picture, sizes)
    except SlideError:
        raise
    except Exception:  # tifffile raises what it likes; openslide has opened the file
        return True


def _is_as_openslide_shows(picture: TiffPicture, sizes: tuple[tuple[int, int], ...]) -> bool:
    page = picture.levels[0].keyframe
    plain = not picture.plane and not page.extrasamples and page.tags.valueof("Orientation", default=1) == 1
    colours = picture.other_pixels is None or (
        page.photometric in _OPENSLIDE_COLOURS and np.max(page.bitspersample) == 8
    )
    levels = {(level.width, level.height) for level in picture.levels}
    return page.index == 0 and plain and colours and levels == set(sizes)
