"""What is asked of every worker of a cluster before work starts, and what each refusal says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

import wsi_edt
from tests.bundles.tiny import tiny_bundle
from tests.cluster.dask_processes import another_machine, dask_scheduler, dask_workers
from tests.stand_ins import paint, write_slide
from wsi_edt.bundles import Bundle
from wsi_edt.cli.main import run_command
from wsi_edt.cluster import shared_paths
from wsi_edt.cluster.versions import code_digest, difference, installed_versions, refusal


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    for name in ("a", "b", "c"):
        write_slide(folder / f"{name}.png", paint(1, width=340, height=60))
    return folder


@pytest.fixture(scope="module")
def scheduler(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with dask_scheduler(tmp_path_factory.mktemp("scheduler")) as address:
        yield address


@pytest.mark.parametrize(
    ("case", "code", "sentence"),
    [
        ("version", 2, "worker node7 has numpy 0.0.1 (here {numpy}); install the same versions there"),
        ("code", 2, "worker node7 has wsi-edt {there} (here {here}); install the same versions there"),
        ("slides", 1, "worker node7 doesn't see {b} and 1 more; mount the slides there under the same path"),
        ("model", 1, "worker node7 has no model 'tiny' at {model}; copy or mount its folder there"),
    ],
)
def test_one_worker_of_two_that_is_otherwise_ends_the_run_before_anything_is_computed(
    case: str,
    code: int,
    sentence: str,
    scheduler: str,
    slides: Path,
    bundle: Bundle,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    other = another_machine(
        tmp_path / "node7",
        host="node7",
        hidden={"slides": [slides / "b.png", slides / "c.png"], "model": [bundle.directory]}.get(case, []),
        versions={"numpy": "0.0.1"} if case == "version" else {},
    )
    here = there = dict(installed_versions())["wsi-edt"]
    if case == "code":
        copied = Path(shutil.copytree(Path(wsi_edt.__file__).parent, tmp_path / "node7/wsi_edt"))
        there = f"{wsi_edt.__version__}, code {code_digest(copied)}"
        assert there == here, "a copy is the same code"
        with (copied / "errors.py").open("a") as file:
            file.write("# changed\n")
        there = f"{wsi_edt.__version__}, code {code_digest(copied)}"
        other["PYTHONSAFEPATH"] = "1"  # or the current folder's code would come first
    command = ["run", str(slides), "--out", str(tmp_path / "out"), "--mpp", "0.5", "--tile-px", "96"]
    command += [
        "--model",
        str(bundle.directory),
        "--device",
        "cpu",
        "--threads",
        "1",
        "--scheduler",
        scheduler,
    ]
    with dask_workers(scheduler, [{}, other]):
        assert run_command(command) == code
    shown = capsys.readouterr()
    said = sentence.format(
        numpy=dict(installed_versions())["numpy"],
        b=slides / "b.png",
        model=bundle.directory,
        here=here,
        there=there,
    )
    assert shown.err.startswith(f"Error: {said}")
    assert len(shown.err.splitlines()) == 1
    assert not list((tmp_path / "out").rglob("cells.geojson"))


def test_a_worker_without_the_package_is_asked_all_the_same(
    scheduler: str, slides: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = another_machine(tmp_path / "bare", host="bare")
    with (tmp_path / "bare/sitecustomize.py").open("a") as file:
        file.write("import sys; sys.modules['wsi_edt'] = None\n")
    with dask_workers(scheduler, [bare]):
        code = run_command(
            ["run", str(slides), "--out", str(tmp_path / "out"), "--mpp", "0.5", "--scheduler", scheduler]
        )
    assert code == 2
    assert "worker bare has no wsi-edt (here " in capsys.readouterr().err


def test_which_versions_must_be_the_same() -> None:
    here = (("wsi-edt", "1.0"), ("torch", "2.13.0"), ("numpy", "2.4.6"), ("openvino", "2026.4"))
    assert difference(here, here) is None
    assert difference(here[:3], here) is None, "a worker without OpenVINO runs torch"
    older = (("wsi-edt", "1.0"), ("torch", "2.12.0"), ("openvino", "2025.1"))
    assert (
        difference(older, here)
        == "torch 2.12.0 (here 2.13.0) and no numpy (here 2.4.6) and openvino 2025.1 (here 2026.4)"
    )
    answers = [("c", older), ("a", here), ("b", older), ("b", older)]
    said = refusal(answers, here[:2])
    assert said == "worker b has torch 2.12.0 (here 2.13.0), and 1 more hosts differ"
    assert refusal([("a", here)], here) is None


def test_builds_of_one_version_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.metadata.version", lambda package: f"2.13.0+{package}")
    assert dict(installed_versions())["torch"] == "2.13.0"


def test_files_are_looked_for_in_blocks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_paths, "_BLOCK", 2)
    paths = [tmp_path / name for name in "abcde"]
    for count, path in enumerate(paths):
        path.write_bytes(bytes(count))
    (tmp_path / "b").unlink()
    blocks = list(shared_paths.blocks(paths))
    assert [[(Path(path).name, size) for path, size in block] for block in blocks] == [
        [("a", 0), ("c", 2)],
        [("d", 3), ("e", 4)],
    ]
    assert shared_paths.refusal(map(shared_paths.look_for, blocks)) is None
    (tmp_path / "c").write_bytes(bytes(9))
    said = str(shared_paths.refusal(map(shared_paths.look_for, blocks)))
    assert f"has files of another size at {tmp_path / 'c'}; mount the same slides there" in said
    (tmp_path / "e").unlink()
    said = str(shared_paths.refusal([shared_paths.look_for([*blocks[0], *blocks[1]])]))
    assert f"doesn't see {tmp_path / 'e'}; mount the slides there" in said
