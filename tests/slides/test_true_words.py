"""What is said of intact files that aren't read, and of damaged ones: real files of public test suites, where present."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import open_slide
from wsi_edt.slides.location import read_failure

FILES = Path(__file__).parents[3] / "shared" / "cases" / "files"
SEGMENTATION = "is no slide but a DICOM Segmentation; leave it out"
LABEL_MAP = "is no slide but a DICOM Label Map Segmentation; leave it out"
GREY = "holds greyscale of 16 bits a px; only 8-bit RGB is read"
SAID = {
    "czi/RGB-8bit.czi": 'is a CZI file with the dimension "T" (times), which openslide doesn\'t read',
    "czi/s_1_t_1_c_1_z_1.czi": 'is a CZI file with the dimension "B" (acquisition blocks), which',
    "czi/tiles.czi": 'is a CZI file with the dimension "Z" (focal planes), which openslide doesn\'t read',
    "dicom/sm_image_grayscale.dcm": GREY,
    "dicom/sm_image_grayscale_reversed.dcm": GREY,
    "dicom/seg_image_sm_numbers.dcm": SEGMENTATION,
    "dicom/seg_image_sm_dots_tiled_full.dcm": SEGMENTATION,
    "dicom/seg_image_sm_control_labelmap.dcm": LABEL_MAP,
    "dicom/seg_image_sm_control_labelmap_palette_color.dcm": LABEL_MAP,
    "dicom/sm_annotations.dcm": "is no slide but a DICOM Microscopy Bulk Simple Annotations",
    "openslide/unopenable.tiff": "is compressed in a way that isn't read (TIFF compression 52479)",
}


def real(name: str) -> Path:
    path = FILES / name
    if not path.is_file():
        pytest.skip(f"{path} isn't there")
    return path


def read_whole(path: Path) -> tuple[int, int]:
    with open_slide(path) as slide:
        slide.read_level(0, Window(0, 0, *slide.dimensions))
        return slide.dimensions


@pytest.mark.parametrize("name", SAID)
def test_intact_files_that_arent_read_are_never_called_damaged(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = real(name)
    for package in ("wsidicom", "pylibCZIrw"):
        monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SlideError) as raised:
        read_whole(path)
    assert str(raised.value).startswith(f"{path} {SAID[name]}")
    assert "damaged" not in str(raised.value)
    assert raised.value.remedy


@pytest.mark.parametrize(
    "name", ["dicom/sm_image.dcm", "dicom/sm_image_jpegls.dcm", "openslide/boxes_0.dcm", "openslide/😐.svs"]
)
def test_files_that_are_read(name: str) -> None:
    if "jpegls" in name:
        pytest.importorskip("wsidicom")
    assert read_whole(real(name)) in ((50, 50), (16, 16))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("s_1_t_1_c_1_z_1.czi", "holds Gray16 pixels; only 8-bit RGB is read"),
        ("tiles.czi", "holds 2 channels; one is read"),
    ],
)
def test_czi_that_isnt_brightfield_is_said_with_the_optional_package_too(name: str, said: str) -> None:
    pytest.importorskip("pylibCZIrw")
    path = real(f"czi/{name}")
    with pytest.raises(SlideError) as raised:
        read_whole(path)
    assert str(raised.value).startswith(f"{path} {said}")


def test_a_brightfield_czi_with_a_time_is_read_with_the_optional_package() -> None:
    pytest.importorskip("pylibCZIrw")
    with open_slide(real("czi/RGB-8bit.czi")) as slide:
        assert (slide.reader, slide.dimensions) == ("pylibCZIrw", (924, 624))
        assert slide.mpp == pytest.approx(1.0833, abs=1e-4)  # as its XML says


def test_a_tile_that_cant_be_decoded_is_damage() -> None:
    path = real("openslide/unreadable.svs")
    with pytest.raises(SlideError, match=r"Bogus marker length.*damaged or truncated"):
        read_whole(path)


@pytest.mark.parametrize(
    "name",
    [
        "czi/tiles.czi",
        "czi/RGB-8bit.czi",
        "openslide/unopenable.tiff",
        "openslide/small.svs",
        "dicom/sm_image.dcm",
    ],
)
def test_cut_copies_are_damaged_and_emptied_ones_empty(name: str, tmp_path: Path) -> None:
    content = real(name).read_bytes()
    path = tmp_path / Path(name).name
    path.write_bytes(b"")
    with pytest.raises(SlideError, match="is empty"):
        read_whole(path)
    if path.suffix == ".czi":
        pytest.importorskip("pylibCZIrw")
    for length in (10, 60, 200, len(content) // 3):
        path.write_bytes(content[:length])
        with pytest.raises(SlideError) as raised:
            read_whole(path)
        words = str(raised.value)
        assert "damaged" in words or "truncated" in words or "is neither a slide" in words, words
        assert "pip install" not in words


@pytest.mark.parametrize(
    ("reason", "is_damage"),
    [
        ("Unsupported TIFF compression: 52479", False),
        ("Pixel type Gray16 is not supported", False),
        ("Attribute BitsAllocated value 16 != 8", False),
        ("Unsupported transfer syntax 1.2.840.10008.1.2.4.80", False),
        ("52479 is not a known COMPRESSION", False),
        ("Unsupported marker type 0x4b", True),
        ("Premature end of JPEG file", True),
        ("libdicom IO error: end of filehandle", True),
    ],
)
def test_what_a_library_refuses_is_told_from_damage(reason: str, is_damage: bool) -> None:
    error = read_failure(Path("a.svs"), ValueError(reason))
    assert reason in str(error)
    assert ("damaged" in str(error)) is is_damage
