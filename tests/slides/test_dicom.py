"""Whole slides in DICOM: which files are one slide, and what each kind of file is said to be."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from pydicom.uid import JPEGLSLossless, generate_uid

from tests.slides.made_dicom import LABEL, RESAMPLED, SEGMENTATION, write_dicom, write_series
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import SlideSource, open_slide
from wsi_edt.slides.dicom import series_of, slide_file
from wsi_edt.slides.opening import list_pictures
from wsi_edt.slides.protocol import remark

NOISE = np.random.default_rng(5).integers(0, 16, (200, 300, 3), dtype=np.uint8)
PIXELS = NOISE + np.linspace(0, 239, 300).astype(np.uint8)[:, np.newaxis]
NAMES = ("z_level0.dcm", "level1", "1.2.826.0.7")  # with a suffix, with none, with a UID for a name


def whole(slide_path: Path) -> np.ndarray:
    with open_slide(slide_path) as slide:
        return slide.read_level(0, Window(0, 0, *slide.dimensions))


def test_a_series_is_one_slide_whichever_of_its_files_is_opened(tmp_path: Path) -> None:
    series = write_series(tmp_path, PIXELS, NAMES)
    write_dicom(tmp_path / "label.dcm", PIXELS[:50, :50], series=series, image_type=LABEL)
    for name in NAMES:
        with open_slide(tmp_path / name) as slide:
            assert (slide.reader, slide.mpp_stated) == ("openslide", True)
            assert slide.mpp == pytest.approx(0.25)
            assert slide.level_dimensions == ((300, 200), (150, 100), (75, 50))
            assert np.array_equal(
                slide.read_level(1, Window(10, 20, 90, 60)), PIXELS[::2, ::2][20:80, 10:100]
            )
        assert np.array_equal(whole(tmp_path / name), PIXELS)
    assert [slide_file(tmp_path / name) for name in (*NAMES, "label.dcm")] == [tmp_path / NAMES[0]] * 4


def test_series_and_what_is_no_slide_are_told_apart(tmp_path: Path) -> None:
    series = write_series(tmp_path / "a", PIXELS, NAMES)
    write_dicom(tmp_path / "a/label.dcm", PIXELS[:50, :50], series=series, image_type=LABEL)
    write_series(tmp_path / "a", PIXELS, ("other.dcm", "other1.dcm"))
    write_dicom(tmp_path / "a/seg.dcm", PIXELS, series=generate_uid(), sop_class=SEGMENTATION)
    write_dicom(tmp_path / "b/label.dcm", PIXELS[:50, :50], series=generate_uid(), image_type=LABEL)
    (tmp_path / "b/no.dcm").write_bytes(b"text")
    found = series_of(sorted(path for path in tmp_path.rglob("*") if path.is_file()))
    assert {path.name for path in found.slides} == {NAMES[0], "other.dcm", "no.dcm"}
    assert sorted(found.others) == ["Segmentation Storage", "label or overview without its slide"]


def test_levels_in_another_folder_are_no_slide_of_their_own_but_copies_of_a_series_are(
    tmp_path: Path,
) -> None:
    write_series(tmp_path / "fine", PIXELS, NAMES)
    (tmp_path / "coarse").mkdir()
    shutil.move(tmp_path / "fine" / NAMES[2], tmp_path / "coarse")
    files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert series_of(files).slides == (tmp_path / "fine" / NAMES[0],)
    assert series_of(files).others == ("coarser level of a slide in another folder",)
    shutil.copytree(tmp_path / "fine", tmp_path / "copy")
    files = [path for path in sorted(tmp_path.rglob("*")) if path.is_file()]
    assert set(series_of(files).slides) == {tmp_path / "fine" / NAMES[0], tmp_path / "copy" / NAMES[0]}


def test_a_series_without_its_finest_level_says_so(tmp_path: Path) -> None:
    write_series(tmp_path, PIXELS, NAMES)
    (tmp_path / NAMES[0]).unlink()
    with open_slide(tmp_path / NAMES[2]) as slide:
        assert slide.dimensions == (150, 100)
        assert remark(slide) == (
            "the finest level in its folder was made from a finer one, which is missing there or damaged"
        )


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"sop_class": SEGMENTATION}, "is no slide but a DICOM Segmentation; leave it out"),
        ({"image_type": LABEL}, "is a slide's label, and its folder holds no level of that slide"),
        (
            {"BitsAllocated": 16, "PhotometricInterpretation": "MONOCHROME2"},
            "holds greyscale of 16 bits a px; only 8-bit RGB is read",
        ),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "holds PALETTE COLOR of 8 bits a px"),
        ({"TotalPixelMatrixFocalPlanes": 3}, "holds 3 focal planes; one is read"),
        ({"NumberOfOpticalPaths": 2}, "holds 2 optical paths; one is read"),
        # openslide 4.0.1 ends the whole process on this one.
        ({"DimensionOrganizationType": "TILED_SPARSE"}, "doesn't say where its tiles lie"),
    ],
)
def test_what_isnt_read_is_said_as_it_is(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    path = tmp_path / "a.dcm"
    write_dicom(path, PIXELS, series=generate_uid(), **changed)  # type: ignore[arg-type]
    for opening in (open_slide, list_pictures):
        with pytest.raises(SlideError) as raised:
            opening(path)
        assert str(raised.value).startswith(f"{path} {said}")


def test_two_pictures_of_the_finest_size_are_refused_by_name(tmp_path: Path) -> None:
    series = generate_uid()
    for name in ("a.dcm", "b.dcm"):
        write_dicom(tmp_path / name, PIXELS, series=series)
    with pytest.raises(SlideError, match=r"with 2 pictures of 300 x 200 px: a\.dcm, b\.dcm; "):
        open_slide(tmp_path / "a.dcm")
    assert slide_file(tmp_path / "b.dcm") == tmp_path / "b.dcm"
    shutil.copy(tmp_path / "a.dcm", tmp_path / "b.dcm")  # a copy is no other picture
    found = series_of([tmp_path / "a.dcm", tmp_path / "b.dcm"])
    assert (found.slides, found.others) == ((tmp_path / "a.dcm",), ("copy of another file",))
    assert np.array_equal(whole(tmp_path / "b.dcm"), PIXELS)


def test_any_truncation_is_said_and_never_a_coarser_slide(tmp_path: Path) -> None:
    write_series(tmp_path, PIXELS, NAMES)
    path = tmp_path / NAMES[0]
    content = path.read_bytes()
    for length in (100, *range(140, 1200, 37), len(content) // 2, len(content) - 9):
        path.write_bytes(content[:length])
        with pytest.raises(SlideError, match="damaged or truncated"):
            whole(path)
    path.write_bytes(b"")
    with pytest.raises(SlideError, match="is empty"):
        whole(path)


def test_a_finest_level_that_only_pydicom_can_read_is_named(tmp_path: Path) -> None:
    """openslide leaves out files whose header it can't read, and would show a coarser slide."""
    write_series(tmp_path, PIXELS, NAMES)
    path = tmp_path / NAMES[0]
    content = bytearray(path.read_bytes())
    content[140] ^= 0xFF  # in the length of the first group
    path.write_bytes(content)
    for name in NAMES[1:]:
        with pytest.raises(
            SlideError, match=r"z_level0\.dcm has a finest level of 300 x 200 px, which can't be"
        ):
            open_slide(tmp_path / name)


