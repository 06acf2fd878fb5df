"""What the page is told of a slide beside its tiles and cells: size, classes, areas with their outlines and numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import shapely

from wsi_edt.cells import CellClass, Cells
from wsi_edt.corrections import Record, corrected
from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.drawn import drawn_areas, ignored_shape, joined
from wsi_edt.ki67.result import RESEARCH_USE, AreaResult
from wsi_edt.ki67.text import area as area_text
from wsi_edt.ki67.text import count, with_interval
from wsi_edt.qupath.dialect import shown_corner
from wsi_edt.qupath.regions import Polygons, Region
from wsi_edt.report.labels import place_labels, region_labels
from wsi_edt.report.palette import CLASS_RGB, hexadecimal
from wsi_edt.results.seen import Drawn
from wsi_edt.run.stored import StoredSlide
from wsi_edt.slides.staining import Staining
from wsi_edt.viewer.opened import OpenedSlide

Json = dict[str, Any]


def slide_info(slide: OpenedSlide) -> Json:
    """The fields of info.json; lengths in level-0 px.

    Raises
    ------
    OutputError
        If the slide's numbers can't be read.
    """
    stored, result, zoom = slide.stored, slide.result, slide.zoom
    seen = stored.seen
    return {
        "name": stored.name,
        "case": seen.case,
        "width": zoom.width,
        "height": zoom.height,
        "mpp": seen.scale.slide_mpp,
        "corner": shown_corner(seen.bounds),
        "zoom": {
            "tile_px": zoom.tile_px,
            "first_level": zoom.first_level,
            "top_level": zoom.top_level,
        },
        "gone": slide.why_gone,
        "classes": [
            {"id": int(kind), "name": kind.label, "colour": hexadecimal(CLASS_RGB[kind])}
            for kind in CellClass
        ],
        "threshold": {"run": stored.cells.decode.threshold, "reported": stored.threshold},
        "report": _report(slide),
        "counting": _counting(seen.drawn),
        "areas": areas_json(result, _regions(stored, stored.reported_record())),
        "staining": result.staining,
        "has_classes": seen.staining is Staining.DAB,
        "remark": result.remark,
        "model": result.counted_by.model,
        "what_is_counted": result.counted_by.sentence,
        "research_use": RESEARCH_USE,
    }


def score_fields(slide: OpenedSlide, *, threshold: float | None = None) -> Json:
    """The fields of score.json: the areas before and after what was corrected so far, by the run's own function.

    Parameters
    ----------
    threshold : what would be if it were set; by default that of the corrections, else of the last report

    Raises
    ------
    UsageError
        If the threshold is below the run's.
    OutputError
        If the cells or the corrections can't be read.
    """
    rescorer, record = slide.rescorer(), slide.stored.corrections.read()
    before, after = rescorer.before(), rescorer.after(record, threshold=threshold)
    return {
        "revision": record.revision,
        "report": _report(slide),
        "threshold": after.counted_by.threshold,
        "remark": after.remark,
        "before": areas_json(before, slide.stored.seen.drawn.regions),
        "after": areas_json(after, _regions(slide.stored, record)),
    }


def areas_json(result: Ki67Result, regions: Sequence[Region]) -> list[Json]:
    """Each area with its label in figures, its numbers as ki67.json has them and as they are read, and where it lies."""
    labels = {**region_labels(result), **place_labels(result)}
    outlines: Mapping[str, Polygons] = {area.name: area.outline for area in drawn_areas(regions)}
    return [
        {
            "kind": area.kind,
            "name": area.name,
            "label": labels.get(area.name),
            **area.to_json(),
            "text": _in_words(area),
            "outline": _rings(outlines.get(area.name)) if area.kind is AreaKind.REGION else None,
        }
        for area in result.areas
    ]


def _regions(stored: StoredSlide, record: Record) -> Sequence[Region]:
    """What was drawn on a slide, before its run and since."""
    return (*stored.seen.drawn.regions, *corrected(Cells.empty(), record, threshold=0.0).regions)


def _report(slide: OpenedSlide) -> str:
    """What changes with each report, so that a page knows that it shows an earlier one."""
    return " ".join(map(str, slide.report))


def _counting(drawn: Drawn) -> Json | None:
    """Where cells count by what was drawn for the report, as GeoJSON: within its polygons or outside; None: everywhere."""
    areas = drawn_areas(drawn.regions)
    only = drawn.alone and bool(areas)
    shape = joined(area.shape for area in areas) if only else ignored_shape(drawn.regions)
    if shape is None:
        return {"within": True, "type": "MultiPolygon", "coordinates": []} if only else None
    return {"within": only, **shapely.geometry.mapping(shape)}


def _in_words(area: AreaResult) -> Json:
    return {
        "index": with_interval(area.index_percent, area.index_interval),
        "why_no_index": area.reason,
        "why_no_interval": area.interval_reason if area.assessable else None,
        "cells": count(area.total),
        "positive": count(area.positive),
        "mm2": area_text(area.mm2),
        "decisions": [verdict.sentence for verdict in area.verdicts],
        "doubts": [asdict(doubt) for doubt in area.doubts],
    }


def _rings(shape: Polygons | None) -> list[list[list[float]]] | None:
    """The rings of a shape as lists of [x, y], in hundredths of a px; None without a shape."""
    if shape is None:
        return None
    rings = shapely.get_rings(shapely.get_parts(shape))
    return [np.round(shapely.get_coordinates(ring), 2).tolist() for ring in rings]
