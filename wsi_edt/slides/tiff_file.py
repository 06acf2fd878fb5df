"""What both readers of TIFF files do with tifffile: quieten it, and refuse files that end too early."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable

import numpy as np
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath

# tifffile logs what it goes on to raise: users get one sentence instead. If logging is set up, its lines arrive there.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def refuse_truncated(
    tiff: tifffile.TiffFile, pages: Iterable[tifffile.TiffPage | tifffile.TiffFrame | None], path: SlidePath
) -> None:
    """Compare where the pages' data and the file's list of pages should end with where the file does.

    Better to know now than hours later; and a file that lost a page may have lost levels, label or metadata.

    Raises
    ------
    SlideError
        If the file ends earlier.
    """
    end = _next_page(tiff)
    for page in pages:
        if page is not None and page.parent is tiff:
            ends = np.asarray(page.dataoffsets, dtype=np.int64) + np.asarray(
                page.databytecounts, dtype=np.int64
            )
            end = max(end, int(ends.max(initial=0)))
    size = tiff.filehandle.size
    if end > size:
        raise SlideError(
            f"is truncated: it has {size} bytes of at least {end}",
            where=path,
            remedy="copy or export it again",
        )


def _next_page(tiff: tifffile.TiffFile) -> int:
    """Where the first bytes of the page after the last that is there end; 0 if it was the file's last."""
    form, file = tiff.tiff, tiff.filehandle
    page = tiff.pages[-1].offset
    file.seek(page)
    (tags,) = struct.unpack(form.tagnoformat, file.read(form.tagnosize))
    file.seek(page + form.tagnosize + tags * form.tagsize)
    (following,) = struct.unpack(form.offsetformat, file.read(form.offsetsize))
    return int(following) + form.tagnosize if following else 0
