"""The networks of the paper's comparisons, as rows: what a table adds are the figures that the paper has for them."""

from __future__ import annotations

from collections.abc import Mapping

from comparison import Row

# Labels as the paper has them, by the program's names.
NETWORKS: Mapping[str, str] = {
    "SC-CNN": "sc_cnn",
    "CSRNet": "csrnet",
    "U-CSRNet": "u_csrnet",
    "U-Net": "unet",
    "Attention U-Net": "attention_unet",
    "Lite-UNet": "lite_unet",
    "UNeXt": "unext",
    "VGG16": "vgg16",
    "Hover-Net": "hover_net",
    "W-Net": "w_net",
    "TransUNet": "trans_unet",
    "Swin Transformer": "swin",
    "MPViT": "mpvit",
    "HRNet": "hrnet",
    "M_U-CSRNet": "m_u_csrnet",
    "M_U-Net": "m_unet",
    "M_HRNet": "m_hrnet",
}


def every_network(published: Mapping[str, Mapping[str, float]]) -> tuple[Row, ...]:
    """A row for each network, on EDT maps and with CCLS.

    Parameters
    ----------
    published : the paper's figures, by label and column; what we don't know is missing
    """
    assert published.keys() <= NETWORKS.keys()
    return tuple(Row(label, name, published=published.get(label, {})) for label, name in NETWORKS.items())
