"""Opens a slide with the first library that knows it."""

from __future__ import annotations

from pathlib import Path, PurePath

import numpy as np
import openslide
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.slides.image_reader import open_image
from wsi_edt.slides.location import SlidePath, file_name, open_binary, read_failure
from wsi_edt.slides.metadata import refuse_implausible_mpp
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.pixels import other_pixels
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

# What openslide 4 and tiffslide read, by the suffix of the file that is opened.
SLIDE_SUFFIXES = frozenset(
    {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".vms", ".vmu", ".bif", ".svslide", ".czi", ".dcm"}
)
IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
# What only openslide reads, which takes no URLs. (The .mrxs itself is a JPEG: a small picture of the slide.)
_LOCAL_SUFFIXES = frozenset({".mrxs", ".vms", ".vmu", ".svslide", ".czi", ".dcm"})
_GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)


def open_slide(path: SlidePath, fallback_mpp: float | None = None, *, series: int | None = None) -> Slide:
    """The slide at `path`, opened with openslide, else tiffslide, else as a plain PNG, JPEG or TIFF image.

    OME-TIFFs that openslide would open as plain TIFFs go to tiffslide, which knows their µm/px and levels. So do all
    URLs, which openslide can't open.

    Parameters
    ----------
    path : the file or its URL
    fallback_mpp : µm per level-0 px of a file that states none; never overrules one that does
    series : the number of the picture in a file of several, from 1 as `wsi-edt info` lists them; by default its one scan

    Raises
    ------
    SlideError
        If the file is missing, damaged, neither a slide nor an image, or has pixels that aren't square 8-bit RGB; a URL
        also if it can't be reached.
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
            if not _is_ome_as_generic_tiff(slide):
                if slide.vendor == "generic-tiff":
                    _refuse_other_pixels(slide)
                return slide
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
        return TiffSlideSlide(path, fallback_mpp)
    except SlideError:
        raise
    except Exception:  # tifffile, zarr and the decoders raise what they like
        pass
    try:
        return open_image(path, fallback_mpp)
    except SlideError as error:
        if reason is None:
            raise
        raise read_failure(path, reason, "can't be opened") from error


def _is_ome_as_generic_tiff(slide: OpenSlideSlide) -> bool:
    """Whether openslide took an OME-TIFF for a plain TIFF: it then sees neither its µm/px nor its levels."""
    return slide.vendor == "generic-tiff" and "<OME" in slide.properties.get("tiff.ImageDescription", "")


def _refuse_other_pixels(slide: OpenSlideSlide) -> None:
    """Close a plain TIFF and raise a SlideError if its px aren't 8-bit colours: openslide shows them as if they were."""
    try:
        with tifffile.TiffFile(slide.path) as tiff:
            page = tiff.pages.first
            bits, is_grey = np.max(page.bitspersample), page.photometric in _GREY
    except Exception:  # it raises what it likes; openslide has opened the file
        return
    if bits != 8 or is_grey:
        slide.close()
        raise other_pixels(f"{'greyscale' if is_grey else 'colour'} of {bits} bits a px", slide.path)
