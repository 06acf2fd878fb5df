"""How well predicted cells agree with annotated ones: matching, metrics, selection of settings, figures."""

from wsi_edt.evaluation.assessment import assess
from wsi_edt.evaluation.matching import match_points
from wsi_edt.evaluation.metrics import DetectionMetrics, ImageMetrics, image_metrics
from wsi_edt.evaluation.outcomes import CLASSES, Outcomes
from wsi_edt.evaluation.pairs import ImagePair, read_pairs

__all__ = [
    "CLASSES",
    "DetectionMetrics",
    "ImageMetrics",
    "ImagePair",
    "Outcomes",
    "assess",
    "image_metrics",
    "match_points",
    "read_pairs",
]
