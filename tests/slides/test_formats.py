"""Formats, made small: each is read by whom it should be, with the µm/px, the levels and the px that were written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import imagecodecs
import numpy as np
import pytest
from PIL import Image

from tests.slides.made_formats import (
    MPP,
    Pixels,
    write_aperio,
    write_leica,
    write_philips,
    write_trestle,
    write_ventana,
)
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide
from wsi_edt.slides.pictures import Role, list_pictures
from wsi_edt.slides.protocol import remark

# Smooth, so that lossy codecs keep it within some levels, and different everywhere.
_ROUGH = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
PIXELS: Pixels = np.asarray(Image.fromarray(_ROUGH).resize((640, 512), Image.Resampling.BICUBIC))
LOSS = 24  # of JPEG with halved colours; a wrong place is 58 off on average


@pytest.mark.parametrize(
    ("name", "write", "vendor", "levels"),
    [
        ("a.svs", write_aperio, "aperio", 1),
        ("b.svs", lambda path, px: write_aperio(path, px, compression="aperio_jp2000_rgb"), "aperio", 1),
        ("a.scn", write_leica, "leica", 2),
        ("a.bif", write_ventana, "ventana", 2),
        ("philips.tiff", write_philips, "philips", 2),
        ("trestle.tif", write_trestle, "trestle", 2),
    ],
)
def test_scanners_formats(
    tmp_path: Path,
    name: str,
    write: Callable[[Path, Pixels], tuple[int, int] | None],
    vendor: str,
    levels: int,
) -> None:
    x, y = write(tmp_path / name, PIXELS) or (0, 0)
    with open_slide(tmp_path / name) as slide:
        assert (slide.reader, slide.vendor, slide.mpp_stated) == ("openslide", vendor, True)
        assert slide.mpp == pytest.approx(MPP)
        assert slide.level_downsamples == tuple(2.0**k for k in range(levels))
        for level in range(levels):
            window = Window((x >> level) + 100, (y >> level) + 80, 64, 48)
            read = slide.read_level(level, window).astype(int)
            written = PIXELS[:: 1 << level, :: 1 << level][80:128, 100:164]
            assert np.abs(read - written).max() <= LOSS
    roles = [picture.role for picture in list_pictures(tmp_path / name)]
    assert roles.count(Role.SCAN) == 1


def test_what_leica_didnt_scan_is_white_and_outside_the_bounds(tmp_path: Path) -> None:
    x, y = write_leica(tmp_path / "a.scn", PIXELS)
    with open_slide(tmp_path / "a.scn") as slide:
        assert (slide.bounds.x, slide.bounds.y) == (x, y)
        assert (slide.bounds.width, slide.bounds.height) == (640, 512)
        assert slide.read_level(0, Window(0, 0, 50, 50)).min() == 255


@pytest.mark.parametrize(
    ("name", "options", "loss"),
    [
        ("a.png", {}, 0),
        ("a.bmp", {}, 0),
        ("a.jp2", {}, 0),
        ("a.webp", {"lossless": True}, 0),
        ("a.jpg", {"quality": 95}, LOSS),
    ],
)
def test_images(tmp_path: Path, name: str, options: dict[str, object], loss: int) -> None:
    Image.fromarray(PIXELS).save(tmp_path / name, **options)  # type: ignore[arg-type]
    with open_slide(tmp_path / name, 0.25) as slide:
        assert (slide.reader, slide.mpp, slide.mpp_stated) == ("image", 0.25, False)
        read = slide.read_level(0, Window(0, 0, 640, 512)).astype(int)
    assert np.abs(read - PIXELS).max() <= loss
    with open_slide(tmp_path / name) as slide:
        assert slide.mpp is None


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_an_orientation_of_exif_is_said_and_not_applied(tmp_path: Path, suffix: str) -> None:
    exif = Image.Exif()
    exif[274] = 6
    Image.fromarray(PIXELS).save(tmp_path / f"a.{suffix}", exif=exif)
    with open_slide(tmp_path / f"a.{suffix}", 0.25) as slide:
        assert slide.dimensions == (640, 512)
        assert remark(slide) == "its EXIF data say that it is turned by 90°; it is read as it is stored"


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("1", "png"), ("I;16", "png"), ("L", "jp2"), ("I;16", "jp2")]
)
def test_other_pixels_are_refused(tmp_path: Path, mode: str, suffix: str) -> None:
    Image.new(mode, (40, 30)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(SlideError, match="greyscale pixels; only 8-bit RGB is read"):
        open_slide(tmp_path / f"a.{suffix}", 0.25)


@pytest.mark.parametrize(("codec", "bits"), [("png", 16), ("jp2", 12), ("jp2", 16), ("j2k", 16)])
def test_colours_of_more_than_8_bits_are_refused(tmp_path: Path, codec: str, bits: int) -> None:
    deep = (PIXELS.astype(np.uint32) * (2**bits - 1) // 255).astype(np.uint16)
    if codec == "png":
        written = imagecodecs.png_encode(deep)
    else:
        written = imagecodecs.jpeg2k_encode(deep, codecformat=codec, bitspersample=bits)
    (tmp_path / f"a.{codec}").write_bytes(written)
    with pytest.raises(SlideError, match=f"holds 640×512 px of {bits} bits a colour; only 8-bit RGB is read"):
        open_slide(tmp_path / f"a.{codec}", 0.25)
