"""Findings with what a person corrected of them, from the cells as the run stored them."""

from __future__ import annotations

from dataclasses import replace

import shapely

from wsi_edt.corrections import Record, corrected
from wsi_edt.ki67 import SlideFindings
from wsi_edt.ki67.corrections_made import CorrectionsMade
from wsi_edt.ki67.drawn import looked_at
from wsi_edt.ki67.findings import classes_of_stain, with_regions
from wsi_edt.qupath.regions import Region
from wsi_edt.results.seen import Drawn
from wsi_edt.run.settings import CellSettings


def corrected_findings(
    found: SlideFindings, drawn: Drawn, record: Record, settings: CellSettings, *, threshold: float
) -> SlideFindings:
    """The findings that a record leaves, with the regions of both; a pure function.

    What the record asks for and these cells can't give is left out, and the remark says so: cells that aren't there, a
    threshold below the run's, regions where the network didn't look.

    Parameters
    ----------
    found : of all cells that the run stored, without regions
    drawn : the regions that the slide is reported with
    settings : that the run found its cells with
    threshold : the score that a cell must exceed where the record has none
    """
    stored = settings.decode.threshold
    left = corrected(found.cells, record, threshold=threshold)
    remarks = [found.remark or ""]
    if left.unknown:
        cells = "corrected cell isn't" if left.unknown == 1 else "corrected cells aren't"
        remarks.append(f"{left.unknown:,} {cells} there any more, as other cells were found since")
    if left.threshold is not None and left.threshold < stored:
        remarks.append(
            f"the corrections' threshold {left.threshold:g} is below the run's, {stored:g}, which counts"
        )
    elsewhere = [one.name for one in left.regions if not is_looked_at(one, drawn, found)]
    if elsewhere:
        named = ", ".join(map(repr, elsewhere))
        remarks.append(f"of the corrections, left out as the network didn't look everywhere there: {named}")
    corrected_alone = replace(
        found,
        cells=classes_of_stain(left.cells, found.staining),
        counted_by=replace(
            found.counted_by, threshold=max(threshold if left.threshold is None else left.threshold, stored)
        ),
        remark="; ".join(filter(None, remarks)) or None,
        corrections=CorrectionsMade.of(record, slide_mpp=found.scale.slide_mpp, unknown=left.unknown),
    )
    regions = (*drawn.regions, *(one for one in left.regions if one.name not in elsewhere))
    return with_regions(corrected_alone, regions, restrict=drawn.alone)


def is_looked_at(region: Region, drawn: Drawn, found: SlideFindings) -> bool:
    """Whether the network looked everywhere in a region, or nothing of it counts; `drawn` is what the run looked at."""
    if not drawn.alone or region.ignored:
        return True
    looked = looked_at(drawn.regions, found.tissue, found.scale, only_regions=True)
    return looked is not None and bool(shapely.covers(looked.buffer(1.0), region.polygon))
