"""The options of HRNet and of M_HRNet, the paper's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from wsi_edt.networks.made_by_name import THETA, check_theta
from wsi_edt.networks.options import check_choice

if TYPE_CHECKING:
    from wsi_edt.networks.hrnet import HRNet

WIDTHS = (18, 32, 48)
STEM_STRIDES = (2, 1)


@dataclass(frozen=True, slots=True)
class HRNetOptions:
    """HRNetV2 with its plain stem.

    Attributes
    ----------
    width : channels of the finest branch: 18, 32 or 48
    stem_stride : 2; or 1, where the first layer sees the image at full resolution, which costs 20 % more. Models from
        before there was a choice don't state it: it was 2
    """

    architecture: ClassVar[str] = "hrnet"
    stride: ClassVar[int] = 32

    width: int = 18
    stem_stride: int = 2

    def __post_init__(self) -> None:
        check_choice(self, "width", self.width, WIDTHS)
        check_choice(self, "stem_stride", self.stem_stride, STEM_STRIDES)

    @property
    def title(self) -> str:
        """For example "M_HRNet-w18"."""
        return f"HRNet-w{self.width}{self._stem}"

    @property
    def _stem(self) -> str:
        return "" if self.stem_stride == 2 else " with its first layer at full resolution"

    def build(self, maps: int) -> HRNet:
        """The network with that many output maps and fresh weights."""
        from wsi_edt.networks.hrnet import HRNet  # needs torch

        return HRNet(self.width, maps=maps, theta=None, stem_stride=self.stem_stride)


@dataclass(frozen=True, slots=True)
class MHRNetOptions(HRNetOptions):
    """HRNetV2 whose first layer is the multi-scale gradient aggregation.

    Attributes
    ----------
    theta : of its difference convolutions, from 0 (plain convolutions) to 1. Models from before there was a choice don't
        state it: it was the paper's
    """

    architecture: ClassVar[str] = "m_hrnet"

    theta: float = THETA

    def __post_init__(self) -> None:
        super(MHRNetOptions, self).__post_init__()  # slots make another class of this: no bare super()
        check_theta(self, self.theta)

    @property
    def title(self) -> str:
        """For example "M_HRNet-w18", and θ where it isn't the paper's."""
        theta = "" if self.theta == THETA else f" with θ = {self.theta:g}"
        return f"M_HRNet-w{self.width}{self._stem}{theta}"

    def build(self, maps: int) -> HRNet:
        """The network with that many output maps and fresh weights."""
        from wsi_edt.networks.hrnet import HRNet  # needs torch

        return HRNet(self.width, maps=maps, theta=self.theta, stem_stride=self.stem_stride)
