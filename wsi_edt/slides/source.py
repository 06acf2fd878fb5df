"""A slide that may be opened: where it lies, and the µm/px to take if it states none."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from wsi_edt.slides.companions import companions
from wsi_edt.slides.dicom import level_files
from wsi_edt.slides.location import SlidePath, open_binary, read_failure
from wsi_edt.slides.opening import open_slide
from wsi_edt.slides.protocol import Slide
from wsi_edt.slides.zarr_reader import is_zarr, zarr_fingerprint

_FINGERPRINT_BYTES = 1 << 20
_COMPANION_BYTES = 1 << 12  # a DICOM file's own number stands in these


@dataclass(frozen=True, slots=True)
class SlideSource:
    """A slide's file or URL, as tasks carry it to workers.

    Attributes
    ----------
    path : of the file, or its URL
    fallback_mpp : µm per level-0 px if the file states none; never overrules one that does
    series : the number of the picture in a file of several, from 1 as `wsi-edt info` lists them; by default its one scan
    icc : whether its ICC profile is applied
    """

    path: SlidePath
    fallback_mpp: float | None = None
    series: int | None = None
    icc: bool = False

    def open(self) -> Slide:
        """The slide, opened for the thread that calls; see `open_slide` for what it raises."""
        return open_slide(self.path, self.fallback_mpp, series=self.series, icc=self.icc)

    def fingerprint(self) -> str:
        """The size of the slide's file and the sha256 of its first MiB: enough to notice another file of the same name.

        Of a slide of several files (DICOM, MRXS, VMS) the names, the sizes and the first bytes of the others go into the
        sha256 too: tissue is found on another level than cells, and a copy may have been incomplete.
        The number of the picture is part of it if it was given. Of Zarr it is all metadata, but no px.

        Raises
        ------
        SlideError
            If the file can't be read.
        """
        if isinstance(self.path, Path) and is_zarr(self.path):
            return zarr_fingerprint(self.path) + ("" if self.series is None else f"-{self.series}")
        with open_binary(self.path) as file:
            try:
                start = hashlib.sha256(file.read(_FINGERPRINT_BYTES))
                if isinstance(self.path, Path):
                    for other in (*companions(self.path), *level_files(self.path)):
                        start.update(_state(other))
                number = "" if self.series is None else f"-{self.series}"
                return f"{file.seek(0, os.SEEK_END)}-{start.hexdigest()}{number}"
            except Exception as error:  # OSError for a path; the drivers of URLs raise what they like
                raise read_failure(self.path, error) from error

    def __str__(self) -> str:
        return str(self.path)


def _state(path: Path) -> bytes:
    """The name, the size and the first bytes of a file."""
    with path.open("rb") as file:
        head = file.read(_COMPANION_BYTES)
        return f"{path.name} {file.seek(0, os.SEEK_END)} ".encode(errors="surrogateescape") + head
