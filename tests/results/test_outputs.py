"""What a finished slide leaves: the tuple that writing, resuming, removing and the README read."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.ki67.made import findings, result
from tests.qupath.qupath_contract import check_geojson
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.ki67 import Conventions, Ki67Result, SlideFindings, assess
from wsi_edt.results import names
from wsi_edt.results.outputs import (
    OutputOptions,
    outputs,
    read_ki67,
    remove_results,
    result_names,
    slide_pdf,
)
from wsi_edt.results.outputs.ki67_json import Ki67Json
from wsi_edt.slides import SlideSource

README = Path(__file__).parents[2] / "README.md"


def made(folder: Path) -> tuple[SlideFindings, Ki67Result]:
    """Findings on a slide that can be opened."""
    path = folder / "field.png"
    Image.fromarray(np.full((60, 80, 3), 200, np.uint8)).save(path)
    found = findings(3, 5)
    object.__setattr__(found, "source", SlideSource(path, 0.25))
    return found, assess(found, Conventions())


@pytest.mark.parametrize("options", [OutputOptions(), OutputOptions("circle", "openslide", True, True)])
def test_each_output_writes_its_file_and_no_other(options: OutputOptions, tmp_path: Path) -> None:
    found, numbers = made(tmp_path)
    folder = tmp_path / "results/a"
    for output in outputs(options):
        before = set(folder.iterdir()) if folder.exists() else set()
        output.write(folder, found, numbers)
        assert {path.name for path in set(folder.iterdir()) - before} == {output.name}
        once = (folder / output.name).read_bytes()
        output.write(folder, found, numbers)
        assert (folder / output.name).read_bytes() == once
    cells = names.CELLS_GZIPPED if options.gzip else names.CELLS
    assert len(check_geojson(folder / cells)) == 8
    assert read_ki67(folder / names.KI67) == numbers
    assert f'href="{cells}"' in (folder / names.REPORT).read_text()


def test_what_is_left_and_what_goes(tmp_path: Path) -> None:
    found, numbers = made(tmp_path)
    folder = tmp_path / "results/a"
    plain = outputs(OutputOptions())
    for output in plain:
        output.write(folder, found, numbers)
    (folder / names.TISSUE).touch()  # which planning draws
    assert {path.name for path in folder.iterdir()} == set(result_names(plain))
    gzipped = outputs(OutputOptions(gzip=True))
    for output in gzipped:
        output.write(folder, found, numbers)
    (folder / names.ERROR_LOG).touch()
    remove_results(folder, gzipped, leave_new=True)
    assert {path.name for path in folder.iterdir()} == set(result_names(gzipped))
    assert names.CELLS not in result_names(gzipped)
    (folder / names.STORE).mkdir()
    remove_results(folder, plain)
    assert [path.name for path in folder.iterdir()] == [names.STORE]


def test_a_table_goes_with_the_cells_that_it_is_of_unless_it_is_written_again(tmp_path: Path) -> None:
    found, numbers = made(tmp_path)
    folder = tmp_path / "results/a"
    tables = {names.CELLS_PARQUET, names.CELLS_CSV, names.CELLS_ANNDATA}
    asked = outputs(OutputOptions(parquet=True))
    for output in asked:
        output.write(folder, found, numbers)
    for name in tables - {names.CELLS_PARQUET}:  # as exported later
        (folder / name).touch()
    remove_results(folder, asked, leave_new=True)
    assert tables & {path.name for path in folder.iterdir()} == {names.CELLS_PARQUET}
    remove_results(folder, outputs(OutputOptions()), leave_new=True)
    assert not tables & {path.name for path in folder.iterdir()}


def test_a_pdf_is_of_the_page_that_was_written_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(slide_pdf, "pdf_of", lambda page: b"%PDF of " + page[:15].encode())
    found, numbers = made(tmp_path)
    folder = tmp_path / "results/a"
    asked = outputs(OutputOptions(pdf=True))
    for output in asked:
        output.write(folder, found, numbers)
    assert (folder / names.REPORT_PDF).read_bytes() == b"%PDF of <!DOCTYPE html>"
    remove_results(folder, asked, leave_new=True)
    assert (folder / names.REPORT_PDF).is_file()
    remove_results(folder, outputs(OutputOptions()), leave_new=True)
    assert not (folder / names.REPORT_PDF).exists()
    with pytest.raises(OutputError, match=r"report\.html can't be read"):
        slide_pdf.SlidePdf(names.REPORT).write(tmp_path, found, numbers)


@pytest.mark.parametrize("wrong", [{"geometry": "square"}, {"origin": "moon"}])
def test_unknown_ways_of_writing_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"there is no (geometry|origin) '(square|moon)'; choose "):
        OutputOptions(**wrong)


def test_the_readme_lists_every_file() -> None:
    tree = README.read_text().split("## What it leaves behind")[1].split("```")[0].split("\n## ")[0]
    listed = re.findall(r"^ {6,10}(\S+?)/? {2,}", tree, re.MULTILINE)
    written = [output.name for output in outputs(OutputOptions())]
    batch = [names.SUMMARY, names.BATCH_REPORT, names.RUN_RECORD]
    slide = [*written, names.TISSUE, names.STORE, names.ERROR_LOG, names.CORRECTIONS]
    assert sorted(name for name in listed if not name.startswith("case7")) == sorted([*batch, *slide])


def test_ki67_json_is_readable_and_reads_back(tmp_path: Path) -> None:
    numbers = result(150, 450, mm2=0.25, slide="a µ.svs")
    (output,) = (one for one in outputs(OutputOptions()) if one.name == names.KI67)
    output.write(tmp_path / "a µ.svs", findings(), numbers)
    path = tmp_path / "a µ.svs" / "ki67.json"
    assert json.loads(path.read_text())["index_percent"] == 25.0
    assert path.read_text().startswith('{\n  "format": 1,\n  "slide": "a µ.svs",\n')
    assert read_ki67(path) == numbers


def test_each_hexagon_of_ki67_json_is_a_line(tmp_path: Path) -> None:
    found, numbers = made(tmp_path)
    assert numbers.heterogeneity is not None
    one = numbers.heterogeneity.hexagons[0]
    numbers = replace(numbers, heterogeneity=replace(numbers.heterogeneity, hexagons=(one,) * 3))
    Ki67Json().write(tmp_path, found, numbers)
    path = tmp_path / "ki67.json"
    assert [line.strip() for line in path.read_text().splitlines() if '"x"' in line] == [
        '{"x":0.0,"y":0.0,"positive":3,"negative":5},',
        '{"x":0.0,"y":0.0,"positive":3,"negative":5},',
        '{"x":0.0,"y":0.0,"positive":3,"negative":5}',
    ]
    assert read_ki67(path) == numbers


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"null"])
def test_a_file_of_another_program_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "ki67.json").write_bytes(content)
    with pytest.raises(OutputError):
        read_ki67(tmp_path / "ki67.json")


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"ki67\.json can't be read"):
        read_ki67(tmp_path / "ki67.json")
