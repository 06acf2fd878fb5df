"""A network as an OpenVINO model, built by walking its own `features` with OpenVINO's nodes in place of tensors.

OpenVINO's converter gives the same model from a trace, and takes 8 s of a core at the start of each worker; this, 0.7 s.
"""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import openvino.opset13 as ops
from torch import Tensor, fx, nn
from torch.nn import functional

from wsi_edt.networks.hrnet import HEAD_CHANNELS, HRNet
from wsi_edt.networks.normalisation import Normalisation

Node = Any  # openvino.Node; OpenVINO has no types
FEATURES_STRIDE = 2  # px of the image that one px of the features spans


def whole_model(network: HRNet, normalisation: Normalisation, shape: tuple[int, int]) -> openvino.Model:
    """The model from (1, H, W, 3) uint8 RGB to (1, maps, H, W) float32, for a folded network and one (H, W)."""
    pixels = _pixels(shape)
    maps = _last_layer(network, _features(network, _normalised(pixels, normalisation)))
    return openvino.Model([maps], [pixels], "maps")


def body_and_last_layer(
    network: HRNet, normalisation: Normalisation, shape: tuple[int, int]
) -> tuple[openvino.Model, openvino.Model]:
    """The same in two models, (1, H, W, 3) uint8 → (1, 64, H / 2, W / 2) float32 → (1, maps, H, W) float32.

    Each is compiled at a precision of its own: a last layer in bfloat16 would round the maps, and plateaus make cells.
    """
    pixels = _pixels(shape)
    body = openvino.Model([_features(network, _normalised(pixels, normalisation))], [pixels], "features")
    half = [side // FEATURES_STRIDE for side in shape]
    features = ops.parameter([1, HEAD_CHANNELS, *half], np.float32)
    return body, openvino.Model([_last_layer(network, features)], [features], "last layer")


def _pixels(shape: tuple[int, int]) -> Node:
    return ops.parameter([1, *shape, 3], np.uint8)


def _normalised(pixels: Node, normalisation: Normalisation) -> Node:
    mean, std = (255 * np.array(values, np.float32) for values in (normalisation.mean, normalisation.std))
    scaled = ops.divide(ops.subtract(ops.convert(pixels, np.float32), mean), std)
    return ops.transpose(scaled, np.array([0, 3, 1, 2]))


def _last_layer(network: HRNet, features: Node) -> Node:
    return _transposed(network.to_maps, features)


def _features(network: HRNet, x: Node) -> Node:
    tracer = fx.Tracer()
    tracer.traced_func_name = "features"
    graph = tracer.trace(network)
    return _Walk(fx.GraphModule(network, graph)).run(x)


class _Walk(fx.Interpreter):
    """Runs a traced network on OpenVINO's nodes: each layer or function adds its own."""

    def call_module(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Node:  # noqa: ANN401
        layer = self.fetch_attr(target)
        (x,) = args
        if isinstance(layer, nn.Conv2d):
            return _convolved(layer, x)
        if isinstance(layer, nn.ConvTranspose2d):
            return _transposed(layer, x)
        assert isinstance(layer, nn.Identity), f"{layer} has no counterpart here"
        return x

    def call_function(self, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:  # noqa: ANN401
        if target is functional.relu:
            return ops.relu(args[0])
        if target is operator.add:
            return ops.add(*args)
        if target is functional.interpolate:
            return _resized(args[0], **kwargs)
        if getattr(target, "__name__", "") == "cat":
            return ops.concat(list(args[0]), kwargs["dim"])
        if target is getattr and args[1] == "shape":
            return tuple(args[0].output(0).shape)
        assert target is operator.getitem, f"{target} has no counterpart here"
        return operator.getitem(*args)


def _convolved(layer: nn.Conv2d, x: Node) -> Node:
    assert layer.groups == 1 and not isinstance(layer.padding, str), layer
    pads = list(layer.padding)
    if layer.padding_mode == "replicate":
        around = np.array([0, 0, *pads])
        x, pads = ops.pad(x, around, around, "edge"), [0, 0]
    y = ops.convolution(x, _array(layer.weight), list(layer.stride), pads, pads, list(layer.dilation))
    return _with_bias(y, layer.bias)


def _transposed(layer: nn.ConvTranspose2d, x: Node) -> Node:
    pads = list(layer.padding)
    y = ops.convolution_backprop_data(
        x, _array(layer.weight), list(layer.stride), pads_begin=pads, pads_end=pads
    )
    return _with_bias(y, layer.bias)


def _with_bias(y: Node, bias: Tensor | None) -> Node:
    return y if bias is None else ops.add(y, _array(bias).reshape(1, -1, 1, 1))


def _resized(
    x: Node,
    *,
    mode: str,
    size: tuple[int, int] | None = None,
    scale_factor: int | None = None,
    align_corners: bool | None = None,
    **unused: object,
) -> Node:
    """As `torch.nn.functional.interpolate`: nearest by a whole factor, or bilinear to a size."""
    assert not align_corners, "corners are never aligned here"
    if size is None:
        assert scale_factor is not None
        size = (x.output(0).shape[2] * scale_factor, x.output(0).shape[3] * scale_factor)
    nearest = mode == "nearest"
    return ops.interpolate(
        x,
        np.array(size),
        "nearest" if nearest else "linear_onnx",
        "sizes",
        axes=np.array([2, 3]),
        coordinate_transformation_mode="asymmetric" if nearest else "half_pixel",
        nearest_mode="floor",
    )


def _array(values: Tensor) -> npt.NDArray[np.float32]:
    return values.detach().float().numpy()
