from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.cli.main import run_command


def test_the_command_prints_a_script_of_all_slides(
    slides: Path, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run_command(["qupath-script", str(out)]) == 0
    said = capsys.readouterr()
    for name in ("a.png", "deep/b.png"):
        assert (
            f"slide: '{slides / name}', folder: '{out / name}', cells: '{out / name}/cells.geojson'"
            in said.out
        )
    assert said.out.count("dab: true") == 2
    assert said.err == ""
    assert run_command(["qupath-script", "--export", str(out / "a.png")]) == 0
    said = capsys.readouterr()
    assert "edited.geojson" in said.out
    assert "b.png" not in said.out
    assert run_command(["qupath-script", str(slides)]) == 2
