"""Finished slides in other formats: what is read back is what the run wrote; what may not be replaced; what fails."""

from __future__ import annotations

import errno
import gzip
import json
import os
import shutil
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
import shapely
from pyarrow import parquet

from tests.run.test_batch import run_all
from tests.stand_ins import make_settings, paint, write_slide
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import names
from wsi_edt.results.lock import results_lock
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.run.export import Exported, export_slides

SLIDES = ("a.png", "deep/b µ.png")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A results folder of two slides, whose slides are gone."""
    folder = tmp_path_factory.mktemp("finished")
    for seed, name in enumerate(SLIDES):
        write_slide(folder / "slides" / name, paint(seed, width=340, height=100))
    run_all(folder / "slides", folder / "out", settings=make_settings(output=OutputOptions(parquet=True)))
    shutil.rmtree(folder / "slides")
    return folder / "out"


@pytest.fixture
def results(finished: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(finished, tmp_path / "out"))


def qupath_cells(path: Path) -> list[tuple[float, float, str, float]]:
    """Place, class and score of the cells of a cells.geojson."""
    return [
        (
            *feature["geometry"]["coordinates"],
            feature["properties"]["classification"]["name"],
            feature["properties"]["measurements"]["Score"],
        )
        for feature in json.loads(path.read_bytes())["features"]
    ]


def test_a_table_holds_the_cells_of_the_geojson(results: Path, tmp_path: Path) -> None:
    out = tmp_path / "tables"
    result = export_slides(results, "parquet", out=out)
    assert [slide.slide for slide in result.slides] == list(SLIDES) and not result.failed
    for slide in result.slides:
        assert slide.path == out / slide.slide / "cells.parquet"
        table = parquet.read_table(slide.path)
        points = shapely.get_coordinates(shapely.from_wkb(table["geometry"].to_pylist()))
        expected = qupath_cells(results / slide.slide / names.CELLS)
        assert len(expected) == slide.cells > 10
        # The GeoJSON has two decimals of a px and three of a score.
        assert points == pytest.approx(np.array([cell[:2] for cell in expected]), abs=0.006)
        assert table["class"].to_pylist() == [cell[2] for cell in expected]
        assert table["score"].to_pylist() == pytest.approx([cell[3] for cell in expected], abs=6e-4)
        # What the run itself wrote with --parquet.
        assert slide.path.read_bytes() == (results / slide.slide / "cells.parquet").read_bytes()


def test_without_out_it_lies_beside_the_others_and_the_run_is_still_finished(results: Path) -> None:
    before = {path for path in results.rglob("*") if names.STORE not in path.parts}
    export_slides(results, "csv")
    after = {path for path in results.rglob("*") if names.STORE not in path.parts}
    assert after - before == {results / slide / "cells.csv" for slide in SLIDES}
    geojson = (results / "a.png" / names.CELLS).read_bytes()
    export_slides(results / "a.png", "geojson")
    assert (results / "a.png" / names.CELLS).read_bytes() == geojson


def test_one_slide_of_a_folder_lies_at_its_name(results: Path, tmp_path: Path) -> None:
    (slide,) = export_slides(results / SLIDES[1], "csv", out=tmp_path / "one").slides
    assert slide.path == tmp_path / "one" / SLIDES[1] / "cells.csv"


def test_options_are_followed_elsewhere_and_do_not_replace_what_a_run_wrote(
    results: Path, tmp_path: Path
) -> None:
    given = {"geometry": "circle", "gzip": True}
    (slide, _) = export_slides(results, "geojson", out=tmp_path / "circles", given=given).slides
    assert slide.path is not None and slide.path.name == names.CELLS_GZIPPED
    kept = (results / "a.png" / names.CELLS).read_bytes()
    with pytest.raises(
        UsageError, match=r"cells\.geojson is the run's own, with another --geometry; give an --out"
    ):
        export_slides(results, "geojson", given={"geometry": "circle"})
    with pytest.raises(UsageError, match=r"cells\.parquet is the run's own, with another --origin"):
        export_slides(results, "parquet", given={"origin": "openslide"})
    assert (results / "a.png" / names.CELLS).read_bytes() == kept


@pytest.mark.parametrize(
    ("form", "option"),
    [("csv", "origin"), ("parquet", "geometry"), ("anndata", "gzip"), ("anndata", "origin")],
)
def test_options_of_other_formats_are_refused(results: Path, form: str, option: str) -> None:
    with pytest.raises(UsageError, match=f"--to {form} has no --{option}; leave it out"):
        export_slides(results, form, given={option: "openslide"})


def test_results_of_another_run_are_not_written_into(results: Path, tmp_path: Path) -> None:
    other = Path(shutil.copytree(results, tmp_path / "other"))
    with pytest.raises(UsageError, match="has results of a run; choose another --out"):
        export_slides(results, "csv", out=other)
    assert not list(other.rglob("cells.csv"))


def test_a_running_run_keeps_its_folder_but_may_be_read(results: Path, tmp_path: Path) -> None:
    with results_lock(results):
        with pytest.raises(OutputError, match="another run is writing to"):
            export_slides(results, "csv")
        assert len(export_slides(results, "csv", out=tmp_path / "tables").slides) == 2
    assert not list(results.rglob("cells.csv"))


def test_only_finished_slides_are_exported_and_a_damaged_one_stops_no_other(
    results: Path, tmp_path: Path
) -> None:
    store = results / SLIDES[0] / names.STORE
    shard = store / "shards" / "0"
    shutil.rmtree(shard / "c")  # its data
    told: list[Exported] = []
    result = export_slides(results, "csv", out=tmp_path / "tables", told=told.append)
    failed, done = result.slides
    assert told == [failed, done]
    assert result.failed == 1 and failed.slide == SLIDES[0] and done.path is not None
    assert SLIDES[0] in str(failed.error)
    assert not (tmp_path / "tables" / SLIDES[0]).exists()

    attributes = json.loads((results / SLIDES[1] / names.STORE / "zarr.json").read_bytes())
    attributes["attributes"]["finished"] = None
    (results / SLIDES[1] / names.STORE / "zarr.json").write_text(json.dumps(attributes))
    result = export_slides(results, "csv", out=tmp_path / "again")
    assert result.unfinished == (SLIDES[1],) and [slide.slide for slide in result.slides] == [SLIDES[0]]


def test_results_of_a_gzipped_run_can_be_had_plain(results: Path, tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/c.png", paint(5, width=340, height=100))
    run_all(tmp_path / "slides", tmp_path / "zipped", settings=make_settings(output=OutputOptions(gzip=True)))
    own = tmp_path / "zipped/c.png" / names.CELLS_GZIPPED
    (as_it_was,) = export_slides(tmp_path / "zipped", "geojson", out=tmp_path / "same").slides
    assert as_it_was.path == tmp_path / "same/c.png" / names.CELLS_GZIPPED
    (plain,) = export_slides(tmp_path / "zipped", "geojson", given={"gzip": False}).slides
    assert plain.path == own.with_name(names.CELLS)
    assert plain.path.read_bytes() == gzip.decompress(own.read_bytes())


@pytest.mark.parametrize("place", ["", "store.zarr", "store.zarr/shards/0", "maps.ome.zarr", "tables/new"])
def test_no_slides_results_are_written_into(results: Path, place: str) -> None:
    before = sorted(results.rglob("*"))
    with pytest.raises(UsageError, match=r"is in the results of a slide .*; choose another --out"):
        export_slides(results, "csv", out=results / "a.png" / place)
    assert sorted(results.rglob("*")) == before


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EACCES, errno.EROFS])
def test_a_place_that_takes_no_file_is_one_error_and_leaves_no_folder(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(path: Path, mode: str = "r", *args: object, **options: object) -> IO[Any]:
        if path.suffix == ".partial":
            raise OSError(code, os.strerror(code))
        return opened(path, mode, *args, **options)  # type: ignore[call-overload,no-any-return]

    opened = Path.open
    told: list[Exported] = []
    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(OutputError, match=f"can't be written: {os.strerror(code)}") as caught:
        export_slides(results, "csv", out=tmp_path / "tables/new", told=told.append)
    assert caught.value.exit_code == 1
    assert not told and not (tmp_path / "tables").exists()


def test_a_place_without_permission_is_one_error(
    results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write everywhere
    for out in (None, tmp_path / "tables"):
        with pytest.raises(OutputError, match="can't be written to; check its permissions") as caught:
            export_slides(results, "csv", out=out)
        assert caught.value.exit_code == 1


def test_a_folder_without_results_is_a_wrong_argument(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="holds no results of a run"):
        export_slides(tmp_path, "csv")
    with pytest.raises(UsageError, match="doesn't exist"):
        export_slides(tmp_path / "absent", "csv")
