"""The store: what is marked is whole, and everything else is computed again."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import zarr

from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.errors import OutputError
from wsi_edt.geometry import Window
from wsi_edt.results.store import Finished, SlideStore, StoreHeader
from wsi_edt.results.written import Written
from wsi_edt.slides.grid import Shard, Tile

HEADER = StoreHeader("abc", {"threads": 2}, "12-ff", 0.25, True, (1000, 800))


def peaks(count: int, seed: int = 0) -> TilePeaks:
    rng = np.random.default_rng(seed)
    return TilePeaks(
        x=rng.integers(0, 2**31 - 1, count, dtype=np.int32),
        y=rng.integers(-64, 2**20, count, dtype=np.int32),
        score=rng.random(count, dtype=np.float32),
        class_id=rng.integers(0, 3, count, dtype=np.uint8),
        tile=rng.integers(0, 2**20, count, dtype=np.int32),
        density=rng.integers(0, 2**16, (count, 3), dtype=np.uint16),
    )


def shard(index: int, *tiles: int) -> Shard:
    window = Window(0, 0, 32, 32)
    return Shard(index, tuple(Tile(tile, window, window, window) for tile in tiles or (index,)))


def assert_same(found: TilePeaks, expected: TilePeaks) -> None:
    for name in ("x", "y", "score", "class_id", "tile", "density"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@pytest.fixture
def store(tmp_path: Path) -> SlideStore:
    return SlideStore.create(tmp_path / "slide/store.zarr", HEADER)


@pytest.mark.parametrize("count", [0, 1, 5000])
def test_shards_come_back_in_the_order_asked(store: SlideStore, count: int) -> None:
    store.write_shard(shard(7), peaks(count, 1), seconds=1.5)
    store.write_shard(shard(2), peaks(3, 2), seconds=0.5)
    reopened = SlideStore(store.path, HEADER)
    assert reopened.done_shards([shard(1), shard(2), shard(3), shard(7)]) == {2: 0.5, 7: 1.5}
    assert_same(reopened.read_shards([7, 2]), TilePeaks.concatenate([peaks(count, 1), peaks(3, 2)]))
    assert len(reopened.read_shards([])) == 0


def test_it_is_zarr_3_that_others_can_read(store: SlideStore) -> None:
    store.write_shard(shard(0), peaks(10), seconds=1)
    root = zarr.open_group(store.path, mode="r")
    assert root.metadata.zarr_format == 3
    array = root["shards/0"]
    assert isinstance(array, zarr.Array)
    values = np.asarray(array[:])
    assert values.shape == (6, 10)
    assert np.array_equal(values[3].view(np.float32), peaks(10).score)
    halves = np.ascontiguousarray(values[4:].T).astype("<i4").view("<u2")
    assert np.array_equal(halves[:, 0], peaks(10).class_id)
    assert np.array_equal(halves[:, 1:], peaks(10).density)


def test_a_shard_is_two_files(store: SlideStore) -> None:
    store.write_shard(shard(0), peaks(10), seconds=1)
    assert len([path for path in (store.path / "shards/0").rglob("*") if path.is_file()]) == 2


def unmark(shard: Path) -> None:
    node = json.loads((shard / "zarr.json").read_text())
    del node["attributes"]["done"]
    (shard / "zarr.json").write_text(json.dumps(node))


def cut(shard: Path) -> None:
    data = shard / "c/0/0"
    data.write_bytes(data.read_bytes()[:-4])


@pytest.mark.parametrize(
    "damage",
    [
        unmark,
        cut,
        lambda shard: (shard / "c/0/0").unlink(),
        lambda shard: (shard / "zarr.json").unlink(),
        lambda shard: (shard / "zarr.json").write_bytes(b""),
        lambda shard: (shard / "zarr.json").write_text('{"attributes": {"done": true}}'),
        lambda shard: (shard / "zarr.json").write_text("[]"),
        shutil.rmtree,
    ],
    ids=["unmarked", "cut", "no data", "no metadata", "empty", "mark only", "no object", "gone"],
)
def test_what_is_not_whole_is_not_done_and_can_be_written_again(store: SlideStore, damage: object) -> None:
    store.write_shard(shard(0), peaks(10), seconds=1)
    store.write_shard(shard(1), peaks(10), seconds=1)
    assert callable(damage)
    damage(store.path / "shards/0")
    assert set(store.done_shards([shard(0), shard(1)])) == {1}
    store.write_shard(shard(0), peaks(4, 9), seconds=1)
    assert set(store.done_shards([shard(0), shard(1)])) == {0, 1}
    assert_same(store.read_shards([0]), peaks(4, 9))


def test_the_header_and_the_mark_come_back(store: SlideStore) -> None:
    assert SlideStore.read_header(store.path) == HEADER
    assert SlideStore.read_finished(store.path) is None
    mark = Finished({"geometry": "point"}, 12.5, {"ki67.json": Written(2, "ab")})
    store.mark_finished(mark)
    assert SlideStore.read_finished(store.path) == mark
    assert SlideStore.read_header(store.path) == HEADER


@pytest.mark.parametrize(
    "mark", [{}, [], "yes", {"written_as": 3, "seconds": 1}, {"written_as": {}, "seconds": "x"}]
)
def test_a_damaged_mark_means_not_finished(store: SlideStore, mark: object) -> None:
    node = json.loads((store.path / "zarr.json").read_text())
    node["attributes"]["finished"] = mark
    (store.path / "zarr.json").write_text(json.dumps(node))
    assert SlideStore.read_finished(store.path) is None


def test_no_store_and_one_that_was_barely_begun_are_none(tmp_path: Path) -> None:
    assert SlideStore.read_header(tmp_path / "none.zarr") is None
    (tmp_path / "begun.zarr").mkdir()
    assert SlideStore.read_header(tmp_path / "begun.zarr") is None
    store = SlideStore.create(tmp_path / "begun.zarr", HEADER)
    assert store.done_shards([shard(0)]) == {}


def test_a_store_binds_from_the_first_whole_shard_or_the_mark_on(store: SlideStore, tmp_path: Path) -> None:
    assert SlideStore.read_begun(store.path) is None
    store.write_shard(shard(5), peaks(3), seconds=1)
    assert SlideStore.read_begun(store.path) == HEADER
    unmark(store.path / "shards/5")
    assert SlideStore.read_begun(store.path) is None
    store.mark_finished(Finished({}, 0.0, {}))  # a slide without tissue has no shards
    assert SlideStore.read_begun(store.path) == HEADER


def test_a_store_of_another_version_is_refused(store: SlideStore) -> None:
    node = json.loads((store.path / "zarr.json").read_text())
    node["attributes"]["format"] = 99
    (store.path / "zarr.json").write_text(json.dumps(node))
    with pytest.raises(OutputError, match=r"another version.*--overwrite"):
        SlideStore.read_header(store.path)


def test_a_shard_is_done_if_all_its_tiles_are_stored(store: SlideStore) -> None:
    store.write_shard(shard(0, 4, 5), peaks(10), seconds=1)
    assert set(store.done_shards([shard(0, 5)])) == set(store.done_shards([shard(0, 5, 4)])) == {0}
    assert store.done_shards([shard(0, 5, 6)]) == {}
    store.write_shard(shard(0, 5, 6), peaks(2), seconds=1)
    assert set(store.done_shards([shard(0, 5, 6)])) == {0} and store.done_shards([shard(0, 4)]) == {}


def test_creating_replaces_what_is_there(store: SlideStore) -> None:
    store.write_shard(shard(0), peaks(10), seconds=1)
    assert SlideStore.create(store.path, HEADER).done_shards([shard(0)]) == {}


def test_a_damaged_shard_is_named_when_read(store: SlideStore) -> None:
    store.write_shard(shard(3), peaks(10), seconds=1)
    cut(store.path / "shards/3")
    with pytest.raises(OutputError, match=r"shard 3 of .*run again"):
        store.read_shards([3])


FULL_DISK = """
import resource, sys
from pathlib import Path
from tests.results.test_store import HEADER, peaks, shard
from wsi_edt.errors import OutputError
from wsi_edt.results.store import SlideStore

path = Path(sys.argv[1])
store = SlideStore.create(path, HEADER)
store.write_shard(shard(0), peaks(10), seconds=1)
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
try:
    store.write_shard(shard(1), peaks(5000), seconds=1)
except OutputError as error:
    print(error)
print(sorted(SlideStore(path, HEADER).done_shards([shard(0), shard(1)])))
"""


@pytest.mark.skipif(sys.platform == "win32", reason="needs RLIMIT_FSIZE")
def test_a_disk_that_takes_no_more_is_one_sentence(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "store.zarr")],
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=True,
    )
    sentence, shards = done.stdout.splitlines()
    assert "can't be written" in sentence
    assert "ulimit -f" in sentence, "what stands in the way is a limit, not the disk"
    assert shards == "[0]"
