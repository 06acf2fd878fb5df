"""Opens a slide with the first library that knows it."""

from __future__ import annotations

import math
from pathlib import Path

import openslide

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.slides.image_reader import open_image
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

# What openslide 4 and tiffslide read, by the suffix of the file that is opened.
SLIDE_SUFFIXES = frozenset(
    {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".svslide", ".czi", ".dcm"}
)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})


def open_slide(path: Path, mpp: float | None = None) -> Slide:
    """The slide at `path`, opened with openslide, else tiffslide, else as a plain PNG, JPEG or TIFF image.

    OME-TIFFs that openslide would open as plain TIFFs go to tiffslide, which knows their µm/px and levels.

    Parameters
    ----------
    path : the file
    mpp : µm per level-0 px of a file that states none; never overrules one that does

    Raises
    ------
    SlideError
        Where the file is missing, damaged, no slide or image, or has pixels that aren't square 8-bit RGB.
    UsageError
        Where `mpp` isn't a positive number.
    """
    if mpp is not None and not (math.isfinite(mpp) and mpp > 0):
        raise UsageError(f"{mpp:g} µm/px isn't possible; pass a positive number (for example 0.25)")
    _refuse_what_is_no_file(path)
    reason = None
    try:
        slide = OpenSlideSlide(path, mpp)
        if not _is_ome_as_generic_tiff(slide):
            return slide
        slide.close()
    except openslide.OpenSlideUnsupportedFormatError:
        pass  # not one of openslide's formats
    except openslide.OpenSlideError as error:
        reason = error  # one of its formats, but damaged or packed in a way that it can't unpack
    try:
        return TiffSlideSlide(path, mpp)
    except SlideError:
        raise
    except Exception:  # tifffile, zarr and the decoders raise what they like
        pass
    try:
        return open_image(path, mpp)
    except SlideError as error:
        if reason is None:
            raise
        raise SlideError(
            f"{path} can't be opened ({reason}); the file is damaged or truncated: copy or export it again"
        ) from error


def _is_ome_as_generic_tiff(slide: OpenSlideSlide) -> bool:
    """Whether openslide took an OME-TIFF for a plain TIFF: it then sees neither its µm/px nor its levels."""
    return slide.vendor == "generic-tiff" and "<OME" in slide.properties.get("tiff.ImageDescription", "")


def _refuse_what_is_no_file(path: Path) -> None:
    if path.is_dir():
        raise SlideError(f"{path} is a folder, not a slide; name a file in it")
    try:
        with path.open("rb") as file:
            empty = not file.read(1)
    except FileNotFoundError as error:
        raise SlideError(f"{path} doesn't exist; check the path") from error
    except OSError as error:
        raise SlideError(f"{path} can't be read ({error.strerror}); check its permissions") from error
    if empty:
        raise SlideError(f"{path} is empty (0 bytes); copy or export it again")
