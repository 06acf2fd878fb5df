"""Validation: what a network in training finds, measured on the sets whose labels can be trusted; pictures of it."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.evaluation.test_predictions import (
    CELLS,
    NAMES,
    NEGATIVE,
    NUCLEUS,
    POSITIVE,
    SpotReader,
    image,
    predictor,
)
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.evaluation.predictions import Predictor
from wsi_edt.networks.hrnet import HRNet
from wsi_edt.training import TrainConfig
from wsi_edt.training.pictures import SIDE_PX, choose_tiles, draw_predictions
from wsi_edt.training.validation import THRESHOLDS, initial_settings, predictor_of, validate

EVERYWHERE, NEAR_POINTS, NOWHERE = Labelled.EVERYWHERE, Labelled.NEAR_POINTS, Labelled.NOWHERE


def test_a_network_in_training_sees_normalised_whole_images() -> None:
    torch.manual_seed(0)
    network = HRNet(4, maps=3, theta=0.7)
    network(torch.randn(2, 3, 64, 64))  # statistics of the norms
    network.eval()
    config = TrainConfig.model_validate({"mpp": 0.25})
    labelled = image(CELLS, CELLS)
    found = predictor_of(network, config).predict(labelled)
    normal = (labelled.pixels / 255 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    with torch.inference_mode():
        expected = network(torch.from_numpy(normal.transpose(2, 0, 1)[None]).float())[0].numpy()
    assert np.abs(expected).max() > 1e-3
    np.testing.assert_allclose(found.maps, expected, atol=1e-4 * np.abs(expected).max())


def test_f1_is_pooled_over_trusted_sets() -> None:
    good = image(CELLS, CELLS, dataset="good")
    # A cell more than is drawn, 30 px from any: recall 3 of 4.
    missing = image(CELLS, [*CELLS, (90, 90, POSITIVE)], dataset="missing")
    partial = image(CELLS, CELLS[:1], dataset="partial", classes=NEAR_POINTS)
    found = validate(predictor(), [good, missing, partial])
    assert [(one.name, one.trusted) for one in found.sets] == [
        ("good", True),
        ("missing", True),
        ("partial", False),
    ]
    assert found.f1 == pytest.approx(2 * 6 / (6 + 7))  # 6 found of 7, none false
    assert str(found.sets[2]).startswith("partial F1 0.500 at 0.05, ")
    assert str(found.sets[2]).endswith("(labels are partial)")
    # The cells are 0.5 high: every threshold finds them, and the first of the best is taken.
    assert found.threshold == 0.05
    alone = validate(predictor(), [partial])
    assert alone.f1 == pytest.approx(0.5)


class Uneven:
    """Stands in for a network: its spots are 0.25 high, and a third of that in the lower part."""

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        found = SpotReader().maps(images) * np.float32(0.5)
        found[:, :, 40:] /= 3
        return found


def test_the_method_that_validates_is_the_one_that_is_asked_for() -> None:
    uneven = Predictor(Uneven(), 0.25, NAMES, stride=32)
    labelled = image(CELLS, CELLS)  # two cells of a class above, one below

    def found(method: str) -> list[int]:
        return [one.true_positives for one in validate(uneven, [labelled], method=method).sets[0].metrics]

    assert THRESHOLDS == (0.05, 0.1, 0.15, 0.2, 0.3, 0.4)
    assert found("ccls") == found("peak_local_max") == [3, 2, 2, 2, 0, 0]
    assert found("lmss") == found("lmds") == [3, 3, 3, 3, 3, 2]  # shares of the maximum: 1, 1 and a third


def test_sets_without_classes_are_judged_as_nuclei() -> None:
    nuclei = [(x, y, NUCLEUS) for x, y, _ in CELLS]
    he = image(CELLS, nuclei, classes=NOWHERE)
    for maps in (3, 1):
        found = validate(predictor(maps), [he])
        assert found.f1 == 1
        assert found.sets[0].trusted


def test_tiles_are_few_and_hold_cells() -> None:
    rng = np.random.default_rng(0)
    images = []
    for number in range(9):
        pixels = np.full((1000, 1200, 3), 255, np.uint8)
        corner = rng.uniform(0, 800, 2)
        points = corner + rng.uniform(0, 150, (30, 2))
        images.append(
            LabelledImage(
                Path(f"image {number}.npy#3"),
                "few" if number == 0 else "many",
                str(number),
                pixels,
                0.25,
                points,
                np.zeros(30, np.uint8),
                EVERYWHERE,
                EVERYWHERE,
            )
        )
    tiles = choose_tiles(images, model_mpp=0.25)
    assert [tile.name.split("-")[1] for tile in tiles].count("few") == 1
    assert len(tiles) == 4  # one of one image, three spread over eight
    assert len({tile.name for tile in tiles}) == 4
    assert all(len(tile.truth) >= 28 for tile in tiles)
    assert all(tile.pixels.shape == (SIDE_PX, SIDE_PX, 3) for tile in tiles)
    assert "/" not in tiles[0].name and "#" not in tiles[0].name
    assert choose_tiles([], model_mpp=0.25) == []


def test_pictures_ring_what_is_there_and_what_is_found() -> None:
    # Labelled and drawn differ: the left part has a ring at the label, the middle one at the spot.
    (tile,) = choose_tiles([image([(20, 20, POSITIVE)], [(70, 70, NEGATIVE)])], model_mpp=0.25)
    pictures = draw_predictions(predictor(), [tile], initial_settings(NAMES))
    picture = pictures[tile.name]
    side = SIDE_PX * 2
    assert picture.shape == (side, 3 * side, 3)
    truth, found, evidence = (picture[:, part * side : (part + 1) * side].astype(int) for part in range(3))
    blue = (truth[..., 2] - truth[..., 0] > 100).nonzero()
    assert [round(float(axis.mean())) // 2 for axis in blue] == [70, 70]
    red = (found[..., 0] - found[..., 2] > 150).nonzero()
    assert [round(float(axis.mean())) // 2 for axis in red] == [20, 20]
    assert np.abs(truth - found).max() > 100
    assert np.unravel_index(evidence[..., 0].argmax(), (side, side))[0] // 2 == 20
