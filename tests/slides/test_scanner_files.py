"""MRXS and VMS, slides of several files, from their discovery to their pixels."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from tests.slides.made_scanner_files import write_mrxs, write_vms
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.run.discover import find_slides
from wsi_edt.slides import open_slide

NOISE = np.random.default_rng(3).integers(0, 256, (256, 384, 3), dtype=np.uint8)
RAMP = np.broadcast_to(np.arange(256, dtype=np.uint8)[:, np.newaxis], (192, 256, 3))
WHITE = 255


def found_in(folder: Path) -> list[str]:
    found = find_slides([folder], out=folder / "out", fallback_mpp=0.5)
    return [slide.name for slide in found.slides]


def test_a_mirax_slide_is_one_slide_with_its_bounds(tmp_path: Path) -> None:
    path = tmp_path / "case 1.mrxs"
    write_mrxs(path, NOISE, mpp=0.23, empty_columns=1)
    assert found_in(tmp_path) == ["case 1.mrxs"]
    with open_slide(path, 0.5) as slide:
        assert (slide.vendor, slide.objective_power, slide.mpp_stated) == ("mirax", 20, True)
        assert slide.mpp == pytest.approx(0.23)
        assert slide.dimensions == (512, 256)
        assert slide.bounds == Window(128, 0, 384, 256)
        pixels = slide.read_level(0, Window(0, 0, 512, 256))
    assert np.array_equal(pixels[:, 128:], NOISE)
    assert (pixels[:, :128] == WHITE).all()  # what wasn't scanned


def test_a_mirax_slide_that_lost_part_of_its_pixels_is_damaged(tmp_path: Path) -> None:
    write_mrxs(tmp_path / "a.mrxs", NOISE, mpp=0.23)
    data = tmp_path / "a/Data0000.dat"
    data.write_bytes(data.read_bytes()[:-1000])
    with (
        pytest.raises(SlideError, match=r"can't be (opened|read) .*damaged or truncated"),
        open_slide(tmp_path / "a.mrxs") as slide,
    ):
        slide.read_level(0, Window(0, 0, *slide.dimensions))
    shutil.rmtree(tmp_path / "a")
    assert found_in(tmp_path) == ["a.mrxs"]  # a row, with the reason
    with pytest.raises(SlideError, match="lacks its folder a"):
        open_slide(tmp_path / "a.mrxs")


def test_a_hamamatsu_slide_of_two_jpegs_is_one_slide(tmp_path: Path) -> None:
    path = tmp_path / "a.vms"
    write_vms(path, RAMP, WHITE - RAMP, mpp=0.46)
    assert found_in(tmp_path) == ["a.vms"]
    with open_slide(path, 0.5) as slide:
        assert (slide.vendor, slide.objective_power, slide.mpp_stated) == ("hamamatsu", 20, True)
        assert slide.mpp == pytest.approx(0.46, rel=0.01)
        pixels = slide.read_level(0, Window(0, 0, 512, 192)).astype(int)
    assert np.abs(pixels[:, :256] - RAMP).max() <= 3  # JPEG's loss
    assert np.abs(pixels[:, 256:] - (WHITE - RAMP.astype(int))).max() <= 3
    (tmp_path / "right.jpg").unlink()
    assert found_in(tmp_path) == ["a.vms"]
    with pytest.raises(SlideError, match=r"names files that aren't beside it: right\.jpg; copy them"):
        open_slide(path)
