"""The benchmarks' own arithmetic, and the slides that they are run on; no timings."""

import json
import math
import shutil
import sys
from pathlib import Path
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt
import openslide
import pytest
import tiffslide
import torch
from click.testing import CliRunner
from scipy.spatial import cKDTree

from tests.bundles.tiny import tiny_bundle
from wsi_edt.cells import CellClass, Cells
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.stitching import stitch
from wsi_edt.slides import TileGrid, open_slide

BENCHMARKS = Path(__file__).parents[2] / "workflows" / "benchmarks"
WIDTH, HEIGHT, MPP = 2900, 3300, 0.5  # in whole tiles of no level


@pytest.fixture(scope="module")
def made(scripts: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Half of the rows, in whole periods of 1024 px, are tissue: 2048."""
    path = tmp_path_factory.mktemp("made") / "made.tif"
    options = ["--width", str(WIDTH), "--height", str(HEIGHT), "--mpp", str(MPP), "--tissue", "0.5"]
    result = CliRunner().invoke(scripts("make_slide").main, [str(path), *options], catch_exceptions=False)
    assert "repeats every 1024 × 1024 px, tissue in the first 2,048 rows" in result.output
    return path


def expected_pixels(ihc: npt.NDArray[np.uint8], level: int) -> npt.NDArray[np.uint8]:
    """The whole slide, laid out at level 0 and then shrunk."""
    pair = np.concatenate([ihc, ihc[:, ::-1]], axis=1)
    period = np.concatenate([pair, pair[::-1]])
    whole = np.tile(period, (4, 3, 1))[:HEIGHT, :WIDTH].copy()
    whole[2048:] = (243, 243, 243)
    size = (WIDTH >> level, HEIGHT >> level)
    cut = whole[: size[1] << level, : size[0] << level]
    return np.asarray(cv2.resize(cut, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def test_made_slide_is_what_was_laid_out_at_each_level(made: Path, ihc_pixels: npt.NDArray[np.uint8]) -> None:
    with openslide.OpenSlide(made) as slide, tiffslide.TiffSlide(made) as other:
        assert slide.level_dimensions == other.level_dimensions == ((2900, 3300), (1450, 1650), (725, 825))
        assert [round(downsample) for downsample in slide.level_downsamples] == [1, 2, 4]
        for level, size in enumerate(slide.level_dimensions):
            pixels = np.asarray(slide.read_region((0, 0), level, size))[..., :3].astype(np.int16)
            others = np.asarray(other.read_region((0, 0), level, size, as_array=True))[..., :3]
            assert np.array_equal(pixels, others)
            difference = pixels - expected_pixels(ihc_pixels, level)
            # JPEG's rounding goes both ways; swapped or shifted colours, or tiles in other places, wouldn't.
            assert np.abs(difference).mean() < 8
            assert np.abs(difference.mean(axis=(0, 1))).max() < 0.3
            # A tile that lies elsewhere, or a level shifted by a px, is far off.
            assert (
                np.abs(np.roll(pixels, 1, axis=1) - expected_pixels(ihc_pixels, level)).mean()
                > 1.2 * np.abs(difference).mean()
            )


def test_made_slide_repeats_exactly(made: Path) -> None:
    with openslide.OpenSlide(made) as slide:
        periods = [
            np.asarray(slide.read_region((x, y), 0, (700, 1024))) for x in (0, 1024, 2048) for y in (0, 1024)
        ]
    assert all(np.array_equal(periods[0], period) for period in periods)
    assert periods[0].std() > 20


def test_made_slide_states_its_scale(made: Path) -> None:
    with open_slide(made) as slide:
        assert slide.reader == "openslide"
        assert slide.mpp == pytest.approx(MPP)
        assert slide.mpp_stated
    with tiffslide.TiffSlide(made) as slide:
        assert float(slide.properties["tiffslide.mpp-x"]) == pytest.approx(MPP)


def test_a_picture_smaller_than_a_tile_is_refused(scripts: Any) -> None:
    with pytest.raises(click.UsageError, match="200 × 300 px is too small"):
        scripts("make_slide").Mosaic.of(np.zeros((300, 200, 3), np.uint8), width=10, height=10)


def test_a_large_slide_has_few_distinct_tiles(scripts: Any) -> None:
    module = scripts("make_slide")
    mosaic = module.Mosaic.of(module.read_picture(None), width=100_000, height=100_000)
    assert mosaic.levels == 8
    assert 100_000 >> 7 <= 1024 < 100_000 >> 6
    level = module.Level(mosaic, 0, 85)
    tiles = level.encoded()
    rows = [next(tiles) for _ in range(3 * -(-100_000 // 256))]
    assert len(set(rows)) == len({id(tile) for tile in rows}) == 12  # three rows of the period's four columns


def test_nuclei_are_the_same_from_every_window_and_apart(scripts: Any) -> None:
    nuclei, side, count = scripts("cells_scale").nuclei, 40, 1570
    whole = nuclei(count, side, (0, 2000), (0, 2000))
    assert whole[:, 0].tolist() == list(range(count))
    cut = np.concatenate(
        [
            nuclei(count, side, (y, y + 177), (x, x + 113))
            for y in range(0, 2000, 177)
            for x in range(0, 2000, 113)
        ]
    )
    assert np.array_equal(cut[np.argsort(cut[:, 0])], whole)
    assert len(cKDTree(whole[:, 1:]).query_pairs(10, p=np.inf)) == 0


def test_seam_nuclei_are_found_twice_and_stitched_to_one(scripts: Any) -> None:
    module, side, count = scripts("cells_scale"), 60, 3600
    grid = TileGrid((60 * module.PITCH_PX,) * 2, tile_px=512, halo_px=64)
    parts = [module.tile_peaks(tile, count=count, side=side) for tile in grid.tiles(None)]
    peaks = TilePeaks.concatenate(parts)
    places = set(zip(peaks.x.tolist(), peaks.y.tolist(), strict=True))
    assert len(peaks) > len(places) > count + 20  # found twice, and not always in the same place
    assert len(stitch(peaks, grid, radius_px=10)) == count


def test_memory_per_cell_leaves_out_what_all_sizes_take(scripts: Any) -> None:
    module = scripts("cells_scale")

    def outcome(cells: int, memory: int) -> Any:
        return module.Outcome(cells, cells, {}, memory, 0)

    assert module.bytes_per_cell(outcome(3000, 700_000), outcome(1000, 600_000)) == 50
    assert module.bytes_per_cell(outcome(1000, 600_000), outcome(1000, 600_000)) is None


def test_pace_begins_when_all_workers_are_at_work(scripts: Any) -> None:
    seconds_per_tile = scripts("pace").seconds_per_tile
    # One worker: a shard every ten seconds after a start of a hundred; two: two shards every ten seconds.
    assert seconds_per_tile([(100, 64), (110, 64), (120, 36)], 1) == pytest.approx(20 / 100)
    assert seconds_per_tile([(100, 64), (101, 64), (110, 64), (111, 64)], 2) == pytest.approx(10 / 128)
    with pytest.raises(click.UsageError, match="pass more --tiles"):
        seconds_per_tile([(100, 64), (101, 64)], 2)


def test_repeating_cells_are_counted_in_inner_periods(scripts: Any) -> None:
    repeating = scripts("slide_scale").repeating
    # Periods of 100 × 50 px on 500 × 250 px: 3 × 3 of them see neither an edge nor glass.
    places = [(12.5, 7.5), (80.5, 20.5), (60.5, 49.5)]
    xy = np.array([(x + 100 * i, y + 50 * j) for i in range(5) for j in range(5) for x, y in places])

    def share(points: npt.NDArray[np.float64]) -> float:
        n = len(points)
        cells = Cells(
            points[:, 0].copy(),
            points[:, 1].copy(),
            np.ones(n, np.float32),
            np.full(n, CellClass.NUCLEUS, np.uint8),
        )
        return float(repeating(cells, 500, 100, 50, 250))

    assert share(xy) == 1.0
    lost = np.flatnonzero((xy == (212.5, 107.5)).all(axis=1))
    assert len(lost) == 1
    assert share(np.delete(xy, lost, axis=0)) == pytest.approx(18 / 26)  # its place's other eight don't count
    assert share(np.concatenate([xy, [(150.5, 77.5)]])) == pytest.approx(27 / 28)
    assert math.isnan(repeating(Cells.empty(), 200, 100, 50, 250))


def test_memory_is_told_apart_from_that_of_the_cells(scripts: Any) -> None:
    module = scripts("slide_scale")

    def outcome(cells: int, client: int) -> Any:
        return module.Outcome(1, 1.0, 1, cells, 1.0, 1.0, client, 1, 1.0)

    assert module.beyond_cells(outcome(1100, 10_000), outcome(1000, 3000)) == 7000 - 64 * 100


def test_the_stub_finds_the_same_cells_wherever_tissue_lies(
    scripts: Any, ihc_pixels: npt.NDArray[np.uint8]
) -> None:
    stub = scripts("stub").StubNetwork(21)
    first, second = stub.detect(np.stack([ihc_pixels, np.roll(ihc_pixels, (-37, -101), axis=(0, 1))]))
    inner = (first.x > 140) & (first.x < 470) & (first.y > 80) & (first.y < 470)
    shifted = {
        (x - 101, y - 37) for x, y in zip(first.x[inner].tolist(), first.y[inner].tolist(), strict=True)
    }
    assert len(shifted) > 50
    assert shifted <= set(zip(second.x.tolist(), second.y.tolist(), strict=True))
    assert {*first.class_id.tolist()} == {CellClass.NEGATIVE, CellClass.POSITIVE}


def test_agreement_is_of_the_larger_count(scripts: Any) -> None:
    agreement = scripts("against_plain_loop").agreement
    one = np.array([(0.0, 0.0), (10.0, 0.0), (20.0, 0.0)])
    two = np.array([(1.0, 0.0), (10.0, 2.1), (30.0, 0.0), (40.0, 0.0)])
    assert agreement(one, two, radius_px=2.0) == agreement(two, one, radius_px=2.0) == 1 / 4
    assert agreement(one[:0], two, radius_px=2.0) == 0


def test_operations_are_multiplications_and_additions(scripts: Any) -> None:
    assert scripts("gpu").operations(torch.nn.Conv2d(3, 5, 3, padding=1)) == 2 * 3 * 5 * 9 * 1024 * 1024


def test_without_a_gpu_it_is_said(scripts: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    result = CliRunner().invoke(scripts("gpu").main, [], catch_exceptions=False)
    assert result.exit_code == 1
    assert result.output == "Error: torch sees no GPU here; this benchmark needs one.\n"


def test_a_row_that_fails_or_comes_too_late_leaves_the_others(
    scripts: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> tuple[float, int]:
        raise RuntimeError("CUDA error:\n an illegal memory access")

    clock = iter([5.0, 9.0, 11.0])
    monkeypatch.setattr("time.monotonic", lambda: next(clock))
    path = tmp_path / "gpu.json"
    report = scripts("gpu").Report("a GPU", peak=1e12, tile_mm2=0.08, ends=10.0, path=path)
    report.measure("first", 4, broken)
    report.measure("second", 1, lambda: (125.0, 10**9))
    report.measure("third", 1, lambda: (1.0, 1))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith("| RuntimeError: CUDA error: an illegal memory access")
    assert [cell.strip() for cell in lines[1].split("|")[1:-1]] == [
        "second",
        "1",
        "125",
        "10.0",
        "0.1000",
        "12.5%",
    ]
    assert lines[2].endswith("| left out: the time is up")
    told = json.loads(path.read_text())
    assert told["device"] == "a GPU"
    assert [row["tiles_per_second"] for row in told["rows"]] == [None, 125.0, None]
    assert [row["error"] is None for row in told["rows"]] == [False, True, False]


@pytest.mark.parametrize(
    ("program", "seconds", "out", "refusal"),
    [
        ("print('a'); print('b')", 120.0, "a\nb\n", ""),
        ("import sys; sys.exit('no compiler here')", 120.0, "", "no compiler here"),
        ("import os; os._exit(3)", 120.0, "", "ended with 3"),
        ("import time; time.sleep(300)", 2.0, "", "not ready after 2 s"),
    ],
)
def test_a_process_has_its_time(scripts: Any, program: str, seconds: float, out: str, refusal: str) -> None:
    assert scripts("gpu").ended_in_time([sys.executable, "-c", program], seconds) == (out, refusal)


@pytest.mark.parametrize(
    ("name", "option"),
    [
        ("workers", "--counts"),
        ("feeding", "--processes"),
        ("batch_scale", "--slides"),
        ("slide_scale", "--gigapixels"),
        ("cells_scale", "--cells"),
        ("tables", "--cells"),
    ],
)
@pytest.mark.parametrize("value", ["abc", "0", "1,-2", "1,,2", "", "nan", "inf"])
def test_what_is_no_list_of_numbers_is_wrong_usage(scripts: Any, name: str, option: str, value: str) -> None:
    result = CliRunner().invoke(scripts(name).main, [option, value], catch_exceptions=False)
    assert result.exit_code == 2
    assert "must be numbers above 0 with commas between them" in result.output


def test_tables_line_up(scripts: Any) -> None:
    lines = scripts("measuring").table(("size", "n"), [["1 million", "5"], ["2", "1,234"]]).splitlines()
    assert lines == [
        "| size      |     n |",
        "| --------- | ----: |",
        "| 1 million |     5 |",
        "| 2         | 1,234 |",
    ]


def test_all_ways_of_running_the_network_give_its_maps(scripts: Any, tmp_path: Path) -> None:
    runtimes, model = scripts("runtimes"), str(tiny_bundle(tmp_path / "tiny").directory)
    plain = {"fold": False, "last": False, "compiled": False, "bf16": False}
    kept = torch.get_num_threads()
    try:
        trained = runtimes.in_torch(model, 64, threads=1, device="cpu", **plain)
        ready = runtimes.in_torch(model, 64, threads=1, device="cpu", **plain | {"fold": True, "last": True})
    finally:
        torch.set_num_threads(kept)
    opened = runtimes.in_openvino(model, 64, threads=1, precision="fp32")
    assert trained.maps.shape == (4, 3, 64, 64)
    assert np.ptp(trained.maps) > 1e-3
    for other in (ready, opened):
        assert np.abs(other.maps - trained.maps).max() < 1e-4


TABLE = """| cells     | GeoJSON   |  µs/cell | lost |
| --------- | --------: | -------: | ---: |
| 1 million | 3.4 (2.9) | {rate:>8} |   +0 |
"""


def test_versions_are_compared_figure_by_figure(scripts: Any) -> None:
    module = scripts("compare_versions")
    first = module.figures_of(f"a processor, 2 cores\n\n{TABLE.format(rate='1,000.5')}\nand a last line")
    assert first == {
        "1 million: GeoJSON": 3.4,
        "1 million: GeoJSON (2)": 2.9,
        "1 million: µs/cell": 1000.5,
        "1 million: lost": 0,
    }
    before = [first, module.figures_of(TABLE.format(rate="999.5"))]
    after = [{"1 million: µs/cell": value} for value in (450.0, 550.0)]
    assert module.compared({"before": before, "after": after}) == [
        ["1 million: µs/cell", "1000.5, 999.5", "450, 550", "0.500", "20.0%"]
    ]


def test_versions_run_their_own_code_in_turns(scripts: Any, tmp_path: Path) -> None:
    for name in ("old", "new"):
        benchmarks = tmp_path / name / "workflows" / "benchmarks"
        benchmarks.mkdir(parents=True)
        (tmp_path / name / "wsi_edt").mkdir()
        (tmp_path / name / "wsi_edt" / "__init__.py").write_text(f"SPEED = {3 if name == 'old' else 6}")
        (benchmarks / "speed.py").write_text(
            "import pathlib, sys, wsi_edt\n"
            f"with pathlib.Path({str(tmp_path / 'turns')!r}).open('a') as file: file.write({name!r} + ' ')\n"
            "print('| | tiles/s |\\n| --- | ---: |\\n| run |', wsi_edt.SPEED * int(sys.argv[1]), '|')"
        )
    versions = [str(tmp_path / "old"), str(tmp_path / "new")]
    main = scripts("compare_versions").main
    result = CliRunner().invoke(main, [*versions, "--run", "speed 10"], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    assert (tmp_path / "turns").read_text().split() == ["old", "new", "new", "old"]
    (row,) = [line for line in result.output.splitlines() if line.startswith("| run: tiles/s")]
    assert [cell.strip() for cell in row.split("|")[2:-1]] == ["30, 30", "60, 60", "2.000", "0.0%"]
    shutil.rmtree(tmp_path / "new" / "wsi_edt")
    assert "would run the wsi_edt in" in CliRunner().invoke(main, versions).output


@pytest.mark.parametrize(
    "name",
    [
        "make_slide",
        "compare_versions",
        "cells_scale",
        "slide_scale",
        "batch_scale",
        "stages",
        "pipeline_efficiency",
        "against_plain_loop",
        "runtimes",
        "workers",
        "feeding",
        "gpu",
    ],
)
def test_each_explains_itself_and_is_listed(scripts: Any, name: str) -> None:
    result = CliRunner().invoke(scripts(name).main, ["--help"], catch_exceptions=False)
    assert result.exit_code == 0
    assert f"{name}.py" in (BENCHMARKS / "README.md").read_text()
    assert ("--counts" in result.output) == (name == "workers")
