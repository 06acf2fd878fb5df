"""Files of several pictures, planes and kinds of samples: what was written is what is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import numpy.typing as npt
import pytest
import tifffile
from PIL import Image
from upath import UPath

from tests.conftest import write_pyramid
from wsi_edt.errors import MissingMppError, SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import Slide, open_slide
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.pictures import Role, list_pictures
from wsi_edt.slides.protocol import remark, required_mpp
from wsi_edt.slides.tiff_reader import TiffFileSlide
from wsi_edt.slides.tiffslide_reader import TiffSlideSlide

Pixels = npt.NDArray[np.uint8]

RNG = np.random.default_rng(12)
SCAN: Pixels = RNG.integers(0, 256, (330, 410, 3), dtype=np.uint8)
OTHER: Pixels = RNG.integers(0, 256, (300, 280, 3), dtype=np.uint8)
TILED: dict[str, Any] = {"photometric": "rgb", "tile": (64, 64)}
PER_CM: dict[str, Any] = {"resolution": (40000, 40000), "resolutionunit": "CENTIMETER"}  # 0.25 µm/px


def ome(mpp: float = 0.25, axes: str = "YXS", **more: object) -> dict[str, object]:
    return {"axes": axes, "PhysicalSizeX": mpp, "PhysicalSizeY": mpp, **more}


def whole(slide: Slide, level: int = 0) -> Pixels:
    return slide.read_level(level, Window(0, 0, *slide.level_dimensions[level]))


def assert_holds(slide: Slide, expected: Pixels, level: int = 0) -> None:
    """The level as a whole, and windows that cross tiles and edges."""
    assert np.array_equal(whole(slide, level), expected)
    height, width = expected.shape[:2]
    for x, y, side in (
        (0, 0, 1),
        (63, 63, 2),
        (50, 10, 100),
        (width - 70, height - 70, 70),
        (width - 1, 0, 1),
    ):
        window = Window(x, y, min(side, width - x), min(side, height - y))
        assert np.array_equal(slide.read_level(level, window), expected[y : window.bottom, x : window.right])


@pytest.fixture
def macro_first(tmp_path: Path) -> Path:
    path = tmp_path / "macro.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(SCAN[::4, ::4], photometric="rgb", metadata=ome(20.0, Name="macro image"))
        file.write(SCAN, subifds=1, metadata=ome(Name="x40"), **TILED)
        file.write(SCAN[::2, ::2], subfiletype=1, **TILED)
    return path


def test_an_ome_tiff_whose_macro_comes_first(macro_first: Path) -> None:
    with open_slide(macro_first) as slide:
        assert (slide.mpp, slide.level_downsamples) == (0.25, (1, 2))
        assert_holds(slide, SCAN)
        assert_holds(slide, SCAN[::2, ::2], level=1)
    macro, scan = list_pictures(macro_first)
    assert (macro.number, macro.name, macro.size, macro.mpp, macro.role) == (
        1,
        "macro image",
        (103, 83),
        20.0,
        Role.MACRO,
    )
    assert (scan.number, scan.name, scan.size, scan.mpp, scan.role) == (2, "x40", (410, 330), 0.25, Role.SCAN)
    with open_slide(macro_first, series=1) as slide:
        assert slide.mpp == 20.0
        assert_holds(slide, SCAN[::4, ::4])


def test_the_same_at_a_url(macro_first: Path) -> None:
    url = UPath("memory://pictures/macro.ome.tif")
    url.parent.mkdir(parents=True, exist_ok=True)
    url.write_bytes(macro_first.read_bytes())
    assert [picture.role for picture in list_pictures(url)] == [Role.MACRO, Role.SCAN]
    with open_slide(url) as slide:
        assert_holds(slide, SCAN)


def test_a_plain_tiff_whose_thumbnail_comes_first(tmp_path: Path) -> None:
    path = tmp_path / "thumbnail.tif"
    untiled: dict[str, Any] = {"photometric": "rgb"}
    for options in (untiled, TILED):  # openslide takes a first page in tiles for the slide
        with tifffile.TiffWriter(path) as file:
            file.write(SCAN[::4, ::4], metadata=None, subfiletype=1, **options)
            file.write(SCAN, metadata=None, **PER_CM, **TILED)
            file.write(SCAN[::2, ::2], metadata=None, subfiletype=1, **PER_CM, **TILED)
        with open_slide(path) as slide:
            assert slide.mpp == pytest.approx(0.25)
            assert slide.level_dimensions[:2] == ((410, 330), (205, 165))
            assert_holds(slide, SCAN)
            assert_holds(slide, SCAN[::2, ::2], level=1)


def test_several_scans_are_refused_by_name_and_read_by_number(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(SCAN, metadata=ome(Name="left"), **TILED)
        file.write(OTHER, metadata=ome(0.5, Name="right"), **TILED)
    with pytest.raises(SlideError, match=r'holds 2 scans: 1 "left" \(410 x 330 px, 0\.25 µm/px\), 2 "right"'):
        open_slide(path)
    for number, pixels, mpp in ((1, SCAN, 0.25), (2, OTHER, 0.5)):
        with open_slide(path, series=number) as slide:
            assert slide.mpp == mpp
            assert_holds(slide, pixels)
    with pytest.raises(SlideError, match="none has the number 3"):
        open_slide(path, series=3)


def test_scans_of_one_size_have_each_their_own_scale(tmp_path: Path) -> None:
    path = tmp_path / "two.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for mpp in (0.25, 0.5):
            file.write(SCAN, metadata=ome(mpp), **TILED)
    assert [picture.mpp for picture in list_pictures(path)] == [0.25, 0.5]


@pytest.mark.parametrize("options", [{"photometric": "rgb"}, TILED])
def test_pages_of_one_size_are_scans_of_their_own(tmp_path: Path, options: dict[str, Any]) -> None:
    """Nothing says that they are planes of one picture."""
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as file:
        for pixels in (SCAN, SCAN[::-1], SCAN[:, ::-1]):
            file.write(pixels, metadata=None, **options)
    with pytest.raises(SlideError, match=r"holds 3 scans: 1 \(410 x 330 px"):
        open_slide(path, 0.25)
    with open_slide(path, 0.25, series=2) as slide:
        assert_holds(slide, SCAN[::-1])
    shaped = tmp_path / "stack.tif"
    tifffile.imwrite(shaped, np.stack([SCAN, SCAN[::-1]]), photometric="rgb")
    with open_slide(shaped, 0.25, series=2) as slide:
        assert_holds(slide, SCAN[::-1])


def halves(pixels: Pixels) -> Iterator[Pixels]:
    for _ in range(3):
        yield pixels
        pixels = np.ascontiguousarray(pixels[::2, ::2])


@pytest.mark.parametrize("scales", [True, False])
def test_a_pyramid_in_series_of_its_own_is_one_scan(tmp_path: Path, scales: bool) -> None:
    path = tmp_path / "flat.ome.tif"
    with tifffile.TiffWriter(path, ome=True) as file:
        for k, level in enumerate(halves(SCAN)):
            file.write(level, metadata=ome(0.25 * 2**k) if scales or k == 0 else {"axes": "YXS"}, **TILED)
        file.write(OTHER[:50, :60], photometric="rgb", metadata=ome(20.0))
    with open_slide(path) as slide:
        assert slide.level_downsamples == (1.0, 2.0, 4.0)
        for k, level in enumerate(halves(SCAN)):
            assert_holds(slide, level, level=k)
    assert [picture.role for picture in list_pictures(path)] == [Role.SCAN, Role.MACRO]


@pytest.mark.parametrize("tile", [None, (64, 64)])
def test_a_pyramid_in_pages_without_flags_is_one_scan(tmp_path: Path, tile: tuple[int, int] | None) -> None:
    path = tmp_path / "pages.tif"
    with tifffile.TiffWriter(path) as file:
        for level in halves(SCAN):
            file.write(level, metadata=None, photometric="rgb", tile=tile)
    with open_slide(path, 0.25) as slide:
        assert slide.level_downsamples == (1.0, 2.0, 4.0)
        for k, level in enumerate(halves(SCAN)):
            assert_holds(slide, level, level=k)


def test_a_reduced_page_of_another_shape_is_no_level(tmp_path: Path) -> None:
    """openslide takes it for one, and would find the tissue in it."""
    path = tmp_path / "a.tif"
    with tifffile.TiffWriter(path) as file:
        file.write(SCAN, metadata=None, **TILED)
        file.write(SCAN[::16, ::16], metadata=None, subfiletype=1, **TILED)
        file.write(OTHER[:100, :200], metadata=None, subfiletype=1, **TILED)
    with OpenSlideSlide(path, 0.25) as slide:
        assert (200, 100) in slide.level_dimensions
    with open_slide(path, 0.25) as slide:
        assert slide.level_dimensions == ((410, 330), (26, 21))
        assert_holds(slide, SCAN)
    assert [picture.role for picture in list_pictures(path)] == [Role.SCAN, Role.THUMBNAIL]


def test_of_a_volume_the_first_plane_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    stack = np.stack([SCAN[:256, :256], OTHER[:256, :256]] * 2)
    tifffile.imwrite(path, stack, photometric="rgb", volumetric=True, tile=(4, 64, 64), metadata=None)
    with open_slide(path, 0.25) as slide:
        assert remark(slide) == "plane 1 of 4 is read"
        assert_holds(slide, SCAN[:256, :256])


@pytest.mark.parametrize(
    ("axes", "shape", "words"),
    [
        ("ZYXS", (3,), "plane 1 of 3 is read"),
        ("TYXS", (2,), "time point 1 of 2 is read"),
        ("TZYXS", (2, 3), "time point 1 of 2, plane 1 of 3 is read"),
    ],
)
@pytest.mark.parametrize("imagej", [False, True])
def test_of_planes_the_first_is_read_and_named(
    tmp_path: Path, axes: str, shape: tuple[int, ...], words: str, imagej: bool
) -> None:
    stack = np.stack([(SCAN + 7 * k).astype(np.uint8) for k in range(int(np.prod(shape)))])
    stack = stack.reshape(*shape, *SCAN.shape)
    path = tmp_path / ("planes.tif" if imagej else "planes.ome.tif")
    if imagej:
        kept = "".join(axis for axis in "TZYXS" if axis in axes)
        tifffile.imwrite(
            path,
            stack,
            imagej=True,
            photometric="rgb",
            resolution=(4, 4),
            metadata={"axes": kept, "unit": "um"},
        )
    else:
        tifffile.imwrite(path, stack, metadata=ome(axes=axes), **TILED)
    with open_slide(path) as slide:
        assert slide.mpp == 0.25
        assert remark(slide) == words
        assert_holds(slide, SCAN)
    with open_slide(path) as slide:
        assert len(list_pictures(path)) == 1


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


APERIO = "Aperio Image Library v10.0\r\n410x330 (64x64) JPEG/RGB Q=70|AppMag = 40|MPP = 0.25"


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


def test_an_ome_tiff_of_several_files(tmp_path: Path) -> None:
    """Its first file is the slide; another says whose it is; and what a missing file held isn't invented."""
    paths = [tmp_path / f"part{k}.ome.tif" for k in (0, 1)]
    parts = "".join(
        f'<TiffData IFD="0" FirstZ="{k}" PlaneCount="1"><UUID FileName="{path.name}">urn:uuid:{k}</UUID></TiffData>'
        for k, path in enumerate(paths)
    )
    for k, path in enumerate(paths):
        xml = (
            f'<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" UUID="urn:uuid:{k}"><Image ID="Image:0">'
            f'<Pixels DimensionOrder="XYCZT" ID="Pixels:0" SizeX="410" SizeY="330" SizeC="3" SizeZ="2" SizeT="1" '
            f'Type="uint8" PhysicalSizeX="0.25" PhysicalSizeY="0.25"><Channel SamplesPerPixel="3"/>{parts}</Pixels>'
            "</Image></OME>"
        )
        tifffile.imwrite(path, SCAN if k == 0 else SCAN[::-1], description=xml, metadata=None, **TILED)
    with open_slide(paths[0]) as slide:
        assert remark(slide) == "plane 1 of 2 is read"
        assert_holds(slide, SCAN)
    with pytest.raises(SlideError, match=r"part1\.ome\.tif is one of several files .* give part0\.ome\.tif"):
        open_slide(paths[1])
    paths[0].unlink()
    with pytest.raises(
        SlideError, match="another that holds its pixels is missing; put its files into one folder"
    ):
        open_slide(paths[1])


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


