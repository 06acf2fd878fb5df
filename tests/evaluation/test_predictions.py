"""What a network finds in labelled images: whole, at its own µm/px, within the region that is labelled."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from shapely.geometry import box

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import Labelled, LabelledImage
from wsi_edt.evaluation.predictions import Predictor, prediction_metrics
from wsi_edt.maps import DecodeSettings

EVERYWHERE = Labelled.EVERYWHERE
NAMES = ("positive", "negative", "nucleus")
POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS
COLOURS = {POSITIVE: (255, 0, 0), NEGATIVE: (0, 0, 255), NUCLEUS: (0, 255, 0)}
CELLS = [(20, 20, POSITIVE), (60, 20, NEGATIVE), (20, 60, NEGATIVE), (60, 60, NUCLEUS)]
SUM = DecodeSettings(NAMES, "sum", 11, 0.15)


class SpotReader:
    """Stands in for a network: red px are positive cells, blue ones negative, and both, and green ones, nuclei."""

    def __init__(self, maps: int = 3) -> None:
        self._maps = maps

    def maps(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
        assert images.shape[1] % 32 == images.shape[2] % 32 == 0
        red, green, blue = (images[..., channel] > 200 for channel in range(3))
        positive, negative = red & ~blue, blue & ~red
        nucleus = positive | negative | (green & ~red)
        maps: npt.NDArray[np.float32] = np.stack([positive, negative, nucleus], axis=1).astype(np.float32)
        return maps[:, 3 - self._maps :] * 0.5


def predictor(maps: int = 3, *, model_mpp: float = 0.25) -> Predictor:
    return Predictor(SpotReader(maps), model_mpp, NAMES[3 - maps :], stride=32)


def image(
    drawn: list[tuple[int, int, CellClass]],
    labelled: list[tuple[int, int, CellClass]],
    *,
    dataset: str = "a",
    classes: Labelled = EVERYWHERE,
    nuclei: Labelled = EVERYWHERE,
    region: tuple[int, int, int, int] | None = None,
    side: int = 96,
) -> LabelledImage:
    """A white image with one px for each drawn cell, and these labels."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    for x, y, class_id in drawn:
        pixels[y, x] = COLOURS[class_id]
    return LabelledImage(
        path=Path(f"{dataset}.png"),
        dataset=dataset,
        case=f"case of {dataset}",
        pixels=pixels,
        image_mpp=0.25,
        points=np.array([(x + 0.5, y + 0.5) for x, y, _ in labelled], np.float64).reshape(-1, 2),
        class_id=np.array([class_id for *_, class_id in labelled], np.uint8),
        classes=classes,
        nuclei=nuclei,
        region=None if region is None else box(*region),
    )


def rows(cells: Cells) -> list[tuple[float, float, int]]:
    return list(zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True))


def test_a_stand_in_finds_what_is_drawn() -> None:
    found = predictor().predict(image(CELLS, CELLS))
    assert (found.name, found.case, found.map_names) == ("a.png", "case of a", NAMES)
    assert rows(found.predicted(SUM)) == [
        (20.5, 20.5, POSITIVE),
        (60.5, 20.5, NEGATIVE),
        (20.5, 60.5, NEGATIVE),
    ]


def test_sides_that_are_no_multiple_of_the_stride_are_padded() -> None:
    found = predictor().predict(image(CELLS, CELLS, side=70))
    assert found.maps.shape == (3, 70, 70)
    assert len(found.predicted(SUM)) == 3


def test_an_image_is_brought_to_the_models_mpp_with_its_points_and_its_region() -> None:
    # At half the µm/px a px becomes two a side.
    found = predictor(model_mpp=0.125).predict(image([], [(20, 30, POSITIVE)], region=(10, 10, 40, 50)))
    assert found.maps.shape == (3, 192, 192)
    assert rows(found.truth) == [(41.0, 61.0, POSITIVE)]
    assert found.region is not None
    assert found.region.bounds == (20, 20, 80, 100)


def test_cells_outside_the_region_are_not_held_against_it() -> None:
    labelled = [cell for cell in CELLS if cell[0] < 40]
    within = predictor().predict(image(CELLS, labelled, region=(0, 0, 40, 96)))
    assert prediction_metrics([within], SUM).all.f1 == 1
    everywhere = predictor().predict(image(CELLS, labelled))
    assert prediction_metrics([everywhere], SUM).all.false_positives == 1


@pytest.mark.parametrize(
    ("maps", "nuclei", "expected"), [(3, False, (3, 0, 0)), (3, True, (4, 0, 0)), (1, False, (4, 0, 0))]
)
def test_neither_class_is_ignored_only_with_classes(
    maps: int, nuclei: bool, expected: tuple[int, int, int]
) -> None:
    predicted = predictor(maps).predict(image(CELLS, CELLS))
    on_nuclei = DecodeSettings(NAMES[3 - maps :], "nucleus", 11, 0.1)
    found = prediction_metrics([predicted], on_nuclei, nuclei=nuclei).all
    assert (found.true_positives, found.false_positives, found.false_negatives) == expected
