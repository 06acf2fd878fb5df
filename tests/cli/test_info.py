from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from click.testing import CliRunner
from PIL import Image, ImageFilter

from wsi_edt.cli.info import info
from wsi_edt.cli.main import run_command


def rows_of(*arguments: str) -> dict[str, str]:
    result = CliRunner().invoke(info, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return dict(line.split("  ", 1) for line in result.output.splitlines() if "  " in line)


def test_info_says_what_a_slide_is(ihc_slide_path: Path) -> None:
    rows = {name: value.strip() for name, value in rows_of(str(ihc_slide_path)).items()}
    assert rows["reader"] == "openslide"
    assert rows["dimensions"] == "1536 x 1536 px"
    assert rows["µm/px"] == "0.2500, stated by the file"
    assert rows["size"] == "0.38 x 0.38 mm"
    assert rows["level 2"] == "384 x 384 px, downsample 4"
    assert rows["bounds"] == "1536 x 1536 px at (0, 0)"
    assert rows["staining"] == "haematoxylin and DAB"
    assert rows["quality"] == "no flag"


def test_info_says_what_is_wrong_with_a_slide(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(ihc_pixels).filter(ImageFilter.GaussianBlur(8)).save(path)
    assert "100 % of the tissue is out of focus" in rows_of(str(path), "--mpp", "0.25")["quality"]


def test_without_mpp_it_says_so_and_takes_the_option(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((40, 50, 3), 240, dtype=np.uint8)).save(path)
    assert "pass --mpp" in rows_of(str(path))["µm/px"]
    rows = rows_of(str(path), "--mpp", "0.5")
    assert rows["µm/px"].strip() == "0.5000, from --mpp"
    assert rows["staining"].strip() == "no stain"


def test_the_pictures_of_a_file_are_listed(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.ome.tif", np.full((40, 50, 3), 240, dtype=np.uint8)
    with tifffile.TiffWriter(path, ome=True) as file:
        for name, mpp in (("macro", 20.0), ("left", 0.25)):
            size = {"axes": "YXS", "Name": name, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp}
            file.write(pixels, photometric="rgb", metadata=size)
    result = CliRunner().invoke(info, [str(path)], catch_exceptions=False)
    assert 'picture          1 "macro" (50 x 40 px, 20 µm/px): macro\n' in result.output
    assert 'picture          2 "left" (50 x 40 px, 0.25 µm/px): scan\n' in result.output
    assert "scored           picture 2, which is described here\n" in result.output
    assert rows_of(str(path))["µm/px"].strip() == "0.2500, stated by the file"
    rows = rows_of(str(path), "--series", "1")
    assert (
        rows["µm/px"].strip() == "20.0000, stated by the file; too coarse for nuclei without --allow-coarse"
    )


def test_of_several_scans_none_is_described_unasked(tmp_path: Path) -> None:
    path, pixels = tmp_path / "a.tif", np.full((40, 50, 3), 240, dtype=np.uint8)
    tifffile.imwrite(path, np.stack([pixels, pixels]), photometric="rgb")
    rows = rows_of(str(path), "--mpp", "0.25")
    assert rows["scored"].strip().startswith("none by itself, as there are 2 scans; pass --series 1")
    assert "reader" not in rows
    assert rows_of(str(path), "--mpp", "0.25", "--series", "2")["dimensions"].strip() == "50 x 40 px"


def test_what_isnt_a_file_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["info", str(tmp_path / "nowhere.svs")]) == 2
    assert "nowhere.svs is neither a file nor a folder" in capsys.readouterr().err
    assert run_command(["info", str(tmp_path)]) == 2
    assert "is a folder, not a slide" in capsys.readouterr().err


def test_an_empty_text_is_no_slide(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(["info", ""]) == 2
    assert "an empty text doesn't name a slide (an unset variable?)" in capsys.readouterr().err


def test_what_would_steer_a_terminal_is_shown_escaped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "a\x1b[31m\n.png"
    Image.fromarray(np.full((40, 50, 3), 240, dtype=np.uint8)).save(path)
    assert run_command(["info", str(path)]) == 0
    assert run_command(["info", f"{path}.gone"]) == 2
    shown = capsys.readouterr()
    for words in (shown.out, shown.err):
        assert r"a\x1b[31m\n.png" in words
        assert "\x1b" not in words


def test_zeros_in_a_file_are_said(tmp_path: Path) -> None:
    """A third of a picture is missing from its uncompressed file."""
    path, pixels = tmp_path / "a.tif", np.full((600, 600, 3), 190, dtype=np.uint8)
    pixels[:, 300:] = 240
    tifffile.imwrite(path, pixels, photometric="rgb", resolution=(20000, 20000), resolutionunit="CENTIMETER")
    assert rows_of(str(path))["quality"].strip() == "no flag"
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.truncate(size * 2 // 3)
        file.truncate(size)
    said = rows_of(str(path))["quality"]
    assert "About 33 % of the file's bytes are zeros" in said
    assert "33 % of the picture is black" in said


def test_an_impossible_scale_is_wrong_usage(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(np.full((40, 50, 3), 240, dtype=np.uint8)).save(path)
    for mpp in ("1000", "0", "nan"):
        assert run_command(["info", str(path), "--mpp", mpp]) == 2
    assert "isn't a µm/px that a microscope has" in capsys.readouterr().err
