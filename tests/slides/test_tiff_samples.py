"""Kinds of samples, compressions, units and holes of TIFF files: what was written is what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
from PIL import Image

from tests.slides.made_tiff import APERIO, SCAN, TILED, assert_holds, ome, whole
from wsi_edt.errors import MissingMppError, SlideError
from wsi_edt.slides import open_slide
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.protocol import remark, required_mpp
from wsi_edt.slides.tiff_reader import TiffFileSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_planar_samples(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    path = tmp_path / "planar.ome.tif"
    options: dict[str, Any] = {"photometric": "rgb", "planarconfig": "SEPARATE", "tile": tile}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(SCAN.transpose(2, 0, 1).copy(), subifds=1, metadata=ome(axes="SYX"), **options)
        file.write(SCAN[::2, ::2].transpose(2, 0, 1).copy(), subfiletype=1, **options)
    with open_slide(path) as slide:
        assert (slide.mpp, slide.reader) == (0.25, "tifffile")
        assert_holds(slide, SCAN)
        assert_holds(slide, SCAN[::2, ::2], level=1)


def channels(path: Path, count: int, said: dict[str, Any]) -> Path:
    pixels = np.concatenate([SCAN, SCAN], axis=2)[..., :count]
    tifffile.imwrite(
        path,
        pixels.transpose(2, 0, 1).copy(),
        photometric="minisblack",
        tile=(64, 64),
        metadata=ome(axes="CYX") | ({"Channel": said} if said else {}),
    )
    return path


def test_red_green_and_blue_in_pages_of_their_own(tmp_path: Path) -> None:
    stated: tuple[dict[str, Any], ...] = (
        {},
        {"Name": ["Red", "Green", "Blue"]},
        {"Color": [-16776961, 16711935, 65535]},
    )
    for k, said in enumerate(stated):
        with open_slide(channels(tmp_path / f"{k}.ome.tif", 3, said)) as slide:
            assert slide.mpp == 0.25
            assert remark(slide) is None
            assert_holds(slide, SCAN)


def test_channels_that_are_other_colours_are_refused(tmp_path: Path) -> None:
    stated: tuple[tuple[int, dict[str, Any]], ...] = (
        (2, {}),
        (4, {}),
        (3, {"Name": ["DAPI", "FITC", "TRITC"]}),
        (3, {"Color": [65535, 1, 2]}),
    )
    for count, said in stated:
        with pytest.raises(
            SlideError, match=f"holds 410 x 330 px in {count} channels; only 8-bit RGB is read"
        ):
            open_slide(channels(tmp_path / "c.ome.tif", count, said))


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
@pytest.mark.parametrize("kind", ["UNSPECIFIED", "UNASSALPHA", "ASSOCALPHA"])
def test_a_fourth_sample_is_alpha_only_if_it_is_declared(tmp_path: Path, name: str, kind: str) -> None:
    alpha = np.full((*SCAN.shape[:2], 1), 51, np.uint8)  # 0.2
    alpha[:, 100:] = 255
    alpha[:, 200:] = 0
    opacity = alpha / 255
    stored = np.round(SCAN * opacity).astype(np.uint8) if kind == "ASSOCALPHA" else SCAN
    tifffile.imwrite(
        tmp_path / name, np.concatenate([stored, alpha], axis=2), extrasamples=[kind], metadata=ome(), **TILED
    )
    with open_slide(tmp_path / name, 0.25) as slide:
        read = whole(slide)
    if kind == "UNSPECIFIED":
        assert np.array_equal(read, SCAN)
        return
    expected = SCAN * opacity + 255 * (1 - opacity)
    assert np.abs(read - expected).max() <= 1
    assert (read[:, 200:] == 255).all()
    assert np.array_equal(read[:, 100:200], SCAN[:, 100:200])


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_a_picture_that_its_tag_turns_is_read_as_stored_and_it_is_said(tmp_path: Path, name: str) -> None:
    """openslide turns each tile by itself."""
    tifffile.imwrite(tmp_path / name, SCAN, metadata=ome(), extratags=[(274, 3, 1, 3, True)], **TILED)
    with open_slide(tmp_path / name, 0.25) as slide:
        assert_holds(slide, SCAN)
        assert "turned by 180°" in (remark(slide) or "")


@pytest.mark.parametrize(
    ("compression", "options"),
    [
        (None, {}),
        ("lzw", {"predictor": True}),
        ("adobe_deflate", {}),
        ("zstd", {}),
        ("webp", {"compressionargs": {"lossless": True}}),
        ("jpeg2000", {"compressionargs": {"level": 0}}),
        ("jpegxr", {}),
        ("png", {}),
        ("lzma", {}),
        ("packbits", {}),
    ],
)
@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif"])
def test_compressions_that_lose_nothing(
    tmp_path: Path, compression: str | None, options: dict[str, Any], name: str
) -> None:
    path = tmp_path / name
    tifffile.imwrite(
        path, SCAN, compression=compression, bigtiff=compression == "zstd", metadata=ome(), **options, **TILED
    )
    with open_slide(path, 0.25) as slide:
        assert slide.mpp == 0.25
        assert_holds(slide, SCAN)


@pytest.mark.parametrize("subsampling", [(1, 1), (2, 2)])
def test_jpeg_tiles_have_the_pixels_that_pillow_decodes(tmp_path: Path, subsampling: tuple[int, int]) -> None:
    pixels = np.asarray(Image.fromarray(SCAN).resize((128, 64)))
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path,
        pixels,
        compression="jpeg",
        photometric="rgb",
        tile=(64, 64),
        subsampling=subsampling,
        metadata=ome(),
    )
    with tifffile.TiffFile(path) as file:
        page = file.pages.first
        assert page.photometric == tifffile.PHOTOMETRIC.YCBCR
        tiles = [
            imagecodecs.jpeg8_decode(path.read_bytes()[start : start + count], tables=page.jpegtables)
            for start, count in zip(page.dataoffsets, page.databytecounts, strict=True)
        ]
    with open_slide(path) as slide:
        assert np.array_equal(whole(slide), np.concatenate(tiles, axis=1))


def test_ycbcr_that_no_codec_turns_into_rgb(tmp_path: Path) -> None:
    ycbcr = np.asarray(Image.fromarray(SCAN).convert("YCbCr"))
    path = tmp_path / "a.ome.tif"
    tifffile.imwrite(
        path, ycbcr, photometric="ycbcr", subsampling=(1, 1), tile=(64, 64), compression="lzw", metadata=ome()
    )
    expected = np.asarray(Image.fromarray(ycbcr, "YCbCr").convert("RGB")).astype(int)
    with open_slide(path) as slide:
        assert np.abs(whole(slide).astype(int) - expected).max() <= 2


def without_tiles(path: Path, which: tuple[int, ...]) -> None:
    """Set the offsets and byte counts of some tiles of the first page to 0."""
    raw = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as file:
        for tag in (324, 325):
            entry = file.pages.first.tags[tag]
            size = {3: 2, 4: 4, 16: 8}[int(entry.dtype)]
            for k in which:
                raw[entry.valueoffset + k * size : entry.valueoffset + (k + 1) * size] = bytes(size)
    path.write_bytes(raw)


@pytest.mark.parametrize("name", ["a.ome.tif", "a.tif", "a.svs"])
def test_missing_tiles_are_white_in_every_reader(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    if name == "a.svs":
        tifffile.imwrite(path, SCAN, metadata=None, description=APERIO, **TILED)
    else:
        tifffile.imwrite(path, SCAN, metadata=ome(), **TILED)
    without_tiles(path, (8, 13))  # of seven in a row
    expected = SCAN.copy()
    expected[64:128, 64:128] = 255
    expected[64:128, 384:] = 255
    with open_slide(path, 0.25) as slide:
        assert_holds(slide, expected)
    for reader in (OpenSlideSlide, TiffSlideSlide, TiffFileSlide):
        with reader(path, 0.25) as slide:
            assert np.array_equal(whole(slide), expected), reader


def test_aperios_jpeg_2000_in_ycbcr_has_openslides_colours_at_a_url(tmp_path: Path) -> None:
    pixels = np.asarray(Image.fromarray(SCAN[::8, ::8]).resize((128, 64), Image.Resampling.BICUBIC))
    ycbcr = np.asarray(Image.fromarray(pixels).convert("YCbCr"))
    path = tmp_path / "a.svs"
    tiles = (
        bytes(
            imagecodecs.jpeg2k_encode(
                np.ascontiguousarray(ycbcr[:, x : x + 64]), codecformat="J2K", level=0, mct=False
            )
        )
        for x in (0, 64)
    )
    tifffile.imwrite(
        path,
        tiles,
        shape=pixels.shape,
        dtype=np.uint8,
        compression=33003,
        photometric="ycbcr",
        subsampling=(1, 1),
        tile=(64, 64),
        metadata=None,
        description=APERIO,
    )
    with OpenSlideSlide(path, None) as one, TiffSlideSlide(path, None) as other:
        assert np.abs(whole(one).astype(int) - whole(other)).max() <= 2
        assert np.abs(whole(one).astype(int) - pixels).max() <= 4


@pytest.mark.parametrize(
    ("unit", "per_unit", "mpp"),
    [
        ("micron", (4, 4), 0.25),
        ("\\u00B5m", (4, 4), 0.25),
        ("um", (2, 2), 0.5),
        ("nm", (0.004, 0.004), 0.25),
        ("inch", (101600, 101600), 0.25),
        ("cm", (40000, 40000), 0.25),
        ("pixel", (4, 4), None),
        ("um", (0.001, 0.001), None),  # 1000 µm/px, which no microscope has
    ],
)
def test_imagejs_units(tmp_path: Path, unit: str, per_unit: tuple[float, float], mpp: float | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        SCAN,
        imagej=True,
        photometric="rgb",
        resolution=per_unit,
        metadata={"axes": "YXS", "unit": unit},
    )
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, rel=1e-6))
        assert_holds(slide, SCAN)


@pytest.mark.parametrize(
    ("unit", "resolution", "mpp"),
    [("NONE", 40000, None), ("INCH", 101600, 0.25), ("CENTIMETER", 40000, 0.25)],
)
@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_the_resolution_tags_unit(
    tmp_path: Path, unit: str, resolution: int, mpp: float | None, tile: tuple[int, int] | None
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(
        path,
        SCAN,
        photometric="rgb",
        tile=tile,
        metadata=None,
        resolution=(resolution, resolution),
        resolutionunit=unit,
    )
    with open_slide(path) as slide:
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp))


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_a_printers_resolution_is_no_microscopes(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    path = tmp_path / "a.tif"  # 72 dots an inch are 25400 / 72 = 352.8 µm each
    options: dict[str, Any] = {"resolution": (72, 72), "resolutionunit": "INCH", "metadata": None}
    tifffile.imwrite(path, SCAN, photometric="rgb", tile=tile, **options)
    sentence = r"a\.tif has no µm/px that a microscope has \(it states 352\.8\); pass --mpp"
    with open_slide(path) as slide, pytest.raises(MissingMppError, match=sentence):
        required_mpp(slide)
    with open_slide(path, 0.25) as slide:
        assert required_mpp(slide) == 0.25


def test_what_is_refused_says_its_true_size(tmp_path: Path) -> None:
    path = tmp_path / "deep.tif"
    tifffile.imwrite(path, SCAN[..., 0].astype(np.uint16))
    with pytest.raises(
        SlideError, match="holds 410 x 330 px in greyscale of 16 bits a px; only 8-bit RGB is read"
    ):
        open_slide(path, 0.25)


def test_a_compression_that_nothing_reads_is_called_that(tmp_path: Path) -> None:
    path = tmp_path / "odd.tif"
    tifffile.imwrite(path, SCAN, photometric="rgb", metadata=None, compression="lzw")
    with tifffile.TiffFile(path, mode="r+") as file:
        file.pages.first.tags["Compression"].overwrite(52479)
    with pytest.raises(
        SlideError, match=r"is compressed in a way that isn't read .*52479.*; export it with JPEG"
    ):
        open_slide(path, 0.25)
