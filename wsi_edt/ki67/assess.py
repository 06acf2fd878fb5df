"""From findings to a result: the one place where a Ki-67 index is computed."""

from __future__ import annotations

from wsi_edt.ki67.areas import Area, areas_of
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.number import AreaFacts
from wsi_edt.ki67.numbers import NUMBERS
from wsi_edt.ki67.reasons import reason_against
from wsi_edt.ki67.result import AreaResult, Ki67Result
from wsi_edt.slides.staining import Staining


def assess(findings: SlideFindings, conventions: Conventions) -> Ki67Result:
    """The result of one slide: the numbers of each of its areas. A pure function of its arguments."""
    return Ki67Result(
        slide=findings.slide,
        areas=tuple(_assessed(area, findings.staining, conventions) for area in areas_of(findings)),
        staining=str(findings.staining),
        quality=findings.quality,
        slide_mpp=findings.scale.slide_mpp,
        mpp_stated=findings.mpp_stated,
        remark=findings.remark,
        counted_by=findings.counted_by,
    )


def _assessed(area: Area, staining: Staining, conventions: Conventions) -> AreaResult:
    counts = Counts.of(area.cells)
    facts = AreaFacts(area, counts, reason_against(area, counts, staining), conventions)
    values = {number.name: number.value(facts) for number in NUMBERS}
    return AreaResult(area.kind, area.name, facts.reason, values)
