"""Difference convolution and MGA against the paper's formulas written out, and folded against unfolded."""

import pytest
import torch
from torch.nn import functional

from wsi_edt.networks.difference import MGA, DifferenceConv2d


def random_input(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("dilation", [1, 2, 3, 4])
def test_equals_the_papers_formula(dilation: int, stride: int) -> None:
    layer = DifferenceConv2d(3, 5, dilation=dilation, stride=stride, theta=0.7).double()
    x = random_input(2, 3, 17, 20)
    plain = functional.conv2d(x, layer.weight, stride=stride, padding=dilation, dilation=dilation)
    centre = functional.conv2d(x, layer.weight.sum(dim=(2, 3), keepdim=True), stride=stride)
    torch.testing.assert_close(layer(x), plain - 0.7 * centre)


@pytest.mark.parametrize(("dilation", "stride"), [(1, 1), (1, 2), (3, 1)])
def test_it_folds_to_a_plain_convolution(dilation: int, stride: int) -> None:
    layer = DifferenceConv2d(3, 5, dilation=dilation, stride=stride, theta=0.7).double()
    x = random_input(2, 3, 17, 20)
    torch.testing.assert_close(layer.folded()(x), layer(x))


def test_by_hand() -> None:
    # Kernel 1..9 (sum 45) on a single 1 in the middle: the flipped kernel, and 0.7 · 45 = 31.5 less at the centre.
    layer = DifferenceConv2d(1, 1, theta=0.7)
    layer.weight.data = torch.arange(1.0, 10.0).reshape(1, 1, 3, 3)
    x = torch.zeros(1, 1, 3, 3)
    x[0, 0, 1, 1] = 1
    expected = torch.tensor([[9.0, 8.0, 7.0], [6.0, 5.0 - 31.5, 4.0], [3.0, 2.0, 1.0]])
    torch.testing.assert_close(layer(x)[0, 0], expected)


def test_full_difference_sees_no_flat_field() -> None:
    layer = DifferenceConv2d(2, 4, theta=1.0).double()
    flat = torch.full((1, 2, 9, 9), 3.0, dtype=torch.float64)
    torch.testing.assert_close(layer(flat)[..., 1:-1, 1:-1], torch.zeros(1, 4, 7, 7, dtype=torch.float64))


def literal_mga(mga: MGA, x: torch.Tensor) -> torch.Tensor:
    """Fig. 6 step by step, with each difference convolution as its formula."""
    reduced = functional.conv2d(x, mga.reduce.weight)
    sums: list[torch.Tensor] = []
    for dilation, branch in zip((1, 2, 3, 4), mga.branches, strict=True):
        assert isinstance(branch, DifferenceConv2d)
        weight = branch.weight
        y = functional.conv2d(reduced, weight, stride=mga.stride, padding=dilation, dilation=dilation)
        y = y - 0.7 * functional.conv2d(reduced, weight.sum(dim=(2, 3), keepdim=True), stride=mga.stride)
        sums.append(y if not sums else sums[-1] + y)
    return torch.cat(sums, dim=1)


@pytest.mark.parametrize("stride", [1, 2])
def test_mga_and_its_single_convolution(stride: int) -> None:
    mga = MGA(3, 16, stride=stride).double()
    x = random_input(2, 3, 24, 22)
    expected = literal_mga(mga, x)
    torch.testing.assert_close(mga(x), expected)
    folded = mga.folded()
    assert folded.weight.shape == (16, 3, 9, 9)
    torch.testing.assert_close(folded(x), expected)  # at the borders as well


def test_branches_see_3_5_7_9_px() -> None:
    mga = MGA(1, 4).double()
    x = torch.zeros(1, 1, 21, 21, dtype=torch.float64)
    x[0, 0, 10, 10] = 1
    reached = mga(x)[0].abs().amax(dim=1) > 0  # (branch, column)
    assert [int(columns.nonzero().max() - columns.nonzero().min()) + 1 for columns in reached] == [3, 5, 7, 9]
