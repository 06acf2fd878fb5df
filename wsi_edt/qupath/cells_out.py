"""Cells as a GeoJSON that QuPath opens as detections.

The contract was read from the source of QuPath 0.8 (package qupath.lib.io), see dialect.py: besides, it drops unknown
properties, rounds coordinates to 0.01 px, and refuses a polygon that this makes invalid. It doesn't stream: few bytes a
cell.
"""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast
from uuid import NAMESPACE_URL, uuid5

import numpy as np
import numpy.typing as npt
import orjson

from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import UsageError
from wsi_edt.files import atomic_write
from wsi_edt.qupath.dialect import CLASS_COLORS, DETECTION, Geometry

_NAMESPACE = uuid5(NAMESPACE_URL, "https://github.com/wsi-edt/wsi-edt")
_CHUNK = 10_000  # cells; 3 MB of text, and larger chunks are no faster
_CIRCLE_VERTICES = 12
_MIN_RADIUS_PX = 0.1  # below it the vertices come too close to QuPath's grid of 0.01 px
_HUNDREDTHS = 100
_UUID_LETTERS = 36
_UUID_DIGITS = np.array([place for place in range(_UUID_LETTERS) if place not in (8, 13, 18, 23)])

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


def write_geojson(
    path: Path,
    cells: Cells,
    *,
    slide_name: str,
    radius_px: float,
    corner: tuple[float, float] = (0.0, 0.0),
    geometry: Geometry = "point",
) -> None:
    """Write the cells as QuPath detections, ordered by y, x and class, atomically and in constant memory.

    Each has the measurement "Score", and "Haematoxylin OD" and "DAB OD" (means of a disc of 2 µm radius) where they are
    known, with three decimals.

    Parameters
    ----------
    path : gzipped if it ends in .gz
    cells : level-0 px
    slide_name : the slide's relative path, of which (with x, y and class) each cell's id is made: the same in every run
    radius_px : of circles, level-0 px
    corner : what is subtracted from the coordinates, see `shown_corner`
    geometry : "point", or "circle" for a polygon of 12 vertices, which is a circle in every program

    Raises
    ------
    OutputError
        If the file can't be written.
    UsageError
        If circles would be too small for QuPath's grid of 0.01 px.
    """
    if geometry == "circle" and radius_px < _MIN_RADIUS_PX:
        raise UsageError(
            f"circles of {radius_px:g} px are too small for QuPath", remedy="pass --geometry point"
        )
    assert all(np.isfinite(values).all() for values in (cells.x, cells.y, cells.score)), (
        "a cell without a place or a score"
    )
    x, y = _hundredths(cells.x), _hundredths(cells.y)
    order = _file_order(x, y, cells)
    repeats = {} if order is None else _repeats(x, y, cells.class_id, order)
    shift = _hundredths(np.array(corner, dtype=np.float64))
    ring = _ring(radius_px) if geometry == "circle" else None
    features = _Features(geometry)
    with atomic_write(path) as raw, _maybe_gzipped(raw, path) as file:
        file.write(b'{"type":"FeatureCollection","features":[')
        for start in range(0, len(x), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            part = chunk if order is None else order[chunk]
            ids = _uuids(slide_name, x[part], y[part], cells.class_id[part], repeats.get(start // _CHUNK, {}))
            shapes = _coordinates(x[part] - shift[0], y[part] - shift[1], ring)
            file.write(b"," * (start > 0) + features.joined(ids, shapes, cells.select(part)))
        file.write(b"]}")


def cell_ids(cells: Cells, *, slide_name: str) -> list[str]:
    """The ids that `write_geojson` gives these cells, in their order."""
    x, y = _hundredths(cells.x), _hundredths(cells.y)
    order = _file_order(x, y, cells)
    if order is None:
        return _uuids(slide_name, x, y, cells.class_id, {})
    repeats = {
        chunk * _CHUNK + position: count
        for chunk, found in _repeats(x, y, cells.class_id, order).items()
        for position, count in found.items()
    }
    ids = [""] * len(cells)
    for place, name in zip(
        order.tolist(), _uuids(slide_name, x[order], y[order], cells.class_id[order], repeats), strict=True
    ):
        ids[place] = name
    return ids


def _hundredths(coordinates: npt.NDArray[np.float64]) -> IntArray:
    """Coordinates in hundredths of a px, as QuPath rounds them: whole numbers keep ids and order exact."""
    scaled = coordinates * _HUNDREDTHS
    return np.rint(scaled, out=scaled).astype(np.int64)


def _file_order(x: IntArray, y: IntArray, cells: Cells) -> npt.NDArray[np.intp] | None:
    """The cells by y, x, class and score; None if they come so and no two share a place: stitched cells do.

    Sorting ten million takes half a minute, and an order that changes nothing the memory of a quarter of the cells.
    """
    places = (y << 32) + x
    if (places[1:] > places[:-1]).all():
        return None
    return np.lexsort((cells.score, cells.class_id, x, y))


def _repeats(
    x: IntArray, y: IntArray, class_id: npt.NDArray[np.uint8], order: npt.NDArray[np.intp]
) -> dict[int, dict[int, int]]:
    """Cells that share x, y and class with others before them: chunk → position in it → how many are before.

    Stitched cells never do; but an id has to be unique whatever cells are given.
    """
    after, before = order[1:], order[:-1]
    same = (x[after] == x[before]) & (y[after] == y[before]) & (class_id[after] == class_id[before])
    found: dict[int, dict[int, int]] = {}
    previous, count = -2, 0
    for position in (np.flatnonzero(same) + 1).tolist():
        count = count + 1 if position == previous + 1 else 1
        previous = position
        found.setdefault(position // _CHUNK, {})[position % _CHUNK] = count
    return found


def _uuids(
    slide_name: str, x: IntArray, y: IntArray, class_id: npt.NDArray[np.uint8], repeats: dict[int, int]
) -> list[str]:
    """uuid5 of each cell; the same as the standard library's, at a quarter of its cost."""
    slide = hashlib.sha1(_NAMESPACE.bytes + slide_name.encode(), usedforsecurity=False)
    digests = []
    for position, cell in enumerate(zip(x.tolist(), y.tolist(), class_id.tolist(), strict=True)):
        digest = slide.copy()
        digest.update(b"|%d|%d|%d" % cell)
        if position in repeats:
            digest.update(b"|%d" % repeats[position])
        digests.append(digest.digest()[:16])
    octets = np.frombuffer(b"".join(digests), dtype=np.uint8).reshape(-1, 16).copy()
    octets[:, 6] = octets[:, 6] & 0x0F | 0x50  # version 5
    octets[:, 8] = octets[:, 8] & 0x3F | 0x80  # the variant of RFC 4122
    # The digits of all cells go to their places between the hyphens at once.
    letters = np.full((len(octets), _UUID_LETTERS), ord("-"), dtype=np.uint8)
    letters[:, _UUID_DIGITS] = np.frombuffer(octets.tobytes().hex().encode(), dtype=np.uint8).reshape(-1, 32)
    text = letters.tobytes().decode()
    return [text[start : start + _UUID_LETTERS] for start in range(0, len(text), _UUID_LETTERS)]


def _ring(radius_px: float) -> IntArray:
    """A closed circle around (0, 0), hundredths of a px: (13, 2), counter-clockwise as RFC 7946 asks."""
    angles = 2 * np.pi * np.arange(_CIRCLE_VERTICES) / _CIRCLE_VERTICES
    ring = _hundredths(radius_px * np.stack([np.cos(angles), np.sin(angles)], axis=1))
    return np.concatenate([ring, ring[:1]])


def _coordinates(x: IntArray, y: IntArray, ring: IntArray | None) -> list[str]:
    """Each cell's GeoJSON coordinates as text, without the brackets at either end."""
    points = np.stack([x, y], axis=1)
    if ring is None:
        text, between = orjson.dumps(points / _HUNDREDTHS, option=orjson.OPT_SERIALIZE_NUMPY), "],["
    else:
        rings = (points[:, None, :] + ring) / _HUNDREDTHS
        text, between = orjson.dumps(rings, option=orjson.OPT_SERIALIZE_NUMPY), "]],[["
    edge = len(between) // 2 + 1
    return text.decode()[edge:-edge].split(between)


class _Measurement(dict[int, str]):
    """A measurement's text by its value in thousandths, written out where that is met first: many cells have the same."""

    def __init__(self, before: str) -> None:
        super().__init__()
        self._before = before

    def __missing__(self, thousandths: int) -> str:
        text = self[thousandths] = f"{self._before}{thousandths / 1000}"
        return text


class _Features:
    """Writes the features of chunk after chunk of cells."""

    def __init__(self, geometry: Geometry) -> None:
        self._opening, closing = (
            ('"Point","coordinates":[', "]")
            if geometry == "point"
            else ('"Polygon","coordinates":[[[', "]]]")
        )
        self._scores = [_Measurement(f'{closing}}},"properties":{_properties(kind)}') for kind in CellClass]
        self._haematoxylin, self._dab = _Measurement(',"Haematoxylin OD":'), _Measurement(',"DAB OD":')

    def joined(self, ids: list[str], shapes: list[str], cells: Cells) -> bytes:
        """The features of some cells, joined by commas."""
        scores = zip(cells.class_id.tolist(), _thousandths(cells.score), strict=True)
        columns = (
            ids,
            shapes,
            [self._scores[kind][score] for kind, score in scores],
            _texts(self._haematoxylin, cells.haematoxylin_od, len(cells)),
            _texts(self._dab, cells.dab_od, len(cells)),
        )
        return ",".join(
            [
                f'{{"type":"Feature","id":"{name}","geometry":{{"type":{self._opening}{shape}{score}{blue}{brown}}}}}}}'
                for name, shape, score, blue, brown in zip(*columns, strict=True)
            ]
        ).encode()


def _texts(measurement: _Measurement, values: FloatArray | None, count: int) -> list[str]:
    """What a measurement adds to each of some cells: nothing where it wasn't made."""
    if values is None:
        return [""] * count
    made = np.isfinite(values)
    texts = [measurement[value] for value in _thousandths(np.where(made, values, np.float32(0)))]
    return texts if made.all() else [text * one for text, one in zip(texts, made.tolist(), strict=True)]


def _thousandths(values: FloatArray) -> list[int]:
    rounded: list[int] = np.rint(values.astype(np.float64) * 1000).astype(np.int64).tolist()
    return rounded


def _properties(kind: CellClass) -> str:
    """The properties of a class's cells as text, up to the score's value."""
    properties = {
        "objectType": DETECTION,
        "classification": {"name": kind.label, "color": CLASS_COLORS[kind]},
        "measurements": {"Score": 0},
    }
    return orjson.dumps(properties).decode().removesuffix("0}}")


@contextmanager
def _maybe_gzipped(raw: BinaryIO, path: Path) -> Iterator[BinaryIO]:
    """The file itself, or gzip around it: level 1 shrinks it tenfold; without name and time the bytes are stable."""
    if path.suffix != ".gz":
        yield raw
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=1, fileobj=raw, mtime=0) as packed:
        yield cast(BinaryIO, packed)
