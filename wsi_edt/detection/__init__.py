"""The model at work on a slide: batches of tiles to peaks, shards of tiles, peaks of all tiles to cells."""

from wsi_edt.detection.choices import (
    Precision,
    RuntimeName,
    resolve_device,
    resolve_precision,
    resolve_runtime,
)
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import TileDetector, detect_shard
from wsi_edt.detection.stitching import MARGIN_PX, stitch

__all__ = [
    "MARGIN_PX",
    "Detector",
    "Precision",
    "RuntimeName",
    "TileDetector",
    "TilePeaks",
    "detect_shard",
    "resolve_device",
    "resolve_precision",
    "resolve_runtime",
    "stitch",
]
