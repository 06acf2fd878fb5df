"""The model at work on a slide: batches of tiles to peaks, shards of tiles, peaks of all tiles to cells."""

from wsi_edt.detection.detector import Detector, Precision, resolve_device, resolve_precision
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.shards import TileDetector, detect_shard
from wsi_edt.detection.stitching import MARGIN_PX, stitch

__all__ = [
    "MARGIN_PX",
    "Detector",
    "Precision",
    "TileDetector",
    "TilePeaks",
    "detect_shard",
    "resolve_device",
    "resolve_precision",
    "stitch",
]
