"""The measures of quality, in the order in which files have them. A new one is a file beside these and a line here."""

from __future__ import annotations

from wsi_edt.slides.quality.background import BROWN_BACKGROUND
from wsi_edt.slides.quality.black import BLACK
from wsi_edt.slides.quality.counterstain import PALE_COUNTERSTAIN
from wsi_edt.slides.quality.focus import FOCUS
from wsi_edt.slides.quality.measure import Measure
from wsi_edt.slides.quality.pen import PEN
from wsi_edt.slides.quality.unknown_stain import UNKNOWN_STAIN
from wsi_edt.slides.quality.zeros import ZEROS

MEASURES: tuple[Measure, ...] = (
    FOCUS,
    PEN,
    PALE_COUNTERSTAIN,
    BROWN_BACKGROUND,
    UNKNOWN_STAIN,
    ZEROS,
    BLACK,
)
