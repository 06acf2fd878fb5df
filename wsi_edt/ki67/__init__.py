"""From what was found on a slide to what is reported: areas, their numbers, and when there is no index to give. Pure."""

from wsi_edt.ki67.assess import assess
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.findings import CountedBy, SlideFindings
from wsi_edt.ki67.numbers import NUMBERS
from wsi_edt.ki67.result import AreaResult, Ki67Result

__all__ = [
    "NUMBERS",
    "AreaResult",
    "Conventions",
    "CountedBy",
    "Ki67Result",
    "SlideFindings",
    "assess",
]
