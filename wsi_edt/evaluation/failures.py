"""Pictures of what goes wrong: an image beside a copy with its matched, missed, false and wrongly classed cells."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.assessment import Assessment
from wsi_edt.evaluation.evaluation import Evaluation
from wsi_edt.evaluation.matching import match_points
from wsi_edt.evaluation.metrics import DetectionMetrics
from wsi_edt.evaluation.outcomes import FALSE, MATCHED, MISSED, points_of
from wsi_edt.evaluation.statistics import image_indices
from wsi_edt.files import write_atomically
from wsi_edt.geometry import FloatArray, Window

Picture = npt.NDArray[np.uint8]

SIDE_PX = 512  # of what a picture shows: a BCData image at the shipped model's scale
_ENLARGED = 2
_MARK_PX = 13  # radius of a mark, px of the picture: a small nucleus'
_CAPTION_PX = 30  # height of a line of the caption
_INK = (30, 30, 30)
_CLASS_COLOURS = {
    CellClass.POSITIVE: (255, 110, 0),
    CellClass.NEGATIVE: (0, 90, 255),
    CellClass.NUCLEUS: (90, 90, 90),
}


class Fate(Enum):
    """What became of a prediction or a cell: its words, the colour and the shape of its mark."""

    MATCHED = ("matched", (0, 220, 90), "ring")
    WRONG_CLASS = ("wrong class", (235, 60, 235), "diamond")
    FALSE = ("false", (255, 30, 30), "cross")
    MISSED = ("missed", (255, 225, 0), "square")
    IGNORED = ("ignored", (150, 150, 150), "ring")

    @property
    def words(self) -> str:
        """What the legend calls it."""
        return self.value[0]


@dataclass(frozen=True, slots=True, eq=False)
class Fates:
    """The marks of one image.

    Attributes
    ----------
    x, y : (N,) float64, px of the image
    class_id : (N,) uint8: the predicted class, or a missed cell's own
    fate : (N,)
    """

    x: FloatArray
    y: FloatArray
    class_id: npt.NDArray[np.uint8]
    fate: tuple[Fate, ...]

    def count(self, fate: Fate) -> int:
        """How many there are."""
        return self.fate.count(fate)


def fates(predicted: Cells, truth: Cells, *, radius_px: float, has_classes: bool) -> Fates:
    """What became of each prediction, and which cells were missed.

    Predictions are matched with cells of their own class first; what is left over of both has a wrong class if it
    matches, and is false or missed if it doesn't. With classes, cells of neither are ignored, as in the metrics; without
    classes, none is wrong.
    """
    other = (truth.class_id == CellClass.NUCLEUS) & has_classes
    cells, ignored = truth.select(~other), truth.select(other)
    fate = np.full(len(predicted), Fate.FALSE, dtype=object)
    missed = np.ones(len(cells), bool)

    def match(predictions: npt.NDArray[np.intp], candidates: npt.NDArray[np.intp], outcome: Fate) -> None:
        points, places = points_of(predicted)[predictions], points_of(cells)[candidates]
        pairs = match_points(points, places, radius_px=radius_px)
        fate[predictions[pairs[:, 0]]] = outcome
        missed[candidates[pairs[:, 1]]] = False

    for class_id in CellClass:
        match(
            np.flatnonzero(predicted.class_id == class_id),
            np.flatnonzero(cells.class_id == class_id),
            Fate.MATCHED,
        )
    match(
        np.flatnonzero(fate == Fate.FALSE),
        np.flatnonzero(missed),
        Fate.WRONG_CLASS if has_classes else Fate.MATCHED,
    )
    left = np.flatnonzero(fate == Fate.FALSE)
    pairs = match_points(points_of(predicted)[left], points_of(ignored), radius_px=radius_px)
    fate[left[pairs[:, 0]]] = Fate.IGNORED
    lost = cells.select(missed)
    return Fates(
        np.concatenate([predicted.x, lost.x]),
        np.concatenate([predicted.y, lost.y]),
        np.concatenate([predicted.class_id, lost.class_id]),
        (*fate.tolist(), *[Fate.MISSED] * len(lost)),
    )


def worst_images(assessment: Assessment, count: int) -> list[int]:
    """The places of the images with the lowest F1 of all cells, at most `count`; empty images don't count."""
    counts = assessment.counts()[:, 0].astype(np.float64)
    total = 2 * counts[:, MATCHED] + counts[:, FALSE] + counts[:, MISSED]
    f1 = np.where(total > 0, 2 * counts[:, MATCHED] / np.maximum(total, 1), np.inf)
    order = np.argsort(f1, kind="stable")
    return [place for place in order.tolist() if total[place] > 0][:count]


