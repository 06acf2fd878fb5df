"""What holds for every architecture of the registry: sizes, gradients, folding, θ = 0, learning, the way to a result."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import wsi_edt.training.trainer
from tests.networks.lively import enliven
from tests.run.test_batch import points_of
from tests.stand_ins import Pool
from tests.training.sets import make_bcdata, spots, write_rgb
from wsi_edt.bundles import Bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.cluster.machine import this_machine
from wsi_edt.cluster.worker import compute_shard
from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.detection.compute import Compute, ComputeOptions
from wsi_edt.detection.detector import Detector
from wsi_edt.detection.whole_image import NetworkMaps, image_maps
from wsi_edt.evaluation.matching import match_points
from wsi_edt.geometry import Window
from wsi_edt.maps import Peaks, decode, edt_map
from wsi_edt.networks import IMAGENET, NetworkSpec, build_network
from wsi_edt.networks.difference import MGA, DifferenceConv2d
from wsi_edt.networks.network import Network, Normalise
from wsi_edt.networks.registry import ARCHITECTURES
from wsi_edt.run import RunOptions
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.plan import plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.resolve import resolve
from wsi_edt.training import TrainConfig, train
from wsi_edt.training.bundling import bundle_checkpoint

# Those whose graph OpenVINO can't take, with the reason; they run in torch.
WITHOUT_OPENVINO: dict[str, str] = {}
# Tens of millions of weights, or full resolution throughout: half a minute each to learn something, in `make soak`.
LARGE = ("attention_unet", "hover_net", "mpvit", "swin", "trans_unet", "unet", "w_net")
LEARNING = [pytest.param(name, marks=pytest.mark.soak) if name in LARGE else name for name in ARCHITECTURES]
# The way from training to cells is the same for all: the shipped one and a small one go it here, all others in `make soak`.
GOING = ("m_hrnet", "u_csrnet")
ON_THE_WAY = [name if name in GOING else pytest.param(name, marks=pytest.mark.soak) for name in ARCHITECTURES]
MGA_ARCHITECTURES = [name for name in ARCHITECTURES if name.startswith("m_")]
SIDE = 64  # px: the coarsest features of a network of stride 32 are 2 × 2


def spec_of(architecture: str, **options: object) -> NetworkSpec:
    return NetworkSpec.from_table({"architecture": architecture, **options}, maps=2)


@pytest.fixture(scope="module", params=list(ARCHITECTURES))
def network(request: pytest.FixtureRequest) -> Network:
    """A lively one of each architecture, which no test changes."""
    torch.manual_seed(0)
    return enliven(build_network(spec_of(request.param)))


def noise(*shape: int, dtype: torch.dtype = torch.float32) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(1), dtype=dtype)


def test_maps_of_an_odd_image_have_its_size(network: Network) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (45, 71, 3), dtype=np.uint8)
    runner = NetworkMaps(network, IMAGENET)
    maps = image_maps(runner, pixels, image_mpp=0.5, model_mpp=0.5, stride=network.stride)
    assert maps.shape == (2, 45, 71)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert maps.std(axis=(1, 2)).min() > 0


def test_every_weight_has_a_part_in_the_maps(network: Network) -> None:
    learner = copy.deepcopy(network)
    learner(noise(1, 3, SIDE, SIDE)).square().sum().backward()
    for name, parameter in learner.named_parameters():
        assert parameter.grad is not None, name
        assert torch.isfinite(parameter.grad).all(), name
        if parameter.ndim > 1:  # biases may be without one: a softmax cancels that of its keys
            assert parameter.grad.any(), name


def test_folded_gives_the_same_maps(network: Network) -> None:
    exact = copy.deepcopy(network).double()
    plain = exact.folded()
    assert not [module for module in plain.modules() if isinstance(module, MGA)]
    assert not [parameter for parameter in plain.parameters() if parameter.requires_grad]
    x = noise(1, 3, SIDE, 2 * SIDE, dtype=torch.float64)
    with torch.inference_mode():
        expected = exact(x)
        assert expected.std() > 0
        torch.testing.assert_close(plain(x), expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))


class PlainConvolutions(nn.Module):
    """MGA at θ = 0 as the paper's Fig. 6 has it: ordinary convolutions of dilation 1 to 4, each added to the one before."""

    def __init__(self, mga: MGA) -> None:
        super().__init__()
        self._stride, self._weights = mga.stride, dict(mga.named_parameters())

    def forward(self, x: Tensor) -> Tensor:
        reduced = functional.conv2d(x, self._weights["reduce.weight"])
        outputs = [torch.zeros(())]
        for branch in range(4):
            weight, reach = self._weights[f"branches.{branch}.weight"], branch + 1
            y = functional.conv2d(reduced, weight, stride=self._stride, padding=reach, dilation=reach)
            outputs.append(outputs[-1] + y)
        return torch.cat(outputs[1:], dim=1)


