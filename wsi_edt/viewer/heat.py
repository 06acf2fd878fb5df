"""The heat maps that the page lays over a slide: the index and the density of cells around each place."""

from __future__ import annotations

import base64
from typing import Any

import cv2
import numpy as np

from wsi_edt.ki67.areas import areas_of
from wsi_edt.report.heat_maps import FloatArray, smooth
from wsi_edt.report.map_figure import ColourBar
from wsi_edt.report.palette import CIVIDIS, VIRIDIS, ByteArray, step_of
from wsi_edt.report.scales import round_up
from wsi_edt.report.shown import Shown
from wsi_edt.viewer.opened import OpenedSlide

_HIGHEST = 99.5  # percentile of a map that its scale reaches, as in the report
Json = dict[str, Any]


def heat_fields(slide: OpenedSlide) -> Json:
    """The fields of heat.json: the maps, corrections made, each a PNG in base64 with its scale, and where they lie.

    ``view`` is in level-0 px; a map is None where there is nothing to show.

    Raises
    ------
    OutputError
        If the slide's cells or its corrections can't be read.
    """
    findings = slide.rescorer().findings(slide.stored.corrections.read())
    shown = Shown.of(next(iter(areas_of(findings))), findings)
    view = shown.frame.view
    maps = smooth(shown.area.cells, shown.tissue, view, findings.scale)
    index = maps.index_percent if slide.result.whole.assessable else np.full_like(maps.index_percent, np.nan)
    return {
        "view": {"x": view.x, "y": view.y, "width": view.width, "height": view.height},
        "sigma_um": maps.sigma_um,
        "index": _map(index, VIRIDIS, "%", 100.0),
        "density": _map(maps.per_mm2, CIVIDIS, "cells per mm²", np.inf),
    }


def _map(values: FloatArray, colours: ByteArray, unit: str, most: float) -> Json | None:
    known = np.isfinite(values)
    if not known.any():
        return None
    upper = min(round_up(float(np.percentile(values[known], _HIGHEST))), most)
    picture = np.zeros((*values.shape, 4), np.uint8)
    picture[known, 3] = 255
    picture[known, :3] = colours[step_of(values[known], upper)]
    done, data = cv2.imencode(".png", np.ascontiguousarray(picture[..., [2, 1, 0, 3]]))
    assert done, "OpenCV can't encode a PNG"
    return {
        "png": base64.b64encode(data.tobytes()).decode(),
        "upper": upper,
        "unit": unit,
        "colours": ColourBar.of(colours, upper).colours,
    }
