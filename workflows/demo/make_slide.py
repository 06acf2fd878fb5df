"""Makes a small real slide for `make demo`: scikit-image's DAB immunohistochemistry image, tiled into a pyramidal TIFF.

The picture (colonic glands, DAB against FHL2 with haematoxylin; CC0, Center for Molecular Medicine, Ulm) states no
µm/px; 0.5 is assumed. FHL2 isn't a proliferation marker: the demo shows that the program runs, and its index means nothing.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
import skimage.data
import tifffile

MPP = 0.5
LEVELS = 3


def _write(path: Path, level: npt.NDArray[np.uint8]) -> None:
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
            level = np.asarray(
                cv2.resize(level, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
            )


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--side", type=click.IntRange(1, 40), default=2, show_default=True, help="Copies of the picture a side."
)
def main(folder: Path, side: int) -> None:
    """Write demo.tif into FOLDER: copies, every other one mirrored so that edges meet, three levels, JPEG tiles."""
    image = skimage.data.immunohistochemistry()  # type: ignore[no-untyped-call]
    mirrored = [image, image[:, ::-1], image[::-1], image[::-1, ::-1]]
    rows = [
        np.concatenate([mirrored[2 * (row % 2) + column % 2] for column in range(side)], axis=1)
        for row in range(side)
    ]
    level = np.concatenate(rows, axis=0)
    path = folder / "demo.tif"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _write(path, level)
    except OSError as error:
        raise click.ClickException(f"{path}: can't be written: {error.strerror or error}") from error
    click.echo(f"{path}: {side * image.shape[1]}×{side * image.shape[0]} px at {MPP} µm/px")


if __name__ == "__main__":
    main()