@pytest.mark.parametrize("architecture", MGA_ARCHITECTURES)
def test_theta_0_is_the_plain_network_with_plain_convolutions_at_its_beginning(architecture: str) -> None:
    """But for the first layer, M_X is X, weight by weight; and at θ = 0 that layer is convolutions without differences."""
    torch.manual_seed(0)
    with_mga = enliven(build_network(spec_of(architecture, theta=0))).double()
    ((place, mga),) = [(name, one) for name, one in with_mga.named_modules() if isinstance(one, MGA)]
    assert mga.reduce.weight.shape[1] == 3, "the first layer is the one that sees the image"

    plain = build_network(spec_of(architecture.removeprefix("m_"))).double().eval()
    first = plain.get_submodule(place)
    assert isinstance(first, nn.Conv2d)
    assert (first.in_channels, first.out_channels) == (3, 4 * mga.reduce.weight.shape[0])
    assert first.stride == (mga.stride, mga.stride)
    plain.set_submodule(place, PlainConvolutions(mga))
    others = {name: one for name, one in with_mga.state_dict().items() if not name.startswith(f"{place}.")}
    plain.load_state_dict(others)  # as many of the same shapes, or it refuses

    x = noise(1, 3, SIDE, SIDE, dtype=torch.float64)
    with torch.inference_mode():
        expected = plain(x)
        assert expected.std() > 0
        torch.testing.assert_close(with_mga(x), expected, rtol=1e-9, atol=1e-9 * float(expected.abs().max()))
        for branch in mga.branches:
            assert isinstance(branch, DifferenceConv2d)
            branch.theta = 0.7
        assert not torch.allclose(with_mga(x), expected, rtol=1e-3)


