"""Makes a large slide from a small picture of tissue: a tiled pyramidal BigTIFF that openslide and tiffslide open.

    python workflows/benchmarks/make_slide.py big.tif --side 100000

The picture is mirrored to the right and downwards, so that its edges meet, and the four are repeated over the slide:
every period has the same content at the same place, so a run that loses or doubles cells anywhere shows it. Each
distinct tile is compressed once and written many times: 100,000 × 100,000 px take little memory and minutes at most.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import cv2
import imagecodecs
import numpy as np
import numpy.typing as npt
import skimage.data
import tifffile

Pixels = npt.NDArray[np.uint8]

TILE_PX = 256
GLASS = (243, 243, 243)
SMALLEST_LEVEL_PX = 1024  # a level that fits a screen ends the pyramid
MM_PER_CM, UM_PER_MM = 10, 1000


@dataclass(frozen=True, slots=True, eq=False)
class Mosaic:
    """A slide's content: one repeated period, and glass below it.

    Attributes
    ----------
    period : (H, W, 3) uint8 of level 0; both sides multiples of `TILE_PX` × 2
    width, height : of level 0
    tissue_height : rows of level 0 with tissue; a multiple of the period's, or the whole height
    """

    period: Pixels
    width: int
    height: int
    tissue_height: int

    @classmethod
    def of(cls, picture: Pixels, *, width: int, height: int, tissue: float = 1.0) -> Mosaic:
        """The slide of that size from an RGB picture (H, W, 3) of at least 256 px per side; incomplete tiles are cut off.

        Parameters
        ----------
        picture : of tissue
        width, height : of level 0
        tissue : the share of the slide's rows that hold tissue, rounded up to whole periods
        """
        rows, columns = (side // TILE_PX * TILE_PX for side in picture.shape[:2])
        if min(rows, columns) == 0:
            raise click.UsageError(
                f"a picture of {picture.shape[1]} × {picture.shape[0]} px is too small; pass one of at least {TILE_PX} px"
            )
        cut = picture[:rows, :columns]
        across = np.concatenate([cut, cut[:, ::-1]], axis=1)
        period = np.concatenate([across, across[::-1]])
        tissue_height = min(-(-int(tissue * height) // len(period)) * len(period), height)
        return cls(period, width, height, tissue_height)

    @property
    def levels(self) -> int:
        """How many levels the pyramid has; the period is a whole number of px in each."""
        count = 1
        while (
            min(self.width, self.height) >> count >= 1
            and max(self.width, self.height) >> (count - 1) > SMALLEST_LEVEL_PX
            and not any(side % (1 << count) for side in self.period.shape[:2])
        ):
            count += 1
        return count


@dataclass(slots=True, eq=False)
class Level:
    """One level of a mosaic, a tile at a time."""

    mosaic: Mosaic
    number: int
    quality: int
    period: Pixels = field(init=False)
    _encoded: dict[tuple[int, int, int], bytes] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.period = self.mosaic.period
        for _ in range(self.number):  # means of 2 × 2 px; a period's edge has no neighbours in them
            halved = cv2.resize(self.period, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
            self.period = np.asarray(halved, np.uint8)

    @property
    def shape(self) -> tuple[int, int, int]:
        """(rows, columns, 3); fractions of a px are cut off."""
        return self.mosaic.height >> self.number, self.mosaic.width >> self.number, 3

    def tile(self, x: int, y: int) -> Pixels:
        """The tile with its corner at (x, y), px of this level: (256, 256, 3), filled even beyond the slide's edge."""
        rows, columns = y + np.arange(TILE_PX), x + np.arange(TILE_PX)
        pixels = self.period[np.ix_(rows % self.period.shape[0], columns % self.period.shape[1])]
        pixels[rows >= self.mosaic.tissue_height >> self.number] = GLASS
        return pixels

    def encoded(self) -> Iterator[bytes]:
        """All tiles as JPEG, row by row."""
        for y in range(0, self.shape[0], TILE_PX):
            for x in range(0, self.shape[1], TILE_PX):
                yield self._encode(x, y)

    def _encode(self, x: int, y: int) -> bytes:
        tissue_rows = (self.mosaic.tissue_height >> self.number) - y
        key = (x % self.period.shape[1], y % self.period.shape[0], min(max(tissue_rows, 0), TILE_PX))
        if key not in self._encoded:
            encoded = imagecodecs.jpeg8_encode(
                self.tile(x, y),
                level=self.quality,
                colorspace="RGB",
                outcolorspace="YCBCR",
                subsampling="420",
            )
            self._encoded[key] = bytes(encoded)
        return self._encoded[key]


