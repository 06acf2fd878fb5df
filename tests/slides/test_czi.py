"""CZI files that openslide doesn't read, with the optional pylibCZIrw and without it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide
from wsi_edt.slides.opening import list_pictures

czi = pytest.importorskip("pylibCZIrw.czi", reason="the optional package that writes CZI isn't installed")

ACROSS = np.broadcast_to(np.linspace(0, 240, 512).astype(np.uint8), (384, 512))
RGB = np.stack([ACROSS, ACROSS[:, ::-1], np.full_like(ACROSS, 90)], axis=-1)


def write_czi(path: Path, *pixels: np.ndarray, planes: int = 1, mpp: float = 0.25) -> Path:
    """Pictures side by side, with a gap of 100 px between them, from (-40, 30) on; written without compression."""
    with czi.create_czi(str(path)) as file:
        for plane in range(planes):
            left = -40
            for scene, part in enumerate(pixels):
                data = np.ascontiguousarray(part[..., ::-1] if part.ndim == 3 else part[..., np.newaxis])
                file.write(data, location=(left, 30), plane={"Z": plane}, scene=scene)
                left += part.shape[1] + 100
        file.write_metadata(document_name="made", scale_x=mpp * 1e-6, scale_y=mpp * 1e-6)
    return path


def test_all_scenes_are_one_slide_as_they_lie_on_the_glass(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "a.czi", RGB, RGB[::-1])
    with open_slide(path, 0.5) as slide:
        assert (slide.reader, slide.dimensions, slide.mpp_stated) == ("pylibCZIrw", (1124, 384), True)
        assert slide.mpp == pytest.approx(0.25)
        pixels = slide.read_level(0, Window(0, 0, 1124, 384))
        assert np.array_equal(slide.read_level(0, Window(300, 20, 200, 100)), RGB[20:120, 300:500])
    assert np.array_equal(pixels[:, :512], RGB)
    assert (pixels[:, 512:612] == 255).all()
    assert np.array_equal(pixels[:, 612:], RGB[::-1])
    assert [picture.size for picture in list_pictures(path)] == [(1124, 384)]


def test_its_levels_are_halves(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "a.czi", np.tile(RGB, (6, 5, 1)))
    with open_slide(path) as slide:
        assert slide.level_dimensions == ((2560, 2304), (1280, 1152))
        half = slide.read_level(1, Window(10, 20, 200, 150)).astype(int)
    assert np.abs(half - RGB[40:340:2, 20:420:2]).max() <= 2  # a ramp is as it was, at half the size


def test_what_isnt_one_brightfield_picture_is_said(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="holds 3 focal planes; one is read"):
        open_slide(write_czi(tmp_path / "z.czi", RGB, planes=3))
    with pytest.raises(SlideError, match="holds Gray8 pixels; only 8-bit RGB is read"):
        open_slide(write_czi(tmp_path / "grey.czi", ACROSS.copy()))


def test_without_the_package_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_czi(tmp_path / "a.czi", RGB)
    monkeypatch.setitem(sys.modules, "pylibCZIrw", None)
    with pytest.raises(SlideError) as raised:
        open_slide(path)
    assert str(raised.value).startswith(f'{path} is a CZI file with the dimension "')
    assert "pip install 'wsi-edt[czi]'" in raised.value.remedy


def test_cut_files_are_damaged(tmp_path: Path) -> None:
    path = write_czi(tmp_path / "a.czi", RGB)
    content = path.read_bytes()
    for length in (20, 600, len(content) // 2, len(content) - 5000):
        path.write_bytes(content[:length])
        with pytest.raises(SlideError, match="damaged or truncated"), open_slide(path) as slide:
            slide.read_level(0, Window(0, 0, *slide.dimensions))
