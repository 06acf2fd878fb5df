"""SC-CNN: windows against windows that are cut out, and its maps against the publication's formula px by px."""

import itertools
import math

import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from wsi_edt.networks.sc_cnn import SCCNN, SpatiallyConstrained


def test_parameters() -> None:
    """Sirinukunwattana et al. 2016, Table I: 4×4 to 30, 3×3 to 60, 5×5 to 1024, 512; here from RGB, and to 3 maps."""
    found = sum(parameter.numel() for parameter in SCCNN(3).parameters())
    layers = [(3 * 16, 30), (30 * 9, 60), (60 * 25, 1024), (1024, 512), (512, 3 * 2 * 3)]
    assert found == sum((inputs + 1) * outputs for inputs, outputs in layers)


def test_a_windows_features_are_those_of_the_window_cut_out() -> None:
    torch.manual_seed(0)
    network = SCCNN(1).double().eval()
    convolutions = [module for module in network.windows if not isinstance(module, nn.ZeroPad2d)]
    image = torch.randn(1, 3, 48, 64, dtype=torch.float64)
    with torch.inference_mode():
        features = network.body(image)
        assert features.shape == (1, 512, 12, 16)
        for row, column in ((3, 3), (5, 8), (7, 11)):
            # 27 px, of which the middle one is the third of the 4 px that stand at this place.
            top, left = 4 * row + 2 - 13, 4 * column + 2 - 13
            window = image[..., top : top + 27, left : left + 27]
            assert window.shape[-2:] == (27, 27)
            alone = nn.Sequential(*convolutions)(window)
            assert alone.shape[-2:] == (1, 1)
            torch.testing.assert_close(features[..., row, column], alone[..., 0, 0])


def drawn(nuclei: npt.NDArray[np.float64], side: int) -> npt.NDArray[np.float64]:
    """(maps, 2, 3, h, w) rows, columns and heights in [0, 1] → (maps, side, side), one window, nucleus and px at a time."""
    maps, _, _, height, width = nuclei.shape
    total, windows = np.zeros((maps, side, side)), np.zeros((side, side))
    for row, column in itertools.product(range(height), range(width)):
        for y, x in itertools.product(range(11), range(11)):  # the publication's px 1 to 11
            down, right = 4 * row + 2 - 5 + y, 4 * column + 2 - 5 + x
            if not (0 <= down < side and 0 <= right < side):
                continue
            windows[down, right] += 1
            for number in range(maps):
                seen = []
                for v, u, top in nuclei[number, :, :, row, column].tolist():
                    distance = math.hypot(y + 1 - ((11 - 1) * v + 1), x + 1 - ((11 - 1) * u + 1))
                    seen.append((distance, top / (1 + distance**2 / 2) if distance <= 4 else 0.0))
                total[number, down, right] += min(seen)[1]
    return total / windows


def test_maps_are_the_formulas() -> None:
    torch.manual_seed(1)
    layer = SpatiallyConstrained(5, 2).double()
    nn.init.normal_(layer.nuclei.weight)
    features = torch.randn(1, 5, 6, 6, dtype=torch.float64)
    with torch.inference_mode():
        found = layer(features)
        nuclei = torch.sigmoid(layer.nuclei(features)).numpy().reshape(2, 2, 3, 6, 6)
    expected = drawn(nuclei, 24)
    assert expected.max() > 0.2
    np.testing.assert_allclose(found[0].numpy(), expected, rtol=1e-12)


def test_begins_nearly_empty() -> None:
    torch.manual_seed(0)
    with torch.inference_mode():
        maps = SCCNN(1).eval()(torch.randn(1, 3, 32, 32))
    assert 0 < float(maps.max()) < 1.1 / (1 + math.exp(3))