def caption(assessment: Assessment, place: int) -> str:
    """How well an image's cells were found, in one line."""
    outcomes, counts = assessment.outcomes[0], assessment.counts()
    matched, false, missed = counts[place, 0].tolist()
    f1 = DetectionMetrics(matched, false, missed).f1
    words = f"{outcomes.images[place]}: F1 {f1:.3f} at {outcomes.radius_px:g} px"
    true_index, difference = (float(values[place]) for values in image_indices(counts))
    if outcomes.has_classes and np.isfinite(true_index):
        words += f"; Ki-67 index {true_index + difference:.1f} % found, {true_index:.1f} % true"
    return words


def write_failures(folder: Path, evaluation: Evaluation, *, count: int) -> None:
    """Draw the worst images of a data set, at most `count`, into files of the folder: the worst comes first.

    Raises
    ------
    OutputError
        If the folder can't be written.
    """
    assessment = evaluation.assessment
    radius_px, has_classes = assessment.outcomes[0].radius_px, assessment.outcomes[0].has_classes
    assert assessment.radius_mpp is not None and assessment.threshold is not None, "a model has both"
    for rank, place in enumerate(worst_images(assessment, count), start=1):
        pair = evaluation.pairs[place]
        counted = pair.predicted.select(pair.predicted.score > assessment.threshold)
        found = fates(counted, pair.truth, radius_px=radius_px, has_classes=has_classes)
        pixels = evaluation.images[place].window_at(assessment.radius_mpp)
        picture = failure_picture(pixels, found, caption=caption(assessment, place))
        _write_jpeg(folder / f"{rank:02}-{Path(pair.image).stem}.jpg", picture)


def _write_jpeg(path: Path, picture: Picture) -> None:
    done, data = cv2.imencode(".jpg", picture[:, :, ::-1], [cv2.IMWRITE_JPEG_QUALITY, 88])
    assert done, "OpenCV can't encode a JPEG"
    write_atomically(path, bytes(data.tobytes()))


def failure_picture(pixels: Picture, found: Fates, *, caption: str) -> Picture:
    """The image, or the part of it with the most errors, beside itself with the marks, over a caption and a legend.

    Parameters
    ----------
    pixels : (H, W, 3) uint8 RGB
    found : in px of the image
    caption : a line of text
    """
    window = _worst_window(found, pixels.shape[1], pixels.shape[0])
    shown = pixels[window.y : window.bottom, window.x : window.right]
    size = (window.width * _ENLARGED, window.height * _ENLARGED)
    plain = np.asarray(cv2.resize(np.ascontiguousarray(shown), size, interpolation=cv2.INTER_CUBIC), np.uint8)
    marked = plain.copy()
    inside = window.contains(found.x, found.y)
    for number in np.flatnonzero(inside).tolist():
        at = (
            round((found.x[number] - window.x) * _ENLARGED - 0.5),
            round((found.y[number] - window.y) * _ENLARGED - 0.5),
        )
        _mark(marked, at, found.fate[number])
        _dot(marked, at, CellClass(int(found.class_id[number])))
    gap = np.full((size[1], 8, 3), 255, np.uint8)
    picture = np.concatenate([plain, gap, marked], axis=1)
    if window.width < pixels.shape[1] or window.height < pixels.shape[0]:
        caption += f"; shown: x {window.x} to {window.right}, y {window.y} to {window.bottom} px"
    return np.concatenate([picture, _legend(picture.shape[1], found, caption)], axis=0)


