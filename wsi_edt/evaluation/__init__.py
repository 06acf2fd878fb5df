"""How good cells are: matching with the truth, scores, and points files of all kinds."""

from wsi_edt.evaluation.matching import match_points
from wsi_edt.evaluation.metrics import DetectionScore, ImageScores, score_images, score_points

__all__ = ["DetectionScore", "ImageScores", "match_points", "score_images", "score_points"]
