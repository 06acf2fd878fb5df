"""The run: from a folder of slides to a folder of results, on as many workers as there are."""

from wsi_edt.pipeline.resolve import Wishes
from wsi_edt.pipeline.score import score_slides

__all__ = ["Wishes", "score_slides"]
