"""A GPU in one command, without one: how stages end, what comes back, and the shortest form of the whole on a CPU."""

import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from safetensors.torch import load_file

from tests.bundles.tiny import tiny_bundle
from tests.conftest import write_pyramid
from tests.workflows.conftest import GPU, GPU_MPP
from wsi_edt.errors import ModelError
from wsi_edt.networks import NetworkSpec, build_network
from wsi_edt.training.checkpoint import HEADER, Header, read_trained
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import read_material
from wsi_edt.training.provenance import provenance_of


def python(code: str) -> Any:
    """A stage's command that runs this code; `FIGURES` in it is the path of its figures."""
    return lambda executable, figures, seconds: [
        executable,
        "-c",
        code.replace("FIGURES", repr(str(figures))),
    ]


def runs(process: int) -> bool:
    try:
        state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state != "Z"


# --- stages


def test_a_stage_that_fails_or_runs_out_of_time_does_not_stop_the_next(
    gpu_scripts: Any, tmp_path: Path
) -> None:
    run = gpu_scripts("run")
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


def test_stages_for_which_no_time_is_left_are_not_begun(gpu_scripts: Any, tmp_path: Path) -> None:
    run = gpu_scripts("run")
    stages = [run.Stage("first", 30, python("pass")), run.Stage("second", 30, python("pass"))]
    results = run.run_stages(
        stages, tmp_path / "out", work=tmp_path, python=sys.executable, total=run.LAST_SECONDS + 1
    )
    assert [one.status for one in results.records] == ["out of time", "out of time"]


