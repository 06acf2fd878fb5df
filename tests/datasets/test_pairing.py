"""An image without labels and labels without an image are told alike: counted and named."""

import logging
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.training.sets import make_bcdata, make_ccrcc, make_csv, make_psu, make_shidc, write_rgb
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.errors import AnnotationError

SPEC = SetSpec(name="points", mpp=0.25)
GREY = np.full((32, 32, 3), 200, np.uint8)


@pytest.mark.parametrize(
    ("files", "says"),
    [
        (["images/b.png"], r"points holds 1 image \(b\.png\) without a CSV; pair images/NAME"),
        (["points/b.csv"], r"points holds 1 CSV \(b\.csv\) without an image; "),
        (["roi/b.png"], r"points holds 1 mask \(b\.png\) without an image; "),
        (
            ["images/b.png", "points/B.csv"],
            r"1 image \(b\.png\) without a CSV and 1 CSV \(B\.csv\) without an image",
        ),
        (
            [f"points/{number}.csv" for number in range(5)],
            r"5 CSVs \(0\.csv, 1\.csv, 2\.csv, …\) without an image;",
        ),
        (
            ["images/b.webp", "points/b.csv"],
            r"1 CSV \(b\.csv\) without an image and 1 file \(b\.webp\) in images/ that isn't read as an image",
        ),
        (["images/a.jpg"], r"a\.jpg and a\.png have one name but for their suffixes; rename one"),
    ],
)
def test_what_is_left_over_is_an_error(tmp_path: Path, files: list[str], says: str) -> None:
    folder = make_csv(tmp_path / "points")
    for name in files:
        (folder / name).parent.mkdir(exist_ok=True)
        if name.endswith((".png", ".jpg")):
            write_rgb(folder / name, GREY)
        else:
            (folder / name).write_text("x,y\n1.5,1.5\n")
    with pytest.raises(AnnotationError, match=says):
        read_set(SPEC, tmp_path)


def test_hidden_files_and_capital_suffixes_are_no_matter(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "points")
    (folder / "points" / "._a.csv").write_bytes(b"\0\5\x16\7")  # as macOS leaves them on other disks
    (folder / "images" / "._a.png").write_bytes(b"\0\5\x16\7")
    (folder / "points" / "a.csv").rename(folder / "points" / "a.CSV")
    (image,) = read_set(SPEC, tmp_path)
    assert len(image.points) == 2


def test_a_mask_of_any_suffix_counts(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "points")
    mask = np.zeros((32, 32), np.uint8)
    mask[:8, :8] = 255
    (folder / "roi").mkdir()
    assert cv2.imwrite(str(folder / "roi" / "a.bmp"), mask)
    (image,) = read_set(SPEC, tmp_path)
    assert image.region is not None
    assert image.region.area == 64
    assert image.points.tolist() == [[3.5, 4.0]]


def test_distributed_sets_say_what_is_left_over(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    bcdata = make_bcdata(tmp_path / "bcdata", images=1)
    for name in ("positive", "negative"):
        labels = bcdata / "annotations" / "train" / name
        shutil.copy(labels / "0.h5", labels / "9.h5")
    shidc = make_shidc(tmp_path / "shidc")
    (shidc / "train" / "lost.json").write_text("[]")
    ccrcc = make_ccrcc(tmp_path / "ccrcc")
    shutil.copy(ccrcc / "Train/Labels/a.mat", ccrcc / "Train/Labels/z.mat")
    psu = make_psu(tmp_path / "psu", np.zeros((32, 32), np.uint8))
    shutil.copy(psu / "masks" / "a.png", psu / "masks" / "y.png")
    for spec, says in (
        (SetSpec(name="bcdata"), "passed over 2 files (9.h5, 9.h5) without an image"),
        (SetSpec(name="shidc"), "passed over 1 file (lost.json) without an image"),
        (SetSpec(name="ccrcc"), "passed over 1 file (z.mat) without an image"),
        (SetSpec(name="psu", mpp=0.25), "passed over 1 file (y.png) without an image"),
    ):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            assert len(read_set(spec, tmp_path)) == 1
        assert says in caplog.text
