"""What may be wrong with a slide: blur, pen, folds, a pale counterstain, a brown background, an unfinished copy."""

from wsi_edt.slides.quality.measures import MEASURES
from wsi_edt.slides.quality.quality import QualityFlag, SlideQuality, measure_quality

__all__ = ["MEASURES", "QualityFlag", "SlideQuality", "measure_quality"]
