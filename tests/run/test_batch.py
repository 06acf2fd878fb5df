"""Runs from end to end, with painted slides and without Dask."""

from __future__ import annotations

import csv
import json
import shutil
import threading
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from tests.qupath.qupath_contract import check_geojson
from tests.stand_ins import MPP, Pool, compute, make_settings, number, paint, result_files, write_slide
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.errors import ModelError, SlideError, UsageError
from wsi_edt.report.rows import Status
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import SlideRef, find_slides
from wsi_edt.run.plan import Planner, plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.settings import RunSettings
from wsi_edt.slides.source import SlideSource


def run_all(
    folder: Path,
    out: Path,
    *,
    pool: Pool | None = None,
    settings: RunSettings | None = None,
    planner: Planner = plan_slide,
) -> RunResult:
    settings = settings or make_settings()
    slides = find_slides([folder], out=out, fallback_mpp=settings.options.fallback_mpp).slides
    opener = (pool or Pool()).opener
    return run_batch(
        slides, out, settings=settings, open_pool=opener, progress=NoProgress(), plan_slide=planner
    )


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    folder = tmp_path / "slides"
    for seed, name in enumerate(("a.png", "b.png", "deep/c.png")):
        write_slide(folder / name, paint(seed))
    return folder


def points_of(path: Path) -> dict[str, np.ndarray]:
    points: dict[str, list[list[float]]] = {"Positive": [], "Negative": [], "Nucleus": []}
    for feature in check_geojson(path):
        points[feature["properties"]["classification"]["name"]].append(feature["geometry"]["coordinates"])
    return {name: np.array(found).reshape(-1, 2) for name, found in points.items()}


def test_painted_nuclei_are_what_comes_out(slides: Path, tmp_path: Path) -> None:
    pool = Pool()
    result = run_all(slides, tmp_path / "out", pool=pool)

    painted = paint(0)
    found = points_of(tmp_path / "out/a.png/cells.geojson")
    for name, truth in (("Positive", painted.positive), ("Negative", painted.negative)):
        distance, nearest = map(np.asarray, cKDTree(truth).query(found[name]))
        assert len(found[name]) == len(truth), name
        assert len(set(nearest)) == len(truth), name
        assert distance.max() < 1.5, name
    assert len({shard for name, shard in pool.computed if name == "a.png"}) > 2, (
        "the case needs several shards"
    )

    row = result.rows[0]
    assert (row.slide, row.status) == ("a.png", Status.DONE)
    assert (number(row, "positive"), number(row, "negative")) == (
        len(painted.positive),
        len(painted.negative),
    )
    expected = 100 * len(painted.positive) / (len(painted.positive) + len(painted.negative))
    assert row.index_percent == pytest.approx(expected, abs=1e-4)
    assert row.seconds == pytest.approx(0.25 * sum(name == "a.png" for name, _ in pool.computed))


