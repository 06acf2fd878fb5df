"""Edits of cells.geojson by hand, as QuPath would write them, and what they leave."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from wsi_edt.cells import CellClass
from wsi_edt.corrections import (
    corrected,
)
from wsi_edt.qupath.classes import ClassNames
from wsi_edt.qupath.regions import Region
from wsi_edt.run.correct import CorrectOutcome, correct_slide
from wsi_edt.run.stored import stored_slides

Features = list[dict[str, Any]]


def untouched(features: Features) -> None:
    """As it was written."""


def state(folder: Path) -> tuple[list[tuple[float, float, str]], list[str]]:
    """Where each cell lies and its class, and the regions, as the next report would have them."""
    (slide,) = stored_slides(folder)
    left = corrected(slide.every_cell(), slide.corrections.read(), threshold=slide.threshold)
    labels = [CellClass(kind).label for kind in left.cells.class_id.tolist()]
    cells = zip(left.cells.x.round(2).tolist(), left.cells.y.round(2).tolist(), labels, strict=True)
    return sorted(cells), sorted(str(region.class_name) + region.name for region in left.regions)


def stored_regions(folder: Path) -> tuple[Region, ...]:
    """The regions as the next report would have them."""
    (slide,) = stored_slides(folder)
    return corrected(slide.every_cell(), slide.corrections.read(), threshold=slide.threshold).regions


def edited(folder: Path, edit: Callable[[Features], object]) -> Path:
    """The slide's cells as QuPath would export them after an edit."""
    document = json.loads((folder / "cells.geojson").read_text())
    edit(document["features"])
    path = folder.parent / "edited.geojson"
    path.write_text(json.dumps(document))
    return path


def correct(folder: Path, edit: Callable[[Features], object], **given: Any) -> CorrectOutcome:
    classes = ClassNames.from_options(given.pop("classes", ()))
    return correct_slide(folder, edited(folder, edit), who="ada", classes=classes, **given)


def reclass(features: Features, which: int, name: str | None) -> None:
    if name is None:
        del features[which]["properties"]["classification"]
    else:
        features[which]["properties"]["classification"] = {"name": name, "color": [1, 2, 3]}


def label(feature: dict[str, Any]) -> str:
    return str(feature["properties"]["classification"]["name"])


def of_class(features: Features, name: str) -> list[int]:
    return [k for k, feature in enumerate(features) if label(feature) == name]


def cell(x: float, y: float, name: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "id": "12345678-1234-4234-8234-123456789abc",
        "geometry": {"type": "Point", "coordinates": [x, y]},
        "properties": {"objectType": "detection", "classification": {"name": name, "color": [1, 2, 3]}},
    }


def area(side: float, name: str | None, class_name: str | None) -> dict[str, Any]:
    ring = [[10, 10], [10 + side, 10], [10 + side, 10 + side], [10, 10 + side], [10, 10]]
    properties: dict[str, Any] = {"objectType": "annotation"}
    properties |= {"name": name} if name else {}
    properties |= {"classification": {"name": class_name, "color": [1, 2, 3]}} if class_name else {}
    return {
        "type": "Feature",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": properties,
    }


def moved(feature: dict[str, Any], by: float) -> dict[str, Any]:
    ring = [[x + by, y + by] for x, y in feature["geometry"]["coordinates"][0]]
    return feature | {"geometry": {"type": "Polygon", "coordinates": [ring]}}


def edit_all(features: Features) -> None:
    reclass(features, of_class(features, "Negative")[2], "Tumor: Positive")
    features.append(cell(33.25, 44.5, "Negative"))
    features += [area(60, "core", "Tumor"), area(20, None, "Ignore*")]
    del features[of_class(features, "Positive")[4]]


def placed(side: float, at: float, name: str | None, class_name: str | None = None) -> dict[str, Any]:
    return moved(area(side, name, class_name), at)
