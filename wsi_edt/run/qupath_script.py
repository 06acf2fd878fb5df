"""The scripts that take a results folder into a QuPath project, and edits out of it."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from wsi_edt.qupath.scripts import ScriptSlide, script
from wsi_edt.results.outputs.cells_geojson import CellsGeoJson
from wsi_edt.run.stored import StoredSlide, stored_results
from wsi_edt.slides.staining import Staining


def script_of(results: Path, kind: Literal["import", "export"]) -> tuple[str, tuple[str, ...]]:
    """A script for the finished slides of a results folder; and which are left out, and why.

    Raises
    ------
    UsageError
        If it isn't a folder with results.
    OutputError
        If no slide is finished.
    """
    found = stored_results(results)
    if not found.slides:
        raise next((error for _, error in found.faults), found.why_none())
    listed, left_out = [], [f"{name}: not finished" for name in found.unfinished]
    left_out += [f"{name}: {error}" for name, error in found.faults]
    for slide in found.slides:
        why = _why_not(slide)
        if why:
            left_out.append(f"{slide.name}: {why}")
            continue
        cells = CellsGeoJson(slide.output.geometry, slide.output.origin, slide.output.gzip)
        listed.append(
            ScriptSlide(
                slide.name,
                Path(str(slide.seen.source.path)).absolute(),
                slide.folder,
                slide.folder / cells.name,
                slide.seen.staining is Staining.DAB,
            )
        )
    return script(kind, listed), tuple(left_out)


def _why_not(slide: StoredSlide) -> str:
    """Why a script can't have a slide; empty if it can."""
    source, bounds = slide.seen.source, slide.seen.bounds
    if not isinstance(source.path, Path):
        return "lies on a server, which QuPath opens by hand"
    if source.series is not None:
        return (
            "is one of several pictures of its file: add it to the project by hand, and drop its cells on it"
        )
    if slide.output.origin == "openslide" and (bounds.x, bounds.y) != (0, 0):
        return "has coordinates that QuPath doesn't count from (--origin openslide)"
    return ""
