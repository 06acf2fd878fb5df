"""A folder of files that shows what the server shows."""

from __future__ import annotations

import base64
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import paint, write_slide
from tests.viewer.serving import Client
from tests.viewer.test_attacks import state
from wsi_edt.cli.main import run_command
from wsi_edt.errors import OutputError, UsageError
from wsi_edt.results import names
from wsi_edt.viewer import export as module
from wsi_edt.viewer.export import Estimate, ExportOptions, export

FULL = ExportOptions(mpp=0.5)  # that of the painted slides


def told(folder: Path, address: str) -> Any:
    """What a script of the folder hands to the page."""
    text = (folder / f"{address}.js").read_text()
    found = re.fullmatch(r'wsiEdtFile\("([^"]+)", (.*)\);\n', text, re.DOTALL)
    assert found is not None
    assert found[1] == address
    return json.loads(found[2])


@pytest.fixture(scope="module")
def exported(seen_results: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("exported") / "new"
    export(seen_results, folder, FULL)
    return folder


def test_it_has_what_the_server_answers(client: Client, exported: Path) -> None:
    assert told(exported, "slides.json") == client.ask("slides.json").json
    for number in (0, 1):
        base = f"slide/{number}"
        for name in ("score.json", "corrections.json"):
            assert told(exported, f"{base}/{name}") == client.ask(f"{base}/{name}").json
        info = client.ask(f"{base}/info.json").json
        info["zoom"]["finest_level"] = info["zoom"]["top_level"]
        assert told(exported, f"{base}/info.json") == info
        assert base64.b64decode(told(exported, f"{base}/cells.bin")) == client.ask(f"{base}/cells.bin").body


def test_it_has_every_tile_of_the_server(client: Client, exported: Path) -> None:
    tiles = exported / "slide/0/tiles"
    found = {path.relative_to(tiles).as_posix() for path in tiles.rglob("*.jpg")}
    assert found == {"10/0_0.jpg", "10/1_0.jpg", "9/0_0.jpg"}  # of 700 × 300 px
    for name in found:
        assert (tiles / name).read_bytes() == client.ask(f"slide/0/tiles/{name}").body


def test_nothing_in_it_names_a_folder_of_this_machine(exported: Path, seen_results: Path) -> None:
    for path in exported.rglob("*.js"):
        assert str(seen_results.parent).encode() not in path.read_bytes()
        assert str(Path.home()).encode() not in path.read_bytes()


@pytest.mark.parametrize(("mpp", "finest"), [(0.1, 10), (0.7, 10), (0.72, 9), (1.0, 9), (64.0, 9)])
def test_the_finest_level_is_the_nearest(seen_results: Path, tmp_path: Path, mpp: float, finest: int) -> None:
    export(seen_results, tmp_path / "new", ExportOptions(mpp=mpp))
    assert told(tmp_path / "new", "slide/0/info.json")["zoom"]["finest_level"] == finest
    levels = {int(path.name) for path in (tmp_path / "new/slide/0/tiles").iterdir()}
    assert levels == set(range(9, finest + 1))


def test_what_it_will_take_is_said_before_anything_is_written(seen_results: Path, tmp_path: Path) -> None:
    said: list[Estimate] = []

    def planned(estimate: Estimate) -> None:
        assert list(tmp_path.iterdir()) == []
        said.append(estimate)

    export(seen_results, tmp_path / "new", ExportOptions(0.5, planned))
    (estimate,) = said
    jpegs = [path.stat().st_size for path in tmp_path.rglob("*.jpg")]
    assert estimate.tiles == len(jpegs)
    assert sum(jpegs) <= estimate.size <= sum(jpegs) + 4096 * len(jpegs) + (1 << 20)


def test_an_earlier_export_is_replaced_and_what_isnt_its_own_stays(
    seen_results: Path, exported: Path, tmp_path: Path
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "again"))
    (folder / "slide/7").mkdir()
    (folder / "notes.txt").write_text("mine")
    export(seen_results, folder, FULL)
    assert not (folder / "slide/7").exists()
    (folder / "notes.txt").unlink()
    assert state(folder) == state(exported)


@pytest.mark.parametrize("place", ["full", "out", "out/new"])
def test_other_folders_are_refused(own_results: Path, tmp_path: Path, place: str) -> None:
    results = own_results.rename(tmp_path / "out")
    (tmp_path / "full").mkdir()
    (tmp_path / "full/notes.txt").write_text("mine")
    before = state(tmp_path)
    with pytest.raises(UsageError, match="choose a"):
        export(results, tmp_path / place, FULL)
    assert state(tmp_path) == before


def test_a_disk_that_gets_full_leaves_nothing_that_looks_whole(
    seen_results: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "new"
    write = Path.write_bytes

    def refuse(path: Path, data: bytes) -> int:
        if path.name == "1_0.jpg":
            assert (folder / "page").exists()
            raise OSError(28, "No space left on device")
        return write(path, data)

    monkeypatch.setattr(Path, "write_bytes", refuse)
    with pytest.raises(OutputError, match="No space left"):
        export(seen_results, folder, FULL)
    assert not folder.exists()


def test_too_little_room_is_said_before_an_earlier_export_is_touched(
    seen_results: Path, exported: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = Path(shutil.copytree(exported, tmp_path / "again"))
    before = state(folder)
    monkeypatch.setattr(module, "_estimated", lambda *_: Estimate(10**18, 1.0, 1))
    with pytest.raises(OutputError, match=r"has room for .* are needed; make room there"):
        export(seen_results, folder, FULL)
    assert state(folder) == before


def test_a_slide_whose_file_is_gone_is_shown_by_its_cells(tmp_path: Path) -> None:
    write_slide(tmp_path / "slides/a.png", paint(0, width=300, height=200))
    run_all(tmp_path / "slides", tmp_path / "out")
    (tmp_path / "slides/a.png").unlink()
    notes: list[str] = []
    export(tmp_path / "out", tmp_path / "new", ExportOptions(note=notes.append))
    assert "a.png is shown without its picture" in notes[0]
    info = told(tmp_path / "new", "slide/0/info.json")
    assert "when this folder was made" in info["gone"]
    assert str(tmp_path) not in str(info)
    assert not (tmp_path / "new/slide/0/tiles").exists()


def test_the_command_says_size_and_where_to_begin(
    seen_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["view", str(seen_results), "--export", str(tmp_path / "new")]) == 0
    said = capsys.readouterr().out
    assert re.search(r"About \d+\.\d MB in 4 pictures, in less than a minute", said)
    assert f"{tmp_path / 'new' / 'index.html'} opens it" in said
    assert (tmp_path / "new/page/vendor/openseadragon.LICENSE.txt").exists()
    assert not (seen_results / "a.png" / names.CORRECTIONS).exists()


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--export-mpp", "1"], "--export-mpp needs --export"),
        (["--export", "new", "--export-mpp", "nan"], "--export-mpp nan isn't a size of a px"),
        (["--export", "new", "--export-mpp", "0"], "--export-mpp 0 isn't a size of a px"),
        (["--export", "new", "--port", "80"], "--port is for the server"),
    ],
)
def test_options_that_make_no_sense_are_refused(
    seen_results: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    sentence: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_command(["view", str(seen_results), *options]) == 2
    assert sentence in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
