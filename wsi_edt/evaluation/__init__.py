"""How good cells are: matching with the truth, scores, and points files of all kinds."""

from wsi_edt.evaluation.assessment import Assessment, assess
from wsi_edt.evaluation.matching import match_points, matched_in_order
from wsi_edt.evaluation.metrics import (
    DetectionScore,
    ImageScores,
    score_images,
    score_outcomes,
    score_points,
)
from wsi_edt.evaluation.outcomes import CLASSES, Outcomes
from wsi_edt.evaluation.pairs import ImagePair, read_pairs
from wsi_edt.evaluation.statistics import ImageSums, Statistics, image_indices
from wsi_edt.evaluation.sweep import Calibration, Sweep, calibration, sweep, sweep_csv, sweep_thresholds

__all__ = [
    "CLASSES",
    "Assessment",
    "Calibration",
    "DetectionScore",
    "ImagePair",
    "ImageScores",
    "ImageSums",
    "Outcomes",
    "Statistics",
    "Sweep",
    "assess",
    "calibration",
    "image_indices",
    "match_points",
    "matched_in_order",
    "read_pairs",
    "score_images",
    "score_outcomes",
    "score_points",
    "sweep",
    "sweep_csv",
    "sweep_thresholds",
]
