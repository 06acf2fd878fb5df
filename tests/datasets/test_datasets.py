"""Sets are read as they are distributed; what is wrong is named with its file and record."""

from pathlib import Path

import h5py
import numpy as np
import pytest
from pydantic import ValidationError
from scipy.io import savemat

from tests.training.sets import make_bcdata, make_csv, make_shidc, make_uw, write_rgb
from wsi_edt.datasets import FORMATS, Labelled, SetSpec, TrainingSet, read_set
from wsi_edt.errors import AnnotationError, UsageError


def test_bcdata(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata")
    images = read_set(SetSpec(name="bcdata", split="validation"), tmp_path)
    assert [image.path.name for image in images] == ["0.png", "1.png"]
    assert [image.case for image in images] == ["validation/0", "validation/1"]
    assert images[0].class_id.tolist() == [1] * 5 + [0] * 7
    assert np.all(images[0].points % 1 == 0.5)  # integer pixel indices: their centres
    x, y = images[0].points[0].astype(int)
    assert images[0].pixels[y, x].tolist() == [110, 60, 20]  # RGB, and (x, y) the right way round
    assert (images[0].dataset, images[0].image_mpp, images[0].region) == ("bcdata", 0.25, None)


def test_the_whole_of_bcdata_has_a_test_split_too(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata", splits=("train", "validation", "test"))
    assert len(read_set(SetSpec(name="bcdata", split="test"), tmp_path)) == 2
    images = read_set(SetSpec(name="bcdata", split="all"), tmp_path)
    assert len({image.path for image in images}) == len({image.case for image in images}) == 6


def test_all_splits_are_those_that_are_there(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata")
    assert len(read_set(SetSpec(name="bcdata", split="all"), tmp_path)) == 4
    with pytest.raises(AnnotationError, match="holds no test images"):
        read_set(SetSpec(name="bcdata", split="test"), tmp_path)


def test_bcdata_without_cells_is_background(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata", images=1)
    for name in ("positive", "negative"):
        with h5py.File(tmp_path / f"bcdata/annotations/train/{name}/0.h5", "w") as file:
            file["coordinates"] = np.zeros((0, 2), np.int64) if name == "positive" else np.zeros(0)
    (image,) = read_set(SetSpec(name="bcdata"), tmp_path)
    assert image.points.shape == (0, 2)
    assert image.classes is Labelled.EVERYWHERE


@pytest.mark.parametrize("split", ["train", "Train"])  # as it was cut down, and as it is distributed
def test_shidc_has_lymphocytes_as_neither_class(tmp_path: Path, split: str) -> None:
    make_shidc(tmp_path / "shidc", split=split)
    (image,) = read_set(SetSpec(name="shidc"), tmp_path)
    assert image.points.tolist() == [[10.5, 20.5], [40.5, 30.5], [60.5, 70.5]]
    assert image.class_id.tolist() == [1, 0, 2]
    assert image.case == "0001"


@pytest.mark.parametrize("suffix", [".bmp", ".png"])
def test_uw(tmp_path: Path, suffix: str) -> None:
    make_uw(tmp_path / "uw", suffix)
    (image,) = read_set(SetSpec(name="uw"), tmp_path)
    assert image.points.tolist() == [[10.0, 19.75], [0.5, 49.5]]  # 1-based in the file
    assert image.class_id.tolist() == [2, 2]
    assert (image.classes, image.nuclei) == (Labelled.NOWHERE, Labelled.EVERYWHERE)


def test_glioma_fields_of_one_case_belong_together(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "glioma")
    for old, new in (("images/a.png", "images/case_a_2.png"), ("points/a.csv", "points/case_a_2.csv")):
        (folder / old).rename(folder / new)
    (image,) = read_set(SetSpec(name="glioma"), tmp_path)
    assert image.case == "case_a"
    assert image.points.tolist() == [[3.5, 4.0], [10.0, 20.0]]  # fractions are kept
    assert image.class_id.tolist() == [1, 0]


def test_plain_images_and_points(tmp_path: Path) -> None:
    make_csv(tmp_path / "own")
    spec = SetSpec(name="ours", format="points", folder=Path("own"), mpp=0.5)
    (image,) = read_set(spec, tmp_path)
    assert (image.dataset, image.image_mpp, image.case) == ("ours", 0.5, "a")
    assert (image.classes, image.nuclei) == (Labelled.EVERYWHERE, Labelled.EVERYWHERE)
    with pytest.raises(AnnotationError, match=r"a\.png has no µm/px; give mpp for the set 'ours'"):
        read_set(SetSpec(name="ours", format="points", folder=Path("own")), tmp_path)


def test_whole_numbers_are_pixel_indices_as_everywhere_in_the_program(tmp_path: Path) -> None:
    make_csv(tmp_path / "own", rows="positive,3,4\n")
    (image,) = read_set(SetSpec(name="own", format="points", mpp=0.5), tmp_path)
    assert image.points.tolist() == [[3.5, 4.5]]


def test_points_without_class_say_nothing_of_the_class(tmp_path: Path) -> None:
    make_csv(tmp_path / "own", "x,y", "3.5,4\n")
    (image,) = read_set(SetSpec(name="own", format="points", mpp=0.5), tmp_path)
    assert (image.classes, image.nuclei) == (Labelled.NOWHERE, Labelled.EVERYWHERE)
    (image,) = read_set(SetSpec(name="own", format="points", mpp=0.5, classes=Labelled.NEAR_POINTS), tmp_path)
    assert image.classes is Labelled.NEAR_POINTS


def test_a_header_alone_is_background(tmp_path: Path) -> None:
    make_csv(tmp_path / "own", rows="")
    (image,) = read_set(SetSpec(name="own", format="points", mpp=0.5), tmp_path)
    assert image.points.shape == (0, 2)
    assert image.classes is Labelled.EVERYWHERE


def test_what_a_set_says_can_be_overruled(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata")
    spec = SetSpec(name="bcdata", mpp=0.23, nuclei=Labelled.EVERYWHERE)
    image = read_set(spec, tmp_path)[0]
    assert (image.image_mpp, image.classes, image.nuclei) == (0.23, Labelled.EVERYWHERE, Labelled.EVERYWHERE)


def test_an_absolute_folder(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "elsewhere")
    spec = SetSpec(name="bcdata", folder=tmp_path / "elsewhere")
    assert len(read_set(spec, Path("nowhere"))) == 2


def test_a_tcga_patient_is_a_case(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "glioma_he", "x,y", "3.5,4\n")
    name = "TCGA_TCGA-DB-5270-R01_2"
    (folder / "images/a.png").rename(folder / f"images/{name}.png")
    (folder / "points/a.csv").rename(folder / f"points/{name}.csv")
    (folder / "images/.DS_Store").touch()
    (image,) = read_set(SetSpec(name="glioma_he"), tmp_path)
    assert image.case == "TCGA-DB-5270"


@pytest.mark.parametrize(
    ("header", "rows", "says"),
    [
        ("class,x,y", "positive,1.5,4\npositive,abc,4\n", r"a\.csv, line 3 has 'abc' where a number belongs"),
        ("class,x,y", "positive,nan,4\n", r"a\.csv, line 2 has 'nan' where a number belongs"),
        ("class,x", "positive,3\n", r"a\.csv has no header with x and y"),
        ("class,x,y", "mitosis,3,4\n", r"a\.csv, line 2 has the class 'mitosis', not one of"),
        ("class,x,y", "positive,3.5,4\npositive,40,4\n", r"points/a\.csv, point 2 lies at \(40, 4\) px from"),
        ("image,x,y", "b,3.5,4\nc,4.5,4\n", r"a\.csv holds points of 2 images"),
    ],
)  # fmt: skip
def test_wrong_points(tmp_path: Path, header: str, rows: str, says: str) -> None:
    make_csv(tmp_path / "glioma", header, rows)
    with pytest.raises(AnnotationError, match=says):
        read_set(SetSpec(name="glioma"), tmp_path)


def test_empty_and_missing_points(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "glioma")
    (folder / "points/a.csv").write_text("")
    with pytest.raises(AnnotationError, match=r"a\.csv has no header with x and y"):
        read_set(SetSpec(name="glioma"), tmp_path)
    (folder / "points/a.csv").unlink()
    with pytest.raises(AnnotationError, match=r"glioma holds 1 image \(a\.png\) without a CSV"):
        read_set(SetSpec(name="glioma"), tmp_path)


def test_an_image_that_is_none(tmp_path: Path) -> None:
    folder = make_csv(tmp_path / "glioma")
    (folder / "images/a.png").write_bytes(b"no image")
    with pytest.raises(AnnotationError, match=r"a\.png can't be read as an image"):
        read_set(SetSpec(name="glioma"), tmp_path)


def test_wrong_bcdata_is_named(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata")
    annotation = tmp_path / "bcdata/annotations/train/positive/1.h5"
    with h5py.File(annotation, "w") as file:
        file["coordinates"] = np.zeros((2, 5), np.int64)
    with pytest.raises(AnnotationError, match=r"positive/1\.h5 can't be read as BCData points: .*\(2, 5\)"):
        read_set(SetSpec(name="bcdata"), tmp_path)
    annotation.write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"positive/1\.h5 can't be read"):
        read_set(SetSpec(name="bcdata"), tmp_path)
    annotation.unlink()
    with pytest.raises(AnnotationError, match=r"positive/1\.h5 is missing"):
        read_set(SetSpec(name="bcdata"), tmp_path)


def test_a_point_outside_is_told_with_its_file_and_its_number_there(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata")
    for kind in ("positive", "negative"):
        with h5py.File(tmp_path / f"bcdata/annotations/train/{kind}/1.h5", "w") as file:
            file["coordinates"] = np.array([[1, 2], [3, 4], [900, 4]][: 2 + (kind == "negative")])
    with pytest.raises(AnnotationError, match=r"negative/1\.h5, point 3 lies at \(900\.5, 4\.5\) px from"):
        read_set(SetSpec(name="bcdata"), tmp_path)
    make_shidc(tmp_path / "shidc")
    (tmp_path / "shidc/train/p1_0001_1.json").write_text('[{"x": NaN, "y": 2, "label_id": 1}]')
    with pytest.raises(AnnotationError, match=r"p1_0001_1\.json, point 1 lies at \(nan, 2\.5\) px from"):
        read_set(SetSpec(name="shidc"), tmp_path)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", r"p1_0001_1\.json can't be read as SHIDC points"),
        ("{}", r"p1_0001_1\.json holds dict instead of a list of points"),
        ('[{"x": 1, "y": 2, "label_id": 1}, {"x": 1, "label_id": 1}]', r"p1_0001_1\.json, point 2 is "),
        ('[{"x": 1, "y": 2, "label_id": 4}]', r'point 1 is .*"label_id": 4}, which isn.t a point; give'),
    ],
)
def test_wrong_shidc_is_named(tmp_path: Path, content: str, says: str) -> None:
    make_shidc(tmp_path / "shidc")
    (tmp_path / "shidc/train/p1_0001_1.json").write_text(content)
    with pytest.raises(AnnotationError, match=says):
        read_set(SetSpec(name="shidc"), tmp_path)


def test_wrong_uw_is_named(tmp_path: Path) -> None:
    make_uw(tmp_path / "uw", ".bmp")
    annotation = tmp_path / "uw/Detection/img1/img1_detection.mat"
    savemat(annotation, {"points": np.zeros((3, 2))})
    with pytest.raises(AnnotationError, match=r"img1_detection\.mat has no variable 'detection', but points"):
        read_set(SetSpec(name="uw"), tmp_path)
    savemat(annotation, {"detection": np.zeros((3, 4))})
    with pytest.raises(AnnotationError, match=r"img1_detection\.mat can't be read as UW points: .*\(3, 4\)"):
        read_set(SetSpec(name="uw"), tmp_path)
    annotation.write_bytes(b"")
    with pytest.raises(AnnotationError, match=r"img1_detection\.mat can't be read as a MATLAB file"):
        read_set(SetSpec(name="uw"), tmp_path)
    (tmp_path / "uw/Detection/img1/img1.bmp").unlink()
    with pytest.raises(AnnotationError, match=r"img1 holds neither img1\.bmp nor img1\.png"):
        read_set(SetSpec(name="uw"), tmp_path)


def test_uw_is_split_as_the_paper_counts_it(tmp_path: Path) -> None:
    for number in (1, 70, 71, 100):
        image_folder = tmp_path / f"uw/Detection/img{number}"
        write_rgb(image_folder / f"img{number}.png", np.full((50, 50, 3), 200, np.uint8))
        savemat(image_folder / f"img{number}_detection.mat", {"detection": np.array([[10.5, 20.25]])})
    names = {
        split: {image.path.stem for image in read_set(SetSpec(name="uw", split=split), tmp_path)}
        for split in ("train", "validation", "all")
    }
    assert names["train"] == {"img1", "img70"}
    assert names["validation"] == {"img71", "img100"}
    assert names["all"] == names["train"] | names["validation"]
    (tmp_path / "uw/Detection/imgs").mkdir()
    with pytest.raises(AnnotationError, match=r"imgs isn't named imgN"):
        read_set(SetSpec(name="uw"), tmp_path)


@pytest.mark.parametrize("name", FORMATS)
def test_an_empty_folder_is_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    with pytest.raises(AnnotationError, match=f"{name} holds no train images in the layout of {name}, which"):
        read_set(SetSpec(name=name, mpp=0.5), tmp_path)


def test_wrong_specs(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"there is no data set format 'nonesuch'; choose one of bcdata"):
        SetSpec(name="nonesuch")
    with pytest.raises(AnnotationError, match="isn't a folder"):
        read_set(SetSpec(name="bcdata"), tmp_path)
    make_uw(tmp_path / "uw", ".png")
    with pytest.raises(AnnotationError, match="'uw' has no split 'test'; the splits of uw are train, val"):
        read_set(SetSpec(name="uw", split="test"), tmp_path)
    for wrong in ({"mpp": 0}, {"mpp": float("nan")}, {"classes": "somewhere"}, {"weigth": 1}, {"name": 3}):
        with pytest.raises(ValidationError):
            SetSpec.model_validate({"name": "uw"} | wrong)
    for weight in (0, -1, float("inf")):
        with pytest.raises(ValidationError):
            TrainingSet(name="uw", weight=weight)


def test_a_spec_survives_its_json() -> None:
    spec = TrainingSet(name="uw", weight=0.5, nuclei=Labelled.NEAR_POINTS)
    assert TrainingSet.model_validate_json(spec.model_dump_json()) == spec
    assert (spec.format, spec.folder) == ("uw", Path("uw"))


def test_every_format_has_its_facts() -> None:
    for name, facts in FORMATS.items():
        assert facts.licence, name
        assert facts.splits[0] == "train"


@pytest.mark.slide
@pytest.mark.parametrize(
    ("name", "split", "images", "cases", "classes"),
    [  # images and points (negative, positive, neither) as the data's own description counts them
        ("bcdata", "train", 12, 12, (750, 687, 0)),
        ("bcdata", "validation", 4, 4, (353, 104, 0)),
        ("bcdata", "all", 16, 16, (1103, 791, 0)),
        ("shidc", "train", 14, None, (1817, 288, 315)),
        ("shidc", "validation", 4, 4, (278, 61, 14)),
        ("glioma", "train", 4, 2, (1353, 717, 0)),
        ("uw", "all", 100, 100, (0, 0, 29756)),
        ("monuseg", "train", 27, 27, (0, 0, 11646)),
        ("glioma_he", "train", 76, None, (0, 0, 9715)),
    ],
)
def test_real_sets(
    data_dir: Path, name: str, split: str, images: int, cases: int | None, classes: tuple[int, int, int]
) -> None:
    found = read_set(SetSpec(name=name, split=split), data_dir)
    assert len(found) == images
    assert len({image.path for image in found}) == images
    counts = np.bincount(np.concatenate([image.class_id for image in found]), minlength=3)
    assert counts.tolist() == list(classes)
    named = {image.case for image in found}
    assert len(named) == cases if cases is not None else len(named) < images


@pytest.mark.slide
def test_uw_is_one_based(data_dir: Path) -> None:
    """Nuclei are darkest around the points as read: not half a px on, nor a whole one, as 0-based px would have them."""
    shifts = (-0.5, 0.0, 0.5, 1.0)
    grey: list[list[float]] = [[] for _ in shifts]
    for image in read_set(SetSpec(name="uw", split="all"), data_dir):
        integral = np.pad(image.pixels.mean(axis=2).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
        inner = image.points[((image.points > 8) & (image.points < 492)).all(axis=1)]
        for found, shift in zip(grey, shifts, strict=True):
            # Means of 8 × 8 px around the points, from the nearest whole corner.
            x, y = np.rint(inner + shift - 4).astype(int).T
            found += list(integral[y + 8, x + 8] - integral[y, x + 8] - integral[y + 8, x] + integral[y, x])
    means = dict(zip(shifts, (np.mean(found) / 64 for found in grey), strict=True))
    assert min(means, key=means.__getitem__) == 0.0
