"""OME-Zarr and Zarr, written with zarr itself; what is read is compared with what was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pytest
import zarr
from upath import UPath

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide
from wsi_edt.slides.pictures import Role, list_pictures
from wsi_edt.slides.source import SlideSource

Version = Literal[2, 3]
PIXELS: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(1, 255, (300, 420, 3), dtype=np.uint8)
WINDOW = Window(100, 50, 64, 40)


def write_image(
    group: zarr.Group,
    *,
    pixels: npt.NDArray[np.uint8] = PIXELS,
    axes: str = "tczyx",
    unit: str | None = "micrometer",
    step: float = 0.25,
    name: str = "scan",
) -> None:
    """An image of two levels with its multiscales, as NGFF 0.4 (zarr 2) or 0.5 (zarr 3) has it."""
    datasets = []
    for level in (0, 1):
        coarse = pixels[:: 1 << level, :: 1 << level]
        stored = np.moveaxis(coarse, 2, 0)[None, :, None] if axes == "tczyx" else np.moveaxis(coarse, 2, 0)
        array = group.create_array(
            str(level), shape=stored.shape, chunks=(1,) * (stored.ndim - 2) + (128, 128), dtype=np.uint8
        )
        array[:] = stored
        scale = [1.0] * (stored.ndim - 2) + [step * 2**level] * 2
        datasets.append(
            {"path": str(level), "coordinateTransformations": [{"type": "scale", "scale": scale}]}
        )
    named = [{"name": axis} | ({"unit": unit} if unit and axis in "yx" else {}) for axis in axes]
    multiscales: list[Any] = [{"name": name, "axes": named, "datasets": datasets}]
    if group.metadata.zarr_format == 2:
        group.attrs["multiscales"] = multiscales
    else:
        group.attrs["ome"] = {"version": "0.5", "multiscales": multiscales}


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("axes", ["tczyx", "cyx"])
def test_ome_zarr(tmp_path: Path, version: Version, axes: str) -> None:
    path = tmp_path / "a.ome.zarr"
    write_image(zarr.open_group(path, mode="w", zarr_format=version), axes=axes)
    with open_slide(path) as slide:
        assert (slide.reader, slide.mpp, slide.mpp_stated) == ("zarr", 0.25, True)
        assert slide.level_dimensions == ((420, 300), (210, 150))
        assert slide.level_downsamples == (1.0, 2.0)
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS[50:90, 100:164])
        np.testing.assert_array_equal(slide.read_level(1, WINDOW), PIXELS[::2, ::2][50:90, 100:164])


@pytest.mark.parametrize(
    ("unit", "step", "mpp"), [("nanometer", 250.0, 0.25), ("millimeter", 0.0005, 0.5), (None, 1.0, None)]
)
def test_units(tmp_path: Path, unit: str | None, step: float, mpp: float | None) -> None:
    path = tmp_path / "a.zarr"
    write_image(zarr.open_group(path, mode="w"), unit=unit, step=step)
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp))
    if mpp is None:
        with open_slide(path, 0.3) as slide:
            assert (slide.mpp, slide.mpp_stated) == (0.3, False)


def test_levels_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    write_image(group)
    scales: Any = group.attrs["multiscales"]
    scales[0]["datasets"].reverse()
    group.attrs["multiscales"] = scales
    with open_slide(path) as slide:
        assert (slide.level_dimensions, slide.mpp) == (((420, 300), (210, 150)), 0.25)
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS[50:90, 100:164])


@pytest.mark.parametrize("axes", ["tczyx", "cyx"])
def test_a_fourth_channel_is_no_alpha(tmp_path: Path, axes: str) -> None:
    path = tmp_path / "a.zarr"
    four = np.concatenate([PIXELS, np.full((300, 420, 1), 51, np.uint8)], axis=2)
    write_image(zarr.open_group(path, mode="w"), pixels=four, axes=axes)
    with open_slide(path) as slide:
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS[50:90, 100:164])


@pytest.mark.parametrize("shape", [(0, 0, 3), (40, 0, 3)])
def test_an_array_without_pixels_is_said(tmp_path: Path, shape: tuple[int, ...]) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=shape, dtype=np.uint8)
    with pytest.raises(SlideError, match="holds an array without pixels"):
        open_slide(tmp_path / "a.zarr", 0.25)


@pytest.mark.parametrize("version", [2, 3])
def test_chunks_that_were_never_written_are_white(tmp_path: Path, version: Version) -> None:
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=version)
    write_image(group)
    holed = group["0"]
    assert isinstance(holed, zarr.Array)
    files = [file for file in (path / "0").rglob("*") if file.is_file() and file.name[-1].isdigit()]
    assert len(files) == 3 * 3 * 4  # colours × rows × columns of chunks
    for file in files:
        if file.relative_to(path).as_posix().replace(".", "/").endswith("0/1/1"):
            file.unlink()
    with open_slide(path) as slide:
        read = slide.read_level(0, Window(0, 0, 420, 300))
    expected = PIXELS.copy()
    expected[128:256, 128:256] = 255
    np.testing.assert_array_equal(read, expected)


@pytest.mark.parametrize("moved", [False, True])
def test_a_plain_array(tmp_path: Path, moved: bool) -> None:
    path = tmp_path / "a.zarr"
    stored = np.moveaxis(PIXELS, 2, 0) if moved else PIXELS
    array = zarr.create_array(path, shape=stored.shape, chunks=stored.shape, dtype=np.uint8)
    array[:] = stored
    with open_slide(path, 0.25) as slide:
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS[50:90, 100:164])


def test_of_several_images_the_scan(tmp_path: Path) -> None:
    """bioformats2raw writes the file's pictures into groups 0, 1, …"""
    path = tmp_path / "a.zarr"
    group = zarr.open_group(path, mode="w", zarr_format=2)
    group.attrs["bioformats2raw.layout"] = 3
    write_image(group.create_group("0"), pixels=PIXELS[::8, ::8], step=20.0, name="macro image")
    write_image(group.create_group("1"))
    assert [picture.role for picture in list_pictures(path)] == [Role.MACRO, Role.SCAN]
    with open_slide(path) as slide:
        assert slide.dimensions == (420, 300)
    write_image(group.create_group("2"), name="second")
    with pytest.raises(SlideError, match="holds 2 scans"):
        open_slide(path)
    with open_slide(path, series=3) as slide:
        assert slide.dimensions == (420, 300)


