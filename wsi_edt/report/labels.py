"""The short labels by which figures and tables name the same place: R1 a region, H1 and D1 hotspots, F1 a field."""

from __future__ import annotations

from collections.abc import Mapping

from wsi_edt.ki67 import Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.ki67.hotspots import Order

_HOTSPOTS = {Order.INDEX: "H", Order.POSITIVES: "D"}


def region_labels(result: Ki67Result) -> Mapping[str, str]:
    """The label of each region by its name."""
    return {area.name: f"R{number}" for number, area in enumerate(result.of_kind(AreaKind.REGION), start=1)}


def place_labels(result: Ki67Result) -> Mapping[str, str]:
    """The label of each hotspot and field by its area's name: H1 the hottest by index, D1 by density of positive cells."""
    found = () if result.hotspots is None else result.hotspots.found
    fields = () if result.four_fields is None else result.four_fields.fields
    hotspots = {spot.area: f"{_HOTSPOTS[spot.order]}{spot.rank}" for spot in found}
    return hotspots | {field.area: f"F{number}" for number, field in enumerate(fields, start=1)}