def _worst_window(found: Fates, width: int, height: int) -> Window:
    """The window of at most `SIDE_PX` a side with the most errors, near its middle if possible; on a grid of 1/8."""
    size = (min(SIDE_PX, width), min(SIDE_PX, height))
    wrong = np.array([fate in (Fate.FALSE, Fate.MISSED, Fate.WRONG_CLASS) for fate in found.fate], bool)
    x, y = found.x[wrong], found.y[wrong]
    starts = [
        sorted({*range(0, side - part, SIDE_PX // 8), side - part})
        for side, part in zip((width, height), size, strict=True)
    ]
    windows = [Window(left, top, *size) for top in starts[1] for left in starts[0]]

    def merit(window: Window) -> tuple[int, float]:
        inside = window.contains(x, y)
        if not inside.any():
            return 0, 0.0
        off_x, off_y = x[inside] - window.x - window.width / 2, y[inside] - window.y - window.height / 2
        return int(inside.sum()), -float(np.hypot(off_x, off_y).mean())

    return max(windows, key=merit)


def _mark(picture: Picture, at: tuple[int, int], fate: Fate) -> None:
    """A shape in the fate's colour on a dark edge."""
    _, colour, shape = fate.value
    x, y, r = *at, _MARK_PX
    for width, ink in ((5, _INK), (2, colour)):
        if shape == "ring":
            cv2.circle(picture, at, r, ink, width, cv2.LINE_AA)
        elif shape == "square":
            cv2.rectangle(picture, (x - r + 1, y - r + 1), (x + r - 1, y + r - 1), ink, width, cv2.LINE_AA)
        elif shape == "diamond":
            corners = np.array([[x, y - r - 3], [x + r + 3, y], [x, y + r + 3], [x - r - 3, y]], np.int32)
            cv2.polylines(picture, [corners], isClosed=True, color=ink, thickness=width, lineType=cv2.LINE_AA)
        else:
            cv2.drawMarker(picture, at, ink, cv2.MARKER_TILTED_CROSS, 2 * r - 4, width, cv2.LINE_AA)


def _dot(picture: Picture, at: tuple[int, int], class_id: CellClass) -> None:
    """A dot in the class's colour on a dark edge."""
    cv2.circle(picture, at, 4, _INK, -1, cv2.LINE_AA)
    cv2.circle(picture, at, 3, _CLASS_COLOURS[class_id], -1, cv2.LINE_AA)


def _legend(width: int, found: Fates, caption: str) -> Picture:
    """The caption, and what the marks mean, with how many there are of each in the whole image."""
    strip = np.full((3 * _CAPTION_PX, width, 3), 255, np.uint8)
    font = ImageFont.load_default(size=19)
    middle, x = round(2.1 * _CAPTION_PX), _CAPTION_PX // 2 + _MARK_PX
    labels: list[tuple[int, str]] = []
    for fate in Fate:
        if found.count(fate):
            _mark(strip, (x, middle), fate)
            labels.append((x + _MARK_PX + 8, f"{fate.words} {found.count(fate)}"))
            x = labels[-1][0] + round(font.getlength(labels[-1][1])) + 2 * _CAPTION_PX
    for class_id in (CellClass.POSITIVE, CellClass.NEGATIVE):
        if np.any(found.class_id == class_id):
            _dot(strip, (x, middle), class_id)
            labels.append((x + 12, class_id.label.lower()))
            x = labels[-1][0] + round(font.getlength(labels[-1][1])) + 2 * _CAPTION_PX
    image = Image.fromarray(strip)
    draw = ImageDraw.Draw(image)
    draw.text((_CAPTION_PX // 2, _CAPTION_PX), caption, fill=_INK, font=font, anchor="ls")
    for left, words in labels:
        draw.text((left, middle), words, fill=_INK, font=font, anchor="lm")
    return np.asarray(image)