def write_slide(path: Path, mosaic: Mosaic, *, mpp: float, quality: int = 85) -> None:
    """Write a mosaic as a slide, level by level, like scanners' files: JPEG in YCbCr with halved colour, tiles of 256 px.

    Parameters
    ----------
    path : the file
    mosaic : the slide's content
    mpp : µm per level-0 px, stated in the resolution tags
    quality : of the JPEGs
    """
    with tifffile.TiffWriter(path, bigtiff=True) as file:
        for number in range(mosaic.levels):
            level = Level(mosaic, number, quality)
            per_cm = UM_PER_MM * MM_PER_CM / (mpp * (1 << number))
            file.write(
                level.encoded(),
                shape=level.shape,
                dtype=np.uint8,
                tile=(TILE_PX, TILE_PX),
                photometric="ycbcr",  # as the tiles are encoded: readers turn them into RGB
                subsampling=(2, 2),
                compression="jpeg",
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                subfiletype=1 if number else 0,
                metadata=None,
            )


def read_picture(path: Path | None) -> Pixels:
    """A picture of tissue as RGB (H, W, 3): the given file, or scikit-image's DAB image (CC0)."""
    if path is None:
        return np.asarray(skimage.data.immunohistochemistry(), dtype=np.uint8)  # type: ignore[no-untyped-call]
    picture = cv2.imread(str(path), cv2.IMREAD_COLOR)
    if picture is None:
        raise click.UsageError(f"{path} can't be read as a picture; give a PNG, JPEG or TIFF")
    return np.ascontiguousarray(picture[..., ::-1])


@click.command()
@click.argument("path", type=click.Path(dir_okay=False, path_type=Path))
@click.option(
    "--side", type=click.IntRange(1), default=20_000, show_default=True, help="Level-0 px, both ways."
)
@click.option("--width", type=click.IntRange(1), help="Instead of --side.")
@click.option("--height", type=click.IntRange(1), help="Instead of --side.")
@click.option(
    "--image", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Picture of tissue."
)
@click.option(
    "--mpp", type=click.FloatRange(0.01, 10), default=0.5, show_default=True, help="µm/px to state."
)
@click.option(
    "--tissue",
    type=click.FloatRange(0, 1),
    default=1.0,
    show_default=True,
    help="Share of rows that aren't glass.",
)
@click.option("--quality", type=click.IntRange(1, 100), default=85, show_default=True, help="Of the JPEGs.")
def main(
    path: Path,
    side: int,
    width: int | None,
    height: int | None,
    image: Path | None,
    mpp: float,
    tissue: float,
    quality: int,
) -> None:
    """Write a large slide of repeated tissue to PATH."""
    mosaic = Mosaic.of(read_picture(image), width=width or side, height=height or side, tissue=tissue)
    write_slide(path, mosaic, mpp=mpp, quality=quality)
    rows, columns = mosaic.period.shape[:2]
    print(
        f"{path}: {mosaic.width:,} × {mosaic.height:,} px at {mpp:g} µm/px, {mosaic.levels} levels, "
        f"{path.stat().st_size / 1e6:,.0f} MB; repeats every {columns} × {rows} px, tissue in the first "
        f"{mosaic.tissue_height:,} rows"
    )


if __name__ == "__main__":
    main()
