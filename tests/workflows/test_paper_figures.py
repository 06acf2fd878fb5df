"""The paper's figures: what they choose and measure, on made fields; and all of them drawn of a tiny model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

from tests.bundles.tiny import tiny_bundle
from tests.workflows.conftest import GPU, _scripts_of
from wsi_edt.networks.difference import MGA

Pixels = npt.NDArray[np.uint8]


@pytest.fixture(scope="module")
def paper() -> Iterator[Any]:
    """Imports a script of workflows/paper by its name."""
    yield from _scripts_of(GPU.parent / "paper")


def made_field(paper: Any, points: list[tuple[float, float]], grey: list[int]) -> Any:
    """White, with a square of 9 px of that grey at each point."""
    pixels = np.full((512, 512, 3), 255, np.uint8)
    for (x, y), value in zip(points, grey, strict=True):
        pixels[int(y) - 4 : int(y) + 5, int(x) - 4 : int(x) + 5] = value
    located = np.array(points, np.float64)
    return paper("field").Field("made", pixels, located, np.zeros(len(points), bool), 0.25)


def test_the_densest_part_is_found(paper: Any) -> None:
    field = paper("field")
    points = np.array([(30.5, 400.5), (300.5, 310.5), (310.5, 300.5), (340.5, 340.5)])
    part = field.densest_part(points, 64)
    assert part.inside(points).tolist() == [False, True, True, True]
    assert part.moved(points).tolist() == (points[1:] - (part.x, part.y)).tolist()
    values = np.arange(512 * 512).reshape(512, 512).astype(np.float64)
    assert part.cut(values)[0, 0] == part.y * 512 + part.x
    assert part.cut(values[::2, ::2], scale=2).shape == (32, 32)


def test_the_palest_quarter(paper: Any) -> None:
    points = [(20.5, 20.5), (60.5, 60.5), (100.5, 20.5), (510.5, 510.5)]
    pale = paper("field").pale_nuclei(made_field(paper, points, [90, 220, 60, 30]))
    assert pale.tolist() == [False, True, False, False]


def test_discs_by_hand(paper: Any) -> None:
    found = paper("field").discs(np.array([(2.5, 1.5)]), (4, 5), 1.0)
    assert found.astype(int).tolist() == [[0, 0, 1, 0, 0], [0, 1, 1, 1, 0], [0, 0, 1, 0, 0], [0, 0, 0, 0, 0]]


def test_separation_by_hand(paper: Any) -> None:
    """Means 3 and 1, variances 1 and 4: d = 2 / √2.5. A constant channel separates nothing."""
    features = np.array([[[2, 4, -1, 3]], [[5, 5, 5, 5]]], np.float32)
    inside, ring = np.array([[True, True, False, False]]), np.array([[False, False, True, True]])
    assert paper("field").separation(features, inside, ring) == pytest.approx([2 / 2.5**0.5, 0.0])


def test_without_differences_a_flat_image_keeps_its_level(paper: Any) -> None:
    """Eq. 7 takes θ of each kernel's sum away: a flat image gives 1 − θ of what plain convolutions give."""
    torch.manual_seed(0)
    mga = MGA(3, 8, theta=0.7).double()
    flat = torch.ones(1, 3, 32, 32, dtype=torch.float64)
    plain = paper("figures").without_differences(mga)
    middle = np.s_[..., 10:20, 10:20]
    torch.testing.assert_close(mga(flat)[middle], plain(flat)[middle] * (1 - 0.7))
    assert paper("figures").theta_of(mga) == 0.7


def test_every_figure_is_drawn(paper: Any, tmp_path: Path, ihc_pixels: Pixels) -> None:
    """Of an image smaller than the field, which is filled up with white."""
    (tmp_path / "points/images").mkdir(parents=True)
    (tmp_path / "points/points").mkdir()
    assert cv2.imwrite(str(tmp_path / "points/images/a.png"), ihc_pixels[:300, :400, ::-1])
    rows = [f"positive,{40 * i + 20.5},{30 * i + 20.5}\n" for i in range(8)]
    (tmp_path / "points/points/a.csv").write_text("class,x,y\n" + "".join(rows))
    tiny = tiny_bundle(tmp_path / "tiny")
    command = ["--data", tmp_path, "--dataset", "points", "--mpp", 0.5, "--model", tiny.directory]
    out = tmp_path / "figures"
    result = CliRunner().invoke(paper("figures").main, [*map(str, command), "--out", str(out)])
    assert result.exit_code == 0, result.output
    names = ["maps", "constants", "ccls", "mga"]
    assert result.output.splitlines() == [str(out / f"{name}.png") for name in names]
    for name in names:
        with Image.open(out / f"{name}.png") as image:
            assert image.width > 1000
        assert (out / f"{name}.svg").read_text().count("</svg>") == 1


def test_an_image_that_isnt_there(paper: Any, gpu_data: Path, tmp_path: Path) -> None:
    (gpu_data / "train").rename(gpu_data / "points")
    command = ["--data", gpu_data, "--dataset", "points", "--mpp", 0.5, "--image", "z.png", "--out", tmp_path]
    result = CliRunner().invoke(paper("figures").main, [*map(str, command)])
    assert result.exit_code == 2
    assert "there is no image 'z.png' in the set; choose one of a.png" in result.output
