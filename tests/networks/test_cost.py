"""Costs against counts by hand, against publications, and the kept ones against the networks."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from torch import Tensor, nn

from wsi_edt.networks import NetworkSpec
from wsi_edt.networks.catalogue import every_network, missing_library
from wsi_edt.networks.cost import KEPT_MAPS, _kept, cost_of
from wsi_edt.networks.counting import counted
from wsi_edt.networks.made_by_name import named
from wsi_edt.networks.network import Network
from wsi_edt.networks.options import NetworkOptions


class Tiny(Network):
    """A 3×3 convolution of stride 2, and a transposed 4×4 one back."""

    stride: ClassVar[int] = 2

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 5, 3, stride=2, padding=1)
        self.last = nn.ConvTranspose2d(5, maps, 4, 2, 1)

    def body(self, x: Tensor) -> Tensor:
        features: Tensor = self.first(x)
        return features

    @property
    def head(self) -> nn.Module:
        return self.last

    def folded(self) -> Tiny:
        return self


@dataclass(frozen=True, slots=True)
class TinyOptions:
    """Of `Tiny`; `peeks` makes its making look at a number, which the meta device has none of."""

    architecture: ClassVar[str] = "tiny"
    stride: ClassVar[int] = 2

    peeks: bool = False

    @property
    def title(self) -> str:
        return "Tiny"

    def build(self, maps: int) -> Network:
        if self.peeks:
            torch.linspace(0, 1, 3)[1].item()
        return Tiny(maps)


@pytest.mark.parametrize("peeks", [False, True])
def test_by_hand(peeks: bool) -> None:
    cost = counted(NetworkSpec(TinyOptions(peeks), 2), tile_px=64)
    assert cost.parameters == (3 * 5 * 9 + 5) + (5 * 2 * 16 + 2)
    # Each of 32 × 32 px gathers 3 × 9 products for 5 channels, and gives 16 to each of 2 maps from 5 channels.
    assert cost.flop == 2 * (32 * 32 * 3 * 9 * 5 + 32 * 32 * 5 * 16 * 2)


# Multiply-adds for a tile of 512 px, from tables for other sizes (of which the operations are a multiple by area).
PUBLISHED = {
    # Liu et al., Efficient crowd counting via structured knowledge transfer, 2020, Table 5: 205.88 G for 576 × 864.
    "csrnet": (16.26e6, 205.88e9 * 512**2 / (576 * 864)),
    # Valanarasu and Patel, UNeXt, 2022, Table 1: 0.57 G for 256 × 256.
    "unext": (1.47e6, 0.57e9 * 4),
}


@pytest.mark.parametrize("architecture", PUBLISHED)
def test_as_published(architecture: str) -> None:
    parameters, multiply_adds = PUBLISHED[architecture]
    cost = cost_of(NetworkSpec.from_table({"architecture": architecture}, maps=KEPT_MAPS))
    assert cost.parameters == pytest.approx(parameters, rel=0.005)
    assert cost.flop == pytest.approx(2 * multiply_adds, rel=0.02)


def test_folding_counts() -> None:
    """MGA is a 9×9 convolution of 3 channels at inference, where the plain stem has a 3×3 one; stride 2."""
    m_hrnet, hrnet = (
        cost_of(NetworkSpec.from_table({"architecture": name, "width": 18}, maps=3))
        for name in ("m_hrnet", "hrnet")
    )
    assert m_hrnet.flop - hrnet.flop == 2 * 256**2 * 3 * 64 * (81 - 9)


def _first_of_each() -> list[NetworkOptions]:
    """One size of each architecture: other widths change with it."""
    return list({options.architecture: options for options in every_network()}.values())


@pytest.mark.parametrize("options", _first_of_each(), ids=lambda options: str(options.architecture))
def test_what_is_kept_is_true(options: NetworkOptions) -> None:
    """If not: `python -m wsi_edt.networks.counting`."""
    if missing_library(options):
        pytest.skip(missing_library(options))
    spec = NetworkSpec(options, KEPT_MAPS)
    assert cost_of(spec) == counted(spec)


def test_every_network_is_kept() -> None:
    """If not: `python -m wsi_edt.networks.counting`."""
    assert list(_kept()) == [str(NetworkSpec(options, KEPT_MAPS)) for options in every_network()]


def test_other_maps_are_counted() -> None:
    one, three = (cost_of(NetworkSpec.from_table({"width": 18}, maps=maps)) for maps in (1, 3))
    assert three.parameters - one.parameters == 2 * (64 * 16 + 1)


def test_hrnet_has_its_widths() -> None:
    titles = [options.title for options in every_network()]
    assert titles[:3] == ["M_HRNet-w18", "M_HRNet-w32", "M_HRNet-w48"]
    assert len(titles) == len(set(titles))


def test_a_missing_library_is_said() -> None:
    options = named("a", "A", "a:A", stride=8, needs="no_such_library")()
    assert (
        missing_library(options)
        == "needs no_such_library, which isn't installed; pip install 'wsi-edt[networks]'"
    )
    assert missing_library(named("a", "A", "a:A", stride=8, needs="numpy")()) == ""
    assert missing_library(named("a", "A", "a:A", stride=8)()) == ""


def test_kept_costs_need_no_torch() -> None:
    code = (
        "import sys\n"
        "from wsi_edt.networks import NetworkSpec\n"
        "from wsi_edt.networks.cost import cost_of\n"
        "assert cost_of(NetworkSpec.from_table({'width': 48}, maps=3)).flop > 1e11\n"
        "assert 'torch' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
