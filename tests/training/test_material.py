"""What is trained and validated on: never the same image, and every case of a cross-validation once."""

from pathlib import Path

import pytest

from tests.training.sets import make_bcdata, make_uw
from wsi_edt.errors import UsageError
from wsi_edt.training import TrainConfig
from wsi_edt.training.material import deal, read_material, validation_images

SETS = [{"name": "bcdata", "weight": 1.0}]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata", images=3)  # in each of two splits, each a case
    make_uw(folder / "uw", ".png")
    return folder


def test_sets_and_validation(data: Path) -> None:
    config = TrainConfig.model_validate({"sets": [*SETS, {"name": "uw", "weight": 0.5}]})
    material = read_material(config, data)
    assert material.weights == {"bcdata": 1.0, "uw": 0.5}
    assert [image.dataset for image in material.training] == ["bcdata"] * 3 + ["uw"]
    assert {image.path.parent.name for image in material.validation} == {"validation"}
    assert [i.path for i in material.validation] == [i.path for i in validation_images(config, data)]


def test_folds_hold_each_case_out_once(data: Path) -> None:
    held_out = []
    for index in range(4):
        config = TrainConfig.model_validate({"sets": SETS, "folds": {"count": 4, "index": index}})
        material = read_material(config, data)
        trained = {image.path for image in material.training}
        validated = {image.path for image in material.validation}
        assert not trained & validated
        assert len(trained | validated) == 6  # the images of both splits
        held_out += sorted(validated)
    assert len(held_out) == len(set(held_out)) == 6


def test_images_of_a_case_stay_together_and_seeds_do_not_deal() -> None:
    cases = [f"case {number}" for number in range(10)]
    groups = deal(cases * 3, set_name="ours", count=4)
    assert sorted(groups) == sorted(cases)
    sizes = [list(groups.values()).count(group) for group in range(4)]
    assert sorted(sizes) == [2, 2, 3, 3]
    assert deal(reversed(cases), set_name="ours", count=4) == groups
    assert list(groups.values()) != sorted(groups.values())  # shuffled
    assert deal(cases, set_name="theirs", count=4) != groups


def test_an_image_is_not_both_trained_and_validated_on(data: Path) -> None:
    config = TrainConfig.model_validate({"sets": [SETS[0] | {"split": "all"}]})
    with pytest.raises(UsageError, match=r"0\.png is trained on \(set 'bcdata'\) and validated on"):
        read_material(config, data)
    twice = [*SETS, {"name": "again", "format": "bcdata", "folder": "bcdata", "weight": 1.0}]
    with pytest.raises(UsageError, match=r"'bcdata' and 'again' both train on .*0\.png"):
        read_material(TrainConfig.model_validate({"sets": twice}), data)


def test_every_map_needs_a_teacher(data: Path) -> None:
    entries = {"sets": [{"name": "uw", "weight": 1.0}], "validation": []}
    with pytest.raises(UsageError, match="no set teaches the map 'positive'"):
        read_material(TrainConfig.model_validate(entries), data)
    one = TrainConfig.model_validate(entries | {"maps": {"names": ["nucleus"]}})
    assert len(read_material(one, data).training) == 1


def test_a_set_that_is_held_out_whole(data: Path) -> None:
    entries = {
        "sets": [{"name": "uw", "weight": 1.0}],
        "validation": [{"name": "uw", "split": "train"}],
        "maps": {"names": ["nucleus"]},
    }
    says = []
    for index in range(2):
        config = TrainConfig.model_validate(entries | {"folds": {"count": 2, "index": index}})
        with pytest.raises(UsageError) as raised:
            read_material(config, data)
        says.append(str(raised.value).split()[0])
    assert sorted(says) == ["all", "group"]  # its one image is held out, or no image is
