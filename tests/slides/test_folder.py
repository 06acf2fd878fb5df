"""Which files of a folder are slides: one a slide, whatever it consists of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image
from pydicom.uid import generate_uid

from tests.slides.made_dicom import LABEL, SEGMENTATION, write_dicom, write_series
from wsi_edt.errors import SlideError, UsageError
from wsi_edt.run.discover import find_slides
from wsi_edt.slides import SlideSource, open_slide
from wsi_edt.slides.folder import slides_among
from wsi_edt.slides.opening import list_pictures
from wsi_edt.slides.unsupported import UNREAD_FORMATS

PIXELS = np.full((100, 150, 3), 200, np.uint8)
LEVELS = ("level0.dcm", "level1", "1.2.840.3")


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


def found_in(folder: Path, *, images: bool = True) -> list[str]:
    files = [
        (path, path.relative_to(folder).as_posix()) for path in sorted(folder.rglob("*")) if path.is_file()
    ]
    return sorted(name for _, name in slides_among(files, given=folder, images=images).slides)


def vms(*, image: str = "a.jpg", optimisation: str = "a.opt") -> str:
    """A Hamamatsu key file, as openslide's documentation describes it."""
    return (
        "[Virtual Microscope Specimen]\nNoLayers=1\nNoJpegColumns=1\nNoJpegRows=2\n"
        f"ImageFile={image}\nImageFile(0,1)=b.jpg\nMapFile=map.jpg\nMacroImage=macro.jpg\n"
        f"OptimisationFile={optimisation}\nAuthCode=12.34\nSourceLens=20\n"
    )


def test_the_files_of_mirax_and_hamamatsu_slides_are_no_slides(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "x/a.mrxs",
        "x/a/Slidedat.ini",
        "x/a/Data0000.dat",
        "x/a/label.jpg",
        "x/a/deep/macro.tif",
        "x/b.jpg",
    )
    touch(tmp_path, "lost/Slidedat.ini", "lost/label.png")  # its .mrxs is missing
    touch(tmp_path, "x/loud.MRXS", "x/loud/Slidedat.ini")
    touch(tmp_path, "v/a.jpg", "v/b.jpg", "v/map.jpg", "v/macro.jpg", "v/a.opt", "v/other.jpg")
    (tmp_path / "v/case.vms").write_text(vms())
    assert found_in(tmp_path) == ["v/case.vms", "v/other.jpg", "x/a.mrxs", "x/b.jpg", "x/loud.MRXS"]
    assert found_in(tmp_path, images=False) == ["v/case.vms", "x/a.mrxs", "x/loud.MRXS"]
    notes = find_slides([tmp_path], out=tmp_path / "out").notes
    assert notes == (
        f"{tmp_path / 'lost'} left out: it is the folder of lost.mrxs, which is missing",
        "2 files passed over: .jpg (2)",
    )


