"""MPViT's size against the publication's four, its attention by brute force, its position encodings' reach."""

import pytest
import torch

from tests.networks.lively import enliven
from wsi_edt.networks.mpvit import Attention, MPViT, PositionEncoding


def conv_norm(inputs: int, outputs: int, kernel: int = 1) -> int:
    return inputs * outputs * kernel**2 + 2 * outputs


def published_parameters(channels: tuple[int, ...], layers: tuple[int, ...], mlp_ratio: int) -> int:
    """Counted from §3 and Table 1 of the publication and §3 of CoaT's, without the classifier."""
    total = conv_norm(3, channels[0] // 2, 3) + conv_norm(channels[0] // 2, channels[0], 3)
    for level, (c, depth, paths) in enumerate(zip(channels, layers, (2, 3, 3, 3), strict=True)):
        patches = paths * (9 * c + conv_norm(c, c))
        local = 2 * conv_norm(c, c) + 9 * c + 2 * c
        encodings = (9 + 1) * c + c // 8 * (2 * 9 + 3 * 25 + 3 * 49) + c
        attention = 3 * (c * c + c) + c * c + c
        mlp = 2 * mlp_ratio * c * c + mlp_ratio * c + c
        layer = 2 * 2 * c + attention + mlp
        total += patches + local + paths * (encodings + depth * layer)
        total += conv_norm((paths + 1) * c, channels[min(level + 1, 3)])
    return total


SMALL = ((64, 128, 216, 288), (1, 3, 6, 3), 4)


@pytest.mark.parametrize(
    ("size", "tenths_of_a_million"),
    [
        (((64, 96, 176, 216), (1, 2, 4, 1), 2), 58),
        (((64, 128, 192, 256), (1, 2, 4, 1), 4), 105),
        (SMALL, 228),
        (((128, 224, 368, 480), (1, 3, 8, 3), 4), 748),
    ],
)
def test_the_count_is_the_publications(
    size: tuple[tuple[int, ...], tuple[int, ...], int], tenths_of_a_million: int
) -> None:
    """Table 1 cuts digits off: 22.89 M are 22.8 M there."""
    classifier = size[0][-1] * 1000 + 1000
    assert (published_parameters(*size) + classifier) // 100_000 == tenths_of_a_million


def test_parameters() -> None:
    network = MPViT(2)
    overlay = conv_norm(128 + 216 + 288 + 288, 64) + conv_norm(64, 64, 4)
    head = 64 * 2 * 16 + 2
    found = sum(parameter.numel() for parameter in network.parameters())
    assert found == published_parameters(*SMALL) + overlay + head


def test_attention() -> None:
    """Head by head and token by token: qᵢ / √d · Σₙ softmax(k)ₙ vₙᵀ + qᵢ ∘ what vᵢ's neighbours add."""
    torch.manual_seed(0)
    channels, height, width = 24, 3, 4
    attention, encode = Attention(channels).double(), PositionEncoding(channels).double()
    tokens = torch.randn(1, height * width, channels, dtype=torch.float64)
    image = torch.zeros(1, channels, height, width)
    with torch.inference_mode():
        q, k, v = attention.to_queries_keys_values(tokens[0]).split(channels, dim=1)
        neighbours = encode(v.T.reshape(1, channels, height, width)).reshape(channels, -1).T
        expected = torch.zeros_like(q)
        for head in range(8):
            of_head = slice(3 * head, 3 * head + 3)
            context = torch.zeros(3, 3, dtype=torch.float64)
            shares = k[:, of_head].exp() / k[:, of_head].exp().sum(dim=0)
            for token in range(height * width):
                context += torch.outer(shares[token], v[token, of_head])
            for token in range(height * width):
                expected[token, of_head] = q[token, of_head] @ context / 3**0.5
        expected = attention.project(expected + q * neighbours)
        torch.testing.assert_close(attention(tokens, image, encode)[0], expected)


def test_heads_see_through_windows_of_3_5_and_7_px() -> None:
    encode = PositionEncoding(16)
    for parameter in encode.parameters():
        torch.nn.init.constant_(parameter, 1.0 if parameter.ndim > 1 else 0.0)
    impulse = torch.zeros(1, 16, 9, 9)
    impulse[:, :, 4, 4] = 1
    with torch.inference_mode():
        seen = encode(impulse)[0].sum(dim=(1, 2)).tolist()
    assert seen == [9] * 2 * 2 + [25] * 3 * 2 + [49] * 3 * 2


@pytest.mark.parametrize("size", [(32, 32), (32, 96)])
def test_any_multiple_of_the_stride(size: tuple[int, int]) -> None:
    network = enliven(MPViT(2))
    with torch.inference_mode():
        assert network(torch.zeros(1, 3, *size)).shape == (1, 2, *size)
