"""A bundle becomes a detector that gives the network's own maps, whatever the batch."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch

from tests.bundles.tiny import tiny_bundle
from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.detection.compute import (
    Compute,
    Device,
    Precision,
    RuntimeName,
    resolve_device,
    resolve_precision,
    resolve_runtime,
)
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.peaks import TilePeaks
from wsi_edt.detection.runtimes.openvino_cpu import computes_in_bf16
from wsi_edt.detection.shards import detect_shard
from wsi_edt.detection.stitching import stitch
from wsi_edt.errors import ModelError, UsageError
from wsi_edt.evaluation import match_points
from wsi_edt.geometry import Window
from wsi_edt.maps import DecodeSettings
from wsi_edt.slides import ImageSlide, SlideSource, TileGrid, open_slide, read_window, shards


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("models") / "tiny")


@pytest.fixture(scope="module")
def images() -> npt.NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (3, 64, 96, 3), dtype=np.uint8)


def load(
    bundle: Bundle,
    *,
    device: Device = "cpu",
    runtime: RuntimeName = "torch",
    precision: Precision = "fp32",
    threads: int = 1,
    settings: DecodeSettings | None = None,
) -> Detector:
    compute = Compute(device, runtime, precision, threads)
    return Detector.load(bundle, settings=settings or bundle.decode, compute=compute)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_maps_are_the_networks(bundle: Bundle, images: npt.NDArray[np.uint8], runtime: RuntimeName) -> None:
    # ImageNet's mean and standard deviation, written out.
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    prepared = torch.from_numpy(((images / 255 - mean) / std).transpose(0, 3, 1, 2)).float()
    with torch.inference_mode():
        expected = load_network(bundle)(prepared).numpy()
    found = load(bundle, runtime=runtime).maps(images)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-4 * np.abs(expected).max())


def test_an_image_gives_the_same_maps_in_any_batch(bundle: Bundle, images: npt.NDArray[np.uint8]) -> None:
    detector = load(bundle)
    together = detector.maps(images)
    for number, image in enumerate(images):
        np.testing.assert_allclose(
            detector.maps(image[None])[0], together[number], atol=2e-4 * np.abs(together).max()
        )


def test_openvino_gives_the_same_bytes_in_any_batch_with_any_threads(
    bundle: Bundle, images: npt.NDArray[np.uint8]
) -> None:
    one, three = (load(bundle, runtime="openvino", threads=threads) for threads in (1, 3))
    together = three.maps(images)
    assert np.ptp(together) > 0
    for number, image in enumerate(images):
        assert np.array_equal(one.maps(image[None])[0], together[number])


def test_openvino_takes_tiles_of_more_sizes_than_it_keeps(
    bundle: Bundle, images: npt.NDArray[np.uint8]
) -> None:
    detector = load(bundle, runtime="openvino")
    widest = images.repeat(2, axis=2)
    for size in (96, 64, 32, 128, 160, 192, 96):
        assert detector.maps(widest[:1, :, :size]).shape == (1, len(bundle.decode.maps), 64, size)


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_bf16_has_no_plateaus(bundle: Bundle, images: npt.NDArray[np.uint8], runtime: RuntimeName) -> None:
    """The last layer is float32: maps rounded to bfloat16 have 256 values between two powers of 2."""
    if runtime == "openvino" and not computes_in_bf16():
        pytest.skip("OpenVINO doesn't compute in bf16 on this processor")
    exact = load(bundle).maps(images)
    found = load(bundle, runtime=runtime, precision="bf16").maps(images)
    np.testing.assert_allclose(found, exact, atol=0.05 * np.abs(exact).max())
    assert len(np.unique(found)) > 0.5 * len(np.unique(exact))


@pytest.mark.parametrize("runtime", ["torch", "openvino"])
def test_several_threads_may_ask_at_once(
    bundle: Bundle, images: npt.NDArray[np.uint8], runtime: RuntimeName
) -> None:
    detector = load(bundle, runtime=runtime, threads=2)
    alone = [detector.detect(image[None])[0] for image in images]
    with ThreadPoolExecutor(3) as threads:
        together = list(threads.map(lambda image: detector.detect(image[None])[0], images))
    assert sum(map(len, alone)) > 0
    for one, other in zip(alone, together, strict=True):
        assert np.array_equal(one.score, other.score)
        assert np.array_equal(one.x, other.x)


def test_threshold_of_the_caller_counts(bundle: Bundle, images: npt.NDArray[np.uint8]) -> None:
    maps = load(bundle).maps(images)
    low, high = (float(np.quantile(maps[:, 0] + maps[:, 1], share)) for share in (0.5, 0.99))
    counts = [
        sum(map(len, load(bundle, settings=replace(bundle.decode, threshold=max(t, 0.0))).detect(images)))
        for t in (low, high)
    ]
    assert counts[0] > counts[1]


def test_openvino_refuses_bf16_where_it_would_compute_in_float32(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wsi_edt.detection.runtimes.openvino_cpu.computes_in_bf16", lambda: False)
    with pytest.raises(UsageError, match="pass --precision fp32, or --runtime torch"):
        resolve_precision("bf16", device="cpu", runtime="openvino")
    assert resolve_precision("auto", device="cpu", runtime="openvino") == "fp32"
    assert resolve_precision("bf16", device="cpu") == "bf16"
    with pytest.raises(ModelError, match="choose the precision fp32"):
        load(bundle, runtime="openvino", precision="bf16")


def test_openvinos_body_and_head_follow_one_another(
    bundle: Bundle, images: npt.NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On any processor: one without bfloat16 takes float32, which shows as well that the two parts fit."""
    monkeypatch.setattr("wsi_edt.detection.runtimes.openvino_cpu.computes_in_bf16", lambda: True)
    exact = load(bundle, runtime="openvino").maps(images)
    found = load(bundle, runtime="openvino", precision="bf16").maps(images)
    np.testing.assert_allclose(found, exact, atol=0.05 * np.abs(exact).max())