def test_tiles_that_a_sparse_slide_lacks_are_white(tmp_path: Path) -> None:
    write_dicom(tmp_path / "a.dcm", PIXELS, series=generate_uid(), places=[7, 0, 19])  # of 5 x 4
    expected = np.full_like(PIXELS, 255)
    for rows, columns in (
        (slice(64, 128), slice(128, 192)),
        (slice(64), slice(64)),
        (slice(192, 200), slice(256, 300)),
    ):
        expected[rows, columns] = PIXELS[rows, columns]
    assert np.array_equal(whole(tmp_path / "a.dcm"), expected)


def test_jpeg_ls_is_read_with_wsidicom(tmp_path: Path) -> None:
    pytest.importorskip("wsidicom", reason="the optional package that reads JPEG-LS isn't installed")
    series = generate_uid()
    write_dicom(tmp_path / "0.dcm", PIXELS, series=series, syntax=JPEGLSLossless)
    half = PIXELS[::2, ::2]
    write_dicom(tmp_path / "1.dcm", half, series=series, mpp=0.5, image_type=RESAMPLED, syntax=JPEGLSLossless)
    with open_slide(tmp_path / "1.dcm") as slide:
        assert (slide.reader, slide.mpp_stated) == ("wsidicom", True)
        assert slide.mpp == pytest.approx(0.25)
        assert (slide.level_dimensions, slide.level_downsamples) == (((300, 200), (150, 100)), (1.0, 2.0))
        assert np.array_equal(slide.read_level(0, Window(37, 50, 263, 150)), PIXELS[50:, 37:])
        assert np.array_equal(slide.read_level(1, Window(5, 7, 100, 80)), half[7:87, 5:105])
    assert [picture.size for picture in list_pictures(tmp_path / "0.dcm")] == [(300, 200)]
    with pytest.raises(SlideError, match="series"):
        open_slide(tmp_path / "0.dcm", series=2)
    path = tmp_path / "0.dcm"
    path.write_bytes(path.read_bytes()[:-20000])
    with pytest.raises(SlideError, match="damaged or truncated"):
        whole(path)


def test_without_wsidicom_its_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wsidicom", None)
    write_dicom(tmp_path / "a.dcm", PIXELS, series=generate_uid(), syntax=JPEGLSLossless)
    with pytest.raises(SlideError) as raised:
        open_slide(tmp_path / "a.dcm")
    assert "is packed as JPEG-LS Lossless Image Compression, which openslide doesn't read; " in str(
        raised.value
    )
    assert "pip install 'wsi-edt[dicom]', or export it" in raised.value.remedy


def test_another_level_is_another_slide(tmp_path: Path) -> None:
    """Tissue is found on a coarser level than cells."""
    write_series(tmp_path, PIXELS, NAMES)
    source = SlideSource(tmp_path / NAMES[0])
    before = source.fingerprint()
    assert before == SlideSource(tmp_path / NAMES[0]).fingerprint()
    level = pydicom.dcmread(tmp_path / NAMES[2])
    level.SOPInstanceUID = level.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    level.save_as(tmp_path / NAMES[2])
    assert source.fingerprint() != before
    (tmp_path / NAMES[1]).unlink()
    assert source.fingerprint() != before
