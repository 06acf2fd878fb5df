"""Files of several pictures and planes: which is the slide, and that what was written is what is read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from upath import UPath

from tests.conftest import write_pyramid
from tests.slides.made_tiff import APERIO, OTHER, PER_CM, SCAN, TILED, Pixels, assert_holds, ome
from wsi_edt.errors import SlideError
from wsi_edt.slides import open_slide
from wsi_edt.slides.openslide_reader import OpenSlideSlide
from wsi_edt.slides.pictures import Role, list_pictures
from wsi_edt.slides.protocol import remark


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
