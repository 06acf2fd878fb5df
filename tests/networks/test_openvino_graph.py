"""OpenVINO's graph of a network against torch's own maps."""

import numpy as np
import openvino
import pytest
import torch
from torch import nn

from tests.networks.test_hrnet import lively_network
from wsi_edt.networks import IMAGENET, HRNet, folded, normalised
from wsi_edt.networks.openvino_graph import body_and_last_layer, whole_model

SHAPE = (96, 64)


def lively_folded(*, stem_stride: int = 2) -> HRNet:
    network = folded(lively_network(stem_stride=stem_stride))
    assert isinstance(network, HRNet)
    nn.init.normal_(network.to_maps.weight, std=0.1)  # maps that differ from px to px
    assert network.to_maps.bias is not None
    nn.init.normal_(network.to_maps.bias)
    return network


def run(model: openvino.Model, value: np.ndarray) -> np.ndarray:
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return np.asarray(compiled([value])[0])


@pytest.mark.parametrize("stem_stride", [2, 1])
def test_maps_are_torchs(stem_stride: int) -> None:
    network = lively_folded(stem_stride=stem_stride)
    images = np.random.default_rng(0).integers(0, 256, (1, *SHAPE, 3), dtype=np.uint8)
    with torch.inference_mode():
        expected = network(normalised(torch.from_numpy(images), IMAGENET)).numpy()
    assert np.ptp(expected) > 0.1
    tolerance = 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(run(whole_model(network, IMAGENET, SHAPE), images), expected, atol=tolerance)
    body, last = body_and_last_layer(network, IMAGENET, SHAPE)
    np.testing.assert_allclose(run(last, run(body, images)), expected, atol=tolerance)


def test_the_body_ends_before_the_last_layer() -> None:
    network = lively_folded()
    body, last = body_and_last_layer(network, IMAGENET, SHAPE)
    with torch.inference_mode():
        features = network.features(normalised(torch.zeros(1, *SHAPE, 3, dtype=torch.uint8), IMAGENET))
    assert tuple(body.output(0).shape) == tuple(features.shape) == tuple(last.input(0).shape)
