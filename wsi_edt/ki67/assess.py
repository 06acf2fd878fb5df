"""From findings to a result: the one place where a Ki-67 index is computed."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from wsi_edt.ki67.areas import Area, areas_of
from wsi_edt.ki67.conventions import Conventions
from wsi_edt.ki67.counts import Counts
from wsi_edt.ki67.decision import verdicts
from wsi_edt.ki67.doubts import doubts_about
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.ki67.four_fields import count_fields
from wsi_edt.ki67.heterogeneity import measure_heterogeneity
from wsi_edt.ki67.hotspot_decision import with_hotspot
from wsi_edt.ki67.hotspots import Hotspots, find_hotspots
from wsi_edt.ki67.interval import NoInterval, Without, index_interval
from wsi_edt.ki67.number import AreaFacts
from wsi_edt.ki67.numbers import NUMBERS
from wsi_edt.ki67.reasons import reason_against
from wsi_edt.ki67.result import AreaResult, Ki67Result


def assess(findings: SlideFindings, conventions: Conventions, *, at_once: bool = False) -> Ki67Result:
    """The result of one slide: the numbers of each of its areas, and what is looked for in the first of them.

    A pure function of its arguments.

    Parameters
    ----------
    at_once : look for hotspots, fields and heterogeneity in threads of their own: sooner, for somebody who waits, and
        with the memory of all three together
    """
    drawn = tuple(areas_of(findings))
    results = [_assessed(area, findings, conventions) for area in drawn]
    whole, hotspots, fields, heterogeneity = drawn[0], None, None, None
    if results[0].assessable:
        with ThreadPoolExecutor(3 if at_once else 1, "assess") as threads:
            hottest = threads.submit(find_hotspots, whole, findings, conventions)
            of_fields = threads.submit(count_fields, whole, findings, conventions)
            of_hexagons = threads.submit(measure_heterogeneity, whole, findings)
        (spots, hotspots), (counted, fields) = hottest.result(), of_fields.result()
        heterogeneity = of_hexagons.result()
        results = _decided(results, drawn, spots, hotspots, conventions)
        results += [_assessed(area, findings, conventions) for area in (*spots, *counted)]
    return Ki67Result(
        slide=findings.slide,
        areas=tuple(results),
        staining=str(findings.staining),
        quality=findings.quality,
        slide_mpp=findings.scale.slide_mpp,
        mpp_stated=findings.mpp_stated,
        remark=findings.remark,
        counted_by=findings.counted_by,
        conventions=conventions,
        provenance=findings.provenance,
        hotspots=hotspots,
        four_fields=fields,
        heterogeneity=heterogeneity,
        corrections=findings.corrections,
    )


def _decided(
    results: Sequence[AreaResult],
    drawn: Sequence[Area],
    spots: Sequence[Area],
    hotspots: Hotspots | None,
    conventions: Conventions,
) -> list[AreaResult]:
    """The results with what the hottest hotspot says of their verdicts: of the first area, or one of the same cells."""
    hottest = None if hotspots is None else hotspots.hottest
    names = [spot.name for spot in spots]
    held = None if hottest is None else Counts.of(spots[names.index(hottest.area)].cells)
    cells = 0 if held is None else held.positive + held.negative
    found = []
    for area, result in zip(drawn, results, strict=True):
        own = hotspots if len(area.cells) == len(drawn[0].cells) else None
        decided = with_hotspot(result.verdicts, result.index_percent, own, conventions, cells=cells)
        found.append(replace(result, verdicts=decided))
    return found


def _assessed(area: Area, findings: SlideFindings, conventions: Conventions) -> AreaResult:
    counts = Counts.of(area.cells)
    reason = reason_against(area, counts, findings.staining)
    mm_per_px = findings.scale.slide_mpp / 1000
    no_index = Without(NoInterval.NO_INDEX)
    interval = index_interval(area.cells, mm_per_px=mm_per_px) if reason is None else no_index
    facts = AreaFacts(area, counts, reason, conventions, interval)
    values = {number.name: number.value(facts) for number in NUMBERS}
    doubts = doubts_about(facts, findings.quality, counted_by=findings.counted_by)
    return AreaResult(
        area.kind,
        area.name,
        reason,
        values,
        interval_reason=interval.reason if isinstance(interval, Without) else None,
        verdicts=verdicts(facts, doubts),
        doubts=doubts,
        class_name=area.class_name,
        place=area.place,
        ignored_mm2=area.ignored_mm2,
    )
