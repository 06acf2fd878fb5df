"""A GPU in one command, without one: what travels, how stages end, and the shortest form of the whole on a CPU."""

import importlib
import io
import json
import os
import subprocess
import sys
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from packaging.utils import canonicalize_name
from safetensors.torch import load_file
from shapely import box

from tests.bundles.tiny import tiny_bundle
from tests.conftest import write_pyramid
from tests.training.sets import labelled_image
from wsi_edt.errors import ModelError
from wsi_edt.networks import NetworkSpec, build_network
from wsi_edt.training.checkpoint import HEADER, Header, read_trained
from wsi_edt.training.config import TrainConfig, read_config
from wsi_edt.training.material import read_material
from wsi_edt.training.provenance import provenance_of

GPU = Path(__file__).parents[2] / "workflows" / "gpu"
MPP = 0.5


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """Gives a script's module by its name; they import each other, as where one of them is run."""
    sys.path.insert(0, str(GPU))
    before = set(sys.modules)

    def script(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield script
    sys.path.remove(str(GPU))
    for name in set(sys.modules) - before:
        if (GPU / f"{name}.py").exists():
            del sys.modules[name]


def python(code: str) -> Any:
    """A stage's command that runs this code; `FIGURES` in it is the path of its figures."""
    return lambda executable, figures: [executable, "-c", code.replace("FIGURES", repr(str(figures)))]


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# --- stages


def test_a_stage_that_fails_or_runs_out_of_time_does_not_stop_the_next(scripts: Any, tmp_path: Path) -> None:
    run = scripts("run")
    late = "import json, time; open(FIGURES, 'w').write(json.dumps({'summary': 'half done'})); time.sleep(60)"
    stages = [
        run.Stage("fails", 20, python("print('why it failed'); raise SystemExit(3)")),
        run.Stage("late", 3, python(late)),
        run.Stage("well", 20, python("open(FIGURES, 'w').write('{\"summary\": \"12 of 12\"}')")),
        run.Stage(
            "excused", 20, python("raise SystemExit('no such thing here')"), None, "no such thing here"
        ),
        run.Stage(
            "tables",
            20,
            python("print('| a | b |\\n| --- | ---: |\\n| x | 1 |')"),
            lambda text: {"n": text.count("|")},
        ),
    ]
    work, out = tmp_path / "work", tmp_path / "out"
    work.mkdir()
    results = run.run_stages(stages, out, work=work, python=sys.executable, total=100)
    assert [(one.stage, one.status) for one in results.records] == [
        ("fails", "failed"),
        ("late", "out of time"),
        ("well", "done"),
        ("excused", "skipped"),
        ("tables", "done"),
    ]
    written = json.loads((out / "figures.json").read_text())["stages"]
    assert [one["figures"].get("summary") for one in written[:4]] == [
        "why it failed",
        "half done",
        "12 of 12",
        "no such thing here",
    ]
    assert written[4]["figures"] == {"n": 9}
    assert (out / "table.txt").read_text() == results.table() + "\n"
    with tarfile.open(out / "logs.tar.gz") as logs:
        assert "why it failed" in logs.extractfile("fails.log").read().decode()  # type: ignore[union-attr]
    assert len(list(out.iterdir())) == 3


def test_stages_for_which_no_time_is_left_are_not_begun(scripts: Any, tmp_path: Path) -> None:
    run = scripts("run")
    stages = [run.Stage("first", 30, python("pass")), run.Stage("second", 30, python("pass"))]
    results = run.run_stages(
        stages, tmp_path / "out", work=tmp_path, python=sys.executable, total=run.LAST_SECONDS + 1
    )
    assert [one.status for one in results.records] == ["out of time", "out of time"]


def test_a_stage_may_say_which_python_runs_the_next(scripts: Any, tmp_path: Path) -> None:
    run = scripts("run")
    other = tmp_path / "other"
    other.write_text("#!/bin/sh\necho it was the other; exit 1\n")
    other.chmod(0o755)
    says = python(f"open(FIGURES, 'w').write('{{\"python\": \"{other}\"}}')")
    stages = [run.Stage("install", 20, says), run.Stage("next", 20, python("pass"))]
    results = run.run_stages(stages, tmp_path / "out", work=tmp_path, python=sys.executable, total=100)
    assert results.records[1].figures["summary"] == "it was the other"


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes in /proc")
@pytest.mark.parametrize("own_group", [True, False])
@pytest.mark.parametrize("ends", ["in time", "late"])
def test_no_process_is_left(scripts: Any, tmp_path: Path, own_group: bool, ends: str) -> None:
    # Started by what the command starts, deaf to SIGTERM; a command that ended by itself loses sight of its own.
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
    number = tmp_path / "number"
    code = (
        f"import pathlib, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', {deaf!r}]); "
        f"pathlib.Path({str(number)!r}).write_text(str(child.pid)); time.sleep({0 if ends == 'in time' else 120})"
    )
    if ends == "in time" and not own_group:
        code += "; child.kill()"  # an inner command's orphans are the outermost's to end
    ended = scripts("supervise").run_within(
        [sys.executable, "-c", code],
        20 if ends == "in time" else 2,
        log=tmp_path / "log",
        own_group=own_group,
        grace=1,
    )
    assert ended.status == ("done" if ends == "in time" else "out of time")
    child = int(number.read_text())
    end = time.monotonic() + 10
    while runs(child) and time.monotonic() < end:
        time.sleep(0.1)
    assert not runs(child)


def test_a_run_that_is_ended_from_outside_writes_its_table(tmp_path: Path) -> None:
    code = f"""
import sys, pathlib
sys.path.insert(0, {str(GPU)!r})
import run
from supervise import stoppable
wait = "print('up', flush=True); import time; time.sleep(60)"
stages = [run.Stage(name, 60, lambda python, figures: [python, "-c", wait]) for name in ("one", "two")]
with stoppable():
    out = pathlib.Path({str(tmp_path)!r})
    print(run.run_stages(stages, out / "out", work=out, python=sys.executable, total=100).table())
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    end = time.monotonic() + 30
    while not ((tmp_path / "one.log").exists() and "up" in (tmp_path / "one.log").read_text()):
        assert time.monotonic() < end
        time.sleep(0.1)
    process.terminate()
    printed, _ = process.communicate(timeout=30)
    assert "ended from outside by SIGTERM" in printed
    assert "two" not in (tmp_path / "out" / "table.txt").read_text()


def test_rates_are_read_from_the_benchmarks_table(scripts: Any) -> None:
    printed = """a processor, 16 cores
A Card, 780 TFLOP/s in the product of matrices

|                          | batch | tiles/s | s/mm² |
| ------------------------ | ----: | ------: | ----: |
| m_hrnet w18, network alone |   8 |   2,000 | 0.035 |
| model, detect            |     8 |     900 | 0.080 |
| model, detect            |    16 |   1,100 | 0.060 |
"""
    figures = scripts("run").rates_of_log(printed)
    assert figures["summary"] == "A Card, 780 TFLOP/s in the product of matrices; detect 0.060 s/mm²"
    assert figures["rows"][2] == {"": "model, detect", "batch": "16", "tiles/s": "1,100", "s/mm²": "0.060"}
    assert scripts("run").rates_of_log("torch sees no GPU here") == {}


# --- training


def test_steps_are_chosen_to_fit(scripts: Any) -> None:
    train = scripts("train")
    rows = [{"step": step, "seconds": 7 + step / 8} for step in (20.0, 40.0, 60.0)]
    pace = train.pace_of(rows, wall=14.5 + 9.5 + 6, ended_after_row=6)
    assert pace.steps_per_second == pytest.approx(8)
    assert pace.overhead_seconds == pytest.approx(
        9.5 + 7
    )  # before the training's clock, and its first step's delay
    assert pace.epoch_seconds == 6
    steps, each = pace.steps_in(216.5)
    assert steps == int(train.SAFE_SHARE * 8 * (200 - 5 * 6))
    assert 4 * each < steps <= 5 * each
    assert pace.steps_in(1.0) == (1, 1)
    assert train.pace_of([], wall=30, ended_after_row=0).steps_per_second is None
    assert train.pace_of([{"step": 2.0, "seconds": 4.0}], wall=9, ended_after_row=1).steps_per_second == 0.5


def test_weights_return_in_small_parts_and_join_to_the_same(scripts: Any, tmp_path: Path) -> None:
    parts = scripts("parts")
    torch.manual_seed(0)
    weights = build_network(NetworkSpec("m_hrnet", 18, 3)).state_dict()
    paths = parts.write_parts(weights, tmp_path, about={"step": 3})
    assert len(paths) == 2
    assert all(path.stat().st_size <= 16 * 2**20 for path in paths)
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path in paths]
    joined, about = parts.read_parts(paths)
    assert about == {"step": 3}
    assert joined.keys() == weights.keys()
    for name, value in weights.items():
        assert torch.equal(joined[name], value.half() if value.dtype.is_floating_point else value)
    with pytest.raises(ModelError, match="part 2 of 2 is missing"):
        parts.read_parts(paths[:1])
    small = parts.write_parts({"a": torch.ones(3)}, tmp_path, about={"step": 4})
    assert list(tmp_path.iterdir()) == small  # nothing is left of weights in more parts
    with pytest.raises(ModelError, match="doesn't fit half precision"):
        parts.write_parts({"a": torch.tensor([1e6])}, tmp_path, about={})
    with pytest.raises(ModelError, match="w alone takes 2000000 bytes"):
        parts.write_parts({"w": torch.zeros(1_000_000)}, tmp_path, about={}, most_bytes=1_000_000)


def test_parts_of_different_weights_are_refused(scripts: Any, tmp_path: Path) -> None:
    parts = scripts("parts")
    weights = {name: torch.zeros(100_000) for name in "ab"}
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        parts.write_parts(weights, tmp_path / folder, about={"run": folder}, most_bytes=500_000)
    first, second = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "other"))
    assert len(first) == 2
    with pytest.raises(ModelError, match="belongs to other weights"):
        parts.read_parts([first[0], second[1]])


def test_a_training_that_is_cut_off_leaves_its_best_weights(
    scripts: Any, tmp_path: Path, config: TrainConfig, data: Path
) -> None:
    parts, train = scripts("parts"), scripts("train")
    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    provenance = provenance_of(config, read_material(config, data).training, None)
    header = Header(step=7, provenance=provenance, f1=0.5)
    weights = {"a": torch.arange(5.0)}
    parts.write_checkpoint(
        work / "training" / "best.safetensors", weights, {HEADER: header.model_dump_json()}
    )
    training = train.Training(tmp_path, work, out, tmp_path / "figures.json", "cpu", time.monotonic(), True)
    training.found["batch_size"] = 2
    training.finish()
    joined = scripts("join").join(out, tmp_path / "joined.safetensors")
    assert (joined.step, joined.provenance) == (7, provenance)
    assert torch.equal(load_file(tmp_path / "joined.safetensors")["average.a"], weights["a"].half())
    assert json.loads((tmp_path / "figures.json").read_text())["weights"] == "best, after 7 steps"


# --- what travels


@pytest.fixture
def data(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> Path:
    """Two sets of plain images with points."""
    folder = tmp_path / "data"
    for name, pixels in (
        ("train/images/a.png", ihc_pixels[:256, :300]),
        ("held/images/b.png", ihc_pixels[256:, :256]),
    ):
        path = folder / name
        path.parent.mkdir(parents=True)
        assert cv2.imwrite(str(path), pixels[:, :, ::-1])
        points = folder / name.split("/")[0] / "points"
        points.mkdir()
        (points / f"{path.stem}.csv").write_text(
            "class,x,y\npositive,40.5,50.25\nnegative,120,80\n,200.5,100.5\n"
        )
    return folder


@pytest.fixture
def config() -> TrainConfig:
    sets = [{"name": "train", "format": "points", "mpp": 0.25, "weight": 1.0}]
    return TrainConfig.model_validate(
        {"mpp": MPP, "sets": sets, "validation": [{"name": "held", "format": "points", "mpp": 0.625}]}
    )


def test_sets_are_packed_at_the_networks_scale(
    scripts: Any, tmp_path: Path, config: TrainConfig, data: Path
) -> None:
    sets = scripts("sets")
    groups = sets.read_groups(config, data)
    sets.write_sets(groups, sets.Choice(), config, tmp_path / "pack")
    packed = read_config(tmp_path / "pack" / "train.toml")
    before, after = read_material(config, data), read_material(packed, tmp_path / "pack" / "sets")
    assert packed.schedule == config.schedule
    finer, coarser = after.training[0], after.validation[0]
    assert (finer.mpp, finer.pixels.shape) == (MPP, (128, 150, 3))
    assert (coarser.mpp, coarser.pixels.shape) == (0.625, (256, 256, 3))
    for one, other in zip([*before.training, *before.validation], [finer, coarser], strict=True):
        np.testing.assert_allclose(one.points * one.mpp, other.points * other.mpp, atol=0.01)
        assert one.class_id.tolist() == other.class_id.tolist()
        assert (one.classes, one.nuclei) == (other.classes, other.nuclei)
    assert np.abs(coarser.pixels.astype(int) - before.validation[0].pixels).mean() < 4


def test_a_region_is_packed_as_a_mask_and_far_from_it_images_are_coarse(
    scripts: Any, ihc_pixels: npt.NDArray[np.uint8]
) -> None:
    sets = scripts("sets")
    image = labelled_image("bcdata", [(100, 100)], [0], side=512, mpp=0.25, region=box(40, 60, 200, 180))
    image = sets.at_most(sets.replace(image, pixels=ihc_pixels), 0.5)
    mask = sets._mask(image)
    assert mask.shape == (256, 256)
    assert (mask > 127).sum() == 80 * 60
    assert mask[30, 20] == mask[89, 99] == 255
    assert mask[29, 20] == mask[89, 100] == 0
    kept = sets._coarse_far_from_labels(image, 0.5)
    assert np.array_equal(kept[30:90, 20:100], image.pixels[30:90, 20:100])
    assert np.array_equal(kept[: 90 + 60, 20 : 100 + 20], image.pixels[: 90 + 60, 20 : 100 + 20])
    assert not np.array_equal(kept[200:], image.pixels[200:])
    assert len(sets._jpeg(kept, sets.FULL_COLOUR)) < 0.9 * len(sets._jpeg(image.pixels, sets.FULL_COLOUR))


def group(sets: ModuleType, name: str, sizes: tuple[int, int], *, validates: bool = False) -> Any:
    """Ten images of a set of that format, of so many bytes with full and with halved colour."""
    image = labelled_image(name, [(10, 10)], [0])
    images = tuple(sets.Packed(str(n), image, b"f" * sizes[0], b"h" * sizes[1]) for n in range(10))
    return sets.Group(name, validates, 1.0, images)


def test_where_images_are_too_large_haematoxylin_and_eosin_is_reduced_first(scripts: Any) -> None:
    sets = scripts("sets")
    groups = [group(sets, "bcdata", (100, 80)), group(sets, "uw", (100, 80))]
    assert sets.fit(groups, 2000) == sets.Choice()
    assert sets.fit(groups, 1999) == sets.Choice(halved=True)
    some = sets.fit(groups, 1400)
    assert (some.all_halved, some.share) == (False, 0.5)
    assert str(some) == "halved colour in H&E images, 50% of the H&E images"
    assert [len(some.of(one)) for one in groups] == [10, 5]
    assert len(some.of(group(sets, "uw", (100, 80), validates=True))) == 10
    least = sets.fit(groups, 900)
    assert (least.all_halved, least.share) == (True, 0.1)
    with pytest.raises(click.ClickException, match="drop the set 'bcdata'"):
        sets.fit(groups, 700)


def test_too_much_is_refused_with_what_to_drop(scripts: Any, capsys: pytest.CaptureFixture[str]) -> None:
    pack = scripts("pack")
    parts = pack.Parts(62 * pack.MIB)
    parts.add("tracked files", 20 * pack.MIB)
    parts.add("sets/uw", 41 * pack.MIB, "100 images")
    parts.refuse_too_much()
    parts.add("slide", 2 * pack.MIB)
    with pytest.raises(
        click.ClickException, match=r"63\.0 MiB would travel and at most 62 may; drop 'sets/uw' \(41\.0 MiB\)"
    ):
        parts.refuse_too_much()
    assert "sets/uw" in capsys.readouterr().out


def test_what_git_ignores_does_not_travel(scripts: Any, tmp_path: Path) -> None:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    for name, size in (("tracked", 100), ("other", 30), ("ignored", 5000), (".gitignore", 0)):
        (tmp_path / name).write_bytes(b"x" * size)
    (tmp_path / ".gitignore").write_text("/ignored\n")
    subprocess.run(["git", "add", "tracked"], cwd=tmp_path, check=True)
    assert scripts("pack").of_the_repository(tmp_path) == {
        "tracked files": 100,
        "other files, not ignored": 39,
    }


# --- wheels


def packages(**needs: list[str]) -> list[dict[str, object]]:
    return [{"name": name, "version": "2.0", "requires_dist": own} for name, own in needs.items()]


def test_what_is_there_is_not_carried_unless_its_version_may_be_wrong(scripts: Any) -> None:
    carried = scripts("wheels").carried
    known = packages(
        ours=["base>=1", "old>=1", "new<3", "deep; extra == 'more'", "legacy; python_version < '3.12'"],
        base=["unknown-need"],
        old=[],
        new=["deep"],
        deep=[],
        legacy=[],
    )
    present = {"base": "2.0", "old": "0.9", "new": None}
    # base is there; old is too old; of new nobody knows whether it is too new, and what it needs comes with it.
    assert carried(known, ["ours"], present) == {"ours": "2.0", "old": "2.0", "new": "2.0", "deep": "2.0"}


def test_a_missing_wheel_is_found(scripts: Any, tmp_path: Path) -> None:
    wheels = scripts("wheels")
    for folder, name in (("carried", "one-package"), ("there", "another")):
        (tmp_path / folder).mkdir()
        wheels._empty_wheel(tmp_path / folder, name, "1.5")
    folders = tmp_path / "carried", tmp_path / "there"
    wheels.prove(["one-package>=1", "another"], *folders, work=tmp_path)
    with pytest.raises(click.ClickException, match=r"would lack something: .*third-package"):
        wheels.prove(["one-package", "third-package"], *folders, work=tmp_path)
    with pytest.raises(click.ClickException, match=r"would lack something: .*another>=2"):
        wheels.prove(["another>=2"], *folders, work=tmp_path)


def test_an_import_of_nothing_that_is_there_is_refused(
    scripts: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wheels = scripts("wheels")
    monkeypatch.setattr(wheels, "ROOT", tmp_path)
    script = tmp_path / "workflows" / "script.py"
    script.parent.mkdir()
    script.write_text(
        "import json, cv2\nfrom skimage.data import ihc\ndef late():\n    import carried_module.part\n"
    )
    wheel = tmp_path / "carried-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("carried_module/part.py", "")
    there = ["opencv-python-headless", "scikit-image"]
    wheels.refuse_missing_imports([wheel], there, [script])
    with pytest.raises(
        click.ClickException, match=r"workflows/script.py, line 4 imports carried_module, which"
    ):
        wheels.refuse_missing_imports([], there, [script])
    with pytest.raises(click.ClickException, match="line 1 imports cv2"):
        wheels.refuse_missing_imports([wheel], there[1:], [script])


def test_all_that_is_installed_for_a_gpu_is_said_to_be_needed(scripts: Any) -> None:
    wheels = scripts("wheels")
    names = {canonicalize_name(one.split(">")[0].split("<")[0]) for one in wheels.requirements()}
    assert {"torch", "zarr", "pytest", "hatchling"} <= names
    assert "openvino" not in names
    present = wheels.read_present(GPU / "present.txt")
    assert present["torch"] is not None
    checked = {path.relative_to(wheels.ROOT).as_posix() for path in wheels.checked_files()}
    assert {
        "wsi_edt/cli/main.py",
        "workflows/gpu/run.py",
        "tests/bundles/tiny.py",
        "tests/training/test_trainer.py",
    } <= checked


def test_codecs_that_nobody_reads_are_left_out(scripts: Any, tmp_path: Path) -> None:
    wheel = tmp_path / "imagecodecs-1.0-cp311-abi3-manylinux_2_28_x86_64.whl"
    contents = {
        "imagecodecs/__init__.py": b"",
        "imagecodecs/_jpeg8.abi3.so": b"loads libjpeg.so.8",
        "imagecodecs/_avif.abi3.so": b"loads libavif.so",
        "imagecodecs.libs/libjpeg.so.8": b"loads libdeep.so",
        "imagecodecs.libs/libdeep.so": b"",
        "imagecodecs.libs/libavif.so": b"",
        "imagecodecs-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, data in contents.items():
            archive.writestr(name, data)
    wheels = scripts("wheels")
    monkey = pytest.MonkeyPatch()
    monkey.setattr(wheels, "_stripped", lambda library: library)  # these are no libraries
    wheels.only_codecs(wheel, frozenset({"jpeg8"}))
    monkey.undo()
    with zipfile.ZipFile(wheel) as archive:
        assert set(archive.namelist()) == {name for name in contents if "avif" not in name}
        assert (
            "imagecodecs/_jpeg8.abi3.so,sha256=" in archive.read("imagecodecs-1.0.dist-info/RECORD").decode()
        )


def test_wheels_come_back_whole_from_the_archive(scripts: Any, tmp_path: Path) -> None:
    wheels = scripts("wheels")
    wheels._empty_wheel(tmp_path, "some", "1.0")
    (wheel,) = tmp_path.glob("*.whl")
    (tmp_path / "out").mkdir()
    wheels.archive([wheel], tmp_path / "out" / "wheels.tar.xz")
    with tarfile.open(tmp_path / "out" / "wheels.tar.xz") as archive:
        content = archive.extractfile(wheel.name).read()  # type: ignore[union-attr]
    with zipfile.ZipFile(io.BytesIO(content)) as found, zipfile.ZipFile(wheel) as expected:
        assert {name: found.read(name) for name in found.namelist()} == {
            name: expected.read(name) for name in expected.namelist()
        }


# --- the whole


def test_shortest_form(
    scripts: Any, tmp_path: Path, config: TrainConfig, data: Path, ihc_pixels: npt.NDArray[np.uint8]
) -> None:
    slide = tmp_path / "field.tif"
    write_pyramid(slide, ihc_pixels, compression="jpeg", levels=1, mpp=MPP)
    init = tiny_bundle(tmp_path / "tiny", mpp=MPP)
    pack = tmp_path / "pack"
    scripts("pack").pack(
        config.model_copy(update={"init": str(init.directory)}),
        data,
        pack,
        slide=slide,
        most_bytes=60 << 20,
        wheels=lambda path: f"{path.write_bytes(b'')} wheels",
        repository={"tracked files": 0},
    )
    out = tmp_path / "out"
    command = [sys.executable, GPU / "run.py", out, "--pack", pack, "--smoke", "--stages", "gpu,slide,train"]
    ended = subprocess.run(
        command, capture_output=True, text=True, check=False, env={**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    )
    assert ended.returncode == 0, ended.stdout
    gpu, slide_stage, train = json.loads((out / "figures.json").read_text())["stages"]
    assert (gpu["status"], slide_stage["status"], train["status"]) == ("skipped", "done", "done")
    assert ended.stdout.endswith((out / "table.txt").read_text())
    cells = slide_stage["figures"]["cells"]
    assert cells["cells_on_cpu"] > 0
    assert cells["matched_share"] >= 0.995
    assert slide_stage["figures"]["workers-1"]["tissue_mm2"] > 0
    assert train["figures"]["steps"] == 2
    assert len(train["figures"]["validation"]) == 1
    assert {path.name for path in out.iterdir()} == {
        "figures.json",
        "table.txt",
        "logs.tar.gz",
        *train["figures"]["parts"],
    }
    checkpoint = tmp_path / "joined" / "best.safetensors"
    scripts("join").main([str(out), "--out", str(checkpoint)], standalone_mode=False)
    trained = read_trained(checkpoint)
    written = TrainConfig.from_json(trained.provenance.configuration)
    assert (written.sets, written.validation) == (config.sets, config.validation)
    assert [one.images for one in trained.provenance.sets] == [1]
    build_network(config.spec).load_state_dict(dict(trained.weights))
