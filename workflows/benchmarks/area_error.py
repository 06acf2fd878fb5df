"""How far the reported tissue area is from the truth: drawn shapes of 0.008 to 20 mm² on glass, of made and of real tissue.

    python workflows/benchmarks/area_error.py [--data DATA] [--largest 8]

A shape's own px are the truth. DATA holds slides/: with it the shapes are also filled with real tissue. Prints a row per
shape: by how much the area that is searched, and the one that is reported, differ from it in each tissue.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
import cv2
import numpy as np
import numpy.typing as npt
from measuring import table
from PIL import Image

from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, open_slide, slide_tissue
from wsi_edt.slides.protocol import RgbArray
from wsi_edt.slides.window import read_window

BoolArray = npt.NDArray[np.bool_]
FloatArray = npt.NDArray[np.float32]

MODEL_MPP = 0.3125
MARGIN_UM = 300
GLASS = {"light": (243, 243, 243), "grey": (214, 216, 218), "yellowish": (238, 232, 214)}
FINE_MPP, COARSE_MPP = 0.5, 1.0  # of the slides that are made, up to 1 mm² and beyond
JPEG_QUALITY = 80
HAEMATOXYLIN, DAB = (0.65, 0.70, 0.29), (0.27, 0.57, 0.78)  # Ruifrok and Johnston (2001)
# Windows of real slides that tissue fills, µm.
REAL = {
    "ki67-scanner-a.tif": Window(200, 130, 150, 330),
    "ki67-scanner-b.ome.tif": Window(200, 130, 150, 330),
    "he-scanner-a.ome.tif": Window(0, 0, 250, 250),
}


@dataclass(frozen=True)
class Shape:
    """A shape to draw: `inside` says for each point (x, y), µm from its middle, whether it lies in it."""

    name: str
    width_um: float
    height_um: float
    inside: Callable[[FloatArray, FloatArray], BoolArray]

    def drawn(self, mpp: float, seed: int) -> BoolArray:
        """The shape on a canvas of `mpp` µm/px, its middle where chance puts it in its px of the mask."""
        columns, rows = (round((side + 2 * MARGIN_UM) / mpp) for side in (self.width_um, self.height_um))
        shift = np.random.default_rng(seed).uniform(-10, 10, 2)
        x = (np.arange(columns, dtype=np.float32) + 0.5) * mpp - columns * mpp / 2 + np.float32(shift[0])
        y = (np.arange(rows, dtype=np.float32) + 0.5) * mpp - rows * mpp / 2 + np.float32(shift[1])
        return self.inside(x[np.newaxis, :], y[:, np.newaxis])


def disc(diameter_um: float, *, hole_um: float = 0) -> Shape:
    """A core, perhaps with a lumen in its middle."""
    name = f"disc of {diameter_um / 1000:g} mm" + (f", lumen of {hole_um:g} µm" if hole_um else "")
    return Shape(
        name,
        diameter_um,
        diameter_um,
        lambda x, y: (np.hypot(x, y) <= diameter_um / 2) & (np.hypot(x, y) >= hole_um / 2),
    )


def strip(width_um: float, length_um: float) -> Shape:
    """A thin biopsy, bent."""
    return Shape(
        f"strip of {width_um / 1000:g} × {length_um / 1000:g} mm",
        length_um,
        width_um + 400,
        lambda x, y: (np.abs(x) <= length_um / 2) & (np.abs(y - 200 * np.sin(x / 700)) <= width_um / 2),
    )


def square(side_um: float) -> Shape:
    """A small piece."""
    return Shape(
        f"square of {side_um:g} µm",
        side_um,
        side_um,
        lambda x, y: (np.abs(x) <= side_um / 2) & (np.abs(y) <= side_um / 2),
    )


def ragged(radius_um: float) -> Shape:
    """A resection with a ragged rim."""

    def inside(x: FloatArray, y: FloatArray) -> BoolArray:
        angle = np.arctan2(y, x)
        rim = 1 + 0.08 * np.sin(5 * angle) + 0.05 * np.sin(17 * angle + 1) + 0.03 * np.sin(43 * angle + 2)
        return np.asarray(np.hypot(x, y) <= radius_um * rim, np.bool_)

    return Shape(f"ragged, about {radius_um / 500:g} mm", 2.4 * radius_um, 2.4 * radius_um, inside)


def apart(gap_um: float) -> Shape:
    """Two pieces of 300 × 600 µm side by side."""
    return Shape(
        f"two of 0.3 × 0.6 mm, {gap_um:g} µm apart",
        600 + gap_um,
        600,
        lambda x, y: (np.abs(np.abs(x) - gap_um / 2 - 150) <= 150) & (np.abs(y) <= 300),
    )


SHAPES = (
    square(64),
    square(88.5),
    disc(360),
    strip(100, 1500),
    apart(60),
    disc(600),
    disc(800),
    disc(800, hole_um=300),
    disc(1000),
    ragged(500),
    strip(500, 2000),
    disc(2000),
    strip(1000, 5000),
    ragged(1500),
    disc(5000),
)


def made_tissue(rows: int, columns: int, *, mpp: float, strength: float, seed: int) -> FloatArray:
    """What made tissue lets through, (rows, columns, 3) in [0, 1]: uneven stroma with blue and brown nuclei of 8 µm."""
    rng = np.random.default_rng(seed)
    density = np.zeros((rows, columns, 3), np.float32)
    stroma = np.zeros((rows, columns), np.float32)
    for size in (8.0, 40.0, 150.0):
        coarse = rng.normal(0, 1, [max(round(side * mpp / size), 1) + 1 for side in (rows, columns)])
        stroma += cv2.resize(coarse.astype(np.float32), (columns, rows), interpolation=cv2.INTER_CUBIC)
    density += (0.12 + 0.03 * stroma).clip(0.02)[..., np.newaxis] * np.array(HAEMATOXYLIN, np.float32)
    nuclei = np.zeros((2, rows, columns), np.uint8)
    count = round(rows * columns * mpp**2 / 250)  # one in 250 µm²
    for x, y, kind in zip(
        rng.integers(0, columns, count).tolist(),
        rng.integers(0, rows, count).tolist(),
        (rng.random(count) < 0.3).astype(int).tolist(),
        strict=True,
    ):
        cv2.circle(nuclei[kind], (x, y), max(round(4 / mpp), 1), 255, -1)
    for cover, stain in zip(nuclei, (HAEMATOXYLIN, DAB), strict=True):
        blurred = cv2.GaussianBlur(cover, (0, 0), 0.7 / mpp).astype(np.float32) / 255
        density += 0.6 * blurred[..., np.newaxis] * np.array(stain, np.float32)
    return np.asarray(10 ** (-density * strength), np.float32)


def real_tissue(rows: int, columns: int, *, mpp: float, pixels: RgbArray) -> FloatArray:
    """What real tissue (H, W, 3) of that µm/px lets through, mirrored until it fills rows × columns."""
    light = np.percentile(pixels.reshape(-1, 3), 99.5, axis=0)
    through = np.minimum(pixels / light, 1).astype(np.float32)
    mirrored = np.concatenate([through, through[:, ::-1]], axis=1)
    mirrored = np.concatenate([mirrored, mirrored[::-1]])
    times = (-(-rows // mirrored.shape[0]), -(-columns // mirrored.shape[1]), 1)
    return np.asarray(np.tile(mirrored, times)[:rows, :columns], np.float32)


def on_glass(shape: BoolArray, through: FloatArray, glass: tuple[int, int, int], *, mpp: float) -> RgbArray:
    """The picture of a shape of tissue on glass, as a scanner gives it: slightly blurred, noisy, as JPEG."""
    edge = cv2.GaussianBlur(shape.astype(np.float32), (0, 0), 0.5 / mpp)[..., np.newaxis]
    columns = shape.shape[1]
    picture = (edge * through + 1 - edge) * np.array(glass, np.float32)
    shading = 1 - 0.03 * np.linspace(0, 1, columns, dtype=np.float32)[np.newaxis, :, np.newaxis]
    picture *= shading
    picture += np.random.default_rng(5).standard_normal(picture.shape, np.float32)
    file = io.BytesIO()
    Image.fromarray(picture.round().clip(0, 255).astype(np.uint8)).save(file, "JPEG", quality=JPEG_QUALITY)
    return np.asarray(Image.open(file), np.uint8)


@dataclass(frozen=True)
class Case:
    """A made slide and its tissue's true area."""

    tissue: str
    shape: str
    true_mm2: float
    slide: ImageSlide


