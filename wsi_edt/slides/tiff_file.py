"""What both readers of TIFF files do with tifffile: open them, quieten it, and refuse files that end too early."""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
import tifffile

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath, file_name, open_binary

# tifffile logs what it goes on to raise: users get one sentence instead. If logging is set up, its lines arrive there.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


def is_tiff(path: SlidePath) -> bool:
    """Whether a file begins as a TIFF or a BigTIFF does."""
    with open_binary(path) as file:
        return file.read(4) in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


class OpenTiff:
    """A TIFF file, opened once for whichever reader takes it: at a URL each opening costs requests.

    Attributes
    ----------
    tiff : as tifffile sees it
    binary : the content of a URL; None for a path

    Raises
    ------
    SlideError
        If a URL can't be reached.
    Exception
        Whatever tifffile raises if it can't open it.
    """

    def __init__(self, path: SlidePath) -> None:
        self._files = ExitStack()
        self.binary: BinaryIO | None = None
        try:
            if isinstance(path, Path):
                self.tiff = self._files.enter_context(tifffile.TiffFile(path))
                return
            self.binary = self._files.enter_context(open_binary(path))
            # tifffile knows some formats by the file's name.
            self.tiff = self._files.enter_context(tifffile.TiffFile(self.binary, name=file_name(path)))
        except BaseException:
            self._files.close()
            raise

    @property
    def kind(self) -> str:
        """What tifffile calls its format: "ome", "svs", "generic" …; empty if it holds no picture."""
        return self.tiff.series[0].kind if self.tiff.series else ""

    def close(self) -> None:
        """Close the file."""
        self._files.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


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