def test_files_of_a_run(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    for name in ("a.png", "b.png", "deep/c.png"):
        files = {path.name for path in (out / name).iterdir()}
        assert files == {
            "cells.geojson",
            "ki67.json",
            "overview.png",
            "tissue.png",
            "regions.csv",
            "report.html",
            "store.zarr",
        }
    with (out / "summary.csv").open() as file:
        assert [row["slide"] for row in csv.DictReader(file)] == ["a.png", "b.png", "deep/c.png"]
    record = json.loads((out / "run.json").read_text())
    assert record["configuration"]["model_sha256"] == "0" * 64
    assert (out / "report.html").is_file()
    assert not list(out.rglob("*.partial"))


def test_order_and_number_of_workers_change_no_byte(slides: Path, tmp_path: Path) -> None:
    run_all(slides, tmp_path / "one")
    planned: list[str] = []
    two_are_planned = threading.Event()

    class Watch(NoProgress):
        def planned(self, slide: str, *, tiles: int, tiles_stored: int) -> None:
            planned.append(slide)
            if len(planned) == 2:
                two_are_planned.set()

    def once_two_are_planned(task: ShardTask) -> ShardResult:
        """So that shards of two slides meet."""
        assert two_are_planned.wait(60)
        return compute(task)

    pool = Pool(threads=3, slots=2, compute=once_two_are_planned)
    found = find_slides([slides], out=tmp_path / "three", fallback_mpp=MPP).slides
    run_batch(found, tmp_path / "three", settings=make_settings(), open_pool=pool.opener, progress=Watch())
    assert [name for name, _ in pool.computed] != sorted(name for name, _ in pool.computed), "no interleaving"
    assert pool.most_in_flight <= 2
    assert result_files(tmp_path / "one") == result_files(tmp_path / "three")
    assert len(result_files(tmp_path / "one")) == 15


def test_the_size_of_the_tiles_changes_no_cell(slides: Path, tmp_path: Path) -> None:
    run_all(slides, tmp_path / "small")
    run_all(slides, tmp_path / "large", settings=make_settings(tile_px=256))
    run_all(slides, tmp_path / "everything", settings=make_settings(tile_px=256, tissue_mask=False))
    for name in ("a.png", "b.png"):
        small, large = (points_of(tmp_path / size / name / "cells.geojson") for size in ("small", "large"))
        for kind in ("Positive", "Negative"):
            assert np.array_equal(small[kind], large[kind])
        # Without the mask, the speck on the glass is one more; a large tile sees it with the mask as well.
        everything = points_of(tmp_path / "everything" / name / "cells.geojson")
        assert len(everything["Negative"]) == len(large["Negative"]) + 1


def test_finished_slides_are_skipped_and_a_new_one_is_added(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = run_all(slides, out)
    before = result_files(out)
    write_slide(slides / "later.png", paint(9))
    pool = Pool()
    second = run_all(slides, out, pool=pool)
    assert {name for name, _ in pool.computed} == {"later.png"}
    assert [row for row in second.rows if row.slide != "later.png"] == list(first.rows)
    assert before.items() <= result_files(out).items()


def test_nothing_left_to_do_starts_no_workers(slides: Path, tmp_path: Path) -> None:
    run_all(slides, tmp_path / "out")
    pool = Pool()
    run_all(slides, tmp_path / "out", pool=pool)
    assert pool.opened == 0


@pytest.mark.parametrize("name", ["cells.geojson", "ki67.json", "report.html", "overview.png", "tissue.png"])
def test_a_missing_result_is_written_again_from_the_store(slides: Path, tmp_path: Path, name: str) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    before = result_files(out)
    (out / "b.png" / name).unlink()
    pool = Pool()
    run_all(slides, out, pool=pool)
    assert pool.computed == []
    assert result_files(out) == before


def test_another_way_of_writing_computes_nothing(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    before = result_files(out)
    pool = Pool()
    run_all(
        slides, out, pool=pool, settings=make_settings(output=OutputOptions(geometry="circle", gzip=True))
    )
    assert pool.computed == []
    assert not (out / "a.png/cells.geojson").exists()
    kinds = {feature["geometry"]["type"] for feature in check_geojson(out / "a.png/cells.geojson.gz")}
    assert kinds == {"Polygon"}
    run_all(slides, out)
    assert result_files(out) == before


def test_other_settings_are_refused_with_what_differs(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    before = result_files(out)
    with pytest.raises(UsageError, match=r"--threads 1 there, 2 now; .*--overwrite"):
        run_all(slides, out, settings=make_settings(threads=2))
    with pytest.raises(UsageError, match=r"--tile-px 96 there, 128 now"):
        run_all(slides, out, settings=make_settings(tile_px=128))
    with pytest.raises(UsageError, match=r"settings: --mpp 0\.5 there, 0\.25 now;"):
        run_all(slides, out, settings=make_settings(fallback_mpp=0.25))
    assert result_files(out) == before
    pool = Pool()
    run_all(slides, out, pool=pool, settings=make_settings(threads=2, overwrite=True))
    assert {name for name, _ in pool.computed} == {"a.png", "b.png", "c.png"}


def test_a_run_that_computed_nothing_binds_no_settings(slides: Path, tmp_path: Path) -> None:
    def refuses(task: ShardTask) -> ShardResult:
        raise ModelError("no CUDA device here")

    out = tmp_path / "out"
    with pytest.raises(ModelError):
        run_all(slides, out, pool=Pool(compute=refuses), settings=make_settings(threads=2))
    assert list(out.glob("*/store.zarr")), "the case needs a store"
    assert run_all(slides, out).failed == 0


def test_overwrite_keeps_what_fits(slides: Path, tmp_path: Path) -> None:
    run_all(slides, tmp_path / "out")
    pool = Pool()
    run_all(slides, tmp_path / "out", pool=pool, settings=make_settings(overwrite=True))
    assert pool.computed == []


def test_a_slide_that_changed_fails_alone_unless_overwritten(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    write_slide(slides / "b.png", paint(77))
    result = run_all(slides, out)
    assert [row.status for row in result.rows] == [Status.DONE, Status.FAILED, Status.DONE]
    assert "--overwrite" in (result.rows[1].error or "")
    again = run_all(slides, out, settings=make_settings(overwrite=True))
    assert number(again.rows[1], "positive") == len(paint(77).positive)


def test_no_tissue_is_a_result(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/glass.png", paint(0, tissue=False))
    pool = Pool()
    (row,) = run_all(tmp_path / "slides", tmp_path / "out", pool=pool).rows
    assert (row.status, row.index_percent, row.total, row.reason) == (
        Status.NOT_ASSESSABLE,
        None,
        0,
        "no tissue",
    )
    assert row.whole is not None
    assert not row.whole.few_cells, "there is no index that rests on few"
    assert pool.opened == 0
    assert check_geojson(tmp_path / "out/glass.png/cells.geojson") == []
    (again,) = run_all(tmp_path / "slides", tmp_path / "out", pool=pool).rows
    assert again == row


def test_without_the_tissue_mask_the_whole_slide_is_looked_at(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/glass.png", paint(0, tissue=False))
    pool = Pool()
    (row,) = run_all(
        tmp_path / "slides", tmp_path / "out", pool=pool, settings=make_settings(tissue_mask=False)
    ).rows
    assert pool.computed
    assert number(row, "area_mm2") == pytest.approx(900 * 300 * (MPP / 1000) ** 2)
    assert row.reason == "no cells"


def test_bad_slides_stop_nothing(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    (slides / "bad.svs").write_bytes(b"no slide at all")
    result = run_all(slides, out)
    assert [(row.slide, row.status) for row in result.rows] == [
        ("a.png", Status.DONE),
        ("b.png", Status.DONE),
        ("bad.svs", Status.FAILED),
        ("deep/c.png", Status.DONE),
    ]
    assert result.failed == 1
    assert "Traceback" in (out / "bad.svs/error.log").read_text()
    shutil.copy(slides / "a.png", slides / "bad.png")
    (slides / "bad.svs").unlink()
    assert run_all(slides, out).failed == 0


def test_without_mpp_each_image_gets_its_row(slides: Path, tmp_path: Path) -> None:
    found = find_slides([slides / "a.png", slides / "b.png"], out=tmp_path / "out").slides
    result = run_batch(
        found,
        tmp_path / "out",
        settings=make_settings(fallback_mpp=None),
        open_pool=Pool().opener,
        progress=NoProgress(),
    )
    assert result.failed == 2
    assert "pass --mpp" in (result.rows[0].error or "")


def test_a_tile_that_cannot_be_read_fails_its_slide_alone(slides: Path, tmp_path: Path) -> None:
    def broken(task: ShardTask) -> ShardResult:
        if task.source.path.name == "b.png" and task.shard.index == 1:
            raise SlideError("is damaged at (256, 0)", where=task.source, remedy="copy it again")
        return compute(task)

    for threads in (0, 3):
        out = tmp_path / f"out{threads}"
        pool = Pool(threads=threads, compute=broken)
        result = run_all(slides, out, pool=pool)
        assert [row.status for row in result.rows] == [Status.DONE, Status.FAILED, Status.DONE]
        assert result.rows[1].error == "b.png is damaged at (256, 0); copy it again (tried 3 times)"
        assert not (out / "b.png/cells.geojson").exists()
        repaired = Pool()
        again = run_all(slides, out, pool=repaired)
        assert again.failed == 0
        assert ("b.png", 1) in repaired.computed
        assert {name for name, _ in repaired.computed} == {"b.png"}
        assert not (out / "b.png/error.log").exists()


def test_an_unforeseen_error_fails_its_slide_alone(slides: Path, tmp_path: Path) -> None:
    def broken(task: ShardTask) -> ShardResult:
        if task.source.path.name == "a.png":
            raise ZeroDivisionError("over\nzero")
        return compute(task)

    result = run_all(slides, tmp_path / "out", pool=Pool(compute=broken))
    assert result.rows[0].error == "unexpected ZeroDivisionError: over zero (tried 3 times)"
    assert result.failed == 1
    assert "ZeroDivisionError" in (tmp_path / "out/a.png/error.log").read_text()


def test_a_worker_without_the_model_ends_the_run(slides: Path, tmp_path: Path) -> None:
    def refuses(task: ShardTask) -> ShardResult:
        raise ModelError("no model here")

    with pytest.raises(ModelError, match="no model here"):
        run_all(slides, tmp_path / "out", pool=Pool(compute=refuses, threads=2))


def test_ctrl_c_keeps_what_is_stored(slides: Path, tmp_path: Path) -> None:
    class Impatient(NoProgress):
        shards = 0

        def stored(self, slide: str, *, tiles: int, cells: int) -> None:
            self.shards += 1
            if self.shards == 4:
                raise KeyboardInterrupt

    out = tmp_path / "out"
    found = find_slides([slides], out=out, fallback_mpp=MPP).slides
    first = Pool()
    with pytest.raises(KeyboardInterrupt):
        run_batch(found, out, settings=make_settings(), open_pool=first.opener, progress=Impatient())
    second = Pool()
    run_batch(found, out, settings=make_settings(), open_pool=second.opener, progress=NoProgress())
    whole = Pool()
    run_batch(
        found, tmp_path / "whole", settings=make_settings(), open_pool=whole.opener, progress=NoProgress()
    )
    assert len(second.computed) == len(whole.computed) - 4
    assert result_files(out) == result_files(tmp_path / "whole")


def test_a_slide_is_known_by_its_name_not_by_where_it_lies(slides: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_all(slides, out)
    moved = slides.rename(tmp_path / "moved")
    pool = Pool()
    run_all(moved, out, pool=pool)
    assert pool.computed == []


def test_refs_need_no_folder(tmp_path: Path) -> None:
    path = write_slide(tmp_path / "x.png", paint(3))
    result = run_batch(
        [SlideRef(SlideSource(path, MPP), "x.png")],
        tmp_path / "out",
        settings=make_settings(),
        open_pool=Pool().opener,
        progress=NoProgress(),
    )
    assert result.rows[0].status is Status.DONE
