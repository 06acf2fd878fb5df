"""A run: options to settings, the plan of each slide, the schedule of all shards, and the files at the end."""

from wsi_edt.run.options import RunOptions
from wsi_edt.run.slides import preview_slides, run_slides

__all__ = ["RunOptions", "preview_slides", "run_slides"]
