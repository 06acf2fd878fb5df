"""What the tests of the workflows share."""

import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest

from wsi_edt.training.config import TrainConfig

GPU = Path(__file__).parents[2] / "workflows" / "gpu"
BENCHMARKS = GPU.parent / "benchmarks"
SHIPPED_MODEL = GPU.parent / "shipped_model"
GPU_MPP = 0.5


@pytest.fixture(scope="module")
def gpu_scripts() -> Iterator[Any]:
    """Imports a script of workflows/gpu by its name."""
    yield from _scripts_of(GPU)


@pytest.fixture(scope="module")
def scripts() -> Iterator[Any]:
    """Imports a script of workflows/benchmarks by its name."""
    yield from _scripts_of(BENCHMARKS)


@pytest.fixture(scope="module")
def shipped_model() -> Iterator[Any]:
    """Imports a script of workflows/shipped_model by its name."""
    yield from _scripts_of(SHIPPED_MODEL)


def _scripts_of(folder: Path) -> Iterator[Any]:
    """Scripts import each other by bare names, as when one of them is run."""
    sys.path.insert(0, str(folder))
    before = set(sys.modules)

    def script(name: str) -> ModuleType:
        return importlib.import_module(name)

    yield script
    sys.path.remove(str(folder))
    for name in set(sys.modules) - before:
        if (folder / f"{name}.py").exists():
            del sys.modules[name]


@pytest.fixture
def gpu_data(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> Path:
    """Two sets of plain images with points."""
    folder = tmp_path / "data"
    for name, pixels in (
        ("train/images/a.png", ihc_pixels[:256, :300]),
        ("held/images/b.png", ihc_pixels[256:, :256]),
    ):
        path = folder / name
        path.parent.mkdir(parents=True)
        assert cv2.imwrite(str(path), pixels[:, :, ::-1])
        points = folder / name.split("/")[0] / "points"
        points.mkdir()
        (points / f"{path.stem}.csv").write_text(
            "class,x,y\npositive,40.5,50.25\nnegative,120,80\n,200.5,100.5\n"
        )
    return folder


@pytest.fixture
def gpu_config() -> TrainConfig:
    sets = [{"name": "train", "format": "points", "mpp": 0.25, "weight": 1.0}]
    return TrainConfig.model_validate(
        {"mpp": GPU_MPP, "sets": sets, "validation": [{"name": "held", "format": "points", "mpp": 0.625}]}
    )