def test_openslides_other_pictures(tmp_path: Path) -> None:
    path = tmp_path / "a.svs"
    with tifffile.TiffWriter(path) as file:
        file.write(SCAN, metadata=None, description=APERIO, **TILED)
        file.write(OTHER, metadata=None, description=APERIO, photometric="rgb", compression="jpeg")
        label = f"{APERIO.split('|')[0]}\r\nlabel 280x300"
        file.write(
            OTHER, metadata=None, description=label, photometric="rgb", subfiletype=1, compression="lzw"
        )
    url = UPath("memory://pictures/a.svs")
    url.parent.mkdir(parents=True, exist_ok=True)
    url.write_bytes(path.read_bytes())
    for where in (path, url):  # through openslide, and through tiffslide
        listed = list_pictures(where)
        assert [(picture.role, picture.size) for picture in listed] == [
            (Role.SCAN, (410, 330)),
            (Role.LABEL, (280, 300)),
            (Role.THUMBNAIL, (280, 300)),
        ]
        for series in (None, 1):
            with open_slide(where, series=series) as slide:
                assert slide.mpp == 0.25
                assert_holds(slide, SCAN)
        with open_slide(where, series=2) as slide:
            assert_holds(slide, OTHER)
            assert slide.mpp is None
        with pytest.raises(SlideError, match="holds 3 pictures, and none has the number 4"):
            open_slide(where, series=4)


def test_a_file_of_one_picture_has_its_number(tmp_path: Path) -> None:
    Image.fromarray(SCAN).save(tmp_path / "a.png")
    write_pyramid(tmp_path / "a.tif", SCAN, compression="deflate")
    for name in ("a.png", "a.tif"):
        (picture,) = list_pictures(tmp_path / name)
        assert (picture.number, picture.size, picture.role) == (1, (410, 330), Role.SCAN)
        with open_slide(tmp_path / name, 0.25, series=1) as slide:
            assert_holds(slide, SCAN)
        with pytest.raises(SlideError, match="holds one picture, and none has the number 2"):
            open_slide(tmp_path / name, 0.25, series=2)
