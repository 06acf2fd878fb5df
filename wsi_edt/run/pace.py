"""How fast this machine computes tiles, as its last runs measured it: kept in the user's cache folder, for `--dry-run`."""

from __future__ import annotations

import json
import platform
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from wsi_edt.cluster.machine import Machine
from wsi_edt.detection.runtimes.graph_cache import cache_folder
from wsi_edt.errors import OutputError
from wsi_edt.files import write_atomically
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.progress import RunProgress
from wsi_edt.run.settings import CellSettings

_FILE = "pace.json"
_MOST_KEPT = 50
_FEWEST_TILES = 16  # a worker's first tiles warm it up: fewer than these replace no earlier measurement


def pace_key(cells: CellSettings, machines: Sequence[Machine]) -> str:
    """What a pace depends on, in words: machine, workers, model and how it is computed."""
    compute, host = cells.compute, platform.node()
    return (
        f"{host}, {len(machines)} workers on {machines[0].gpus} GPUs, {cells.model_sha256[:16]} in {compute.precision}, "
        f"{compute.runtime}, {compute.device}, {compute.threads} threads, tiles of {cells.tile_px} px by {cells.batch_size}"
    )


def known_pace(key: str) -> float | None:
    """Seconds that a worker needs for a tile, reading included; None until a run has measured it."""
    measured = _kept().get(key)
    return None if measured is None else measured[0] / measured[1]


class PaceMeter:
    """Passes a run's progress on, and measures by the slides that this run computed from their first tile to their last.

    Parameters
    ----------
    progress : is told what this is told
    """

    def __init__(self, progress: RunProgress) -> None:
        self._progress = progress
        self._planned: dict[str, int] = {}
        self.tiles = 0
        self.seconds = 0.0

    def begun(self, *, slides: int, finished: int) -> None:
        """See `RunProgress`."""
        self._progress.begun(slides=slides, finished=finished)

    def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
        """See `RunProgress`."""
        if not tiles_stored:  # stored ones may be another machine's
            self._planned[slide] = tiles
        self._progress.planned(slide, tiles=tiles, tiles_stored=tiles_stored)

    def note(self, line: str) -> None:
        """See `RunProgress`."""
        self._progress.note(line)

    def stored(self, slide: str, *, tiles: int, cells: int) -> None:
        """See `RunProgress`."""
        self._progress.stored(slide, tiles=tiles, cells=cells)

    def ended(self, row: SummaryRow) -> None:
        """See `RunProgress`."""
        tiles = self._planned.pop(row.slide, 0)
        if tiles and row.seconds:
            self.tiles += tiles
            self.seconds += row.seconds
        self._progress.ended(row)

    def keep(self, key: str) -> None:
        """Keep what was measured; a cache that can't be written keeps nothing."""
        kept = _kept()
        if not self.tiles or (self.tiles < _FEWEST_TILES and key in kept):
            return
        kept.pop(key, None)
        kept[key] = (self.seconds, self.tiles)
        last = dict(list(kept.items())[-_MOST_KEPT:])
        path = _path()
        with suppress(OSError, OutputError):
            if path.is_absolute():  # else there is no home folder
                write_atomically(path, json.dumps(last, indent=1).encode())


def _path() -> Path:
    return cache_folder() / _FILE


def _kept() -> dict[str, tuple[float, int]]:
    """Seconds and tiles by key, the last measured last; a damaged file counts as none."""
    try:
        fields = json.loads(_path().read_bytes())
        kept = {str(key): (float(seconds), int(tiles)) for key, (seconds, tiles) in fields.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}
    return {key: (seconds, tiles) for key, (seconds, tiles) in kept.items() if seconds > 0 and tiles > 0}
