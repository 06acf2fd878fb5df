"""Pictures of what a network finds in parts of validation images, beside what is there."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import ImageArray, LabelledImage, by_set
from wsi_edt.detection.whole_image import cells_of
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.geometry import Window
from wsi_edt.maps import DecodeSettings, decode
from wsi_edt.qupath.dialect import CLASS_COLORS

PICTURES = 6
SIDE_PX = 256  # of a tile, model px
ENLARGEMENT = 2  # of the picture: rings around cells hide less
RING_PX, LINE_PX = 12, 2  # px of the picture
CANDIDATES = 100  # places to try for a tile


@dataclass(frozen=True, slots=True, eq=False)
class ValidationTile:
    """A part of a validation image at the network's µm/px.

    Attributes
    ----------
    name : what its picture is called
    pixels : (SIDE_PX, SIDE_PX, 3) uint8 RGB
    truth : the annotated cells in it, px of the tile
    """

    name: str
    pixels: ImageArray
    truth: Cells


def choose_tiles(images: Sequence[LabelledImage], *, model_mpp: float) -> list[ValidationTile]:
    """A few tiles with many cells: sets take turns, and the images are spread over each set."""
    sets = by_set(images)
    share = -(-PICTURES // max(len(sets), 1))
    chosen = [
        [found[index] for index in np.unique(np.linspace(0, len(found) - 1, share).round().astype(int))]
        for found in sets.values()
    ]
    turns = [found[turn] for turn in range(share) for found in chosen if turn < len(found)]
    return [_tile(image, number, model_mpp=model_mpp) for number, image in enumerate(turns[:PICTURES])]


def _tile(image: LabelledImage, number: int, *, model_mpp: float) -> ValidationTile:
    cells = image.cells_at(model_mpp)
    points = np.column_stack([cells.x, cells.y])
    height, width = (side * image.image_mpp / model_mpp for side in image.pixels.shape[:2])
    centre = np.array([width, height]) / 2
    tried = (
        points[np.unique(np.linspace(0, len(points) - 1, CANDIDATES).round().astype(int))]
        if len(points)
        else points
    )
    if len(tried):
        within = (np.abs(tried[:, np.newaxis] - points) < SIDE_PX / 2).all(axis=2).sum(axis=1)
        centre = tried[int(within.argmax())]
    x, y = (
        round(min(max(place - SIDE_PX / 2, 0), max(side - SIDE_PX, 0)))
        for place, side in zip(centre.tolist(), (width, height), strict=True)
    )
    window = Window(x, y, SIDE_PX, SIDE_PX)
    pixels = image.window_at(model_mpp, window)
    inside = cells.select(window.contains(cells.x, cells.y))
    shifted = Cells(inside.x - x, inside.y - y, inside.score, inside.class_id)
    stem = re.sub(r"[^\w.-]+", "_", f"{image.dataset}-{image.path.stem}")
    return ValidationTile(f"{number}-{stem}", pixels, shifted)


def draw_predictions(
    predictor: Predictor, tiles: Sequence[ValidationTile], settings: DecodeSettings
) -> Mapping[str, ImageArray]:
    """For each tile, by its name, one picture: the annotated cells, the found ones, and the evidence for them.

    Positive cells are ringed red, negative ones blue, those of neither class green.
    """
    pictures: dict[str, ImageArray] = {}
    for tile in tiles:
        maps = predictor.maps(tile.pixels, image_mpp=predictor.model_mpp)
        found = cells_of(decode(maps, settings))
        panels = (_ringed(tile.pixels, tile.truth), _ringed(tile.pixels, found), _evidence(maps, settings))
        pictures[tile.name] = np.concatenate(panels, axis=1)
    return pictures


def _ringed(pixels: ImageArray, cells: Cells) -> ImageArray:
    picture = _enlarged(pixels)
    for x, y, class_id in zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True):
        centre = round(x * ENLARGEMENT), round(y * ENLARGEMENT)
        cv2.circle(picture, centre, RING_PX, CLASS_COLORS[CellClass(class_id)], LINE_PX, cv2.LINE_AA)
    return picture


def _evidence(maps: npt.NDArray[np.float32], settings: DecodeSettings) -> ImageArray:
    named = dict(zip(settings.maps, maps, strict=True))
    both = [named[name] for name in ("positive", "negative") if name in named]
    evidence = named["nucleus"] if settings.evidence == "nucleus" else sum(both, np.zeros_like(maps[0]))
    grey = (np.clip(evidence, 0, 1) * 255).astype(np.uint8)
    return _enlarged(np.repeat(grey[:, :, np.newaxis], 3, axis=2))


def _enlarged(pixels: ImageArray) -> ImageArray:
    side = SIDE_PX * ENLARGEMENT
    return np.asarray(cv2.resize(pixels, (side, side), interpolation=cv2.INTER_CUBIC), np.uint8)
