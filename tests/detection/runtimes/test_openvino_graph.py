"""OpenVINO's graphs of a network against torch's own maps, and what is kept of them between runs."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import openvino
import openvino.opset13 as ops
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from tests.networks.lively import lively_network
from wsi_edt.bundles import Bundle
from wsi_edt.detection.runtimes import openvino_graph
from wsi_edt.detection.runtimes.openvino_graph import converted, openvino_graphs
from wsi_edt.errors import ModelError
from wsi_edt.networks import IMAGENET
from wsi_edt.networks.network import Normalise

SHAPES = ((96, 64), (64, 160))


def images_of(shape: tuple[int, int]) -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (1, *shape, 3), dtype=np.uint8)


def read(parts: Sequence[bytes]) -> list[openvino.Model]:
    return [openvino.Core().read_model(*parts[first : first + 2]) for first in range(0, len(parts), 2)]


def run(graphs: Sequence[openvino.Model], images: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    value: npt.NDArray[Any] = images
    for graph in graphs:
        graph.reshape(list(value.shape))
        compiled = openvino.Core().compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        value = np.asarray(compiled([value])[0])
    return value


@pytest.mark.parametrize(("stem_stride", "split"), [(2, True), (1, False)])
def test_maps_are_torchs_at_any_size(stem_stride: int, split: bool) -> None:
    network = lively_network(stem_stride=stem_stride).folded()
    graphs = read(converted(network, IMAGENET, split=split))
    for shape in SHAPES:
        images = images_of(shape)
        with torch.inference_mode():
            features = network.body(Normalise(IMAGENET)(torch.from_numpy(images)))
            expected = network.head(features).numpy()
        assert np.ptp(expected) > 0.1
        np.testing.assert_allclose(run(graphs, images), expected, atol=1e-4 * np.abs(expected).max())
        if split:  # so that bfloat16 can end where the body ends
            assert tuple(graphs[0].output(0).shape) == tuple(features.shape)
    assert len(graphs) == (2 if split else 1)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[bool]:
    """The conversions asked for since, each with whether it was split; the cache is an empty one."""
    made: list[bool] = []

    def counted(network: object, normalisation: object, *, split: bool) -> list[bytes]:
        made.append(split)
        return small_graph(tmp_path) * (2 if split else 1)

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(openvino_graph, "converted", counted)
    return made


def small_graph(folder: Path) -> list[bytes]:
    """A graph that doubles its input, as the converter's own are given."""
    x = ops.parameter([1, 4], np.float32)
    openvino.save_model(
        openvino.Model([ops.multiply(x, np.float32(2))], [x], "double"), folder / "double.xml"
    )
    return [(folder / f"double.{suffix}").read_bytes() for suffix in ("xml", "bin")]


def test_converted_once_for_all_that_it_depends_on(
    bundle: Bundle, conversions: list[bool], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    ones = np.ones((1, 4), np.float32)
    for _ in range(2):
        (graph,) = openvino_graphs(bundle, split=False)
        assert openvino.Core().compile_model(graph, "CPU")([ones])[0].tolist() == [[2.0] * 4]
    assert conversions == [False]
    for _ in range(2):
        assert len(openvino_graphs(bundle, split=True)) == 2
    assert conversions == [False, True]
    openvino_graphs(replace(bundle, normalisation=replace(IMAGENET, mean=(0.5, 0.5, 0.5))), split=False)
    assert conversions == [False, True, False]
    monkeypatch.setattr(openvino_graph, "_CODE", (Path(__file__),))
    openvino_graphs(bundle, split=False)
    assert conversions == [False, True, False, False]


def test_weights_are_verified_whatever_is_kept(
    bundle: Bundle, conversions: list[bool], tmp_path: Path
) -> None:
    openvino_graphs(bundle, split=False)
    damaged = replace(bundle, directory=tmp_path)
    damaged.weights.write_bytes(bundle.weights.read_bytes()[:-1] + b"?")
    with pytest.raises(ModelError, match=r"isn't the file that model\.toml describes"):
        openvino_graphs(damaged, split=False)


def test_nobody_is_told_that_it_runs() -> None:
    """OpenVINO would send what it does to its makers; its own stand-in for the package that does sends nothing."""
    said = subprocess.run(
        [
            sys.executable,
            "-c",
            "import wsi_edt.detection.runtimes.openvino_cpu, openvino.tools.ovc.telemetry_utils as used;"
            "print(used.tm.__name__)",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert said == "openvino.tools.ovc.telemetry_stub\n"
