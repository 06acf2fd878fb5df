"""Optical densities from a slide's px to its files: as they were painted, however the slide is cut and whoever works."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image
from scipy.spatial import cKDTree
from skimage.color import separate_stains

from tests.qupath.qupath_contract import check_geojson
from tests.run.test_batch import run_all
from tests.run.test_results import one_for_each_tile
from tests.stand_ins import BLUE, BROWN, Pool, make_settings, number, paint, write_slide
from wsi_edt.ki67.deconvolution import DAB, HAEMATOXYLIN

# A disc of 4 px fills a painted nucleus but for its ragged rim, where stroma shows, and px vary by 6 grey levels.
NEARLY = 0.04


def densities(path: Path) -> tuple[npt.NDArray[np.float64], list[str]]:
    """x, y, haematoxylin and DAB of each cell of a file, and its class."""
    rows, names = [], []
    for feature in check_geojson(path):
        measured = feature["properties"]["measurements"]
        rows.append([*feature["geometry"]["coordinates"], measured["Haematoxylin OD"], measured["DAB OD"]])
        names.append(feature["properties"]["classification"]["name"])
    return np.array(rows), names


def painted_with(colour: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """Haematoxylin and DAB in a colour, by scikit-image, which calls what is negative 0."""
    matrix = np.linalg.inv(np.array([HAEMATOXYLIN, DAB, np.cross(HAEMATOXYLIN, DAB)]))
    stains: npt.NDArray[np.float64] = 6 * separate_stains(np.array(colour) / 255, matrix)[:2]
    return stains


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_slide(tmp_path_factory.mktemp("slides") / "a.png", paint(0))


def test_cells_have_the_stains_that_they_were_painted_with(slide: Path, tmp_path: Path) -> None:
    (row,) = run_all(slide, tmp_path / "out").rows
    found, names = densities(tmp_path / "out/a.png/cells.geojson")
    for name, colour in (("Positive", BROWN), ("Negative", BLUE)):
        of_class = found[np.array(names) == name, 2:]
        assert len(of_class) > 20
        median = np.maximum(np.median(of_class, axis=0), 0)
        assert median == pytest.approx(painted_with(colour), abs=NEARLY), name
    dab = found[:, 3]
    strengths = [number(row, f"strength_{strength}") for strength in range(4)]
    assert strengths == np.bincount(np.searchsorted([0.2, 0.4, 0.6], dab, "right"), minlength=4).tolist()
    assert number(row, "positive_dab_od") == pytest.approx(
        dab[np.array(names) == "Positive"].mean(), abs=1e-4
    )


def test_they_are_the_same_however_the_slide_is_cut(slide: Path, tmp_path: Path) -> None:
    cut = []
    for tile_px in (96, 160, 288):
        run_all(slide, tmp_path / str(tile_px), settings=make_settings(tile_px=tile_px))
        cut.append(densities(tmp_path / str(tile_px) / "a.png/cells.geojson")[0])
    for other in cut[1:]:
        distance, nearest = map(np.asarray, cKDTree(cut[0][:, :2]).query(other[:, :2]))
        same_place = distance == 0
        assert same_place.mean() > 0.95
        assert np.abs(other[same_place] - cut[0][nearest[same_place]]).max() <= 1e-3


def test_workers_and_restarts_change_no_byte(slide: Path, tmp_path: Path) -> None:
    def written(out: Path) -> bytes:
        return (out / "a.png/cells.geojson").read_bytes()

    run_all(slide, tmp_path / "one")
    run_all(slide, tmp_path / "many", pool=Pool(threads=3))
    assert written(tmp_path / "many") == written(tmp_path / "one")
    # A shard is lost, and what was written with it: its cells are measured again, the others' read back.
    shards = sorted((tmp_path / "many/a.png/store.zarr/shards").glob("*"))
    (shards[1] / "zarr.json").unlink()
    (tmp_path / "many/a.png/cells.geojson").unlink()
    again = Pool()
    run_all(slide, tmp_path / "many", pool=again)
    assert len(again.computed) == 1 < len(shards)
    assert written(tmp_path / "many") == written(tmp_path / "one")


def test_without_dab_there_are_none(tmp_path: Path) -> None:
    grey = Image.fromarray(paint(0).pixels).convert("L").convert("RGB")
    grey.save(tmp_path / "grey.png")
    pool = Pool(compute=one_for_each_tile)
    (row,) = run_all(tmp_path / "grey.png", tmp_path / "out", pool=pool).rows
    assert row.staining == "no colour"
    assert row.whole is not None
    assert row.total
    assert row.whole.values["h_score"] is row.whole.values["strength_0"] is None
    for feature in check_geojson(tmp_path / "out/grey.png/cells.geojson"):
        assert set(feature["properties"]["measurements"]) == {"Score"}
