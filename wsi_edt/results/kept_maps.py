"""maps.ome.zarr: the network's maps of a slide as OME-Zarr, where asked for.

Version 0.4 (Zarr 2, five axes, zlib) is what napari, QuPath and Bio-Formats read. Each level's chunks are the tiles' cores
on that level, all maps in one chunk, so that each file is one tile's: workers write at the same time and need no lock, and
a level needs no other tile. What no tile looked at has no chunk and reads as 0. Maps of 0 to 1 are stored as 0 to 255.
"""

from __future__ import annotations

import json
import platform
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import zarr
from zarr.core.common import JSON

from wsi_edt import files
from wsi_edt.cells import CellClass
from wsi_edt.errors import ModelError
from wsi_edt.qupath.dialect import CLASS_COLORS
from wsi_edt.results import names
from wsi_edt.results.store import StoreHeader
from wsi_edt.slides.grid import Tile

FloatMaps = npt.NDArray[np.float32]

WHITE: Final = 255  # what a map's 1 is stored as
_NGFF = "0.4"
_LEVEL = 3  # of zlib: 1 takes as long and leaves a ninth more, 9 takes fifteen times as long and leaves a seventh less
_ZLIB: Final[dict[str, JSON]] = {"id": "zlib", "level": _LEVEL}
_MOST_LEVELS = 6  # downsampled by up to 32, which divides every core
_SMALL_PX = 1024  # a level that fits a screen needs no smaller one
_AXES = [
    {"name": "t", "type": "time"},
    {"name": "c", "type": "channel"},
    {"name": "z", "type": "space", "unit": "micrometer"},
    {"name": "y", "type": "space", "unit": "micrometer"},
    {"name": "x", "type": "space", "unit": "micrometer"},
]


@dataclass(frozen=True, slots=True)
class KeptMaps:
    """Where a slide's maps are kept.

    Attributes
    ----------
    path : of the OME-Zarr, absolute
    channels : the maps' names, in their order
    extent : the slide's (width, height), model px
    core_px : side of the tiles' cores, model px
    mpp : µm per model px
    of : the settings and the file that they are of, see `maps_of`
    """

    path: Path
    channels: tuple[str, ...]
    extent: tuple[int, int]
    core_px: int
    mpp: float
    of: str

    def are_there(self) -> bool:
        """Whether such maps are kept there already."""
        return _kept_of(self.path) == self.of

    def create(self) -> None:
        """Make it, with nothing on it, in place of whatever is there.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        with files.writing(self.path):
            files.remove(self.path)
            group = zarr.open_group(self.path, mode="w", zarr_format=2)
            for level, factor in enumerate(self._factors()):
                width, height = (-(-side // factor) for side in self.extent)
                side = self.core_px // factor
                group.create_array(
                    str(level),
                    shape=(1, len(self.channels), 1, height, width),
                    chunks=(1, len(self.channels), 1, side, side),
                    dtype=np.uint8,
                    compressors=_ZLIB,
                    fill_value=0,
                    chunk_key_encoding={"name": "v2", "separator": "/"},
                )
            files.sync(*self.path.rglob("*"), self.path)
        # Last, whole or not at all: it says that the others are there.
        files.write_atomically(self.path / ".zattrs", json.dumps(self._attributes(), indent=1).encode())

    def refuse_out_of_reach(self) -> None:
        """ModelError if this machine doesn't see the folder that the client made."""
        if not self.are_there():
            raise ModelError(
                f"{platform.node()} can't write maps to {self.path}: there isn't the folder that this run made",
                remedy="mount the results folder there under the same path, or run without --keep-maps",
            )

    def write(self, tile: Tile, maps: FloatMaps) -> None:
        """Write what a tile owns, on all levels, each file flushed to the disk.

        Parameters
        ----------
        maps : (C, H, W) float32 of the tile's window; what is below 0 or above 1 is stored as 0 or 1

        Raises
        ------
        OutputError
            If the system refuses.
        """
        core, window = tile.core, tile.window
        top, left = core.y - window.y, core.x - window.x
        part = np.clip(maps[:, top : top + core.height, left : left + core.width], 0, 1)
        place = f"{core.y // self.core_px}/{core.x // self.core_px}"
        for level, _ in enumerate(self._factors()):
            if level:
                part = _halved(part)
            stored = np.rint(part * WHITE).astype(np.uint8)
            path = self.path / f"{level}/0/0/0/{place}"
            files.write_atomically(path, zlib.compress(stored.tobytes(), _LEVEL))

    def _factors(self) -> Iterator[int]:
        """By how much each level is downsampled."""
        for level in range(_MOST_LEVELS):
            yield 1 << level
            if max(self.extent) >> level <= _SMALL_PX:
                return

    def _attributes(self) -> dict[str, Any]:
        datasets = [
            {"path": str(level), "coordinateTransformations": _places(self.mpp, factor)}
            for level, factor in enumerate(self._factors())
        ]
        channels = [
            {
                "label": name,
                "color": _colour(name),
                "active": True,
                "window": {"min": 0, "max": WHITE, "start": 0, "end": WHITE},
            }
            for name in self.channels
        ]
        return {
            "multiscales": [
                {
                    "version": _NGFF,
                    "name": "maps",
                    "axes": _AXES,
                    "datasets": datasets,
                    "type": "mean",
                }
            ],
            "omero": {"version": _NGFF, "name": "maps", "channels": channels},
            "wsi_edt": {"of": self.of, "map_per_stored": 1 / WHITE, "mpp": self.mpp},
        }


def maps_of(header: StoreHeader) -> str:
    """What tells maps from those of other settings, or of another file."""
    return f"{header.cells_hash} {header.fingerprint} {header.slide_mpp!r}"


def holds_maps(path: Path) -> bool:
    """Whether a folder holds maps of whatever slide."""
    return _kept_of(path) is not None


def lacks_maps(folder: Path, header: StoreHeader) -> bool:
    """Whether a slide's folder has no maps of what its store belongs to."""
    return _kept_of(folder / names.MAPS) != maps_of(header)


def _places(mpp: float, factor: int) -> list[dict[str, Any]]:
    """Where a level's px lie in µm from the slide's corner, as x_um in tables counts.

    A px is where its centre is, as OME-Zarr 0.6 states, and napari and others do with 0.4, which says nothing of it.
    """
    shift = mpp * factor / 2
    return [
        {"type": "scale", "scale": [1.0, 1.0, 1.0, mpp * factor, mpp * factor]},
        {"type": "translation", "translation": [0.0, 0.0, 0.0, shift, shift]},
    ]


def _colour(name: str) -> str:
    """A map's colour in hexadecimal: that of its class in QuPath."""
    classes = {kind.name.lower(): kind for kind in CellClass}
    red, green, blue = CLASS_COLORS[classes[name]] if name in classes else (255, 255, 255)
    return f"{red:02X}{green:02X}{blue:02X}"


def _halved(maps: FloatMaps) -> FloatMaps:
    """(C, H, W) → (C, H/2, W/2), the means of 2 × 2 px."""
    count, height, width = maps.shape
    blocks = maps.reshape(count, height // 2, 2, width // 2, 2)
    return np.asarray(blocks.mean(axis=(2, 4)), dtype=np.float32)


def _kept_of(path: Path) -> str | None:
    """What the maps at `path` are of; None without any."""
    try:
        of = json.loads((path / ".zattrs").read_bytes())["wsi_edt"]["of"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return of if isinstance(of, str) else None
