"""Maps that come with peaks: the network runs once, and what it finds is the same."""

from __future__ import annotations

import numpy as np
import pytest

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import Bundle
from wsi_edt.detection.compute import Compute, RuntimeName
from wsi_edt.detection.detector import Detector


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_the_same_peaks_and_their_maps(bundle: Bundle, runtime: RuntimeName) -> None:
    if runtime == "openvino":
        pytest.importorskip("openvino")
    compute = Compute("cpu", runtime, "fp32", 1)
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    small = np.random.default_rng(5).integers(0, 256, (2, 24, 16, 3), dtype=np.uint8)
    images = small.repeat(4, axis=1).repeat(4, axis=2)
    peaks, maps = detector.detect_with_maps(images)
    assert np.array_equal(maps, detector.maps(images))
    expected = detector.detect(images)
    assert sum(map(len, expected)) > 0
    for one, other in zip(peaks, expected, strict=True):
        for name in ("x", "y", "score", "class_id"):
            assert np.array_equal(getattr(one, name), getattr(other, name)), name
