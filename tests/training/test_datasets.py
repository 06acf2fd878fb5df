"""Sets are read as they are distributed; what is wrong is named with its file."""

from pathlib import Path

import numpy as np
import pytest

from tests.training.sets import make_bcdata, make_csv, make_shidc, make_uw
from wsi_edt.errors import AnnotationError
from wsi_edt.training.datasets import read_dataset


def test_bcdata(tmp_path: Path) -> None:
    images = read_dataset("bcdata", make_bcdata(tmp_path), "validation")
    assert [image.path.name for image in images] == ["0.png", "1.png"]
    assert images[0].class_id.tolist() == [1] * 5 + [0] * 7
    assert np.all(images[0].points % 1 == 0.5)  # integer pixel indices: their centres
    x, y = images[0].points[0].astype(int)
    assert images[0].pixels[y, x].tolist() == [110, 60, 20]  # RGB, and (x, y) the right way round


def test_shidc_has_lymphocytes_as_neither_class(tmp_path: Path) -> None:
    (image,) = read_dataset("shidc", make_shidc(tmp_path), "train")
    assert image.points.tolist() == [[10.5, 20.5], [40.5, 30.5], [60.5, 70.5]]
    assert image.class_id.tolist() == [1, 0, 2]


@pytest.mark.parametrize("suffix", [".bmp", ".png"])
def test_uw(tmp_path: Path, suffix: str) -> None:
    (image,) = read_dataset("uw", make_uw(tmp_path, suffix), "train")
    assert image.points.tolist() == [[10.0, 19.75], [0.5, 49.5]]  # 1-based in the file
    assert image.class_id.tolist() == [2, 2]


def test_csv_points_keep_their_fractions(tmp_path: Path) -> None:
    (image,) = read_dataset("glioma", make_csv(tmp_path), "train")
    assert image.points.tolist() == [[3.5, 4.0], [10.0, 20.0]]
    assert image.class_id.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        ("class,x,y", "positive,abc,4\n", r"a\.csv can't be read"),
        ("class,x", "positive,3\n", r"a\.csv can't be read"),
        ("class,x,y", "mitosis,3,4\n", r"a\.csv can't be read"),
        ("class,x,y", "positive,40,4\n", r"a\.png \(32×32 px\) has a point outside it, at \(40, 4\)"),
        ("class,x,y", "positive,nan,4\n", r"a\.png \(32×32 px\) has a point outside it"),
    ],
)
def test_wrong_points(tmp_path: Path, header: str, rows: str, says: str) -> None:
    with pytest.raises(AnnotationError, match=says):
        read_dataset("glioma", make_csv(tmp_path, header, rows), "train")


def test_wrong_sets(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"no data set is called 'nonesuch'; known are bcdata"):
        read_dataset("nonesuch", tmp_path, "train")
    with pytest.raises(AnnotationError, match="is no folder"):
        read_dataset("bcdata", tmp_path / "absent", "train")
    with pytest.raises(AnnotationError, match="holds no train images"):
        read_dataset("bcdata", tmp_path, "train")


def test_missing_annotation_is_named(tmp_path: Path) -> None:
    make_bcdata(tmp_path)
    (tmp_path / "annotations/train/positive/1.h5").unlink()
    with pytest.raises(AnnotationError, match=r"positive/1\.h5 can't be read"):
        read_dataset("bcdata", tmp_path, "train")


@pytest.mark.slide
@pytest.mark.parametrize(
    ("name", "split", "images", "classes"),
    [  # images and points (negative, positive, neither) as the data's own description counts them
        ("bcdata", "train", 12, (750, 687, 0)),
        ("bcdata", "validation", 4, (353, 104, 0)),
        ("shidc", "train", 14, (1817, 288, 315)),
        ("shidc", "validation", 4, (278, 61, 14)),
        ("glioma", "train", 4, (1353, 717, 0)),
        ("uw", "train", 100, (0, 0, 29756)),
        ("monuseg", "train", 27, (0, 0, 11646)),
        ("glioma_he", "train", 76, (0, 0, 9715)),
    ],
)
def test_real_sets(data_dir: Path, name: str, split: str, images: int, classes: tuple[int, int, int]) -> None:
    found = read_dataset(name, data_dir / name, split)
    assert len(found) == images
    assert np.bincount(np.concatenate([image.class_id for image in found]), minlength=3).tolist() == list(
        classes
    )
