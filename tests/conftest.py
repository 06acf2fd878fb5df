"""What the tests of several rooms share: the hypothesis profile, where real data lies, and generated slides."""

from __future__ import annotations

import os
from pathlib import Path
from types import MappingProxyType

if "PYTEST_XDIST_WORKER" in os.environ:
    # There is a process for each core and more: several threads in each would only wait for each other. Before
    # numpy and torch are imported, which read it once.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
# Where a test asks for several threads, those that wait for the last one sleep: by default they burn the cores that it
# and the other processes need, three times what the network's own work takes. For processes that tests start, too.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import numpy as np
import numpy.typing as npt
import pytest
import skimage.data
import tifffile
from dask.system import CPU_COUNT
from hypothesis import settings

from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide

settings.register_profile("wsi-edt", derandomize=True, deadline=None)
settings.load_profile("wsi-edt")

MPP = 0.25
RULER_SIZE = (1102, 902)  # (width, height): halves and quarters leave a rest
RULER_SQUARE_PX = 64


def pytest_configure(config: pytest.Config) -> None:
    """What is cached for a user (OpenVINO's graphs) is kept in pytest's cache, here and in processes that tests start."""
    os.environ["XDG_CACHE_HOME"] = str(config.rootpath / ".pytest_cache" / "d" / "user-cache")


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """For `-n auto`, one more than the cores that this process may use: many tests wait for processes that they start."""
    return int(CPU_COUNT) + 1


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The real slides and images: $WSI_EDT_DATA, else shared/data beside the repository."""
    stated = os.environ.get("WSI_EDT_DATA")
    path = Path(stated) if stated else Path(__file__).parents[2] / "shared" / "data"
    if not path.is_dir():
        pytest.skip(f"no real data at {path}; set WSI_EDT_DATA")
    return path


@pytest.fixture(scope="session")
def ihc_pixels() -> npt.NDArray[np.uint8]:
    """Real DAB-stained tissue, (512, 512, 3)."""
    return np.asarray(skimage.data.immunohistochemistry(), dtype=np.uint8)  # type: ignore[no-untyped-call]


@pytest.fixture(scope="session")
def ihc_slide_path(tmp_path_factory: pytest.TempPathFactory, ihc_pixels: npt.NDArray[np.uint8]) -> Path:
    """A pyramidal tiled JPEG TIFF, 1536 × 1536 px of 0.25 µm, three levels, that openslide and tiffslide open."""
    path = tmp_path_factory.mktemp("slides") / "ihc.tif"
    mirrored = np.concatenate([ihc_pixels, ihc_pixels[:, ::-1], ihc_pixels], axis=1)
    write_pyramid(path, np.concatenate([mirrored, mirrored[::-1], mirrored]), compression="jpeg")
    return path


@pytest.fixture(scope="session")
def ruler_slide_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lossless pyramid on which a wrong scale or shift of a level can't hide; see `ruler_pixels`."""
    path = tmp_path_factory.mktemp("slides") / "ruler.tif"
    write_pyramid(path, ruler_pixels(), compression="deflate")
    return path


@pytest.fixture
def bounded_slide(ihc_pixels: npt.NDArray[np.uint8]) -> ImageSlide:
    """A stand-in for a slide with openslide bounds: tissue in the 300 × 200 px at (100, 50), white around it."""
    pixels = np.full_like(ihc_pixels, 255)
    pixels[50:250, 100:400] = ihc_pixels[50:250, 100:400]
    slide = ImageSlide(Path("bounded.tif"), pixels, MPP)
    slide.bounds = Window(100, 50, 300, 200)
    stated = {"x": "100", "y": "50", "width": "300", "height": "200"}
    slide.properties = MappingProxyType({f"openslide.bounds-{side}": value for side, value in stated.items()})
    return slide


def ruler_pixels() -> npt.NDArray[np.uint8]:
    """Red grows by 1 each 5 px to the right, green each 4 px downwards, blue is a checkerboard of 64 px."""
    width, height = RULER_SIZE
    x, y = np.arange(width), np.arange(height)
    pixels = np.empty((height, width, 3), dtype=np.uint8)
    pixels[..., 0] = x // 5
    pixels[..., 1] = (y // 4)[:, np.newaxis]
    pixels[..., 2] = ((x // RULER_SQUARE_PX + (y // RULER_SQUARE_PX)[:, np.newaxis]) % 2) * 200 + 20
    return pixels


def write_pyramid(
    path: Path, pixels: npt.NDArray[np.uint8], *, compression: str | None, levels: int = 3, mpp: float = MPP
) -> None:
    """A tiled pyramid whose levels are means of 2 × 2 px, a rest of one px dropped."""
    per_cm = 1e4 / mpp
    with tifffile.TiffWriter(path) as file:
        for level in range(levels):
            file.write(
                pixels,
                tile=(256, 256),
                photometric="rgb",
                compression=compression,
                resolution=(per_cm / 2**level, per_cm / 2**level),
                resolutionunit="CENTIMETER",
                subfiletype=1 if level else 0,
                metadata=None,
            )
            height, width = (side // 2 for side in pixels.shape[:2])
            blocks = pixels[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3)
            pixels = blocks.mean(axis=(1, 3)).round().astype(np.uint8)