def test_a_stage_may_say_which_python_runs_the_next(gpu_scripts: Any, tmp_path: Path) -> None:
    run = gpu_scripts("run")
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
def test_no_process_is_left(gpu_scripts: Any, tmp_path: Path, own_group: bool, ends: str) -> None:
    # Started by what the command starts, deaf to SIGTERM; a command that ended by itself loses sight of its own.
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(120)"
    number = tmp_path / "number"
    code = (
        f"import pathlib, subprocess, sys, time; child = subprocess.Popen([sys.executable, '-c', {deaf!r}], "
        f"start_new_session={ends == 'late'}); "  # out of the command's group
        f"pathlib.Path({str(number)!r}).write_text(str(child.pid)); time.sleep({0 if ends == 'in time' else 120})"
    )
    if ends == "in time" and not own_group:
        code += "; child.kill()"  # an inner command's orphans are the outermost's to end
    ended = gpu_scripts("supervise").run_within(
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
stages = [run.Stage(name, 60, lambda python, figures, seconds: [python, "-c", wait]) for name in ("one", "two")]
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


def test_rates_are_read_from_the_benchmarks_table(gpu_scripts: Any) -> None:
    printed = """a processor, 16 cores
A Card, 780 TFLOP/s in the product of matrices

|                          | batch | tiles/s | s/mm² |
| ------------------------ | ----: | ------: | ----: |
| m_hrnet w18, network alone |   8 |   2,000 | 0.035 |
| model, detect            |     8 |     900 | 0.080 |
| model, detect            |    16 |   1,100 | 0.060 |
"""
    figures = gpu_scripts("run").rates_of_log(printed)
    assert figures["summary"] == "A Card, 780 TFLOP/s in the product of matrices; detect 0.060 s/mm²"
    assert figures["rows"][2] == {"": "model, detect", "batch": "16", "tiles/s": "1,100", "s/mm²": "0.060"}
    assert gpu_scripts("run").rates_of_log("torch sees no GPU here") == {}


# --- training


def test_steps_are_chosen_to_fit(gpu_scripts: Any) -> None:
    train = gpu_scripts("train")
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


def test_weights_return_in_small_parts_and_join_to_the_same(gpu_scripts: Any, tmp_path: Path) -> None:
    parts = gpu_scripts("parts")
    torch.manual_seed(0)
    weights = build_network(
        NetworkSpec.from_table({"architecture": "m_hrnet", "width": 18}, maps=3)
    ).state_dict()
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
    with pytest.raises(ModelError, match="w takes 2000000 bytes, and a file may hold"):
        parts.write_parts({"w": torch.zeros(1_000_000)}, tmp_path, about={}, most_bytes=1_000_000)


def test_parts_of_different_weights_are_refused(gpu_scripts: Any, tmp_path: Path) -> None:
    parts = gpu_scripts("parts")
    weights = {name: torch.zeros(100_000) for name in "ab"}
    for folder in ("one", "other"):
        (tmp_path / folder).mkdir()
        parts.write_parts(weights, tmp_path / folder, about={"run": folder}, most_bytes=500_000)
    first, second = (sorted((tmp_path / folder).iterdir()) for folder in ("one", "other"))
    assert len(first) == 2
    with pytest.raises(ModelError, match="belongs to other weights"):
        parts.read_parts([first[0], second[1]])


def test_a_part_that_was_damaged_on_its_way_is_refused(gpu_scripts: Any, tmp_path: Path) -> None:
    parts = gpu_scripts("parts")
    (path,) = parts.write_parts({"a": torch.arange(1000.0)}, tmp_path, about={})
    whole = path.read_bytes()
    path.write_bytes(whole[:-100] + bytes(100))  # in the last tensor's values
    with pytest.raises(ModelError, match=r"weights-1-of-1\.safetensors was damaged"):
        parts.read_parts([path])
    path.write_bytes(whole[:-100])
    with pytest.raises(ModelError, match="is cut off; copy it again"):
        parts.read_parts([path])
    with pytest.raises(ModelError, match=r"there are no weights-\*"):
        parts.read_parts([])


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["{file}"], "can't be made: File exists"),
        (["{out}", "--stages", ""], "no stage is called ''"),
        (["{out}", "--seconds", "-5"], "must be above 0"),
        (["{out}", "--stages", "slide"], "holds no finished pack"),
    ],
)
def test_wrong_usage_is_one_sentence_and_runs_nothing(tmp_path: Path, words: list[str], says: str) -> None:
    (tmp_path / "file").write_text("")
    filled = [word.format(file=tmp_path / "file", out=tmp_path / "out") for word in words]
    script = Path(__file__).parents[2] / "workflows" / "gpu" / "run.py"
    ended = subprocess.run(
        [sys.executable, str(script), *filled, "--pack", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert says in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not list(tmp_path.glob("out/*"))


def test_a_training_that_is_cut_off_leaves_its_best_weights(
    gpu_scripts: Any, tmp_path: Path, gpu_config: TrainConfig, gpu_data: Path
) -> None:
    parts, train = gpu_scripts("parts"), gpu_scripts("train")
    work, out = tmp_path / "work", tmp_path / "out"
    out.mkdir()
    material = read_material(gpu_config, gpu_data)
    provenance = provenance_of(gpu_config, material.training, None)
    # What the packed images were isn't sent back: a line for each of thousands wouldn't fit beside the weights.
    noted = provenance.model_copy(update={"data": material.fingerprint})
    header = Header(step=7, provenance=noted, f1=0.5)
    weights = {"a": torch.arange(5.0)}
    parts.write_checkpoint(
        work / "training" / "best.safetensors", weights, {HEADER: header.model_dump_json()}
    )
    training = train.Training(tmp_path, work, out, tmp_path / "figures.json", "cpu", time.monotonic(), True)
    training.found["batch_size"] = 2
    training.finish()
    joined = gpu_scripts("join").join(out, tmp_path / "joined.safetensors")
    assert (joined.step, joined.provenance) == (7, provenance)
    assert torch.equal(load_file(tmp_path / "joined.safetensors")["average.a"], weights["a"].half())
    assert json.loads((tmp_path / "figures.json").read_text())["weights"] == "best, after 7 steps"


# --- the whole


def test_shortest_form(
    gpu_scripts: Any,
    tmp_path: Path,
    gpu_config: TrainConfig,
    gpu_data: Path,
    ihc_pixels: npt.NDArray[np.uint8],
) -> None:
    slide = tmp_path / "field.tif"
    write_pyramid(slide, ihc_pixels, compression="jpeg", levels=1, mpp=GPU_MPP)
    init = tiny_bundle(tmp_path / "tiny", mpp=GPU_MPP)
    pack = tmp_path / "pack"
    gpu_scripts("pack").pack(
        gpu_config.model_copy(update={"init": str(init.directory)}),
        gpu_data,
        pack,
        slide=slide,
        most_bytes=60 << 20,
        wheels=lambda path: f"{path.write_bytes(b'')} wheels",
        repository={"tracked files": 0},
    )
    cells, classes = gpu_scripts("slide").cells_of(pack / "slide" / "cells.geojson.gz")
    assert len(cells) == len(classes) > 0
    out = tmp_path / "out"
    command = [sys.executable, str(GPU / "run.py"), str(out), "--pack", str(pack), "--smoke"]
    command += ["--stages", "gpu,train"]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stdout
    gpu, train = json.loads((out / "figures.json").read_text())["stages"]
    assert (gpu["status"], train["status"]) == ("skipped", "done")
    assert ended.stdout.endswith((out / "table.txt").read_text())
    assert train["figures"]["steps"] == 2
    assert len(train["figures"]["validation"]) == 1
    parts = train["figures"]["parts"]
    assert {path.name for path in out.iterdir()} == {"figures.json", "table.txt", "logs.tar.gz", *parts}
    checkpoint = tmp_path / "joined" / "best.safetensors"
    gpu_scripts("join").main([str(out), "--out", str(checkpoint)], standalone_mode=False)
    trained = read_trained(checkpoint)
    written = TrainConfig.from_json(trained.provenance.configuration)
    assert (written.sets, written.validation, written.schedule.steps) == (
        gpu_config.sets,
        gpu_config.validation,
        2,
    )
    assert [one.images for one in trained.provenance.sets] == [1]
    build_network(gpu_config.spec).load_state_dict(dict(trained.weights))
