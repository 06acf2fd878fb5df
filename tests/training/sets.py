"""Small data sets in the layouts in which the real ones are distributed."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import savemat


def spots(
    points: npt.NDArray[np.int64], side: int, colours: list[tuple[int, int, int]]
) -> npt.NDArray[np.uint8]:
    """Discs of a colour (RGB) each on a pale ground."""
    image = np.full((side, side, 3), 230, np.uint8)
    for (x, y), colour in zip(points.tolist(), colours, strict=True):
        cv2.circle(image, (x, y), 6, colour, -1)
    return image


def write_rgb(path: Path, image: npt.NDArray[np.uint8]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), image[:, :, ::-1])


def make_bcdata(folder: Path, *, images: int = 2, side: int = 128) -> Path:
    rng = np.random.default_rng(0)
    for split in ("train", "validation"):
        for number in range(images):
            points = rng.integers(8, side - 8, (12, 2))
            brown, blue = (110, 60, 20), (60, 80, 150)
            write_rgb(
                folder / "images" / split / f"{number}.png", spots(points, side, [brown] * 5 + [blue] * 7)
            )
            for name, own in (("positive", points[:5]), ("negative", points[5:])):
                path = folder / "annotations" / split / name / f"{number}.h5"
                path.parent.mkdir(parents=True, exist_ok=True)
                with h5py.File(path, "w") as file:
                    file["coordinates"] = own
    return folder


def make_shidc(folder: Path) -> Path:
    labels = [
        {"x": 10, "y": 20, "label_id": 1},
        {"x": 40, "y": 30, "label_id": 2},
        {"x": 60, "y": 70, "label_id": 3},
    ]
    write_rgb(folder / "train" / "p1_0001_1.jpg", np.full((96, 96, 3), 200, np.uint8))
    (folder / "train" / "p1_0001_1.json").write_text(json.dumps(labels))
    return folder


def make_uw(folder: Path, suffix: str) -> Path:
    image_folder = folder / "Detection" / "img1"
    write_rgb(image_folder / f"img1{suffix}", np.full((50, 50, 3), 200, np.uint8))
    savemat(image_folder / "img1_detection.mat", {"detection": np.array([[10.5, 20.25], [1.0, 50.0]])})
    return folder


def make_csv(
    folder: Path, header: str = "class,x,y", rows: str = "positive,3.5,4.0\nnegative,10,20\n"
) -> Path:
    write_rgb(folder / "images" / "a.png", np.full((32, 32, 3), 200, np.uint8))
    (folder / "points").mkdir()
    (folder / "points" / "a.csv").write_text(f"{header}\n{rows}")
    return folder
