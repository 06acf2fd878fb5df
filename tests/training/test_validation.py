"""Validation: what a network finds, scored for the sets whose labels can be trusted; pictures of it."""

from pathlib import Path

import numpy as np
import pytest
import torch
from shapely.geometry import box

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.maps import DecodeSettings
from wsi_edt.training.pictures import SIDE_PX, choose_tiles, draw_predictions
from wsi_edt.training.validation import PredictedImage, predict, score, settings_for, validate

EVERYWHERE, NEAR_POINTS, NOWHERE = Labelled.EVERYWHERE, Labelled.NEAR_POINTS, Labelled.NOWHERE
NAMES = ("positive", "negative", "nucleus")
POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


class SpotReader(torch.nn.Module):
    """Stands in for a network: red px are positive cells, blue ones negative, and both, and green ones, nuclei."""

    def __init__(self, maps: int = 3) -> None:
        super().__init__()
        self.anchor = torch.nn.Parameter(torch.zeros(()))
        self._maps = maps

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        red, green, blue = (x[:, channel] for channel in range(3))
        low, high = -1.5, 1.5  # normalised values of 0 and 255 lie beyond
        positive = ((red > high) & (blue < low)).float()
        negative = ((blue > high) & (red < low)).float()
        nucleus = torch.clamp(positive + negative + ((green > high) & (red < low)).float(), max=1)
        return torch.stack([positive, negative, nucleus], dim=1)[:, 3 - self._maps :] * 0.5


COLOURS = {POSITIVE: (255, 0, 0), NEGATIVE: (0, 0, 255), NUCLEUS: (0, 255, 0)}


def image(
    drawn: list[tuple[int, int, CellClass]],
    labelled: list[tuple[int, int, CellClass]],
    *,
    dataset: str = "a",
    classes: Labelled = EVERYWHERE,
    nuclei: Labelled = EVERYWHERE,
    region: tuple[int, int, int, int] | None = None,
) -> LabelledImage:
    """A white image with one px for each drawn cell, and these labels."""
    pixels = np.full((96, 96, 3), 255, np.uint8)
    for x, y, class_id in drawn:
        pixels[y, x] = COLOURS[class_id]
    return LabelledImage(
        path=Path(f"{dataset}.png"),
        dataset=dataset,
        case=f"case of {dataset}",
        pixels=pixels,
        mpp=0.25,
        points=np.array([(x + 0.5, y + 0.5) for x, y, _ in labelled], np.float64).reshape(-1, 2),
        class_id=np.array([class_id for *_, class_id in labelled], np.uint8),
        classes=classes,
        nuclei=nuclei,
        region=None if region is None else box(*region),
    )


CELLS = [(20, 20, POSITIVE), (60, 20, NEGATIVE), (20, 60, NEGATIVE), (60, 60, NUCLEUS)]


def test_a_stand_in_finds_what_is_drawn() -> None:
    (found,) = predict(SpotReader(), [image(CELLS, CELLS)], mpp=0.25)
    assert (found.name, found.case, found.map_names) == ("a.png", "case of a", NAMES)
    cells = found.predicted(settings_for(NAMES))
    assert list(zip(cells.x, cells.y, cells.class_id, strict=True)) == [
        (20.5, 20.5, POSITIVE),
        (60.5, 20.5, NEGATIVE),
        (20.5, 60.5, NEGATIVE),
    ]


def test_names_follow_from_the_number_of_maps() -> None:
    def names(count: int) -> tuple[str, ...]:
        return PredictedImage("a", "a", np.zeros((count, 8, 8), np.float32), Cells.empty()).map_names

    assert [names(count) for count in (1, 2, 3)] == [("nucleus",), ("positive", "negative"), NAMES]


def test_cells_outside_the_region_are_not_held_against_it() -> None:
    labelled = [cell for cell in CELLS if cell[0] < 40]
    predicted = predict(SpotReader(), [image(CELLS, labelled, region=(0, 0, 40, 96))], mpp=0.25)
    assert score(predicted, settings_for(NAMES)).all.f1 == 1
    everywhere = predict(SpotReader(), [image(CELLS, labelled)], mpp=0.25)
    assert score(everywhere, settings_for(NAMES)).all.false_positives == 1


def test_neither_class_is_ignored_only_where_there_are_classes() -> None:
    predicted = predict(SpotReader(), [image(CELLS, CELLS)], mpp=0.25)
    on_nuclei = DecodeSettings(NAMES, "nucleus", 11, 0.1)
    found = score(predicted, on_nuclei).all
    assert (found.true_positives, found.false_positives, found.false_negatives) == (3, 0, 0)
    assert score(predicted, on_nuclei, nuclei=True).all.true_positives == 4
    (one_map,) = predict(SpotReader(maps=1), [image(CELLS, CELLS)], mpp=0.25)
    found = score([one_map], settings_for(("nucleus",))).all
    assert (found.true_positives, found.false_positives, found.false_negatives) == (4, 0, 0)


def test_f1_is_pooled_over_trusted_sets() -> None:
    good = image(CELLS, CELLS, dataset="good")
    # A cell more than is drawn, 30 px from any: recall 3 of 4.
    missing = image(CELLS, [*CELLS, (90, 90, POSITIVE)], dataset="missing")
    partial = image(CELLS, CELLS[:1], dataset="partial", classes=NEAR_POINTS)
    found = validate(SpotReader(), [good, missing, partial], mpp=0.25, names=NAMES)
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
    alone = validate(SpotReader(), [partial], mpp=0.25, names=NAMES)
    assert alone.f1 == pytest.approx(0.5)


def test_sets_without_classes_are_scored_as_nuclei() -> None:
    nuclei = [(x, y, NUCLEUS) for x, y, _ in CELLS]
    he = image(CELLS, nuclei, classes=NOWHERE)
    for names in (NAMES, ("nucleus",)):
        found = validate(SpotReader(len(names)), [he], mpp=0.25, names=names)
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
    tiles = choose_tiles(images, mpp=0.25)
    assert [tile.name.split("-")[1] for tile in tiles].count("few") == 1
    assert len(tiles) == 4  # one of one image, three spread over eight
    assert len({tile.name for tile in tiles}) == 4
    assert all(len(tile.truth) >= 28 for tile in tiles)
    assert all(tile.pixels.shape == (SIDE_PX, SIDE_PX, 3) for tile in tiles)
    assert "/" not in tiles[0].name and "#" not in tiles[0].name
    assert choose_tiles([], mpp=0.25) == []


def test_pictures_ring_what_is_there_and_what_is_found() -> None:
    # Labelled and drawn differ: the left part has a ring at the label, the middle one at the spot.
    (tile,) = choose_tiles([image([(20, 20, POSITIVE)], [(70, 70, NEGATIVE)])], mpp=0.25)
    pictures = draw_predictions(SpotReader(), [tile], settings_for(NAMES))
    picture = pictures[tile.name]
    side = SIDE_PX * 2
    assert picture.shape == (side, 3 * side, 3)
    truth, found, evidence = (picture[:, part * side : (part + 1) * side].astype(int) for part in range(3))
    blue = (truth[..., 2] - truth[..., 0] > 150).nonzero()
    assert [round(float(axis.mean())) // 2 for axis in blue] == [70, 70]
    red = (found[..., 0] - found[..., 2] > 150).nonzero()
    assert [round(float(axis.mean())) // 2 for axis in red] == [20, 20]
    assert np.abs(truth - found).max() > 100
    assert np.unravel_index(evidence[..., 0].argmax(), (side, side))[0] // 2 == 20