@pytest.mark.parametrize(
    ("shape", "dtype", "says"),
    [
        ((30, 40), "uint8", "grey uint8 pixels; only 8-bit RGB is read"),
        ((30, 40, 3), "uint16", "uint16 pixels; only 8-bit RGB is read"),
    ],
)
def test_other_pixels_are_refused(tmp_path: Path, shape: tuple[int, ...], dtype: str, says: str) -> None:
    zarr.create_array(tmp_path / "a.zarr", shape=shape, dtype=dtype)[:] = 0
    with pytest.raises(SlideError, match=says):
        open_slide(tmp_path / "a.zarr", 0.25)


def test_damaged_and_empty_groups_are_said(tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    with pytest.raises(SlideError, match="is a Zarr group without an image"):
        open_slide(tmp_path / "empty.zarr")
    (tmp_path / "bad.zarr").mkdir()
    (tmp_path / "bad.zarr/zarr.json").write_text("{")
    with pytest.raises(SlideError, match="can't be opened"):
        open_slide(tmp_path / "bad.zarr")


def test_the_fingerprint_tells_slides_apart(tmp_path: Path) -> None:
    for name, step in (("a", 0.25), ("b", 0.25), ("c", 0.5)):
        write_image(zarr.open_group(tmp_path / name, mode="w"), step=step)
    a, b, c = (SlideSource(tmp_path / name).fingerprint() for name in "abc")
    assert a == b != c


def test_a_url_is_refused_with_a_sentence() -> None:
    with pytest.raises(
        SlideError, match="has a format that is read from local files only; copy it to this machine"
    ):
        open_slide(UPath("memory://slides/a.zarr"), 0.25)