def test_auto_and_wrong_choices() -> None:
    assert resolve_device("auto") == ("cuda" if torch.cuda.is_available() else "cpu")
    assert resolve_precision("fp32", device="cpu") == "fp32"
    assert resolve_precision("auto", device="cpu") in ("fp32", "bf16")
    with pytest.raises(UsageError, match="there is no device 'tpu'; choose auto, cpu or cuda"):
        resolve_device("tpu")
    with pytest.raises(UsageError, match="there is no precision 'int8'"):
        resolve_precision("int8", device="cpu")
    assert resolve_runtime("torch", device="cpu") == "torch"
    assert resolve_runtime("auto", device="cuda") == "torch"
    with pytest.raises(UsageError, match="there is no runtime 'tensorflow'"):
        resolve_runtime("tensorflow", device="cpu")
    with pytest.raises(UsageError, match="--runtime openvino only runs on the CPU, not on cuda"):
        resolve_runtime("openvino", device="cuda")


@pytest.mark.parametrize(
    ("machine", "installed", "expected"),
    [
        ("x86_64", True, "openvino"),
        ("AMD64", True, "openvino"),
        ("arm64", True, "torch"),
        ("x86_64", False, "torch"),
    ],
)
def test_auto_takes_openvino_where_it_suits(
    monkeypatch: pytest.MonkeyPatch, machine: str, installed: bool, expected: str
) -> None:
    monkeypatch.setattr("platform.machine", lambda: machine)
    monkeypatch.setattr("wsi_edt.detection.compute.find_spec", lambda name: object() if installed else None)
    assert resolve_runtime("auto", device="cpu") == expected
    if not installed:
        with pytest.raises(UsageError, match="pip install openvino"):
            resolve_runtime("openvino", device="cpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a CUDA device")
def test_missing_gpu_is_one_sentence(bundle: Bundle) -> None:
    with pytest.raises(ModelError, match="no CUDA device"):
        load(bundle, device="cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_gpu_gives_the_cpus_maps(bundle: Bundle, images: npt.NDArray[np.uint8]) -> None:
    expected = load(bundle).maps(images)
    np.testing.assert_allclose(
        load(bundle, device="cuda").maps(images), expected, atol=1e-2 * np.abs(expected).max()
    )


def points(peaks: TilePeaks) -> npt.NDArray[np.float64]:
    return np.column_stack([peaks.x, peaks.y]).astype(np.float64)


@pytest.mark.slide
def test_shipped_model_finds_the_same_cells_however_the_slide_is_cut(data_dir: Path) -> None:
    """≥ 99.5 % of cells within 2 model px for other tile sizes, batch sizes, precisions and runtimes."""
    bundle = find_bundle(DEFAULT_MODEL)
    with open_slide(data_dir / "slides" / "ki67-scanner-b.ome.tif") as slide:
        field = read_window(slide, Window(0, 0, 1600, 900), wanted_mpp=bundle.model_mpp)

    def detect(tile_px: int, batch_size: int, precision: Precision, runtime: RuntimeName) -> TilePeaks:
        grid = TileGrid((field.shape[1], field.shape[0]), tile_px=tile_px, halo_px=bundle.halo_px)
        parts = [
            detect_shard(
                shard,
                load(bundle, precision=precision, threads=2, runtime=runtime).detect,
                source=SlideSource(Path("field.png")),
                model_mpp=bundle.model_mpp,
                batch_size=batch_size,
                readers=1,
                opener=lambda source: ImageSlide(source.path, field, bundle.model_mpp),
            )
            for shard in shards(grid, None)
        ]
        return stitch(TilePeaks.concatenate(parts), grid, radius_px=bundle.decode.window_px // 2)

    reference = detect(512, 1, "fp32", "torch")
    assert len(reference) > 500  # so that the share allows a few cells
    own_precision = resolve_precision("auto", device="cpu")  # bfloat16 that is only emulated takes minutes
    ways: list[tuple[int, int, Precision, RuntimeName]] = [
        (768, 1, "fp32", "openvino"),
        (1024, 1, own_precision, "openvino"),
        (512, 4, own_precision, "torch"),
    ]
    for way in ways:
        found = detect(*way)
        matched = len(match_points(points(found), points(reference), radius_px=2.0))
        assert matched >= 0.995 * max(len(found), len(reference)), way


def test_torch_runs_with_the_threads_it_was_given_whoever_asks(bundle: Bundle) -> None:
    # fp32 sums differ with the number of threads: the scores tell it.
    images = np.random.default_rng(0).integers(0, 255, (2, 256, 256, 3), dtype=np.uint8)
    mean, std = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
    prepared = torch.from_numpy(((images / 255 - mean) / std).transpose(0, 3, 1, 2)).float()
    network = load_network(bundle).folded()
    before = torch.get_num_threads()
    expected = {}
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            with torch.inference_mode():
                expected[threads] = network(prepared.contiguous(memory_format=torch.channels_last)).numpy()
    finally:
        torch.set_num_threads(before)
    detectors = {threads: load(bundle, threads=threads) for threads in (1, 2)}
    with ThreadPoolExecutor(1) as somebody:
        found = {n: somebody.submit(detector.maps, images).result() for n, detector in detectors.items()}
    for threads in (1, 2):
        again = detectors[threads].maps(images)
        assert np.array_equal(found[threads], again), threads
    if not np.array_equal(expected[1], expected[2]):
        assert not np.array_equal(found[1], found[2])
