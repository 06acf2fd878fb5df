"""A run, as a user gives the command: one small slide through one worker process, on the disk of the results."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.cluster.limits import allow_open_files
from wsi_edt.cluster.local import local_worker_count
from wsi_edt.cluster.machine import this_machine
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.doctor.findings import Finding, Level
from wsi_edt.errors import UsageError
from wsi_edt.report.rows import Status
from wsi_edt.results.lock import refuse_unusable_out
from wsi_edt.run import RunOptions, run_slides
from wsi_edt.run.progress import NoProgress

_SIDE_PX = 256
_TILE_PX = 512
_MPP = 0.3125


def trial(name_or_folder: str | None, out: Path) -> Iterator[Finding]:
    """How a run ends here: planning, a worker with the model, its tile, the store and the files, in a temporary folder.

    Parameters
    ----------
    name_or_folder : the model
    out : the folder, whose disk may have no locks, is made beside what is there of it, or elsewhere if nobody may

    Raises
    ------
    WsiEdtError
        What would end a run of other slides too.
    """
    allow_open_files(local_worker_count(this_machine(ComputeOptions())))
    options = RunOptions(
        model=name_or_folder or DEFAULT_MODEL,
        fallback_mpp=_MPP,
        tissue_mask=False,
        tile_px=_TILE_PX,
        batch_size=1,
        workers=1,
    )
    notes = _Notes()
    with tempfile.TemporaryDirectory(
        prefix=".wsi-edt-doctor-", dir=_place(out), ignore_cleanup_errors=True
    ) as name:
        folder = Path(name)
        Image.fromarray(_picture()).save(folder / "slide.png")
        (row,) = run_slides(folder / "slide.png", folder / "results", options, progress=notes).rows
    for sentence in notes.sentences:
        yield Finding("run", Level.WARNING, sentence.replace(str(folder / "results"), str(out)))
    if row.status is Status.FAILED:
        yield Finding("run", Level.PROBLEM, row.error or "its slide failed")
        return
    yield Finding(
        "run", Level.OK, "a slide of one tile went through a worker process, and its results were written"
    )


class _Notes(NoProgress):
    """Keeps what a run says of the disk of its results."""

    def __init__(self) -> None:
        self.sentences: list[str] = []

    def note(self, line: str) -> None:
        if line.startswith("the disk of "):
            self.sentences.append(line)


def _place(out: Path) -> Path | None:
    """The folder nearest to where results would be; None, which is the system's for temporary files, if it is unusable."""
    try:
        refuse_unusable_out(out)
    except UsageError:  # the disk's own check says it
        return None
    return next(path for path in (out, *out.absolute().parents) if path.exists())


def _picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """Pale tissue with brown and blue nuclei: (256, 256, 3)."""
    pixels = np.full((_SIDE_PX, _SIDE_PX, 3), (205, 205, 222), np.uint8)
    y, x = np.mgrid[:_SIDE_PX, :_SIDE_PX]
    inside = (x % 32 - 16) ** 2 + (y % 32 - 16) ** 2 < 100
    brown = (x // 32 + y // 32) % 2 == 0
    pixels[inside & brown] = (150, 95, 50)
    pixels[inside & ~brown] = (95, 105, 175)
    return pixels
