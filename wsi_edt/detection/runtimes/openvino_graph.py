"""A model's network as OpenVINO graphs, converted from a torch trace once for its weights and kept in the user's cache.

Measured on the shipped model: a worker starts in 14 CPU seconds if nothing is kept yet, then in 1.4 (without torch), where
building the graph node by node took 4.7. Maps have the same bits and tiles take the same time either way.
The front end is called directly: `openvino.convert_model` calls the same, and reports each use to Google Analytics.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import openvino
from openvino.passes import ConstantFolding, Manager

import wsi_edt.networks
from wsi_edt.bundles import Bundle
from wsi_edt.detection.runtimes.graph_cache import cached
from wsi_edt.networks import Normalisation

if TYPE_CHECKING:
    from torch import Tensor

    from wsi_edt.networks.network import Network

_CODE = (Path(__file__), *sorted(Path(wsi_edt.networks.__file__).parent.glob("*.py")))


def openvino_graphs(bundle: Bundle, *, split: bool) -> list[openvino.Model]:
    """The model's folded network with its normalisation, for one image of any size.

    Parameters
    ----------
    bundle : the model
    split : False: one graph, (1, H, W, 3) uint8 RGB → (1, C, H, W) float32; True: one of the body, from pixels to
        features, and one of the head, from features to maps, each of which can be compiled at a precision of its own

    Raises
    ------
    ModelError
        If the weights aren't the bundle's.
    """
    bundle.verify()

    def made() -> list[bytes]:
        from wsi_edt.bundles.weights import load_network  # torch is needed for this alone

        return converted(load_network(bundle).folded(), bundle.normalisation, split=split)

    parts = iter(cached(_key(bundle, split=split), made))
    return [openvino.Core().read_model(graph, weights) for graph, weights in zip(parts, parts, strict=True)]


def converted(network: Network, normalisation: Normalisation, *, split: bool) -> list[bytes]:
    """Each graph of a folded network (see `openvino_graphs`) in two parts: its description and its weights.

    Notes
    -----
    Graphs are always read back from these parts. As they leave the converter, some nodes are marked ("keep this division");
    files lose the marks, so maps would differ in their last bits between the first run and the next.
    """
    import torch

    from wsi_edt.networks.network import Normalise

    normalise = Normalise(normalisation)
    side = 2 * network.stride
    pixels = torch.zeros(1, side, side, 3, dtype=torch.uint8)
    if not split:
        return _converted(lambda x: network(normalise(x)), pixels)
    with torch.no_grad():
        features = network.body(normalise(pixels))
    return _converted(lambda x: network.body(normalise(x)), pixels) + _converted(network.head, features)


def _converted(compute: Callable[[Tensor], Tensor], example: Tensor) -> list[bytes]:
    import torch
    from openvino.frontend import FrontEndManager
    from openvino.frontend.pytorch.ts_decoder import TorchScriptPythonDecoder

    with torch.no_grad():
        # Of a function: each module of a traced module would be looked through first, which takes as long again.
        traced = torch.jit.trace(lambda x: compute(x), example, check_trace=False)  # type: ignore[no-untyped-call]
    front_end = FrontEndManager().load_by_framework("pytorch")
    decoder = TorchScriptPythonDecoder(
        traced
    )  # the model needs it until it is converted, and doesn't keep it
    graph = front_end.convert(front_end.load(decoder))
    # Only height and width vary from image to image; pixels have them in the middle, features at the end.
    of_pixels = example.dtype == torch.uint8
    graph.reshape([1, -1, -1, example.shape[3]] if of_pixels else [1, example.shape[1], -1, -1])
    passes = Manager()
    passes.register_pass(ConstantFolding())
    passes.run_passes(graph)
    with TemporaryDirectory() as folder:
        description = Path(folder, "graph.xml")
        openvino.save_model(graph, description, compress_to_fp16=False)
        return [description.read_bytes(), description.with_suffix(".bin").read_bytes()]


def _key(bundle: Bundle, *, split: bool) -> str:
    """Names all that a graph depends on: weights, network, normalisation, and the code that runs and converts them."""
    facts = {
        "weights": bundle.sha256,
        "network": bundle.network.to_table(),
        "maps": bundle.network.maps,
        "normalisation": asdict(bundle.normalisation),
        "split": split,
        "openvino": openvino.get_version(),
        "torch": version("torch"),
        "code": [hashlib.sha256(path.read_bytes()).hexdigest() for path in _CODE],
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()
