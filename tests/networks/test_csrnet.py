"""CSRNet and U-CSRNet: their layers and sizes as published, and what each does on the way back to full size."""

import numpy as np
import pytest
import torch
from torch import nn

from tests.networks.lively import enliven
from wsi_edt.networks.csrnet import CSRNet, UCSRNet

# Li et al. 2018, Table 3, column B: channels and dilation of each 3×3 convolution; "M" halves.
PUBLISHED = [
    *[(64, 1), (64, 1), "M", (128, 1), (128, 1), "M", (256, 1), (256, 1), (256, 1)],
    *["M", (512, 1), (512, 1), (512, 1)],
    *[(512, 2), (512, 2), (512, 2), (256, 2), (128, 2), (64, 2)],
]
# Of that table with a bias each, and the 1×1 convolution to one map: 16.26 million.
PUBLISHED_PARAMETERS = 16_263_489


def parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("kind", [CSRNet, UCSRNet])
def test_layers_are_the_tables(kind: type[CSRNet] | type[UCSRNet]) -> None:
    found: list[object] = []
    for module in kind(1).trunk.modules():
        if isinstance(module, nn.Conv2d):
            assert module.kernel_size == (3, 3)
            assert module.padding == module.dilation
            found.append((module.out_channels, module.dilation[0]))
        elif isinstance(module, nn.MaxPool2d):
            found.append("M")
    assert found == PUBLISHED


def test_parameters() -> None:
    network = CSRNet(1)
    # Where the publication has a bias, a batch norm has two weights a channel.
    more = 64 * 3 + 128 * 3 + 256 * 4 + 512 * 6
    assert sum(isinstance(one, nn.BatchNorm2d) for one in network.modules()) == 16
    assert parameters(network) == PUBLISHED_PARAMETERS + more
    # Two 4×4 transposed convolutions 64 → 64 with batch norm, and one to the map, in place of 64 weights and a bias.
    back = 2 * (64 * 64 * 16 + 2 * 64) + 64 * 16 + 1
    assert parameters(UCSRNet(1)) == parameters(network) - 65 + back
    # MGA's 1×1 convolution 3 → 16 and four 3×3 ones 16 → 16, in place of 3×3 weights 3 → 64.
    assert parameters(UCSRNet(1, theta=0.7)) == parameters(UCSRNet(1)) - 3 * 64 * 9 + 3 * 16 + 4 * 16 * 16 * 9


def test_csrnet_enlarges_its_maps_without_learning_how() -> None:
    """Bilinearly: along rows and columns, between the middles of 8×8 px, and level from the outermost ones to the edge."""
    torch.manual_seed(0)
    network = enliven(CSRNet(2)).double()
    features = torch.randn(1, 64, 3, 4, dtype=torch.float64)
    with torch.inference_mode():
        weight, bias = (one.numpy() for one in network.head.parameters())
        found = network.head(features)[0].numpy()
    small = np.einsum("chw,oc->ohw", features[0].numpy(), weight[:, :, 0, 0]) + bias[:, None, None]
    rows, columns = ((np.arange(8 * side) + 0.5) / 8 - 0.5 for side in (3, 4))
    for one, expected in zip(found, small, strict=True):
        wide = np.stack([np.interp(columns, np.arange(4), line) for line in expected])
        large = np.stack([np.interp(rows, np.arange(3), line) for line in wide.T]).T
        np.testing.assert_allclose(one, large, rtol=1e-9, atol=1e-9)