def cases(shapes: Sequence[Shape], data: Path | None, largest_mm2: float) -> Iterator[Case]:
    """The shapes up to a size in all tissues, one after another."""
    fields = {name: _field(data / "slides" / name, filled) for name, filled in REAL.items()} if data else {}
    for number, shape in enumerate(shapes):
        mpp = FINE_MPP if shape.width_um * shape.height_um < 1.5e6 else COARSE_MPP
        drawn = shape.drawn(mpp, number)
        rows, columns = drawn.shape
        true_mm2 = float(drawn.sum()) * (mpp / 1000) ** 2
        if true_mm2 > largest_mm2:
            continue
        for tissue, through, glass in (
            *((f"made, on {glass} glass", made_of(1.0), glass) for glass in GLASS),
            ("made, pale", made_of(0.25), "light"),
            *((name, real_of(pixels), "light") for name, pixels in fields.items()),
        ):
            pixels = on_glass(drawn, through(rows, columns, mpp), GLASS[glass], mpp=mpp)
            yield Case(tissue, shape.name, true_mm2, ImageSlide(Path(shape.name), pixels, mpp))


def made_of(strength: float) -> Callable[[int, int, float], FloatArray]:
    """Made tissue of that strength."""
    return lambda rows, columns, mpp: made_tissue(rows, columns, mpp=mpp, strength=strength, seed=rows)


