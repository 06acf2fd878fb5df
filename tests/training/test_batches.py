"""Batches: image, maps and weight of a crop belong together, and depend on the seed and the step alone."""

from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from PIL import Image

from tests.training.sets import make_bcdata, write_rgb
from wsi_edt.training import TrainConfig
from wsi_edt.training.batches import CPU_PART, BatchMaker, cut
from wsi_edt.training.material import read_material
from wsi_edt.training.sampling import Crop

Array = npt.NDArray[np.float32]
MEAN, STD = np.array([[0.485, 0.456, 0.406], [0.229, 0.224, 0.225]], np.float32)


def configuration(**sections: object) -> TrainConfig:
    entries: dict[str, object] = {
        "mpp": 0.25,
        "schedule": {
            "steps": 4,
            "epoch_steps": 2,
            "batch_size": CPU_PART + 2,
            "crop_px": 64,
            "warmup_steps": 2,
        },
        "sets": [{"name": "bcdata", "weight": 1.0}],
    }
    return TrainConfig.model_validate(entries | sections)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata", images=3)
    return folder


def batches(config: TrainConfig, data: Path, first_step: int = 0) -> list[tuple[Array, Array, Array]]:
    """(pixels, maps, weight) of each batch from that step on."""
    maker = BatchMaker(config, read_material(config, data))
    batch = maker.empty()
    found = []
    with closing(maker.fillings(batch, first_step)) as fillings:
        for _ in fillings:
            pixels, maps, weight = (part.numpy().copy() for part in (batch.pixels, batch.maps, batch.weight))
            found.append((pixels, maps, weight))
    return found


def test_batches_depend_on_seed_and_step_alone(data: Path) -> None:
    whole, later = batches(configuration(), data), batches(configuration(), data, 3)
    other = batches(configuration(seed=2), data)
    shape = (CPU_PART + 2, 3, 64, 64)
    assert [tuple(part.shape for part in batch) for batch in whole] == [(shape, shape, shape)] * 4
    assert all(np.array_equal(a, b) for a, b in zip(whole[3], later[0], strict=True))
    assert not np.array_equal(whole[0][0], other[0][0])
    assert not np.array_equal(whole[0][0], whole[1][0])


def test_a_crop_is_the_images_part_as_the_network_takes_it(data: Path) -> None:
    """Without augmentation, each crop's px stand somewhere in one of the images."""
    off = dict.fromkeys(("scale", "stain", "hue", "gamma", "blur", "sharpen", "jpeg", "turns"), 0.0)
    config = configuration(augmentation=off)
    images = [np.pad(image.pixels, ((20, 20), (20, 20), (0, 0)), constant_values=255)
              for image in read_material(config, data).training]  # fmt: skip
    for pixels, _, weight in batches(config, data)[:1]:
        assert (weight[:, :2] == 1).all()
        for crop in pixels:
            seen = (crop.transpose(1, 2, 0) * STD + MEAN) * 255
            assert any(
                np.abs(image[y : y + 64, x : x + 64] - seen).max() < 0.01
                for image in images
                for y in range(image.shape[0] - 63)
                for x in range(image.shape[1] - 63)
                if np.abs(image[y, x] - seen[0, 0]).max() < 0.01
                and np.abs(image[y + 63, x + 63] - seen[63, 63]).max() < 0.01
            )


def test_maps_follow_the_image_through_every_augmentation(tmp_path: Path) -> None:
    """One dark disc in a pale image: wherever a crop shows it, its map peaks there."""
    image = np.full((96, 96, 3), 230, np.uint8)
    yy, xx = np.mgrid[:96, :96]
    image[(yy - 40) ** 2 + (xx - 56) ** 2 <= 36] = 30
    write_rgb(tmp_path / "one" / "images" / "one.png", image)
    points = tmp_path / "one" / "points" / "one.csv"
    points.parent.mkdir()
    points.write_text("class,x,y\npositive,56.5,40.5\n")
    config = configuration(
        sets=[{"name": "one", "format": "points", "mpp": 0.25, "weight": 1}], validation=()
    )
    seen = set()
    for pixels, maps, _ in batches(config, tmp_path):
        for crop, positive in zip(pixels, maps[:, 0], strict=True):
            if positive.max() < 1:
                continue
            row, column = np.unravel_index(positive.argmax(), positive.shape)
            if not (8 <= row < 56 and 8 <= column < 56):
                continue
            grey = crop.mean(axis=0)
            dark = np.argwhere(grey < (grey.min() + grey.max()) / 2)
            assert np.abs(dark.mean(axis=0) - (row, column)).max() < 1
            seen.add((int(row), int(column)))
    assert len(seen) > 5


@pytest.mark.parametrize("side", [53, 64, 77])
def test_crops_are_resampled_as_slides_are(ihc_pixels: npt.NDArray[np.uint8], side: int) -> None:
    values = torch.from_numpy(ihc_pixels[:200, :200].copy())
    found = cut(values, Crop(0, 11, 23, side, 0, False), margin_px=5, crop_px=64)
    box = ihc_pixels[28 : 28 + side, 16 : 16 + side]
    expected = np.asarray(Image.fromarray(box).resize((64, 64), Image.Resampling.BILINEAR))
    assert np.abs(found.permute(1, 2, 0).numpy().astype(int) - expected).max() <= 1
    # On a GPU the same is done in float32.
    exact = torch.nn.functional.interpolate(
        torch.from_numpy(box.copy()).permute(2, 0, 1)[None].float(), (64, 64), mode="bilinear", antialias=True
    )
    assert (exact[0] - found.float()).abs().max() <= 1


def test_turns_are_numpys() -> None:
    values = torch.arange(48, dtype=torch.uint8).reshape(4, 4, 3)
    for quarter_turns in range(4):
        for flip in (False, True):
            found = cut(values, Crop(0, 0, 0, 4, quarter_turns, flip), margin_px=0, crop_px=4)
            expected = np.rot90(values.numpy(), quarter_turns)
            expected = expected[:, ::-1] if flip else expected
            assert np.array_equal(found.permute(1, 2, 0).numpy(), expected)


@pytest.mark.gpu
def test_a_gpu_makes_the_cpus_batches(data: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    config = configuration(augmentation={"jpeg": 0.0})  # a frequency between two steps may round either way
    made = []
    for device in ("cpu", "cuda"):
        maker = BatchMaker(config, read_material(config, data), device=device)
        batch = maker.empty()
        maker.fill(batch, maker.plan(2))
        made.append([part.cpu() for part in (batch.pixels, batch.maps, batch.weight)])
    (pixels, maps, weight), (gpu_pixels, gpu_maps, gpu_weight) = made
    assert (pixels - gpu_pixels).abs().max() < 0.05  # of a px's levels 3
    assert torch.equal(maps, gpu_maps)
    assert torch.equal(weight, gpu_weight)
