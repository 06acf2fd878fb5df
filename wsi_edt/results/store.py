"""A slide's store: the peaks of each shard as they come, so that a run killed at any moment continues from there.

The store is Zarr version 3. Its root's attributes say what it belongs to; `shards/<i>` is one array, (6, N) int32, with
the peaks of shard i: x, y, tile, the bits of the float32 score, and two rows of two uint16 each (the lower half first):
class and red's, green's and blue's optical density in 0.0001. One array and no compression, because the cost of a shard
here is its number of files: 2 files take 4 ms, an array per field 27 ms. A shard counts once its array carries the
attribute `done`, which is written after the data has been flushed to the disk. Whatever has no mark is computed again.
Beside the mark stand the tiles that were computed: a run of some regions leaves out others, which a later
run of more may need.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import zarr

from wsi_edt import files
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.errors import OutputError
from wsi_edt.results.written import Written
from wsi_edt.slides.grid import Shard

IntArray = npt.NDArray[np.int32]

FORMAT = 3
_ROWS = 6  # of a shard's array
_SAME_TIME_S = 2.0
_MISSING = -1  # no peak has the tile -1


@dataclass(frozen=True, slots=True)
class StoreHeader:
    """What a store belongs to.

    Attributes
    ----------
    cells_hash, cells : the hash of the settings, and the settings for the message where they differ
    fingerprint, modified : of the slide's files, see `FileState`
    slide_mpp, mpp_stated : µm per level-0 px that was used, and whether it is the file's own
    extent : the slide's (width, height) in model px
    """

    cells_hash: str
    cells: Mapping[str, object]
    fingerprint: str
    slide_mpp: float
    mpp_stated: bool
    extent: tuple[int, int]
    modified: float | None = None

    def fits(self, other: StoreHeader) -> bool:
        """Whether both are of the same settings, the same file and the same scale."""
        mine = (self.cells_hash, self.slide_mpp, self.extent)
        return mine == (other.cells_hash, other.slide_mpp, other.extent) and self.is_of(
            other.fingerprint, other.modified
        )

    def is_of(self, fingerprint: str, modified: float | None) -> bool:
        """Whether it is of the file that has this state now."""
        return self.fingerprint == fingerprint and self.has_time(modified)

    def has_time(self, modified: float | None) -> bool:
        """Whether the file was last changed at this time, as far as both are known; some disks round it to two seconds."""
        return self.modified is None or modified is None or abs(self.modified - modified) <= _SAME_TIME_S


@dataclass(frozen=True, slots=True)
class Finished:
    """The mark of a slide whose results are written, or that lacks nothing for it.

    Attributes
    ----------
    written_as : how they were written
    seconds : of workers
    files : the results by their names; none while they are written
    """

    written_as: Mapping[str, object]
    seconds: float
    files: Mapping[str, Written]


class SlideStore:
    """The store of one slide. One process writes it, the client, under the lock of the results folder."""

    def __init__(self, path: Path, header: StoreHeader) -> None:
        self.path = path
        self.header = header
        self._root = zarr.open_group(path, mode="r+")

    @classmethod
    def create(cls, path: Path, header: StoreHeader) -> SlideStore:
        """Make an empty store in place of whatever is there.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        with files.writing(path):
            files.remove(path)
            zarr.open_group(path, mode="w", attributes={"format": FORMAT, **asdict(header)})
            files.sync(path / "zarr.json", path)
        return cls(path, header)

    @classmethod
    def read_header(cls, path: Path) -> StoreHeader | None:
        """What the store at `path` belongs to; None if there is no store, or it was never begun properly.

        Raises
        ------
        OutputError
            If another version of wsi-edt wrote it.
        """
        fields = _attributes(path)
        if not fields:
            return None
        if fields.get("format") != FORMAT:
            raise OutputError(
                f"was written by another version of wsi-edt (format {fields.get('format')}, not {FORMAT})",
                where=path,
                remedy="pass --overwrite to replace it, or choose another --out",
            )
        try:
            return StoreHeader(
                cells_hash=str(fields["cells_hash"]),
                cells=dict(fields["cells"]),
                fingerprint=str(fields["fingerprint"]),
                slide_mpp=float(fields["slide_mpp"]),
                mpp_stated=bool(fields["mpp_stated"]),
                extent=(int(fields["extent"][0]), int(fields["extent"][1])),
                modified=None if fields["modified"] is None else float(fields["modified"]),
            )
        except (KeyError, TypeError, ValueError, IndexError):
            return None

    @classmethod
    def read_begun(cls, path: Path) -> StoreHeader | None:
        """What the store at `path` belongs to; None also if nothing has been stored yet, so that it binds no settings.

        Raises
        ------
        OutputError
            If another version of wsi-edt wrote it.
        """
        header = cls.read_header(path)
        if header is None or cls.read_finished(path) is not None:
            return header
        shards = (_attributes(shard) for shard in (path / "shards").glob("*"))
        return header if any(fields is not None and fields.get("done") is True for fields in shards) else None

    @classmethod
    def read_finished(cls, path: Path) -> Finished | None:
        """The mark of a finished slide in the store at `path`; None if it isn't finished."""
        fields = _attributes(path)
        mark = None if fields is None else fields.get("finished")
        try:
            if mark is None:
                return None
            written = {name: Written(**state) for name, state in mark["files"].items()}
            return Finished(dict(mark["written_as"]), float(mark["seconds"]), written)
        except (KeyError, TypeError, ValueError, AttributeError):  # damaged: the files are written again
            return None

    def mark_finished(self, mark: Finished) -> None:
        """Mark the slide's results as written, or (of no files) as about to be written.

        Raises
        ------
        OutputError
            If the system refuses.
        """
        with files.writing(self.path):
            self._root.attrs.update({"finished": asdict(mark)})
            files.sync(self.path / "zarr.json", self.path)

    def done_shards(self, shards: Iterable[Shard]) -> dict[int, float]:
        """The seconds that each of these shards took a worker, by its index; of those alone whose tiles are all stored."""
        found = {}
        for shard in shards:
            fields = _attributes(self._shard(shard.index))
            if fields is None or fields.get("done") is not True or not _has_tiles(fields, shard):
                continue
            if self._readable(shard.index):
                found[shard.index] = float(fields.get("seconds", 0.0))
        return found

    def write_shard(self, shard: Shard, peaks: TilePeaks, *, seconds: float) -> None:
        """Store the peaks of a shard's tiles, instead of what is stored of that shard: the data, flushed; then the mark.

        Raises
        ------
        OutputError
            If the system refuses, for example because the disk is full.
        """
        folder = self._shard(shard.index)
        with files.writing(folder):
            files.remove(folder)
            packed = _packed(peaks)
            array = self._root.create_array(
                f"shards/{shard.index}",
                data=packed,
                chunks=packed.shape,
                compressors=None,
                fill_value=_MISSING,
            )
            files.sync(*folder.rglob("*"), folder, folder.parent)
            tiles = [tile.index for tile in shard.tiles]
            array.attrs.update(
                {"cells": len(peaks), "seconds": round(seconds, 3), "tiles": tiles, "done": True}
            )
            files.sync(folder / "zarr.json", folder)

    def read_shards(self, indices: Iterable[int]) -> TilePeaks:
        """The peaks of these shards, in the order given.

        Raises
        ------
        OutputError
            If one can't be read.
        """
        parts = []
        for index in indices:
            try:
                parts.append(_unpacked(self._read(index)))
            except Exception as error:  # zarr and its codecs raise what they like on a damaged file
                raise OutputError(
                    f"can't read shard {index} of {self.path} ({error})",
                    remedy="delete that folder and run again",
                ) from error
        return TilePeaks.concatenate(parts) if parts else TilePeaks.empty()

    def _shard(self, index: int) -> Path:
        return self.path / "shards" / str(index)

    def _read(self, index: int) -> IntArray:
        array = self._root[f"shards/{index}"]
        if not isinstance(array, zarr.Array):
            raise TypeError("a group")
        values = np.asarray(array[...])
        if values.dtype != np.int32 or values.ndim != 2 or values.shape != (_ROWS, array.attrs["cells"]):
            raise ValueError(f"an array of {values.dtype} {values.shape}")
        if values.size and (values == _MISSING).all():  # what Zarr gives where the data's file is gone
            raise ValueError("its data is missing")
        return values

    def _readable(self, index: int) -> bool:
        try:
            self._read(index)
        except Exception:  # as above: it is computed again
            return False
        return True


