"""Corrected regions as a data set, read back as a training reads it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapely import box

from tests.stand_ins import MPP
from wsi_edt.cells import CellClass
from wsi_edt.cli.main import run_command
from wsi_edt.corrections import Add, Delete, Exclude, Flip, MakeRegion, NamedCells
from wsi_edt.datasets.spec import SetSpec, read_set
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.run.stored import stored_slides
from wsi_edt.run.training_set import write_training_set
from wsi_edt.training.checkpoint import read_trained

AREA, HOLE = box(30, 20, 190, 140), box(100, 60, 130, 90)


def test_what_was_gone_over_is_labelled_and_the_rest_is_not(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slide = stored_slides(out)[0]
    cells = slide.every_cell()
    inside = [
        k
        for k, (x, y) in enumerate(zip(cells.x, cells.y, strict=True))
        if 30 <= x <= 190 and 20 <= y <= 140 and not (100 <= x <= 130 and 60 <= y <= 90)
    ]
    assert 10 < len(inside) < len(cells) - 10
    negative = [k for k in inside if cells.class_id[k] == CellClass.NEGATIVE]
    slide.corrections.append(
        [
            Flip(NamedCells.of(cells, negative[:2])),
            Delete(NamedCells.of(cells, negative[2:5])),
            Add(40.5, 30.25, "Positive"),
            Add(5, 5, "Positive"),
            MakeRegion("gone over", AREA, "Tumor"),
            Exclude(HOLE),
        ],
        who="ada",
        seen=0,
    )
    assert run_command(["training-set", str(out), "--out", str(tmp_path / "set")]) == 0
    said = capsys.readouterr().out
    assert f"a.png: {len(inside) - 3 + 1} cells in 1 region\n" in said
    assert f'format = "qupath"\nfolder = "{tmp_path / "set"}"' in said
    spec = SetSpec(name="corrected", format="qupath", folder=Path("set"), split="all", mpp=MPP)
    (image,) = read_set(spec, tmp_path)
    assert image.region is not None
    assert image.region.area == pytest.approx(AREA.area - HOLE.area)
    assert len(image.points) == len(inside) - 3 + 1
    positive = int(np.count_nonzero(cells.class_id[inside] == CellClass.POSITIVE))
    assert int(np.count_nonzero(image.class_id == CellClass.POSITIVE)) == positive + 2 + 1


def test_single_corrections_say_nothing_of_their_neighbours(out: Path, tmp_path: Path) -> None:
    slide = stored_slides(out)[0]
    slide.corrections.append([Flip(NamedCells.of(slide.every_cell(), [0]))], who="ada", seen=0)
    told: list[str] = []
    with pytest.raises(OutputError, match="no slide with a corrected region"):
        write_training_set(out, tmp_path / "set", told=lambda one: told.append(str(one.error)))
    assert told == ["a.png has corrections, but no region; draw one around what you have gone over"]


def test_pictures_of_another_slide_arent_taken(
    own: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    slides, out = own
    stored_slides(out)[0].corrections.append([MakeRegion("gone over", AREA, None)], who="ada", seen=0)
    (slides / "a.png").write_bytes((slides / "deep/b.png").read_bytes())
    assert run_command(["training-set", str(out), "--out", str(tmp_path / "set")]) == 1
    assert "a.png isn't the file that was counted any more" in capsys.readouterr().err
    assert not (tmp_path / "set/a.png").exists()


def test_a_set_within_the_results_is_refused(out: Path) -> None:
    with pytest.raises(UsageError, match="lies in the results"):
        write_training_set(out, out / "set")


def test_nothing_is_written_over(out: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("")
    with pytest.raises(UsageError, match="isn't empty"):
        write_training_set(out / "a.png", tmp_path)


RECIPE = """
validation = []
mpp = {mpp}
[network]
architecture = "lite_unet"
[maps]
names = ["positive", "negative"]
[schedule]
steps = {steps}
epoch_steps = 1
batch_size = 2
crop_px = 64
[[sets]]
name = "{name}"
format = "qupath"
mpp = {mpp}
weight = 1.0
"""


def test_a_training_takes_the_corrections_of_a_results_folder(
    out: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config, runs = tmp_path / "ours.toml", tmp_path / "runs"
    words = [
        "train",
        str(config),
        "--data",
        str(tmp_path),
        "--out",
        str(runs),
        "--ours",
        str(out),
        "--device",
        "cpu",
    ]
    config.write_text(RECIPE.format(mpp=MPP, steps=2, name="theirs"))
    assert run_command(words) == 2
    assert "no set named ours" in capsys.readouterr().err
    config.write_text(RECIPE.format(mpp=MPP, steps=2, name="ours"))
    assert run_command(words) == 1
    assert "no slide with a corrected region" in capsys.readouterr().err
    record = stored_slides(out)[0].corrections
    record.append([MakeRegion("gone over", AREA, "Tumor")], who="ada", seen=0)
    assert run_command(words) == 0
    assert "in 1 region" in capsys.readouterr().out
    seen = (runs / "ours/a.png.geojson").read_bytes()
    # What is corrected afterwards isn't learnt by a training that goes on: its data stay what they were.
    record.append([Exclude(HOLE)], who="ada", seen=1)
    assert run_command(words) == 0
    assert (runs / "ours/a.png.geojson").read_bytes() == seen
    assert read_trained(runs / "checkpoint.safetensors").provenance.config.sets[0].folder == runs / "ours"
