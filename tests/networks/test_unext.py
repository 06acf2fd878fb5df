"""UNeXt's size and cost as published, and its shifts against a loop over px."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from tests.networks import by_hand
from wsi_edt.networks.unext import UNeXt, shifted


def published_parameters(maps: int) -> int:
    """Counted from the description (Valanarasu and Patel 2022, §2)."""

    def tokens(channels: int) -> int:
        """Norm, linear layer, depth-wise 3×3, linear layer, norm."""
        linear = channels * channels + channels
        return 2 * channels + linear + (9 + 1) * channels + linear + 2 * channels

    down = sum(by_hand.conv_norm(*pair, 3) for pair in ((3, 16), (16, 32), (32, 128)))
    down += by_hand.conv(128, 160, 3) + 2 * 160 + tokens(160)  # projection with layer norm, block
    down += by_hand.conv(160, 256, 3) + 2 * 256 + tokens(256)
    rises = ((256, 160), (160, 128), (128, 32), (32, 16), (16, 16))
    up = sum(by_hand.conv_norm(*pair, 3) for pair in rises) + tokens(160) + tokens(128)
    return down + up + by_hand.conv(16, maps, 1)


def test_parameters() -> None:
    found = by_hand.parameters(lambda: UNeXt(maps=1))
    assert found == published_parameters(1)
    # The abstract: 72 times fewer than TransUNet's 105.32 million, 1.47 million in Table 1.
    assert found / 1e6 == pytest.approx(1.47, abs=0.005)


def test_cost() -> None:
    # Table 1: 0.57 GFLOP for an image of 256 px, a multiplication with its addition counted as one; 68 times fewer than
    # TransUNet's 38.52.
    with torch.device("meta"), FlopCounterMode(display=False) as counter:
        network = UNeXt(maps=1).eval()
        network.head(network.body(torch.zeros(1, 3, 256, 256)))
    assert counter.get_total_flops() / 2 / 1e9 == pytest.approx(0.57, abs=0.01)


@pytest.mark.parametrize("axis", [1, 2])
def test_shifts_against_a_loop(axis: int) -> None:
    tokens = torch.randn(2, 4, 6, 12, generator=torch.Generator().manual_seed(0))
    # 12 channels make groups of 3, 3, 3, 3: the last of five has none. 13 would be 3, 3, 3, 3, 1.
    tokens = torch.cat([tokens, tokens[..., :1]], dim=3)
    expected = torch.zeros_like(tokens)
    for channel in range(13):
        px = channel // 3 - 2
        for row in range(4):
            for column in range(6):
                source_row, source_column = (row - px, column) if axis == 1 else (row, column - px)
                if 0 <= source_row < 4 and 0 <= source_column < 6:
                    expected[:, row, column, channel] = tokens[:, source_row, source_column, channel]
    torch.testing.assert_close(shifted(tokens, 1 if axis == 1 else 2), expected)
