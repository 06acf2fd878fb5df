"""The architectures by name. A new one is a file of its own and a line here."""

from __future__ import annotations

from collections.abc import Mapping

from wsi_edt.networks.hrnet_options import HRNetOptions, MHRNetOptions
from wsi_edt.networks.made_by_name import named
from wsi_edt.networks.options import NetworkOptions

_ALL: tuple[type[NetworkOptions], ...] = (
    MHRNetOptions,  # the paper's
    HRNetOptions,
    named("m_u_csrnet", "M_U-CSRNet", "csrnet:UCSRNet", stride=8, mga=True),
    named("u_csrnet", "U-CSRNet", "csrnet:UCSRNet", stride=8),
    named("csrnet", "CSRNet", "csrnet:CSRNet", stride=8),
    named("sc_cnn", "SC-CNN", "sc_cnn:SCCNN", stride=4),
    named("vgg16", "VGG16 (FPN style)", "vgg16:VGG16", stride=16),
    named("m_unet", "M_U-Net", "unet:UNet", stride=16, mga=True),
    named("unet", "U-Net", "unet:UNet", stride=16),
    named("attention_unet", "Attention U-Net", "attention_unet:AttentionUNet", stride=16),
    named("lite_unet", "Lite-UNet", "lite_unet:LiteUNet", stride=16),
    named("unext", "UNeXt", "unext:UNeXt", stride=32),
    named("w_net", "W-Net", "w_net:WNet", stride=16),
    named("hover_net", "Hover-Net", "hover_net:HoverNet", stride=8),
    named("trans_unet", "TransUNet", "trans_unet:TransUNet", stride=16, needs="monai"),
    named("swin", "Swin Transformer", "swin:SwinTransformer", stride=32, needs="monai"),
    named("mpvit", "MPViT", "mpvit:MPViT", stride=32),
)
ARCHITECTURES: Mapping[str, type[NetworkOptions]] = {options.architecture: options for options in _ALL}
DEFAULT_ARCHITECTURE = "m_hrnet"
