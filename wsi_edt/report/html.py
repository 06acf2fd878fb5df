"""The slide's page. Plain HTML without scripts, which opens offline."""

from __future__ import annotations

from wsi_edt.ki67 import NUMBERS, Conventions, Ki67Result
from wsi_edt.ki67.areas import AreaKind
from wsi_edt.report.templating import REMEDIES, render


def slide_page(result: Ki67Result, *, conventions: Conventions, overview: str, cells: str) -> str:
    """One slide's page.

    Parameters
    ----------
    overview, cells : the names of the picture and of the GeoJSON, which lie in the page's folder
    """
    area = result.whole
    listed = [number for number in NUMBERS if number.label and number.shown(area.values)]
    return render(
        "slide.html",
        result=result,
        area=area,
        numbers=[(number.name, number.label, number.in_words(area.values[number.name])) for number in listed],
        regions=[one for one in result.areas if one.kind is AreaKind.REGION],
        columns=[number for number in NUMBERS if number.label and number.name != "unclassified"],
        remedy=REMEDIES.get(area.reason) if area.reason else None,
        least_cells=conventions.least_cells,
        counts=result.counted_by.sentence,
        overview=overview,
        cells=cells,
    )
