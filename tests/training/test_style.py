"""Style mixing: what a picture's style is, and that crops take it on as far as they should."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.training.sets import make_bcdata, write_rgb
from wsi_edt.errors import UsageError
from wsi_edt.training import TrainConfig
from wsi_edt.training.augment import augment, draw
from wsi_edt.training.config import Augmentation
from wsi_edt.training.material import read_material
from wsi_edt.training.style import Styles, restyled

Image = npt.NDArray[np.uint8]


def tinted(image: Image, factors: tuple[float, float, float]) -> Image:
    """The same picture with each colour's optical density so many times as high."""
    density = -np.log((image.astype(np.float64) + 1) / 256) * factors
    return np.asarray(np.clip(256 * np.exp(-density) - 1, 0, 255).round(), np.uint8)


def test_a_style_is_mean_and_spread_of_the_tissues_densities() -> None:
    picture = np.full((64, 64, 3), 255, np.uint8)
    picture[:32] = (99, 55, 27)  # densities ln(256 / 100), ln(256 / 56), ln(256 / 28)
    picture[:16] = (49, 27, 13)
    styles = Styles.of([picture, np.full((64, 64, 3), 250, np.uint8)])
    assert len(styles) == 1  # glass has none
    first, second = np.log(256 / np.array([100, 56, 28])), np.log(256 / np.array([50, 28, 14]))
    assert styles.mean[0] == pytest.approx((first + second) / 2, rel=1e-5)
    assert styles.spread[0] == pytest.approx(np.abs(first - second) / 2, rel=1e-5)


def test_a_crop_that_goes_all_the_way_has_the_others_style(ihc_pixels: Image) -> None:
    other = Styles.of([tinted(ihc_pixels, (1.3, 0.8, 1.1))])
    density = -torch.log((torch.from_numpy(ihc_pixels[::2, ::2].copy()).permute(2, 0, 1).float() + 1) / 256)
    flat = density.reshape(1, 3, -1).repeat(3, 1, 1)
    three = Styles(*(np.repeat(part, 3, axis=0) for part in (other.mean, other.spread)))
    found = restyled(flat, three, np.array([0, 0.5, 1], np.float32))
    assert torch.allclose(found[0], flat[0], atol=1e-5)
    tissue = flat[0].sum(dim=0) > 0.25
    mean, spread = found[2][:, tissue].mean(dim=1).numpy(), found[2][:, tissue].std(dim=1).numpy()
    assert mean == pytest.approx(other.mean[0], rel=1e-3)
    assert spread == pytest.approx(other.spread[0], rel=1e-3)
    assert torch.allclose(found[1], (found[0] + found[2]) / 2, atol=1e-5)


def test_a_share_of_the_crops_takes_them_on(ihc_pixels: Image) -> None:
    styles = Styles.of([tinted(ihc_pixels, (0.7, 1.2, 1.4))])
    settings = Augmentation(
        scale=0, stain=0, hue=0, gamma=0, blur=0, sharpen=0, jpeg=0, turns=0, style=0.6, styles=("x",)
    )
    draws = draw(np.random.default_rng(0), 2000, settings, styles=styles)
    assert (draws.style_share > 0).mean() == pytest.approx(0.6, abs=0.03)
    assert draws.style_share.max() > 0.95
    some = draws.part(slice(0, 12))
    images = (
        torch.from_numpy(ihc_pixels[None, :64, :64].copy()).permute(0, 3, 1, 2).float().repeat(12, 1, 1, 1)
    )
    changes = (augment(images.clone(), some) - images).abs().mean(dim=(1, 2, 3)).numpy()
    assert (changes[some.style_share == 0] < 1e-3).all()
    assert (changes[some.style_share > 0.2] > 1).all()
    assert (some.style_share > 0.2).any() and (some.style_share == 0).any()


def configuration(styles: list[str]) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "sets": [{"name": "bcdata", "weight": 1.0}],
            "validation": [],
            "augmentation": {"style": 0.5, "styles": styles},
        }
    )


def test_pictures_come_from_sets_and_folders(tmp_path: Path, ihc_pixels: Image) -> None:
    make_bcdata(tmp_path / "bcdata", images=2)
    write_rgb(tmp_path / "more" / "a.png", ihc_pixels)
    write_rgb(tmp_path / "more" / "glass.png", np.full((64, 64, 3), 250, np.uint8))
    material = read_material(configuration(["bcdata", "more"]), tmp_path)
    assert material.styles is not None
    assert len(material.styles) == 3
    assert material.styles.mean[2] == pytest.approx(Styles.of([ihc_pixels]).mean[0])
    with pytest.raises(UsageError, match="names 'nothing', which is neither a set"):
        read_material(configuration(["nothing"]), tmp_path)
    (tmp_path / "more" / "a.png").unlink()
    with pytest.raises(UsageError, match="no picture with tissue"):
        read_material(configuration(["more"]), tmp_path)


def test_a_share_without_pictures_is_refused() -> None:
    for wrong in ({"style": 0.5}, {"styles": ["bcdata"]}):
        with pytest.raises(UsageError, match="give both, or neither"):
            TrainConfig.model_validate({"augmentation": wrong})