def test_tiles_of_web_viewers_and_pixels_of_unread_formats_are_no_slides(tmp_path: Path) -> None:
    touch(tmp_path, "a.dzi", "a_files/12/0_0.jpeg", "z/ImageProperties.xml", "z/TileGroup0/0-0-0.jpg")
    touch(tmp_path, "b.vsi", "_b_/stack1/frame_t.ets", "_b_/stack1/preview.tif", "c_files/real.jpg")
    files = [(path, path.name) for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    content = slides_among(files, given=tmp_path, images=True)
    assert [name for _, name in content.slides] == ["real.jpg"]
    assert content.notes == ("2 files of formats that aren't read left out: .dzi, .vsi",)


def test_a_dicom_series_is_one_slide_and_a_name_of_its_files_means_it(tmp_path: Path) -> None:
    series = write_series(tmp_path / "a", PIXELS, LEVELS)
    write_dicom(tmp_path / "a/label.dcm", PIXELS, series=series, image_type=LABEL)
    write_dicom(tmp_path / "b/seg.dcm", PIXELS, series=generate_uid(), sop_class=SEGMENTATION)
    (tmp_path / "LICENSE").write_text("a text without a suffix")
    found = find_slides([tmp_path], out=tmp_path / "out")
    assert [slide.name for slide in found.slides] == ["a/level0.dcm"]
    assert found.notes == (
        "1 DICOM file that is no slide left out: Segmentation",
        "1 file passed over: without a suffix",
    )
    table = tmp_path / "table.csv"
    table.write_text("path,name\na/level1,from the table\n")
    found = find_slides([table, tmp_path / "a"], out=tmp_path / "out")
    assert [slide.name for slide in found.slides] == ["from the table"]
    for given in (["a/level1"], ["a/1.2.840.3", "a/label.dcm"], ["a/level0.dcm", "a/level1"]):
        named = find_slides([tmp_path / name for name in given], out=tmp_path / "out")
        assert [slide.name for slide in named.slides] == ["level0.dcm"]
        assert named.slides[0].source.path == tmp_path / "a/level0.dcm"


def test_a_folder_of_what_isnt_read_says_so(tmp_path: Path) -> None:
    touch(tmp_path, "a.vsi", "b.VSI", "c.isyntax")
    with pytest.raises(
        UsageError, match=r"3 files of formats that aren't read left out: \.isyntax, \.vsi \(2\)"
    ):
        find_slides([tmp_path], out=tmp_path / "out")
    found = find_slides([tmp_path / "a.vsi"], out=tmp_path / "out")  # named, it is a row with the reason
    assert [slide.name for slide in found.slides] == ["a.vsi"]


@pytest.mark.parametrize("suffix", sorted(UNREAD_FORMATS))
def test_known_formats_that_arent_read_are_refused_whatever_they_hold(tmp_path: Path, suffix: str) -> None:
    """A .vsi is a TIFF outside, which holds a thumbnail."""
    path = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(path, "TIFF")
    for opening in (open_slide, list_pictures):
        with pytest.raises(SlideError, match=r"is in a format that isn't read, .*; "):
            opening(path)


def test_a_mirax_slide_without_its_folder_is_never_the_small_jpeg_that_it_is(tmp_path: Path) -> None:
    path = tmp_path / "a.mrxs"
    Image.fromarray(PIXELS).save(path, "JPEG")
    with pytest.raises(
        SlideError, match=r"lacks its folder a, which holds the slide's pixels; copy the whole folder"
    ):
        open_slide(path, 0.25)
    (tmp_path / "a").mkdir()
    with pytest.raises(SlideError, match=r"lacks Slidedat\.ini in its folder a"):
        open_slide(path, 0.25)
    (tmp_path / "a/Slidedat.ini").write_text("[GENERAL]\nSLIDE_VERSION=01.02\n")
    with pytest.raises(SlideError, match=r"can't be opened .*SLIDE_ID.*damaged or truncated"):
        open_slide(path, 0.25)


def test_a_hamamatsu_slide_names_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "case.vms"
    path.write_text(vms())
    touch(tmp_path, "a.jpg", "map.jpg", "macro.jpg")
    with pytest.raises(SlideError, match=r"names files that aren't beside it: b\.jpg; copy them beside it"):
        open_slide(path, 0.25)
    path.write_text(vms(image="../secret.jpg"))  # names in a file don't lead out of its folder
    touch(tmp_path, "b.jpg")
    with pytest.raises(SlideError, match="damaged or truncated"):
        open_slide(path, 0.25)


def test_a_companion_that_changed_makes_another_slide(tmp_path: Path) -> None:
    """A copy may have been incomplete when it was first read."""
    touch(tmp_path, "a/Slidedat.ini")
    Image.fromarray(PIXELS).save(tmp_path / "a.mrxs", "JPEG")
    source = SlideSource(tmp_path / "a.mrxs")
    seen = {source.fingerprint()}
    for content in (b"half", b"half and half", b"half AND half"):
        (tmp_path / "a/Data0000.dat").write_bytes(content)
        seen.add(source.fingerprint())
    assert len(seen) == 4


@pytest.mark.parametrize("suffix", [".mrxs", ".vms", ".czi", ".svslide"])
def test_what_only_openslide_reads_is_never_taken_for_a_picture(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a{suffix}"
    Image.fromarray(PIXELS).save(path, "PNG")
    touch(tmp_path, "a/Slidedat.ini")
    with pytest.raises(SlideError, match=r"or is damaged or truncated|; the file is damaged"):
        open_slide(path, 0.25)


@pytest.mark.parametrize(
    "suffix", [".svs", ".ptif", ".ptiff", ".qptiff", ".btf", ".tf2", ".tf8", ".zif", ".avs", ""]
)
def test_a_tiff_is_a_slide_in_a_folder_whatever_it_is_called(tmp_path: Path, suffix: str) -> None:
    """What opens where it is named is taken where it lies."""
    path = tmp_path / f"a{suffix}"
    tifffile.imwrite(path, PIXELS, tile=(64, 64), bigtiff=suffix in (".btf", ".tf8", ".zif"))
    with open_slide(path, 0.25) as slide:
        assert slide.dimensions == (150, 100)
    touch(tmp_path, "LICENSE", "empty", "a.tif.part")
    found = find_slides([tmp_path], out=tmp_path / "out")
    assert [slide.name for slide in found.slides] == [path.name]
    assert found.notes == ("3 files passed over: .part, without a suffix (2)",)


OME = '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">{}</OME>'
PLANE = '<TiffData FirstZ="{}" IFD="0"><UUID FileName="{}">urn:uuid:{}</UUID></TiffData>'


def write_planes(folder: Path, *names: str) -> None:
    """An OME-TIFF of a plane a file, each of which describes the whole."""
    planes = "".join(
        PLANE.format(z, name, f"{z:08}-0000-0000-0000-000000000000") for z, name in enumerate(names)
    )
    pixels = (
        f'<Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="150" SizeY="100" '
        f'SizeZ="{len(names)}" SizeC="3" SizeT="1" PhysicalSizeX="0.25" PhysicalSizeY="0.25">'
        f'<Channel ID="Channel:0:0" SamplesPerPixel="3"/>{planes}</Pixels></Image>'
    )
    folder.mkdir()
    for z, name in enumerate(names):
        text = OME.format(pixels)
        shown = PIXELS - 10 * np.uint8(z)
        tifffile.imwrite(
            folder / name, shown, tile=(64, 64), photometric="rgb", description=text, metadata=None
        )


def test_further_files_of_an_ome_tiff_belong_to_its_first(tmp_path: Path) -> None:
    write_planes(tmp_path / "x", "a_Z0.ome.tif", "a_Z1.ome.tif", "a_Z2.ome.tif")
    write_planes(tmp_path / "y", "b_Z0.ome.tif", "b_Z1.ome.tif")
    (tmp_path / "y/b_Z0.ome.tif").unlink()  # without it the others are told of
    write_planes(tmp_path / "z", "c.ome.tif")
    (tmp_path / "z/c.ome.tif").rename(tmp_path / "z/renamed.ome.tif")
    tifffile.imwrite(tmp_path / "z/c.ome.tif", PIXELS)
    assert found_in(tmp_path) == [
        "x/a_Z0.ome.tif", "y/b_Z1.ome.tif", "z/c.ome.tif", "z/renamed.ome.tif"
    ]  # fmt: skip
    with open_slide(tmp_path / "x/a_Z0.ome.tif") as slide:
        assert slide.mpp == 0.25
    named = find_slides([tmp_path / "x/a_Z1.ome.tif"], out=tmp_path / "out").slides
    assert [slide.name for slide in named] == ["a_Z1.ome.tif"]
