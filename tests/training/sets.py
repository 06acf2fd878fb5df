"""Small data sets in the layouts in which the real ones are distributed."""

import json
from pathlib import Path

import cv2
import h5py
import numpy as np
import numpy.typing as npt
from scipy.io import savemat

from wsi_edt.datasets import FORMATS, LabelledImage
from wsi_edt.qupath.regions import Polygons


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


def labelled_image(
    dataset: str,
    points: list[tuple[float, float]],
    classes: list[int],
    *,
    side: int = 256,
    mpp: float = 0.25,
    region: Polygons | None = None,
) -> LabelledImage:
    """A grey image whose labels say as much as those of a format."""
    facts = FORMATS[dataset]
    return LabelledImage(
        path=Path(f"{dataset}.png"),
        dataset=dataset,
        case=dataset,
        pixels=np.full((side, side, 3), 200, np.uint8),
        image_mpp=mpp,
        points=np.array(points, np.float64).reshape(-1, 2),
        class_id=np.array(classes, np.uint8),
        classes=facts.classes,
        nuclei=facts.nuclei,
        region=region,
    )


def make_bcdata(
    folder: Path, *, images: int = 2, side: int = 128, splits: tuple[str, ...] = ("train", "validation")
) -> Path:
    rng = np.random.default_rng(0)
    for split in splits:
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


def make_shidc(folder: Path, *, split: str = "train") -> Path:
    labels = [
        {"x": 10, "y": 20, "label_id": 1},
        {"x": 40, "y": 30, "label_id": 2},
        {"x": 60, "y": 70, "label_id": 3},
    ]
    write_rgb(folder / split / "p1_0001_1.jpg", np.full((96, 96, 3), 200, np.uint8))
    (folder / split / "p1_0001_1.json").write_text(json.dumps(labels))
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


def instance_map(side: int = 32) -> npt.NDArray[np.uint16]:
    """Three nuclei: 2 × 2 px around (5, 5), 3 × 1 px in row 10, one px at column 20, row 30; numbered 1, 4 and 9."""
    instances = np.zeros((side, side), np.uint16)
    instances[4:6, 4:6] = 1
    instances[10, 7:10] = 4
    instances[30, 20] = 9
    return instances


CENTROIDS = [[5.0, 5.0], [8.5, 10.5], [20.5, 30.5]]  # of `instance_map`, by hand


def make_conic(
    folder: Path, *, patches: tuple[str, ...] = ("consep_1-0000", "consep_1-0001", "dpath_2-0000")
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    side, count = 32, len(patches)
    labels = np.zeros((count, side, side, 2), np.uint16)
    labels[0, :, :, 0] = instance_map(side)
    labels[0, :, :, 1] = np.where(labels[0, :, :, 0] > 0, 2, 0)
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, side, side, 3), np.uint8)
    np.save(folder / "images.npy", images)
    np.save(folder / "labels.npy", labels)
    (folder / "patch_info.csv").write_text("\n".join(["patch_info", *patches]) + "\n")
    return folder


def make_ccrcc(folder: Path) -> Path:
    for split, name in (("Train", "a"), ("Valid", "b"), ("Test", "c")):
        write_rgb(folder / split / "Images" / f"{name}.png", np.full((32, 32, 3), 200, np.uint8))
        annotation = folder / split / "Labels" / f"{name}.mat"
        annotation.parent.mkdir(parents=True)
        maps = {"instance_map": instance_map().astype(np.float64), "class_map": instance_map()}
        savemat(annotation, maps | {"TCGA_file_name": "TCGA-A3-3308-01Z-00-DX1.svs"})
    return folder


def make_psu(folder: Path, mask: npt.NDArray[np.integer], *, suffix: str = ".png") -> Path:
    write_rgb(folder / "images" / "a.bmp", np.full((32, 32, 3), 200, np.uint8))
    path = folder / "masks" / f"a{suffix}"
    path.parent.mkdir(parents=True)
    if suffix == ".npy":
        np.save(path, mask)
    else:
        assert cv2.imwrite(str(path), mask)
    return folder
