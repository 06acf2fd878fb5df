"""What a user asks of a run. A new option is a field here (or in what is nested) and one line in the command."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from wsi_edt.bundles import DEFAULT_MODEL
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.ki67 import Conventions
from wsi_edt.results.outputs import OutputOptions

# 1.31 px are computed for each px of the slide, where tiles of 512 px take 1.78; the same cells (see the model card).
_TILE_PX = 1024
_BATCH_SIZE = 4  # tiles; on a CPU more are no faster, and 4 Mpx fill a GPU


@dataclass(frozen=True, slots=True)
class RunOptions:
    """The options of one run; None leaves the choice to the program.

    Attributes
    ----------
    model : a shipped model's name, or a model's folder
    fallback_mpp : µm per level-0 px of slides that state none
    icc : whether the slides' ICC profiles are applied
    series : the number of the picture in files of several, as `wsi-edt info` lists them; "all" takes each scan
    allow_coarse : whether slides of more than 1 µm/px are scored, too coarse for nuclei as they are
    tissue_mask : False looks at the whole slide
    roi : a file of regions, or a folder with a file for each slide, see `with_roi`; nothing else of the slides is looked at
    tile_px : side of what the network sees, model px
    batch_size : tiles that the network sees at once
    threshold : the score that a cell must exceed, instead of the model's own
    overwrite : whether results of other settings may be replaced
    compute : device, runtime, precision and threads
    output : how files are written
    conventions : what is reported of the cells
    workers : processes on this machine; by default as many as its cores serve, up to four per GPU
    devices : numbers of this machine's GPUs to use; by default all of them
    keep_maps : whether the network's maps are kept beside each slide's store
    scheduler : the address of a Dask scheduler, whose workers compute instead
    """

    model: str = DEFAULT_MODEL
    fallback_mpp: float | None = None
    series: int | Literal["all"] | None = None
    icc: bool = False
    allow_coarse: bool = False
    tissue_mask: bool = True
    roi: Path | None = None
    tile_px: int = _TILE_PX
    batch_size: int = _BATCH_SIZE
    threshold: float | None = None
    overwrite: bool = False
    compute: ComputeOptions = field(default_factory=ComputeOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    conventions: Conventions = field(default_factory=Conventions)
    workers: int | None = None
    devices: tuple[int, ...] | None = None
    keep_maps: bool = False
    scheduler: str | None = None