def real_of(field: dict[float, RgbArray]) -> Callable[[int, int, float], FloatArray]:
    """Real tissue."""
    return lambda rows, columns, mpp: real_tissue(rows, columns, mpp=mpp, pixels=field[mpp])


def _field(path: Path, filled_um: Window) -> dict[float, RgbArray]:
    """The part of a slide that tissue fills, at both µm/px."""
    with open_slide(path) as slide:
        found = {}
        for mpp in (FINE_MPP, COARSE_MPP):
            left, top, width, height = (
                int(side / mpp) for side in (filled_um.x, filled_um.y, filled_um.width, filled_um.height)
            )
            found[mpp] = read_window(slide, Window(left, top, width, height), wanted_mpp=mpp)
        return found


def errors(case: Case) -> tuple[float, float]:
    """By how many per cent the areas that are searched and reported differ from the truth."""
    tissue, _ = slide_tissue(case.slide, model_mpp=MODEL_MPP)
    searched = replace(tissue, cover=None)
    return 100 * (searched.area_mm2 / case.true_mm2 - 1), 100 * (tissue.area_mm2 / case.true_mm2 - 1)


@click.command()
@click.option("--data", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--largest", default=25.0, show_default=True, help="Shapes up to so many mm².")
def main(data: Path | None, largest: float) -> None:
    """Print how far areas are from the truth."""
    searched: dict[str, list[str]] = {}
    reported: dict[str, dict[str, str]] = {}
    for case in cases(SHAPES, data, largest):
        title = f"{case.shape}: {case.true_mm2:.3g} mm²"
        wide, true = errors(case)
        searched.setdefault(title, []).append(f"{wide:+.1f}")
        reported.setdefault(title, {})[case.tissue] = f"{true:+.1f}"
    tissues = list(next(iter(reported.values())))
    head = ("shape; errors in %", "searched", *tissues)
    print(table(head, [(title, searched[title][0], *row.values()) for title, row in reported.items()]))


if __name__ == "__main__":
    main()
