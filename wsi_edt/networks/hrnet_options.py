"""The options of HRNet and of M_HRNet, the paper's network."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
    mga: ClassVar[bool] = False

    width: int = 18
    stem_stride: int = 2

    def __post_init__(self) -> None:
        check_choice(self, "width", self.width, WIDTHS)
        check_choice(self, "stem_stride", self.stem_stride, STEM_STRIDES)

    @property
    def title(self) -> str:
        """For example "M_HRNet-w18"."""
        stem = "" if self.stem_stride == 2 else " with its first layer at full resolution"
        return f"{'M_HRNet' if self.mga else 'HRNet'}-w{self.width}{stem}"

    def build(self, maps: int) -> HRNet:
        """The network with that many output maps and fresh weights."""
        from wsi_edt.networks.hrnet import HRNet  # needs torch

        return HRNet(self.width, maps=maps, mga=self.mga, stem_stride=self.stem_stride)


@dataclass(frozen=True, slots=True)
class MHRNetOptions(HRNetOptions):
    """HRNetV2 whose first layer is the multi-scale gradient aggregation."""

    architecture: ClassVar[str] = "m_hrnet"
    mga: ClassVar[bool] = True
