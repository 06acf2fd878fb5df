"""maps.ome.zarr: what OME-NGFF 0.4 asks for, and the maps as zarr reads them."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import zarr

from wsi_edt.errors import ModelError, OutputError
from wsi_edt.results.kept_maps import KeptMaps, holds_maps
from wsi_edt.slides.grid import Tile, TileGrid

GRID = TileGrid((2500, 1300), tile_px=1024, halo_px=64)
MPP = 0.3125


@pytest.fixture(scope="module")
def whole() -> npt.NDArray[np.float32]:
    """Maps of all tiles' windows at once, (2, H, W), with values beyond 0 and 1."""
    height, width = GRID.rows * GRID.core_px + 128, GRID.columns * GRID.core_px + 128
    small = np.random.default_rng(3).random((2, height // 32, width // 32), dtype=np.float32)
    found: npt.NDArray[np.float32] = small.repeat(32, axis=1).repeat(32, axis=2) * 1.2 - 0.1
    return found


@pytest.fixture
def kept(tmp_path: Path) -> KeptMaps:
    maps = KeptMaps(
        tmp_path / "maps.ome.zarr", ("positive", "nucleus"), GRID.extent, GRID.core_px, MPP, "these"
    )
    maps.create()
    return maps


def seen_by(tile: Tile, whole: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    left, top = tile.window.x + 64, tile.window.y + 64
    return whole[:, top : top + 1024, left : left + 1024]


def level(kept: KeptMaps, number: int) -> npt.NDArray[np.uint8]:
    array = zarr.open_group(kept.path, mode="r")[str(number)]
    assert isinstance(array, zarr.Array) and array.shape[0] == array.shape[2] == 1
    return np.asarray(array[0, :, 0])


def test_tiles_in_any_order_make_the_whole_map_on_each_level(
    kept: KeptMaps, whole: npt.NDArray[np.float32]
) -> None:
    for tile in reversed(GRID.tiles(None)):
        kept.write(tile, seen_by(tile, whole))
    inner = np.clip(whole[:, 64:-64, 64:-64], 0, 1)
    shapes = [(2, 1300, 2500), (2, 650, 1250), (2, 325, 625)]
    for number, shape in enumerate(shapes):
        factor = 1 << number
        blocks = inner.reshape(2, inner.shape[1] // factor, factor, inner.shape[2] // factor, factor)
        expected = blocks.mean(axis=(2, 4))[:, : shape[1], : shape[2]] * 255
        stored = level(kept, number)
        assert stored.shape == shape
        assert np.abs(stored - expected).max() <= 0.51
    assert level(kept, 0).min() == 0 and level(kept, 0).max() == 255


def test_what_no_tile_looked_at_is_0_and_takes_no_room(
    kept: KeptMaps, whole: npt.NDArray[np.float32]
) -> None:
    tile = GRID.tile(1, 0)
    kept.write(tile, seen_by(tile, np.ones_like(whole)))
    stored = level(kept, 0)
    assert stored[:, :896, 896:1792].min() == 255
    assert stored.sum() == 255 * 2 * 896 * 896
    files = [path for path in kept.path.rglob("*") if path.is_file() and not path.name.startswith(".")]
    assert sorted(path.relative_to(kept.path).as_posix() for path in files) == [
        f"{number}/0/0/0/0/1" for number in range(3)
    ]


def test_metadata_is_that_of_ome_ngff_0_4(kept: KeptMaps) -> None:
    attributes = json.loads((kept.path / ".zattrs").read_bytes())
    (image,) = attributes["multiscales"]  # https://ngff.openmicroscopy.org/0.4/
    assert image["version"] == "0.4"
    assert [axis["name"] for axis in image["axes"]] == ["t", "c", "z", "y", "x"]
    assert [axis["type"] for axis in image["axes"]] == ["time", "channel", "space", "space", "space"]
    assert {axis.get("unit") for axis in image["axes"][2:]} == {"micrometer"}
    for number, dataset in enumerate(image["datasets"]):
        factor = 1 << number
        scale, translation = dataset["coordinateTransformations"]
        assert scale == {"type": "scale", "scale": [1, 1, 1, MPP * factor, MPP * factor]}
        # A level's first px lies in the middle of those of level 0 that it stands for, whose centres lie at half a px.
        centre = MPP * sum(px + 0.5 for px in range(factor)) / factor
        assert translation == {"type": "translation", "translation": [0, 0, 0, centre, centre]}
        stored = json.loads((kept.path / dataset["path"] / ".zarray").read_bytes())
        assert stored["zarr_format"] == 2 and stored["dimension_separator"] == "/"
        assert stored["dtype"] == "|u1" and stored["compressor"]["id"] == "zlib"
        assert stored["chunks"] == [1, 2, 1, 896 // factor, 896 // factor]
    assert len(image["datasets"]) == 3
    channels = attributes["omero"]["channels"]
    assert [channel["label"] for channel in channels] == ["positive", "nucleus"]
    assert [channel["color"] for channel in channels] == ["FA3E3E", "46A55F"]  # QuPath's red, and our green
    assert attributes["wsi_edt"]["map_per_stored"] == 1 / 255


def test_a_worker_that_sees_another_folder_or_none_refuses(kept: KeptMaps, tmp_path: Path) -> None:
    kept.refuse_out_of_reach()
    for other in (replace(kept, of="others"), replace(kept, path=tmp_path / "elsewhere")):
        assert not other.are_there()
        with pytest.raises(
            ModelError, match=r"can't write maps to .*; mount the results folder there under the same path"
        ):
            other.refuse_out_of_reach()
    assert holds_maps(kept.path) and not holds_maps(tmp_path / "elsewhere")


def test_a_full_disk_is_one_sentence(kept: KeptMaps, whole: npt.NDArray[np.float32]) -> None:
    (kept.path / "0/0").write_bytes(b"")  # where a folder has to be
    with pytest.raises(OutputError, match="can't be written"):
        kept.write(GRID.tile(0, 0), seen_by(GRID.tile(0, 0), whole))