@pytest.fixture(scope="module")
def tile(request: pytest.FixtureRequest) -> tuple[Tensor, Tensor]:
    """64 px of BCData where its images are, else of painted discs: (1, 3, 64, 64) normalised, and its two EDT maps."""
    try:
        data: Path = request.getfixturevalue("data_dir")
    except pytest.skip.Exception:
        points = np.array([[12, 15], [40, 9], [50, 45], [20, 50]])
        pixels = spots(points, SIDE, [(110, 60, 20)] * 2 + [(60, 80, 150)] * 2)
        cells = [points[:2] + 0.5, points[2:] + 0.5]
    else:
        image = read_set(SetSpec(name="bcdata", split="train"), data)[0]
        found, mpp = image.cells_at(0.3125), 0.3125
        corner = (int(found.x[0]) - SIDE // 2, int(found.y[0]) - SIDE // 2)
        pixels = image.window_at(mpp, Window(*corner, SIDE, SIDE))
        cells = [
            np.stack([found.x, found.y], axis=1)[found.class_id == class_id] - corner for class_id in (0, 1)
        ]
    target = np.stack([edt_map(one, (SIDE, SIDE), max_distance_px=60, outside="count") for one in cells])
    assert target.max() == 1
    return Normalise(IMAGENET)(torch.from_numpy(pixels)[None]), torch.from_numpy(target)[None]


@pytest.mark.parametrize("architecture", LEARNING)
def test_loss_falls(architecture: str, tile: tuple[Tensor, Tensor]) -> None:
    torch.manual_seed(0)
    learner = build_network(spec_of(architecture)).train()
    optimizer = torch.optim.Adam(learner.parameters(), lr=1e-3)
    x, target = (torch.cat([one, one.flip(-1)]) for one in tile)
    losses = []
    for _ in range(8):
        loss = functional.mse_loss(learner(x), target)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        losses.append(loss.item())
    assert min(losses[-2:]) < 0.9 * losses[0], losses


def config_of(architecture: str) -> TrainConfig:
    return TrainConfig.model_validate(
        {
            "mpp": 0.25,
            "network": {"architecture": architecture},
            "maps": {"names": ["positive", "negative"]},
            "schedule": {"steps": 2, "epoch_steps": 2, "batch_size": 2, "crop_px": SIDE, "ema_decay": 0.5},
            "sets": [{"name": "bcdata", "weight": 1.0}],
        }
    )


SLIDE_PX, HALO_PX = 96, 32  # one tile of 160 px, whose core is the slide


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A set in BCData's layout, and a slide of the same kind."""
    folder = tmp_path_factory.mktemp("data")
    make_bcdata(folder / "bcdata", images=1, side=SLIDE_PX)
    points = np.random.default_rng(1).integers(8, SLIDE_PX - 8, (9, 2))
    painted = spots(points, SLIDE_PX, [(110, 60, 20)] * 4 + [(60, 80, 150)] * 5)
    write_rgb(folder / "slides" / "a.png", painted)
    np.save(folder / "window.npy", np.pad(painted, ((HALO_PX,) * 2,) * 2 + ((0, 0),), constant_values=255))
    return folder


def cells_of_a_run(bundle: Bundle, data: Path, out: Path) -> npt.NDArray[np.float64]:
    """Where the cells of the slide are, as `wsi-edt run` leaves them, but for the processes that compute: (N, 2)."""
    compute = ComputeOptions(device="cpu", runtime="torch", precision="fp32", threads=1)
    options = RunOptions(
        model=str(bundle.directory),
        fallback_mpp=bundle.model_mpp,
        tile_px=SLIDE_PX + 2 * HALO_PX,
        tissue_mask=False,
        compute=compute,
    )
    slides = find_slides([data / "slides"], out=out, fallback_mpp=bundle.model_mpp).slides
    settings = resolve(options, [this_machine(compute)], slides=slides, out=out)
    pool = Pool(compute=compute_shard)
    run_batch(
        slides, out, settings=settings, open_pool=pool.opener, progress=NoProgress(), plan_slide=plan_slide
    )
    return np.concatenate(list(points_of(out / "a.png" / "cells.geojson").values()))


def cells_of_the_slide(peaks: Peaks) -> npt.NDArray[np.float64]:
    """The cells of the window that lie on the slide, in px of the slide: (N, 2)."""
    cells = np.stack([peaks.x, peaks.y], axis=1).astype(np.float64) + 0.5 - HALO_PX
    return cells[((cells > 0) & (cells < SLIDE_PX)).all(axis=1)]


def agreement(found: npt.NDArray[np.float64], expected: npt.NDArray[np.float64]) -> float:
    """The share of cells that both have, within 2 px."""
    pairs = match_points(found, expected, radius_px=2.0)
    return 2 * len(pairs) / (len(found) + len(expected))


@pytest.mark.parametrize("architecture", ON_THE_WAY)
def test_from_training_to_a_slides_cells(
    architecture: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trained for two steps, bundled, run: the slide's cells are those of the bundle's network, unfolded."""

    def lively(spec: NetworkSpec) -> Network:
        network = enliven(build_network(spec))  # two steps alone leave empty maps
        for name, parameter in network.head.named_parameters():
            if name.endswith("bias"):
                parameter.data.abs_()  # so do maps below 0
        return network

    monkeypatch.setattr(wsi_edt.training.trainer, "build_network", lively)
    checkpoint = train(config_of(architecture), data, tmp_path / "run")
    bundle = bundle_checkpoint(checkpoint, data, tmp_path / "model", halo_px=HALO_PX, threshold=0.05)
    shutil.rmtree(tmp_path / "run")  # as large as many networks

    window = np.load(data / "window.npy")
    with torch.inference_mode():
        maps = load_network(bundle)(Normalise(IMAGENET)(torch.from_numpy(window)[None]))[0].numpy()
    expected = cells_of_the_slide(decode(maps, bundle.decode))
    assert len(expected) > 0
    assert agreement(cells_of_a_run(bundle, data, tmp_path / "out"), expected) >= 0.995

    if architecture in WITHOUT_OPENVINO:
        return
    compute = Compute(device="cpu", runtime="openvino", precision="fp32", threads=1)
    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    ((peaks,), (converted,)) = detector.detect_with_maps(window[None])
    np.testing.assert_allclose(converted, maps, atol=1e-3 * np.abs(maps).max())
    assert agreement(cells_of_the_slide(peaks), expected) >= 0.995
