"""What a GPU's batches need on the host's side, without a GPU."""

from __future__ import annotations

import logging
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.detection.compute import Precision
from wsi_edt.detection.runtimes.lanes import Captures, Gate, Staging
from wsi_edt.detection.runtimes.prepared import PreparedNetwork
from wsi_edt.networks.network import Normalise


def test_batches_of_any_size_go_through_one_buffer() -> None:
    staging = Staging(pinned=False)
    rng = np.random.default_rng(0)
    places = []
    for shape in ((4, 32, 64, 3), (2, 32, 64, 3), (4, 32, 64, 3), (1, 96, 32, 3)):
        images = rng.integers(0, 256, shape, dtype=np.uint8)
        held = staging.filled(images)
        assert held.dtype == torch.uint8
        assert np.array_equal(held.numpy(), images)
        places.append(held.data_ptr())
    assert len(set(places)) == 1


def test_the_buffer_grows_and_takes_what_is_not_contiguous() -> None:
    staging = Staging(pinned=False)
    images = np.random.default_rng(0).integers(0, 256, (5, 32, 96, 3), dtype=np.uint8)
    staging.filled(images[:1])
    assert np.array_equal(staging.filled(images[:, :, ::3]).numpy(), images[:, :, ::3])


def test_one_who_wants_to_be_alone_is() -> None:
    gate, inside, seen = Gate(), threading.Semaphore(0), []
    counted, lock = [0], threading.Lock()

    def visit(_: int) -> None:
        with gate.shared():
            with lock:
                counted[0] += 1
            inside.release()
            with lock:
                counted[0] -= 1

    def capture(_: int) -> None:
        with gate.alone():
            seen.append(counted[0])

    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(capture if number % 7 == 0 else visit, number) for number in range(700)]
        for job in jobs:
            job.result(timeout=60)
    assert seen == [0] * 100


def test_others_are_inside_together() -> None:
    gate, both = Gate(), threading.Barrier(2)

    def visit() -> None:
        with gate.shared():
            both.wait(timeout=60)

    with ThreadPoolExecutor(2) as threads:
        for job in [threads.submit(visit) for _ in range(2)]:
            job.result(timeout=60)


def test_who_wants_to_be_alone_comes_before_those_who_come_later() -> None:
    gate, order = Gate(), []
    entered, leave = threading.Event(), threading.Event()

    def first() -> None:
        with gate.shared():
            entered.set()
            assert leave.wait(timeout=60)
        order.append("first left")

    def alone() -> None:
        with gate.alone():
            order.append("alone")

    def later() -> None:
        with gate.shared():
            order.append("later")

    with ThreadPoolExecutor(3) as threads:
        jobs = [threads.submit(first)]
        assert entered.wait(timeout=60)
        jobs.append(threads.submit(alone))
        while not gate._wanted_alone:
            pass
        jobs.append(threads.submit(later))
        leave.set()
        for job in jobs:
            job.result(timeout=60)
    assert order.index("alone") < order.index("later")


def test_the_first_kinds_of_batches_have_graphs_of_their_own() -> None:
    captures: Captures[str, object] = Captures(Gate(), most=2)
    one: dict[str, object] = {}
    other: dict[str, object] = {}
    first = captures.graph(one, "a", object)
    assert first is not None
    assert captures.graph(one, "a", object) is first
    assert captures.graph(other, "a", object) not in (None, first)  # another lane's
    assert captures.graph(one, "b", object) is not None
    assert captures.graph(one, "c", object) is None
    assert captures.graph(one, "b", object) is one["b"]


def test_where_a_capture_fails_the_rest_runs_without_and_it_is_said_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def broken() -> object:
        raise RuntimeError("operation not permitted when stream is capturing")

    captures: Captures[str, object] = Captures(Gate(), most=4)
    held: dict[str, object] = {"a": "captured before"}
    with caplog.at_level(logging.WARNING):
        assert captures.graph(held, "b", broken) is None
        assert captures.graph(held, "c", broken) is None
        assert captures.graph({}, "a", object) is None
    assert captures.graph(held, "a", broken) == "captured before"
    (record,) = caplog.records
    assert "no CUDA graph for b (RuntimeError: operation not permitted" in record.getMessage()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_prepared_network_is_the_network_on_normalised_pixels(
    tmp_path_factory: pytest.TempPathFactory, precision: Precision
) -> None:
    bundle = tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")
    pixels = torch.from_numpy(np.random.default_rng(0).integers(0, 256, (2, 64, 32, 3), dtype=np.uint8))
    network = load_network(bundle).folded()
    with torch.inference_mode():
        prepared = PreparedNetwork(network, bundle.normalisation, device="cpu", precision=precision)
        found = prepared(pixels)
        # The same network: it was moved, not copied.
        body = torch.bfloat16 if precision == "bf16" else torch.float32
        expected = network(Normalise(bundle.normalisation)(pixels).to(body)).float()
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert {value.dtype for value in network.head.parameters()} == {torch.float32}
