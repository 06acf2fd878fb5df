from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile
from PIL import Image

from tests.conftest import MPP, write_pyramid
from wsi_edt.errors import MissingMppError, SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide, read_window, required_mpp

PIXELS = np.random.default_rng(1).integers(0, 256, (600, 700, 3), dtype=np.uint8)


def png_header(width: int, height: int) -> bytes:
    """A PNG that says it is that large, with next to no data."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = zlib.compress(bytes(100))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_openslide_comes_first_then_tifffile_then_images(tmp_path: Path, ihc_slide_path: Path) -> None:
    tifffile.imwrite(
        tmp_path / "a.ome.tif",
        PIXELS,
        photometric="rgb",
        metadata={"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5},
    )
    Image.fromarray(PIXELS).save(tmp_path / "a.png")
    found = {}
    for path in (ihc_slide_path, tmp_path / "a.ome.tif", tmp_path / "a.png"):
        with open_slide(path, 0.3) as slide:
            found[slide.reader] = (slide.mpp, slide.mpp_stated)
    assert found == {
        "openslide": (pytest.approx(MPP), True),  # --mpp doesn't overrule the file
        "tifffile": (0.5, True),
        "image": (0.3, False),
    }


def test_a_tiled_ome_tiff_keeps_its_mpp_and_levels(tmp_path: Path) -> None:
    """openslide opens it as a generic TIFF, but sees neither."""
    path = tmp_path / "a.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        size = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeY": 0.5}
        file.write(PIXELS, subifds=1, tile=(128, 128), photometric="rgb", metadata=size)
        file.write(PIXELS[::2, ::2], tile=(128, 128), photometric="rgb", subfiletype=1)
    with open_slide(path, 0.3) as slide:
        assert slide.mpp == 0.5
        assert slide.level_dimensions == ((700, 600), (350, 300))
        assert np.array_equal(slide.read_level(1, Window(0, 0, 350, 300)), PIXELS[::2, ::2])


@pytest.mark.parametrize("name", ["a.png", "a.tif", "palette.png"])
def test_plain_images_keep_their_pixels(tmp_path: Path, name: str) -> None:
    image = Image.fromarray(PIXELS)
    if name == "palette.png":
        image = image.quantize(17)
    image.save(tmp_path / name)
    with open_slide(tmp_path / name, 0.25) as slide:
        assert slide.dimensions == (700, 600)
        read = slide.read_level(0, Window(0, 0, 700, 600))
    assert np.array_equal(read, np.asarray(image.convert("RGB")))


@pytest.mark.parametrize("name", ["grey.png", "grey.jpg", "grey.tif", "one.png", "alpha.png"])
def test_greyscale_is_refused(tmp_path: Path, name: str) -> None:
    mode = {"one": "1", "alpha": "LA"}.get(name.split(".")[0], "L")
    Image.fromarray(PIXELS).convert(mode).save(tmp_path / name)
    with pytest.raises(SlideError, match="only 8-bit RGB is read"):
        open_slide(tmp_path / name, 0.25)


@pytest.mark.parametrize(
    ("pixels", "words"),
    [
        (PIXELS[..., 0], "greyscale of 8 bits a px"),
        (PIXELS.astype(np.uint16) * 257, "colour of 16 bits a px"),
        (PIXELS[..., 0].astype(np.uint16), "greyscale of 16 bits a px"),
    ],
)
def test_a_tiled_tiff_that_openslide_shows_as_8_bit_rgb_is_refused_all_the_same(
    tmp_path: Path, pixels: np.ndarray, words: str
) -> None:
    path = tmp_path / "a.tif"
    photometric = "rgb" if pixels.ndim == 3 else "minisblack"
    tifffile.imwrite(path, pixels, tile=(128, 128), photometric=photometric)
    with openslide.OpenSlide(path) as shown:
        assert shown.dimensions == (700, 600)
    with pytest.raises(SlideError, match=f"{words}; only 8-bit RGB is read; export it as 8-bit RGB"):
        open_slide(path, 0.25)


def test_a_strip_tiff_with_a_printers_resolution_takes_the_given_mpp(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.tif", dpi=(300, 300))
    with open_slide(tmp_path / "a.tif", 0.4) as slide:
        assert (slide.mpp, slide.mpp_stated) == (0.4, False)
    with open_slide(tmp_path / "a.tif") as slide, pytest.raises(MissingMppError, match="pass --mpp"):
        required_mpp(slide)


def test_alpha_is_composited_on_white(tmp_path: Path) -> None:
    rgba = np.dstack([PIXELS, np.full(PIXELS.shape[:2], 255, np.uint8)])
    rgba[0, :4] = [[200, 100, 0, 0], [200, 100, 0, 51], [200, 100, 0, 128], [200, 100, 0, 255]]
    Image.fromarray(rgba).save(tmp_path / "a.png")
    with open_slide(tmp_path / "a.png", 0.25) as slide:
        row = slide.read_level(0, Window(0, 0, 4, 1))[0]
    # 51 / 255 = 0.2: 0.2 × 200 + 0.8 × 255 = 244, 0.2 × 100 + 204 = 224, 204; 128 / 255 = 0.50196
    assert row.tolist() == [[255, 255, 255], [244, 224, 204], [227, 177, 127], [200, 100, 0]]


def test_a_jpeg_opens(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).save(tmp_path / "a.jpg")
    with open_slide(tmp_path / "a.jpg", 0.25) as slide:
        assert slide.dimensions == (700, 600)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.svs", None, "doesn't exist"),
        ("empty.svs", b"", "is empty"),
        ("text.svs", b"not a slide at all, only words\n" * 50, "is neither a slide"),
        ("text.png", b"not an image", "is neither a slide"),
        ("cut.png", b"\x89PNG\r\n\x1a\n" + bytes(40), "damaged"),
        ("cut.jpg", b"\xff\xd8\xff\xe0" + bytes(40), "damaged"),
        ("head.tif", b"II*\0" + bytes(60), "damaged"),
        ("bomb.png", png_header(100_000, 100_000), "a plain image may have 268 million"),
    ],
)
def test_what_isnt_a_slide_is_one_sentence(
    tmp_path: Path, name: str, content: bytes | None, message: str
) -> None:
    path = tmp_path / name
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(SlideError, match=message) as caught:
        open_slide(path, 0.25)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_a_folder_isnt_a_slide(tmp_path: Path) -> None:
    with pytest.raises(SlideError, match="is a folder"):
        open_slide(tmp_path)


@pytest.mark.parametrize("mpp", [0.0, -0.25, float("nan"), float("inf")])
def test_an_impossible_mpp_is_a_usage_error(ihc_slide_path: Path, mpp: float) -> None:
    with pytest.raises(UsageError, match="isn't a µm/px that a microscope has"):
        open_slide(ihc_slide_path, mpp)


def test_pixels_that_are_not_square_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "flat.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(
            PIXELS,
            tile=(128, 128),
            photometric="rgb",
            resolution=(40000, 20000),
            resolutionunit="CENTIMETER",
            metadata=None,
        )
    with pytest.raises(SlideError, match="differ by more than 5%"):
        open_slide(path)


def move_level_0_to_the_end(path: Path) -> None:
    with tifffile.TiffFile(path, mode="r+") as file:
        page = file.pages.first
        offsets = []
        for offset, count in zip(page.dataoffsets, page.databytecounts, strict=True):
            file.filehandle.seek(offset)
            tile = file.filehandle.read(count)
            offsets.append(file.filehandle.seek(0, 2))
            file.filehandle.write(tile)
        page.tags["TileOffsets"].overwrite(offsets)


def read_whole(path: Path) -> None:
    with open_slide(path, 0.25) as slide:
        width, height = slide.dimensions
        assert read_window(slide, Window(0, 0, 64, 64), wanted_mpp=0.25).shape == (64, 64, 3)
        read_window(slide, Window(0, 0, width, height), wanted_mpp=0.25)


@pytest.mark.parametrize("compression", ["jpeg", "deflate", None])
def test_a_truncated_slide_that_opens_fails_where_it_ends(tmp_path: Path, compression: str | None) -> None:
    """openslide opens it, for only level 0's pixels, which stand last here, miss their end."""
    path = tmp_path / "cut.tif"
    write_pyramid(path, PIXELS, compression=compression)
    move_level_0_to_the_end(path)
    with open_slide(path, 0.25) as slide:
        assert slide.reader == "openslide"
    read_whole(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    with open_slide(path, 0.25) as slide:
        assert slide.reader == "openslide"
        assert slide.dimensions == (700, 600)
    with pytest.raises(SlideError, match=r"cut\.tif can't be read at level 0 .*truncated"):
        read_whole(path)


def test_a_slide_that_lost_its_last_page_is_refused_though_its_pixels_are_there(tmp_path: Path) -> None:
    path = tmp_path / "cut.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(PIXELS, tile=(128, 128), photometric="rgb")
        file.write(PIXELS[:64, :64], photometric="rgb")
    read_whole(path)
    with tifffile.TiffFile(path) as file:
        last = int(file.pages[1].offset)
        first = file.pages[0]
        assert max(first.dataoffsets) + max(first.databytecounts) <= last, "the case needs all of its pixels"
    path.write_bytes(path.read_bytes()[:last])
    with pytest.raises(
        SlideError, match=rf"cut\.ome\.tif is truncated: it has {last} bytes of at least {last + 2}"
    ):
        open_slide(path, 0.25)


@pytest.mark.parametrize("compression", ["jpeg", "deflate", None])
def test_a_truncated_ome_tiff_is_refused_at_once(tmp_path: Path, compression: str | None) -> None:
    path = tmp_path / "cut.ome.tif"
    tifffile.imwrite(path, PIXELS, tile=(128, 128), photometric="rgb", compression=compression)
    read_whole(path)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * 0.7)])
    with pytest.raises(SlideError, match=r"cut\.ome\.tif is truncated: it has \d+ bytes of at least \d+"):
        open_slide(path, 0.25)


