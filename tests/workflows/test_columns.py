"""The columns of the model card's tables, and which settings find a fold's cells, on maps with cells put there by hand."""

from typing import Any

import numpy as np

from wsi_edt.cells import CellClass, Cells
from wsi_edt.evaluation.predictions import PredictedImage
from wsi_edt.maps import DecodeSettings

NAMES = ("positive", "negative", "nucleus")
POSITIVE, NEGATIVE = CellClass.POSITIVE, CellClass.NEGATIVE
MAP_OF = {POSITIVE: 0, NEGATIVE: 1, CellClass.NUCLEUS: 2}
Peak = tuple[int, CellClass, float]  # x, class, height; y is 50
Truth = tuple[int, CellClass]


def image(name: str, peaks: list[Peak], truth: list[Truth]) -> PredictedImage:
    """Single px of the maps are cells, and points are annotated, on the middle line of a strip."""
    maps = np.zeros((3, 100, 600), np.float32)
    for x, of, height in peaks:
        maps[MAP_OF[of], 50, x] = height
    cells = Cells.empty() if not truth else Cells(
        x=np.array([x + 0.5 for x, _ in truth]),
        y=np.full(len(truth), 50.5),
        score=np.ones(len(truth), np.float32),
        class_id=np.array([of for _, of in truth], np.uint8),
    )  # fmt: skip
    return PredictedImage(name, name, maps, NAMES, cells)


def row_of(script: Any, decoded: Any, **options: Any) -> dict[str, str]:
    return dict(zip(script.COLUMNS, script.columns(decoded, **options), strict=True))


def settings(threshold: float) -> DecodeSettings:
    return DecodeSettings(maps=NAMES, evidence="max", window_px=11, threshold=threshold)


def test_columns_are_of_all_images_each_with_its_own_settings(shipped_model: Any) -> None:
    script = shipped_model("columns")
    # The first image has its two cells at 0.3, one of them 7 px off; the second loses one of three and finds one too many.
    first = image(
        "a",
        [(50, POSITIVE, 0.9), (157, NEGATIVE, 0.8), (250, POSITIVE, 0.25)],
        [(50, POSITIVE), (150, NEGATIVE)],
    )
    second = image(
        "b",
        [(50, POSITIVE, 0.9), (150, NEGATIVE, 0.25), (350, POSITIVE, 0.5)],
        [(50, POSITIVE), (150, NEGATIVE), (250, NEGATIVE)],
    )
    row = row_of(script, [(first, settings(0.3)), (second, settings(0.2))], model_mpp=1.0)
    # Five true cells, five found, four of them right at 10 px; the one that is 7 px off is wrong at 5 px and at 6 µm.
    assert row["F1 at 10 px"] == row["recall"] == row["precision"] == "0.800"
    assert row["5 px"] == row["6 µm"] == "0.600"
    assert row["positive"] == "0.800"  # two of two, and one too many
    assert row["negative"] == "0.800"  # two of three
    # Indices: 50 % of 50 %; 66.7 % of 33.3 %. The standard deviation of errors of 0 and 33.3 is 23.57.
    assert (row["index error"], row["bias"]) == ("16.7", "+16.7")
    assert row["limits of agreement"] == "-29.5 to +62.9"


def test_a_distance_in_um_is_no_distance_in_px(shipped_model: Any) -> None:
    script = shipped_model("columns")
    off = image("a", [(57, POSITIVE, 0.9)], [(50, POSITIVE)])
    row = row_of(script, [(off, settings(0.3))], model_mpp=0.5)
    assert (row["F1 at 10 px"], row["5 px"], row["6 µm"]) == ("1.000", "0.000", "1.000")  # 7 px are 3.5 µm


def test_drift_is_over_the_thresholds_that_find_cells_as_well(shipped_model: Any) -> None:
    script = shipped_model("columns")
    # 40 positive and 10 negative cells are sure. Two more negatives are found below 0.3: F1 without them is 0.98, so either
    # threshold would do, and the index is 80 or 76.9 %. Below 0.1 come 20 false ones, which nobody would accept.
    places = range(8, 600, 11)
    peaks: list[Peak] = [(x, POSITIVE, 0.9) for x in places[:40]]
    peaks += [(x, NEGATIVE, 0.9) for x in places[40:50]] + [(x, NEGATIVE, 0.3) for x in places[50:52]]
    sure = image("a", peaks, [(x, of) for x, of, _ in peaks])
    sure.maps[MAP_OF[POSITIVE], 20, 8:228:11] = 0.08
    row = row_of(script, [(sure, settings(0.2))], model_mpp=1.0)
    assert row["index drift"] == "3.1"


def test_points_without_a_class_have_no_index(shipped_model: Any) -> None:
    script = shipped_model("columns")
    one = image("a", [(50, POSITIVE, 0.9)], [(50, CellClass.NUCLEUS)])
    row = row_of(script, [(one, settings(0.3))], model_mpp=1.0, nuclei=True)
    assert row["F1 at 10 px"] == "1.000"
    assert [row[name] for name in script.COLUMNS[5:]] == [""] * 6


def test_a_fold_is_found_with_what_the_other_folds_choose(shipped_model: Any) -> None:
    script = shipped_model("cross_validate")
    # In folds 0 and 2 cells are higher than 0.5 and all else is lower; in fold 1 it is 0.2. Each set of fold 1 must be
    # found with a threshold of about 0.5, whatever would suit it.
    truth: list[Truth] = [(50, POSITIVE), (150, NEGATIVE)]

    def of(name: str, high: float, low: float) -> PredictedImage:
        return image(name, [(50, POSITIVE, high), (150, NEGATIVE, high), (350, NEGATIVE, low)], truth)

    found = [
        {"home": [of("a", 0.55, 0.5)]},
        {"home": [of("b", 0.25, 0.2)], "away": [of("c", 0.25, 0.2)]},
        {"home": [of("d", 0.55, 0.5)]},
    ]
    chosen = script.decoded(found, choose_on="home")
    assert [sorted(fold) for fold in chosen] == [["home"], ["away", "home"], ["home"]]
    for own in chosen[1].values():
        assert [0.5 <= settings.threshold < 0.55 for _, settings in own] == [True]
    # Fold 0's settings come from folds 1 and 2 together: at 0.2 to 0.25 the false peak of fold 2 is all that is wrong.
    ((_, settings_0),) = chosen[0]["home"]
    assert 0.2 <= settings_0.threshold < 0.25


def test_a_gain_that_is_given_is_that_of_all_folds(shipped_model: Any) -> None:
    script = shipped_model("cross_validate")
    truth: list[Truth] = [(50, POSITIVE), (150, NEGATIVE)]
    found = [{"home": [image(name, [(50, POSITIVE, 0.6), (150, NEGATIVE, 0.4)], truth)]} for name in "ab"]
    folds = script.decoded(found, choose_on="home", negative_gain=1.3)
    assert [one.negative_gain for fold in folds for _, one in fold["home"]] == [1.3, 1.3]
