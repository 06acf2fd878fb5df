"""Makes a small real slide for `make demo`: scikit-image's DAB immunohistochemistry image, tiled into a pyramidal TIFF.

The picture (colonic glands, DAB against FHL2 with haematoxylin; CC0, Center for Molecular Medicine, Ulm) states no
µm/px; 0.5 is assumed. FHL2 isn't a proliferation marker: the demo shows that the program runs, and its index means nothing.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import skimage.data
import tifffile

MPP = 0.5
SIDE = 2  # copies a side, every other one mirrored so that edges meet
LEVELS = 3


def main(folder: Path) -> None:
    """Write demo.tif into `folder`: 1024×1024 px, three levels, JPEG tiles, µm/px in its resolution tags."""
    folder.mkdir(parents=True, exist_ok=True)
    image = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    mirrored = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    rows = [
        np.concatenate([mirrored[2 * (row % 2) + column % 2] for column in range(SIDE)], axis=1)
        for row in range(SIDE)
    ]
    level = np.concatenate(rows, axis=0)
    path = folder / "demo.tif"
    with tifffile.TiffWriter(path) as writer:
        for number in range(LEVELS):
            writer.write(
                level,
                tile=(256, 256),
                photometric="rgb",
                compression="jpeg",
                compressionargs={"level": 90},
                resolution=(1e4 / (MPP * 2**number), 1e4 / (MPP * 2**number)),
                resolutionunit="CENTIMETER",
                subfiletype=1 if number else 0,
            )
            level = cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    print(f"{path}: {SIDE * image.shape[1]}×{SIDE * image.shape[0]} px at {MPP} µm/px")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
