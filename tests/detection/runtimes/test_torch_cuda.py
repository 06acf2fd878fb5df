"""The network on a GPU: batches as CUDA graphs give what plain calls give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import Bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.detection.compute import Precision
from wsi_edt.detection.runtimes.device_peaks import Candidates, candidates
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.detection.runtimes.torch_cuda import BatchGraph, TorchCuda
from wsi_edt.maps import Peaks, decode
from wsi_edt.networks.network import Network

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device"),
]


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


def network_of(bundle: Bundle) -> Network:
    return load_network(bundle).folded()


def runtime_of(bundle: Bundle, precision: Precision = "bf16") -> TorchCuda:
    return TorchCuda(network_of(bundle), bundle.normalisation, precision=precision)


def batch(seed: int, *shape: int) -> npt.NDArray[np.uint8]:
    """Noise that is smooth over a few px, so that maps have peaks and no plateaus."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 256, (shape[0], shape[1] // 4, shape[2] // 4, 3), dtype=np.uint8)
    return small.repeat(4, axis=1).repeat(4, axis=2)


def check(found: list[Peaks], maps: npt.NDArray[np.float32], bundle: Bundle) -> int:
    """Each tile's peaks are those that the CPU finds in the maps, to the bit."""
    assert len(found) == len(maps)
    for one, own in zip(found, maps, strict=True):
        expected = decode(own, bundle.decode)
        for name in ("x", "y", "score", "class_id"):
            assert np.array_equal(getattr(one, name), getattr(expected, name)), name
    return sum(map(len, found))


def test_maps_come_with_the_same_peaks(bundle: Bundle) -> None:
    runtime = runtime_of(bundle)
    for seed in range(3):  # the first batch captures a graph, the others replay it
        images = batch(seed, 2, 128, 192)
        found, maps = runtime.peaks_and_maps(images, bundle.decode)
        assert np.array_equal(maps, runtime.maps(images))
        assert check(found, maps, bundle) > 0
        assert check(runtime.peaks(images, bundle.decode), maps, bundle) > 0


def graphs(runtime: TorchCuda) -> int:
    lanes = [runtime._lanes.get() for _ in range(runtime._lanes.qsize())]
    for lane in lanes:
        runtime._lanes.put(lane)
    return sum(len(lane._graphs) for lane in lanes)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_graph_gives_the_maps_of_plain_calls_for_each_batch(bundle: Bundle, precision: Precision) -> None:
    torch.backends.cudnn.deterministic = True
    prepared = PreparedNetwork(network_of(bundle), bundle.normalisation, device="cuda", precision=precision)
    torch.cuda.synchronize()

    def work(pixels: torch.Tensor) -> Candidates:
        return candidates(prepared(pixels), bundle.decode)

    stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    shape = (3, 128, 96, 3)
    graph = BatchGraph(work, shape, stream)
    for seed in (1, 2):
        images = torch.from_numpy(batch(seed, *shape)).pin_memory()
        with torch.inference_mode(), torch.cuda.stream(stream):
            found = graph.replay(images)
            of_graph = [found.maps.clone(), found.evidence.clone(), found.is_peak.clone()]
            plain = work(images.to("cuda"))
        torch.cuda.synchronize()
        for one, other in zip(of_graph, (plain.maps, plain.evidence, plain.is_peak), strict=True):
            assert torch.equal(one, other)
        assert float(plain.maps.std()) > 0


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_peaks_are_the_cpus_decoding_of_the_same_maps(bundle: Bundle, precision: Precision) -> None:
    runtime = runtime_of(bundle, precision)
    total = 0
    for seed in range(4):
        images = batch(seed, 4, 128, 128)
        total += check(runtime.peaks(images, bundle.decode), runtime.maps(images), bundle)
    assert total > 0
    assert graphs(runtime) > 0


def test_a_second_batch_of_another_shape_and_the_first_again(bundle: Bundle) -> None:
    runtime = runtime_of(bundle)
    for seed, shape in enumerate([(4, 128, 128), (1, 128, 128), (4, 128, 128), (2, 96, 160), (1, 128, 128)]):
        images = batch(seed, *shape)
        check(runtime.peaks(images, bundle.decode), runtime.maps(images), bundle)


def test_more_shapes_than_graphs_run_without(bundle: Bundle) -> None:
    runtime = runtime_of(bundle)
    for count in (1, 2, 3, 4, 5, 6, 1, 6):
        images = batch(count, count, 64, 64)
        check(runtime.peaks(images, bundle.decode), runtime.maps(images), bundle)
    assert graphs(runtime) <= 8


def test_two_threads_at_once_get_their_own_peaks(bundle: Bundle) -> None:
    runtime = runtime_of(bundle)
    batches = [batch(seed, 1 + seed % 3, 128, 128) for seed in range(24)]
    expected = [runtime.maps(images) for images in batches]
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(partial(runtime.peaks, settings=bundle.decode), batches))
    assert sum(check(peaks, maps, bundle) for peaks, maps in zip(found, expected, strict=True)) > 0


def test_without_graphs_the_peaks_are_the_same(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise RuntimeError("no graphs today")

    images = batch(0, 3, 128, 128)
    expected = runtime_of(bundle).peaks(images, bundle.decode)
    monkeypatch.setattr("wsi_edt.detection.runtimes.torch_cuda.BatchGraph", fails)
    runtime = runtime_of(bundle)
    found = runtime.peaks(images, bundle.decode)
    assert graphs(runtime) == 0
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.x, other.x)
        assert np.array_equal(one.score, other.score)


def test_a_large_batch_after_a_small_one(bundle: Bundle) -> None:
    runtime = runtime_of(bundle)
    for side in (64, 512, 64):
        images = batch(side, 2, side, side)
        check(runtime.peaks(images, bundle.decode), runtime.maps(images), bundle)


def test_two_workers_have_the_same_maps(bundle: Bundle) -> None:
    one, other = runtime_of(bundle), runtime_of(bundle)
    images = batch(7, 4, 256, 256)
    assert np.array_equal(one.maps(images), other.maps(images))
