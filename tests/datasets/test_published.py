"""Whether a folder holds one of the paper's sets, all of it."""

from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.training.sets import make_bcdata, write_rgb
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.datasets.published import PUBLISHED, Counts, compared, counted, is_complete
from wsi_edt.errors import AnnotationError


def test_a_part_is_called_a_part(tmp_path: Path) -> None:
    found = counted("bcdata", make_bcdata(tmp_path / "bcdata", images=3))
    assert found == Counts(6, 72)  # 12 points an image, three in each of two splits
    assert compared("bcdata", found) == (
        "bcdata: 6 of 1,338 images, 72 of 181,074 cells: a part of the set, so that no score from it compares with a "
        "published one"
    )
    assert not is_complete("bcdata", found)


def test_the_whole_and_something_else() -> None:
    assert compared("uw", Counts(100, 29_756)) == "uw: 100 images and 29,756 cells, as published"
    assert is_complete("uw", Counts(100, 29_756))
    for other in (Counts(100, 29_755), Counts(101, 29_756), Counts(99, 29_757)):
        assert "isn't the set as it was published" in compared("uw", other)


def test_a_missing_set_is_named_with_its_address(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"RCCNucSeg"):
        counted("ccrcc", tmp_path / "ccrcc")


def test_a_folder_without_images_is_no_part_of_a_set(tmp_path: Path) -> None:
    (tmp_path / "uw" / "Detection").mkdir(parents=True)
    with pytest.raises(
        AnnotationError, match=r"holds no images in the layout of uw; get it from https://warwick"
    ):
        counted("uw", tmp_path / "uw")


@pytest.mark.slide
def test_uw_at_hand_is_whole(data_dir: Path) -> None:
    assert counted("uw", data_dir / "uw") == PUBLISHED["uw"].counts


@pytest.mark.parametrize("inner", ["", "PSU_dataset"])
def test_psu_as_its_users_code_reads_it(tmp_path: Path, inner: str) -> None:
    folder = tmp_path / "psu" / inner / "img7"
    write_rgb(folder / "img7.bmp", np.full((45, 61, 3), 200, np.uint8))
    savemat(folder / "img7_detection.mat", {"detection": np.array([[10, 20], [61, 45]])})
    (image,) = read_set(SetSpec(name="psu", mpp=0.5), tmp_path)
    assert image.points.tolist() == [[9.5, 19.5], [60.5, 44.5]]
    assert image.case == "img7"
