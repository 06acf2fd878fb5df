"""What a training's data were: every change of a picture or a label is named; what says the same is the same."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from shapely import box

from tests.training.sets import labelled_image, make_bcdata, write_rgb
from wsi_edt.datasets import Labelled, LabelledImage, SetSpec
from wsi_edt.training import TrainConfig
from wsi_edt.training.fingerprint import (
    Fingerprint,
    Mark,
    Marks,
    changes_between,
    marks_of,
    picture_marks,
    trained_on,
)
from wsi_edt.training.material import read_material

SPECS = [SetSpec(name="bcdata")]


def image(name: str = "a.png", **facts: Any) -> LabelledImage:
    made = labelled_image("bcdata", [(3.5, 4.5), (20.0, 9.25)], [0, 1], side=32, region=box(0, 0, 30, 30))
    return replace(made, path=Path("data/bcdata/images", name), **facts)


def marks(*images: LabelledImage) -> Marks:
    return marks_of(images, SPECS, Path("data"))


def test_one_px_is_another_picture() -> None:
    before = image()
    pixels = before.pixels.copy()
    pixels[31, 31, 2] += 1
    for other in (replace(before, pixels=pixels), replace(before, image_mpp=0.2500001)):
        words = changes_between("set", marks(before), marks(other))
        assert words == "set 'bcdata': the picture of 1 image (images/a.png) changed"
    turned = replace(before, pixels=before.pixels.reshape(16, 64, 3))  # the same bytes
    assert "the picture" in changes_between("set", marks(before), marks(turned))


@pytest.mark.parametrize(
    "facts",
    [
        {"points": np.array([[3.5, 4.5], [20.0, 9.26]])},
        {"points": np.array([[3.5, 4.5]]), "class_id": np.array([0], np.uint8)},
        {"class_id": np.array([0, 0], np.uint8)},
        {"region": box(0, 0, 30, 29)},
        {"region": None},
    ],
)
def test_points_classes_and_regions_are_labels(facts: dict[str, Any]) -> None:
    words = changes_between("set", marks(image()), marks(image(**facts)))
    assert words == "set 'bcdata': the labels of 1 image (images/a.png) changed"


def test_where_a_region_begins_and_where_the_folder_lies_do_not_matter() -> None:
    before = image()
    assert before.region is not None
    same = replace(before, region=before.region.reverse(), path=Path("/elsewhere/bcdata/images/a.png"))
    moved = marks_of([same], SPECS, Path("/elsewhere"))
    assert changes_between("set", marks(before), moved) == ""
    assert moved == marks(before)


def test_the_order_of_points_does_not_matter() -> None:
    before = image()
    turned = replace(before, points=before.points[::-1], class_id=before.class_id[::-1])
    assert changes_between("set", marks(before), marks(turned)) == ""
    swapped = replace(before, points=before.points[::-1])  # each point has the other's class
    assert "the labels of 1 image" in changes_between("set", marks(before), marks(swapped))
    then, now, other = (
        Fingerprint(training=marks(one), validation={}, styles={}) for one in (before, turned, swapped)
    )
    assert then.digest == now.digest != other.digest


def test_where_crops_are_drawn_around_points_their_order_is_what_is_learned() -> None:
    before = image(classes=Labelled.NEAR_POINTS)
    turned = replace(before, points=before.points[::-1], class_id=before.class_id[::-1])
    assert "the labels of 1 image" in changes_between("set", marks(before), marks(turned))


def test_marks_of_before_compare_by_the_order_alone() -> None:
    before = {
        name: {key: Mark(pixels=mark.pixels, labels=mark.labels) for key, mark in found.items()}
        for name, found in marks(image()).items()
    }
    assert changes_between("set", before, marks(image())) == ""
    other = image(class_id=np.array([1, 1], np.uint8))
    assert "the labels of 1 image" in changes_between("set", before, marks(other))


def test_three_are_named_and_all_are_counted() -> None:
    before = marks(*(image(f"{number}.png") for number in range(9)))
    others = [image(f"{number}.png", class_id=np.array([1, 1], np.uint8)) for number in range(4)]
    now = marks(*others, image("new.png"), *(image(f"{number}.png") for number in range(4, 8)))
    assert changes_between("validation set", before, now) == (
        "validation set 'bcdata': the labels of 4 images (images/0.png, images/1.png, images/2.png, …) changed, "
        "1 image (images/new.png) added, 1 image (images/8.png) removed"
    )


def test_an_image_that_moved_from_training_to_validation_is_found() -> None:
    def all_of(training: Marks, validation: Marks) -> Fingerprint:
        return Fingerprint(training=training, validation=validation, styles={})

    def named(*keys: str) -> Marks:
        return {"x": {key: Mark(pixels=key[0]) for key in keys}}

    assert trained_on(named("a2", "c"), all_of(named("a1", "b"), named("c"))) == "1 image (a2)"
    # Twins that were there from the beginning are nothing new.
    with_twins = all_of(named("a1", "b"), named("a2", "c"))
    assert trained_on(named("a2", "c"), with_twins) == ""
    assert with_twins.twins == "1 image (a2)"
    assert all_of(named("a1"), named("c")).twins == ""


def test_of_a_configurations_material(tmp_path: Path) -> None:
    make_bcdata(tmp_path / "bcdata", images=2)
    write_rgb(tmp_path / "lab" / "x.png", np.full((32, 32, 3), 90, np.uint8))
    config = TrainConfig.model_validate(
        {"sets": [{"name": "bcdata", "weight": 1.0}], "augmentation": {"style": 0.5, "styles": ["lab"]}}
    )
    before = read_material(config, tmp_path).fingerprint
    assert before.training["bcdata"].keys() == {"images/train/0.png", "images/train/1.png"}
    assert before.validation["bcdata"].keys() == {"images/validation/0.png", "images/validation/1.png"}
    assert Fingerprint.model_validate_json(before.model_dump_json()) == before
    write_rgb(tmp_path / "lab" / "x.png", np.full((32, 32, 3), 91, np.uint8))
    now = read_material(config, tmp_path).fingerprint
    assert before.changes(now) == "styles 'lab': the picture of 1 image (x.png) changed"
    assert now.digest == before.digest  # of what is trained on
    write_rgb(tmp_path / "bcdata/images/train/1.png", np.full((128, 128, 3), 90, np.uint8))
    assert read_material(config, tmp_path).fingerprint.digest != before.digest


def test_pictures_without_labels() -> None:
    one, other = np.zeros((2, 3, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)
    found = picture_marks([Path("a/1.png"), Path("a/2.png")], [one, other])
    assert found.keys() == {"1.png", "2.png"}
    assert found["1.png"] != found["2.png"]
