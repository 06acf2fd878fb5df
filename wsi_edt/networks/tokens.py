"""Between images and the rows of tokens that attention works on, and how linear layers begin."""

from __future__ import annotations

from torch import Tensor, nn

LINEAR_STD = 0.02  # a truncated normal distribution's, as in ViT, Swin and CoaT


def as_tokens(x: Tensor) -> Tensor:
    """(B, C, H, W) → (B, H · W, C), row by row."""
    return x.flatten(2).transpose(1, 2)


def as_image(tokens: Tensor, like: Tensor) -> Tensor:
    """(B, H · W, C) → (B, C, H, W), the shape of `like`."""
    return tokens.transpose(1, 2).reshape(like.shape)


def initialise_linear(body: nn.Module) -> None:
    """Fresh weights for linear layers, whose biases begin at zero."""
    for module in body.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=LINEAR_STD)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
