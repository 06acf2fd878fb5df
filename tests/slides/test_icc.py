"""ICC profiles: what is read with --icc equals what LittleCMS makes of the px that were written, and alone where asked."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image, ImageCms

from tests.conftest import write_pyramid
from tests.stand_ins import make_settings
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide
from wsi_edt.slides.icc import icc_profile, profile_name
from wsi_edt.slides.protocol import remark
from wsi_edt.slides.source import SlideSource

PIXELS: npt.NDArray[np.uint8] = np.random.default_rng(0).integers(0, 256, (300, 280, 3), dtype=np.uint8)
WINDOW = Window(0, 0, 280, 300)


def swapped() -> bytes:
    """sRGB whose red and blue primaries have changed places: it turns red into blue."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {}
    count = int.from_bytes(profile[128:132], "big")
    for entry in range(132, 132 + 12 * count, 12):
        places[bytes(profile[entry : entry + 4])] = entry
    red, blue = places[b"rXYZ"], places[b"bXYZ"]
    profile[red + 4 : red + 12], profile[blue + 4 : blue + 12] = (
        profile[blue + 4 : blue + 12],
        profile[red + 4 : red + 12],
    )
    return bytes(profile)


def write(path: Path, profile: bytes | None) -> Path:
    if path.suffix in (".png", ".jpg"):
        Image.fromarray(PIXELS).save(path, icc_profile=profile)
    else:
        with tifffile.TiffWriter(path, ome=path.name.endswith(".ome.tif")) as file:
            file.write(PIXELS, photometric="rgb", tile=(64, 64), iccprofile=profile)
    return path


@pytest.mark.parametrize("name", ["a.tif", "a.ome.tif", "a.png"])
def test_red_and_blue_change_places_where_the_profile_says_so(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, swapped())
    with open_slide(path, 0.25) as slide:
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS)
        assert remark(slide) is None
        profile = icc_profile(slide)
        assert profile is not None and "sRGB" in profile_name(profile)
    with open_slide(path, 0.25, icc=True) as slide:
        read = slide.read_level(0, WINDOW).astype(int)
        assert remark(slide) == "its ICC profile is applied"
    assert np.abs(read - PIXELS[..., ::-1]).max() <= 2
    assert np.abs(read - PIXELS).mean() > 50  # it isn't a picture that looks alike


def test_white_stays_white(tmp_path: Path) -> None:
    Image.new("RGB", (40, 40), (255, 255, 255)).save(tmp_path / "a.png", icc_profile=swapped())
    with open_slide(tmp_path / "a.png", 0.25, icc=True) as slide:
        assert slide.read_level(0, Window(0, 0, 40, 40)).min() == 255


def test_without_a_profile_it_is_as_stored_and_said(tmp_path: Path) -> None:
    write_pyramid(tmp_path / "a.tif", PIXELS, compression=None)
    with open_slide(tmp_path / "a.tif", icc=True) as slide:
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS)
        assert remark(slide) == "no ICC profile is there to apply"


@pytest.mark.parametrize("name", ["a.png", "a.tif", "a.ome.tif"])
@pytest.mark.parametrize("profile", [b"no profile", swapped()[:200]])
def test_a_damaged_profile_is_told_only_where_it_is_wanted(tmp_path: Path, profile: bytes, name: str) -> None:
    path = write(tmp_path / name, profile)
    with open_slide(path, 0.25) as slide:
        np.testing.assert_array_equal(slide.read_level(0, WINDOW), PIXELS)
        found = icc_profile(slide)
        assert found is not None and profile_name(found) == "can't be read"
    with pytest.raises(SlideError, match="has an ICC profile that can't be applied"):
        open_slide(path, 0.25, icc=True)


def test_it_changes_cells_so_it_is_in_their_hash() -> None:
    from dataclasses import replace

    cells = make_settings().cells
    with_icc = replace(cells, icc=True)
    assert with_icc.cells_hash() != cells.cells_hash()
    assert "icc" not in cells.to_json()  # so that results from before there was a choice continue
    assert with_icc.differences(cells.to_json()) == "--icc now, not there"
    assert cells.differences(with_icc.to_json()) == "--icc there, not now"


def test_a_source_carries_it(tmp_path: Path) -> None:
    path = write(tmp_path / "a.png", swapped())
    with SlideSource(path, 0.25, icc=True).open() as slide:
        assert np.abs(slide.read_level(0, WINDOW).astype(int) - PIXELS[..., ::-1]).max() <= 2