@pytest.mark.filterwarnings("ignore::RuntimeWarning")  # zarr's reads that are dropped with the failed one
@pytest.mark.parametrize("compression", ["jpeg", "deflate"])
def test_damage_in_an_ome_tiff_is_found_when_read(tmp_path: Path, compression: str) -> None:
    path = tmp_path / "damaged.ome.tif"
    tifffile.imwrite(path, PIXELS, tile=(128, 128), photometric="rgb", compression=compression)
    data = bytearray(path.read_bytes())
    data[len(data) // 2 : len(data) // 2 + 60_000] = bytes(60_000)
    path.write_bytes(data)
    with open_slide(path, 0.25) as slide:
        assert slide.reader == "tifffile"
    with pytest.raises(SlideError, match=r"damaged\.ome\.tif can't be read at level 0 .*damaged"):
        read_whole(path)


def test_damage_in_the_middle_is_found_when_read(tmp_path: Path, ihc_slide_path: Path) -> None:
    data = bytearray(ihc_slide_path.read_bytes())
    third = len(data) // 3
    data[third : third + 40_000] = bytes(40_000)
    (tmp_path / "damaged.tif").write_bytes(data)
    with pytest.raises(SlideError, match="damaged or truncated"):
        read_whole(tmp_path / "damaged.tif")


def test_a_damaged_slide_is_named_when_nothing_opens_it(tmp_path: Path) -> None:
    path = tmp_path / "cut.tif"
    write_pyramid(path, PIXELS, compression="deflate")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(SlideError, match="damaged"):
        open_slide(path, 0.25)


@pytest.mark.slide
@pytest.mark.parametrize(
    ("name", "reader", "size", "mpp"),
    [
        ("ki67-scanner-a.tif", "openslide", (2202, 2202), 0.2271),
        ("ki67-scanner-a.ome.tif", "tifffile", (2202, 2202), 0.2271),
        ("ki67-scanner-b.ome.tif", "tifffile", (1445, 1445), 0.3461),
        ("he-scanner-a.ome.tif", "tifffile", (1101, 1101), 0.2271),
        ("CMU-1-Small-Region.svs", "openslide", (2220, 2967), 0.499),
        ("no-mpp.svs", "openslide", (4443, 3567), None),
        ("fluorescence-dapi.ndpi", "openslide", (3968, 4864), 0.2282),
    ],
)
def test_real_slides_open(
    data_dir: Path, name: str, reader: str, size: tuple[int, int], mpp: float | None
) -> None:
    with open_slide(data_dir / "slides" / name) as slide:
        assert (slide.reader, slide.dimensions) == (reader, size)
        assert slide.mpp == (None if mpp is None else pytest.approx(mpp, abs=5e-5))
        assert (slide.bounds.width, slide.bounds.height) == size
