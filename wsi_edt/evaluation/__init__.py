"""How good cells are: matching with the truth, scores, and points files of all kinds."""

from wsi_edt.evaluation.matching import match_points
from wsi_edt.evaluation.metrics import DetectionScore, ImageScores, score_images, score_points
from wsi_edt.evaluation.pairs import ImagePair, read_pairs
from wsi_edt.evaluation.points_io import read_points

__all__ = [
    "DetectionScore",
    "ImagePair",
    "ImageScores",
    "match_points",
    "read_pairs",
    "read_points",
    "score_images",
    "score_points",
]
