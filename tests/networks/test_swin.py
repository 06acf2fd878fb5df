"""Swin-T's size from the publication, and its layers against MONAI's."""

import pytest
import torch
from monai.networks.nets.swin_unetr import BasicLayer
from monai.networks.nets.swin_unetr import PatchMerging as MonaiMerging
from torch import nn

from tests.networks.lively import enliven
from wsi_edt.networks.swin import Merge, SwinLayer, SwinTransformer, into_windows, out_of_windows


def test_parameters() -> None:
    network = SwinTransformer(2)

    def count(module: nn.Module) -> int:
        return sum(parameter.numel() for parameter in module.parameters())

    backbone = count(network) - count(network.overlay) - count(network.to_maps)
    norms_of_levels = 2 * (96 + 192 + 384)  # the publication's classifier has the last of them alone
    classifier = 768 * 1000 + 1000
    # Table 1 of the publication has 29 M; by its §3: each part by hand.
    expected = 48 * 96 + 96 + 2 * 96
    for level, layers in enumerate((2, 2, 6, 2)):
        c, heads = 96 * 2**level, 3 * 2**level
        expected += layers * (2 * 2 * c + 4 * c * c + 4 * c + 13 * 13 * heads + 8 * c * c + 5 * c)
        expected += 2 * 4 * c + 8 * c * c if level < 3 else 2 * c
    assert backbone - norms_of_levels == expected
    assert (expected + classifier) / 1e6 == pytest.approx(28.3, abs=0.05)


def as_published(stage: BasicLayer, *layers: SwinLayer) -> None:
    for layer, block in zip(layers, stage.blocks, strict=True):
        names = {"norm.": "norm1.", "attend.": "attn.", "think.0.": "norm2.", "think.1.": "mlp."}
        start = {name: next(n for n in names if name.startswith(n)) for name in layer.state_dict()}
        renamed = {
            names[start[n]] + n.removeprefix(start[n]): value for n, value in layer.state_dict().items()
        }
        block.load_state_dict(renamed)


@pytest.mark.parametrize("size", [(8, 8), (14, 10), (16, 29), (21, 14)])
def test_layers(size: tuple[int, int]) -> None:
    """A plain and a shifted one, on levels that windows do and don't divide."""
    torch.manual_seed(0)
    layers = [SwinLayer(12, 3, shifted=shifted) for shifted in (False, True)]
    for layer in layers:
        nn.init.normal_(layer.attend.relative_position_bias_table)
        nn.init.normal_(layer.norm.bias)
    stage = BasicLayer(12, 2, 3, (7, 7), drop_path=[0, 0], qkv_bias=True)
    as_published(stage, *layers)
    x = torch.randn(2, *size, 12)
    with torch.inference_mode():
        expected = stage(x.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        found = nn.Sequential(*layers)(x)
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


def test_attention_of_a_small_level_keeps_its_places() -> None:
    """On 4 × 5 px, a plain layer equals attention with the bias of each two px's distance, the rest of the window empty."""
    torch.manual_seed(0)
    layer = SwinLayer(6, 1, shifted=False)
    attend = layer.attend
    nn.init.normal_(attend.relative_position_bias_table)
    x = torch.randn(1, 4, 5, 6)
    with torch.inference_mode():
        window = torch.zeros(7, 7, 6)
        window[:4, :5] = layer.norm(x[0])
        q, k, v = attend.qkv(window).chunk(3, dim=2)
        expected = torch.zeros(4, 5, 6)
        for row in range(4):
            for column in range(5):
                places = [(r, c) for r in range(7) for c in range(7)]
                table = attend.relative_position_bias_table[:, 0].reshape(13, 13)
                scores = torch.stack(
                    [
                        q[row, column] @ k[p] / 6**0.5 + table[row - p[0] + 6, column - p[1] + 6]
                        for p in places
                    ]
                )
                weights = scores.softmax(0)
                expected[row, column] = sum(w * v[p] for w, p in zip(weights, places, strict=True))
        seen = x + attend.proj(expected)
        torch.testing.assert_close(layer(x), seen + layer.think(seen), rtol=1e-4, atol=1e-5)


def test_merging() -> None:
    ours, theirs = Merge(4), MonaiMerging(4, spatial_dims=2)
    theirs.load_state_dict({n.replace("reduce", "reduction"): v for n, v in ours.state_dict().items()})
    x = torch.randn(1, 6, 4, 4)
    with torch.inference_mode():
        torch.testing.assert_close(ours(x), theirs(x))


def test_windows_and_back() -> None:
    x = torch.arange(2 * 14 * 21 * 3).reshape(2, 14, 21, 3)
    windows = into_windows(x)
    assert windows.shape == (2 * 6, 49, 3)
    assert windows[4].equal(x[0, 7:, 7:14].reshape(49, 3))
    assert out_of_windows(windows, x).equal(x)


@pytest.mark.parametrize("size", [(32, 32), (32, 96)])
def test_any_multiple_of_the_stride(size: tuple[int, int]) -> None:
    network = enliven(SwinTransformer(2))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, *size)).shape == (1, 2, *size)
