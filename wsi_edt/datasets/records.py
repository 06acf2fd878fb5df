"""Names of points files, and points as they are written in text, gathered until it is clear what their numbers mean."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import AnnotationError

TEXT_SUFFIXES = (".csv.gz", ".tsv.gz", ".csv", ".tsv", ".txt")
POINTS_SUFFIXES = (".geojson.gz", ".json.gz", ".geojson", ".json", ".xml", ".ndpa", *TEXT_SUFFIXES)


def points_suffix(path: Path) -> str | None:
    """The suffix of a points file, one of `POINTS_SUFFIXES`, in lower case; None for other files."""
    return next((suffix for suffix in POINTS_SUFFIXES if path.name.lower().endswith(suffix)), None)


def points_stem(path: Path) -> str:
    """The name of a points file without its suffix: what pairs predictions with truth."""
    return path.name[: len(path.name) - len(points_suffix(path) or "")]


class PointRecords:
    """The points of a text file by image, in the file's order.

    Parameters
    ----------
    um_per_px : divides coordinates that are written in µm; None: they are px
    corner : what is added to coordinates, px
    may_be_indices : whether whole numbers are pixel indices, see `by_image`
    """

    def __init__(
        self,
        um_per_px: float | None = None,
        *,
        corner: tuple[float, float] = (0.0, 0.0),
        may_be_indices: bool = True,
    ) -> None:
        self._scale = um_per_px or 1.0
        self._corner = corner
        self._may_be_indices = may_be_indices
        self._rows: dict[str, list[tuple[float, float, float, int]]] = {}
        self._all_whole = True

    def add_image(self, image: str) -> None:
        """Add an image, which may have no points."""
        self._rows.setdefault(image, [])

    def has_image(self, image: str) -> bool:
        """Whether the image is there already."""
        return image in self._rows

    def add_point(
        self,
        image: str,
        x: str,
        *,
        y: str,
        where: str,
        score: float = 1.0,
        class_id: CellClass = CellClass.NUCLEUS,
    ) -> None:
        """Add a point as it is written; `where` names the file and the line in errors."""
        self.add_image(image)
        self._rows[image].append((parse_number(x, where), parse_number(y, where), score, int(class_id)))
        self._all_whole = self._all_whole and _is_whole(x) and _is_whole(y)

    def by_image(self) -> dict[str, Cells]:
        """The cells of each image in continuous px.

        A file in which every coordinate is written as a whole number holds pixel indices, whose centres are half a
        pixel further on. A single decimal point makes all of them continuous coordinates, even if some are whole.
        """
        shift = 0.5 if self._all_whole and self._may_be_indices else 0.0
        found = {}
        for image, rows in self._rows.items():
            table = np.array(rows, dtype=np.float64).reshape(-1, 4)
            score, class_id = table[:, 2].astype(np.float32), table[:, 3].astype(np.uint8)
            x, y = (table[:, axis] / self._scale + (self._corner[axis] + shift) for axis in (0, 1))
            found[image] = Cells(x, y, score, class_id)
        return found


def parse_number(text: str, where: str) -> float:
    """A finite number; AnnotationError naming `where` for anything else."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise AnnotationError(f"has {text.strip()!r} where a number belongs", where=where)
    return number


def _is_whole(text: str) -> bool:
    return text.strip().lstrip("+-").isdecimal()