def _has_tiles(fields: Mapping[str, Any], shard: Shard) -> bool:
    """Whether a stored shard's attributes name all tiles of this one."""
    stored = fields.get("tiles")
    return isinstance(stored, list) and {tile.index for tile in shard.tiles} <= set(stored)


def _packed(peaks: TilePeaks) -> IntArray:
    """The peaks as (6, N) int32."""
    halves = np.column_stack([peaks.class_id, peaks.density]).astype("<u2")  # (N, 4)
    return np.stack([peaks.x, peaks.y, peaks.tile, peaks.score.view(np.int32), *halves.view("<i4").T])


def _unpacked(values: IntArray) -> TilePeaks:
    """The peaks of `_packed`, in arrays of their own, so that nothing keeps `values` in memory."""
    halves = np.ascontiguousarray(values[4:].T, "<i4").view("<u2")  # (N, 4)
    return TilePeaks(
        x=values[0].copy(),
        y=values[1].copy(),
        score=values[3].copy().view(np.float32),
        class_id=halves[:, 0].astype(np.uint8),
        tile=values[2].copy(),
        density=halves[:, 1:].astype(np.uint16),
    )


def _attributes(node: Path) -> dict[str, Any] | None:
    """The attributes of a Zarr group or array, or None if it isn't complete; ten times faster than opening it."""
    try:
        attributes = json.loads((node / "zarr.json").read_bytes())["attributes"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return attributes if isinstance(attributes, dict) else None
