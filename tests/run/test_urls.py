"""Runs over slides at URLs: the same cells as from files, on workers too, and what fails fails alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from distributed import Client
from upath import UPath

from tests.bundles.tiny import tiny_bundle
from tests.conftest import write_pyramid
from tests.qupath.qupath_contract import check_geojson
from tests.slides.web import Web, serve
from tests.stand_ins import MPP, Pool, compute, make_settings, paint, result_files
from wsi_edt.cli.main import run_command
from wsi_edt.cluster.detector_spec import DetectorSpec
from wsi_edt.cluster.shared_paths import Sight, blocks, look_at, one_url_per_place, refusal
from wsi_edt.cluster.worker import ShardResult, ShardTask, WorkerTasks
from wsi_edt.cluster.workers import Workers
from wsi_edt.errors import SlideError, UsageError
from wsi_edt.report.rows import Status
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress
from wsi_edt.slides.source import SlideSource


@pytest.fixture
def slides(tmp_path: Path) -> Path:
    """Two tiled pyramids, one of them below a folder."""
    for seed, name in enumerate(("a.tif", "deep/case 7.tif")):
        path = tmp_path / "slides" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        write_pyramid(
            path, paint(seed, width=340, height=100).pixels, compression="deflate", levels=2, mpp=MPP
        )
    return tmp_path / "slides"


@pytest.fixture
def web(slides: Path) -> Iterator[Web]:
    with serve(slides.parent) as server:
        yield server


@pytest.fixture
def memory() -> UPath:
    folder = UPath("memory://wsi-edt-tests/runs")
    if folder.exists():
        folder.fs.rm(folder.path, recursive=True)
    folder.mkdir(parents=True)
    return folder


def run_all(given: str | Path, out: Path, *, pool: Pool | None = None) -> RunResult:
    found = find_slides([given], out=out).slides
    return run_batch(
        found,
        out,
        settings=make_settings(fallback_mpp=None),
        open_pool=(pool or Pool()).opener,
        progress=NoProgress(),
    )


def test_a_folder_at_a_url_gives_the_bytes_of_its_files(
    slides: Path, web: Web, memory: UPath, tmp_path: Path
) -> None:
    for path in slides.rglob("*.tif"):
        copy = memory / path.relative_to(slides).as_posix()
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_bytes(path.read_bytes())
    local = run_all(slides, tmp_path / "local")
    assert all(row.total for row in local.rows)
    for name, url in (("web", f"{web.address}/slides"), ("memory", str(memory)), ("file", slides.as_uri())):
        result = run_all(url, tmp_path / name)
        assert [row.slide for row in result.rows] == ["a.tif", "deep/case 7.tif"]
        assert result_files(tmp_path / name) == result_files(tmp_path / "local"), name
        again = Pool()
        assert run_all(url, tmp_path / name, pool=again).failed == 0
        assert again.computed == [], "a finished run is finished for a URL too"
    local_file, remote_file = SlideSource(slides / "a.tif"), SlideSource(memory / "a.tif")
    assert local_file.fingerprint() == remote_file.fingerprint()


def test_worker_processes_and_the_command_line_take_urls(
    slides: Path, web: Web, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """One run over a file and, at a URL, its copy of another name."""
    (tmp_path / "copies").mkdir()
    (tmp_path / "copies/copy.tif").write_bytes((slides / "a.tif").read_bytes())
    model, out = tiny_bundle(tmp_path / "tiny"), tmp_path / "out"
    command = ["run", str(slides / "a.tif"), f"{web.address}/copies/", "--out", str(out)]
    command += ["--model", str(model.directory), "--tile-px", "128", "--device", "cpu", "--precision", "fp32"]
    assert run_command([*command, "--threads", "1", "--workers", "1"]) == 0
    local, remote = (check_geojson(out / name / "cells.geojson") for name in ("a.tif", "copy.tif"))
    assert len(local) > 0
    for feature in (*local, *remote):
        del feature["id"]  # which follows the slide's name
    assert remote == local
    capsys.readouterr()
    assert run_command(["info", f"{web.address}/copies/copy.tif"]) == 0
    assert "tifffile" in capsys.readouterr().out


def test_workers_that_cannot_read_a_url_are_refused_before_any_work(slides: Path, web: Web) -> None:
    def on_a_worker(question: Callable[..., object], *arguments: object) -> dict[str, object]:
        web.broken.add("a.tif")  # for workers, but not yet when the client looked
        return {"worker": question(*arguments)}

    workers = Workers(cast(Client, SimpleNamespace(run=on_a_worker)), WorkerTasks())
    with pytest.raises(SlideError, match=r"worker .* can't read the slides: http.*a\.tif can't be read"):
        workers.pool(cast(DetectorSpec, None), [UPath(f"{web.address}/slides/a.tif")])


@pytest.mark.parametrize("command", ["run", "info"])
@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("memory://wsi-edt-tests/runs/b.tif", "doesn't exist; check the URL"),
        ("nothing://bucket/a.tif", "can't be read"),
        ("http://127.0.0.1:9/a.tif", "check the URL, the network and your credentials"),
    ],
)
def test_what_is_not_there_at_the_start_is_wrong_usage(
    command: str, url: str, message: str, memory: UPath, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = ["--out", str(tmp_path / "out")] if command == "run" else []
    assert run_command([command, url, *out]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"Error: {url} ")
    assert message in line
    assert not (tmp_path / "out").exists()


def test_a_url_without_slides_says_what_was_looked_for(memory: UPath, tmp_path: Path) -> None:
    (memory / "notes.txt").write_bytes(b"none")
    with pytest.raises(
        UsageError,
        match=r"no slides in memory://wsi-edt-tests/runs; 1 file passed over: \.txt; looked for .*\.svs",
    ):
        find_slides([str(memory)], out=tmp_path)
    (memory / "a.png").write_bytes(b"a picture")
    with pytest.raises(UsageError, match="1 PNG or JPEG image; pass --mpp"):
        find_slides([str(memory)], out=tmp_path)
    (found,) = find_slides([str(memory)], out=tmp_path, fallback_mpp=MPP).slides
    assert (found.name, found.source.path) == ("a.png", memory / "a.png")


def test_one_url_named_twice_is_one_slide(memory: UPath, tmp_path: Path) -> None:
    (memory / "a.svs").write_bytes(b"a slide")
    given = [str(memory / "a.svs"), str(memory), f"{memory}/"]
    (found,) = find_slides(given, out=tmp_path).slides
    assert found.name == "a.svs"
    with pytest.raises(UsageError, match=r"would both have their results in a\.svs"):
        find_slides([str(memory), str(_local(tmp_path))], out=tmp_path / "out")


def _local(folder: Path) -> Path:
    (folder / "a.svs").touch()
    return folder


def test_signed_web_addresses_are_named_by_their_path(web: Web, tmp_path: Path) -> None:
    url = f"{web.address}/slides/deep/case%207.tif?X-Signature=a/b"
    (found,) = find_slides([url], out=tmp_path).slides
    assert (found.name, str(found.source.path)) == ("case 7.tif", url)


def test_a_slide_that_vanishes_midway_fails_alone(slides: Path, web: Web, tmp_path: Path) -> None:
    def vanishing(task: ShardTask) -> ShardResult:
        if task.source.path.name == "a.tif":
            web.broken.add("a.tif")
        return compute(task)

    url, out = f"{web.address}/slides", tmp_path / "out"
    result = run_all(url, out, pool=Pool(compute=vanishing))
    assert [(row.slide, row.status) for row in result.rows] == [
        ("a.tif", Status.FAILED),
        ("deep/case 7.tif", Status.DONE),
    ]
    assert "µm/px: a.tif can't be read (" in (result.rows[0].error or "")
    web.broken.clear()
    assert run_all(url, out).failed == 0


def test_damaged_files_at_urls_fail_alone(slides: Path, memory: UPath, tmp_path: Path) -> None:
    content = (slides / "a.tif").read_bytes()
    for name, some in (("cut.tif", content[:-1000]), ("good.tif", content), ("words.svs", b"words" * 100)):
        (memory / name).write_bytes(some)
    result = run_all(str(memory), tmp_path / "out")
    assert [row.status for row in result.rows] == [Status.FAILED, Status.DONE, Status.FAILED]
    assert "cut.tif is truncated" in (result.rows[0].error or "")
    assert "words.svs is neither a slide" in (result.rows[2].error or "")


def test_of_urls_one_per_bucket_or_server_is_asked_for(slides: Path, memory: UPath, web: Web) -> None:
    (memory / "a.tif").write_bytes(b"a slide")
    addresses = [UPath(f"{web.address}/slides/{name}") for name in ("gone.tif", "a.tif", "deep/case%207.tif")]
    paths: list[Path | UPath] = [slides / "a.tif", memory / "a.tif", *addresses]
    asked = one_url_per_place(paths)
    assert asked == (memory / "a.tif", addresses[1]), "one that is gone fails its slide, not the batch"
    assert [name for block in blocks(paths) for name, _ in block] == [str(slides / "a.tif")]
    assert look_at(asked) == Sight(look_at(asked).host)
    assert refusal([look_at(asked)]) is None
    web.broken.add("a.tif")
    assert "can't read the slides: http" in str(refusal([look_at(asked)]))


def test_a_server_that_only_sends_whole_files_is_named(slides: Path, tmp_path: Path) -> None:
    # More than fsspec reads at once, 5 MiB: a smaller file is read whole.
    pixels = paint(0, width=1600, height=1600).pixels
    write_pyramid(slides / "large.tif", pixels, compression=None, levels=1, mpp=MPP)
    with serve(slides, ranges=False) as server:
        result = run_all(f"{server.address}/large.tif", tmp_path / "out")
    assert result.rows[0].error is not None
    assert result.rows[0].error.endswith(
        "can't be read (its server sends only whole files, no ranges of bytes); "
        "use one that does, or copy the slide here"
    )
