"""The paper's figures from a tile of your data: maps, EDT's constants, CCLS at work, what MGA changes on pale cells.

    python workflows/paper/figures.py --data DATA [--dataset bcdata] [--image 23.png] [--model MODEL] --out FOLDER

DATA holds the sets' folders, as they are distributed. Writes maps, constants, ccls and mga to FOLDER, each as PNG and SVG:
Figs. 2, 4 and 5; Fig. 8; what §3.2 describes; Fig. 3. A set of images without classes will do.
"""

from __future__ import annotations

import copy
import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import torch
from field import (
    Field,
    Part,
    chosen_image,
    densest_part,
    discs,
    middle_field,
    pale_nuclei,
    separation,
)
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.datasets import FORMATS, SetSpec, held_out_split, read_set
from wsi_edt.detection.whole_image import NetworkMaps
from wsi_edt.errors import UnknownModelError, UsageError, WsiEdtError
from wsi_edt.files import write_atomically
from wsi_edt.maps import (
    DecodeSettings,
    Edt,
    Fidt,
    Idt,
    ccls,
    density_map,
    edt_map,
    evidence_map,
    fidt_map,
    idt_map,
    neighbour_sigmas,
    window_maximum,
)
from wsi_edt.networks.difference import MGA, DifferenceConv2d
from wsi_edt.networks.network import Network, Normalise

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.image import AxesImage

CLOSE_PX, PALE_PX = 160, 128
C1, C2 = (0.0, 5.0, 10.0, 20.0), (0.25, 0.5, 1.0)
MAX_DISTANCES_PX = (60, 100, 150)
NUCLEUS_UM, RING_UM = 2.0, 6.0  # within a nucleus, and beyond its edge
CHANNELS = 3  # that are shown
COLOURS = {"density": "#e69f00", "IDT": "#56b4e9", "FIDT": "#009e73", "EDT": "#d55e00"}  # Okabe and Ito's
POSITIVE, NEGATIVE, PALE = "#fa3e3e", "#3e6bfa", "#00d0ff"
STYLE: dict[Any, Any] = {
    "font.size": 8.5,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "svg.hashsalt": "wsi-edt",  # the same data make the same file
}
Map = npt.NDArray[np.float32]


def draw_maps(figure: Figure, field: Field) -> None:
    """The four maps side by side, and how each falls with the distance from a cell (Figs. 2, 4, 5)."""
    part = densest_part(field.points, CLOSE_PX)
    shape, farthest = field.pixels.shape[:2], field.max_distance_px
    sigmas = neighbour_sigmas(field.points)
    maps = {
        "density": density_map(field.points, shape, sigma_px=sigmas),
        "IDT": idt_map(field.points, shape),
        "FIDT": fidt_map(field.points, shape),
        "EDT": edt_map(field.points, shape, max_distance_px=farthest),
    }
    halves = figure.add_gridspec(2, 1, height_ratios=(1.15, 1))
    # Two figures: in one, the curves' labels push the maps apart.
    above, below = figure.add_subfigure(halves[0, 0]), figure.add_subfigure(halves[1, 0])
    tops = above.subplots(1, 5)
    show_pixels(tops[0], field, part, f"{field.name}, {part.inside(field.points).sum()} cells")
    density = part.cut(maps["density"]) * 1000
    drawn = show_map(tops[1], density, "density, cells per 1000 px", top=float(density.max()))
    above.colorbar(drawn, ax=tops[1], location="bottom", shrink=0.8, aspect=20)
    for axes, name in zip(tops[2:], ("IDT", "FIDT", "EDT"), strict=True):
        drawn = show_map(axes, part.cut(maps[name]), name, top=1.0)
    above.colorbar(drawn, ax=tops[2:], location="bottom", shrink=0.4, aspect=30)
    across, fall = below.subplots(1, 2, width_ratios=(3, 2))
    _draw_across(across, field, part, maps)
    _draw_fall(fall, farthest)
    figure.suptitle("The same cells as four location maps (colours by the square root)", fontsize=10.5)


def _draw_across(axes: Axes, field: Field, part: Part, maps: dict[str, Map]) -> None:
    """Each map, as a share of its maximum in the part, along the strip of 7 rows with the most cells in it."""
    points = part.moved(field.points)
    held = [np.abs(points[:, 1] - row - 0.5) < 3.5 for row in range(3, part.side - 3)]
    best = max(held, key=np.sum)
    row = 3 + next(number for number, one in enumerate(held) if one is best)
    for name, whole in maps.items():
        cut = part.cut(whole)
        strip = cut[row - 3 : row + 4].max(axis=0)
        axes.plot(np.arange(part.side) + 0.5, strip / cut.max(), color=COLOURS[name], label=name)
    for x in points[best, 0].tolist():
        axes.axvline(x, color="#bbbbbb", linewidth=0.7, zorder=0)
    axes.set(xlim=(0, part.side), ylim=(0, 1.05), xlabel="px", ylabel="share of the maximum")
    axes.set_title(f"the highest of rows {row - 3} to {row + 3} of the picture above; lines: cells in them")
    axes.legend(ncols=4, loc="upper center", bbox_to_anchor=(0.5, -0.2))


def _draw_fall(axes: Axes, farthest: float) -> None:
    distance = np.linspace(0, 40, 401)
    axes.plot(distance, Idt().values(distance, max_distance_px=farthest), color=COLOURS["IDT"], label="IDT")
    axes.plot(
        distance, Fidt().values(distance, max_distance_px=farthest), color=COLOURS["FIDT"], label="FIDT"
    )
    for dashes, most in zip(("-", "--", ":"), MAX_DISTANCES_PX, strict=True):
        values = Edt().values(distance, max_distance_px=most)
        axes.plot(distance, values, dashes, color=COLOURS["EDT"], label=f"EDT, max(DT) {most} px")
    axes.axhline(0.01, color="#999999", linewidth=0.7)
    axes.set(yscale="log", ylim=(0.003, 1.2), xlim=(0, 40), xlabel="px from a cell", ylabel="map")
    axes.set_title(f"a lone cell; below 0.01 is 0 (here max(DT) is {farthest:.0f} px)")
    axes.legend(fontsize=7, loc="upper right", borderpad=0)


def draw_constants(figure: Figure, field: Field) -> None:
    """EDT at several C1 and C2 (Fig. 8)."""
    part = densest_part(field.points, CLOSE_PX)
    grid = figure.subplots(len(C2), len(C1))
    for row, c2 in enumerate(C2):
        for column, c1 in enumerate(C1):
            whole = edt_map(
                field.points, field.pixels.shape[:2], max_distance_px=field.max_distance_px, c1=c1, c2=c2
            )
            chosen = ", the paper's" if (c1, c2) == (Edt().c1, Edt().c2) else ""
            image = show_map(grid[row, column], part.cut(whole), f"C1 {c1:g}, C2 {c2:g}{chosen}", top=1.0)
    figure.colorbar(image, ax=grid, shrink=0.5, aspect=25)
    figure.suptitle(
        f"EDT of {field.name}: a larger C1 cuts the tails off, a larger C2 narrows the peaks (colours by the square root)",
        fontsize=10.5,
    )


def draw_ccls(figure: Figure, field: Field, bundle: Bundle, network: Network) -> None:
    """How a map becomes cells: the map, its windows' maxima, where the two are equal, what exceeds the threshold."""
    settings = bundle.decode
    maps = NetworkMaps(network, bundle.normalisation).maps(field.pixels[None])[0]
    named = dict(zip(settings.maps, maps, strict=True))
    evidence = evidence_map(named, settings)
    part = densest_part(field.points, CLOSE_PX)
    pooled = window_maximum(evidence, settings.window_px)
    candidates = np.column_stack(np.nonzero(part.cut((pooled == evidence).astype(np.uint8))))
    rows, columns = ccls(evidence, window_px=settings.window_px, threshold=settings.threshold)
    cells = np.column_stack([columns, rows]).astype(np.float64) + 0.5
    top = float(part.cut(evidence).max()) or 1.0
    axes = figure.subplots(1, 5)
    show_pixels(axes[0], field, part, "tile, annotated cells")
    mark(axes[0], part.moved(field.points[field.positive]), POSITIVE)
    mark(axes[0], part.moved(field.points[~field.positive]), NEGATIVE)
    show_map(axes[1], part.cut(evidence), f"1  map ({_words(settings)})", top=top)
    show_map(
        axes[2], part.cut(pooled), f"2  maximum of {settings.window_px} × {settings.window_px} px", top=top
    )
    show_map(axes[3], part.cut(evidence), f"3  both equal: {len(candidates)} candidates", top=top)
    axes[3].scatter(
        *(candidates[:, ::-1].T + 0.5), s=14, facecolors="none", edgecolors="white", linewidths=0.7
    )
    show_pixels(axes[4], field, part, "")
    if "positive" in named:
        is_positive = named["positive"][rows, columns] > named["negative"][rows, columns]
    else:
        is_positive = np.zeros(len(rows), bool)
    mark(axes[4], part.moved(cells[is_positive]), POSITIVE)
    mark(axes[4], part.moved(cells[~is_positive]), NEGATIVE)
    counts = part.inside(cells).sum(), part.inside(field.points).sum()
    axes[4].set_title(f"4  above {settings.threshold:g}: {counts[0]} cells ({counts[1]} annotated)")
    figure.suptitle(f"CCLS on a map of {bundle.name}, {field.name}", fontsize=10.5)


def _words(settings: DecodeSettings) -> str:
    negative = "negative" if settings.negative_gain == 1 else f"{settings.negative_gain:g} · negative"
    words = {"sum": f"positive + {negative}", "nucleus": "any nucleus"}
    return words.get(settings.evidence, f"higher of positive, {negative}")


def draw_mga(figure: Figure, field: Field, bundle: Bundle, network: Network) -> None:
    """What the first layer sees of pale nuclei: MGA as trained, and the same weights with θ = 0 (Fig. 3).

    Each channel is shown in standard deviations from its mean over the field, as the batch norm behind it scales it. The
    weights were trained with their θ: at θ = 0 they are what remains without the differences, not a network of its own.
    """
    mga = next(module for module in network.modules() if isinstance(module, MGA))
    pixels = torch.from_numpy(field.pixels[None])
    theta = theta_of(mga)
    features = {
        theta: _standardised(mga, bundle, pixels),
        0.0: _standardised(without_differences(mga), bundle, pixels),
    }
    scale = mga.stride
    pale = pale_nuclei(field)
    part = densest_part(field.points[pale], PALE_PX)
    side = field.pixels.shape[0] // scale
    px = scale * field.mpp
    inside = discs(field.points[pale] / scale, (side, side), NUCLEUS_UM / px)
    ring = discs(field.points[pale] / scale, (side, side), RING_UM / px)
    ring &= ~discs(field.points / scale, (side, side), (NUCLEUS_UM + RING_UM) / 2 / px)
    apart = {theta: separation(found, inside, ring) for theta, found in features.items()}
    best = np.argsort(-sum(apart.values()), kind="stable")[:CHANNELS]
    grid = figure.subplots(2, CHANNELS + 2)
    show_pixels(grid[0, 0], field, part, f"{field.name}, the palest quarter")
    mark(grid[0, 0], part.moved(field.points[pale]), PALE)
    _draw_apart(grid[1, 0], apart)
    for line, (theta, found) in zip(grid, features.items(), strict=True):
        name = "MGA" if theta else "same weights"
        strength = np.sqrt((found**2).mean(axis=0))
        show_map(line[1], part.cut(strength, scale=scale), f"{name}, θ = {theta:g}: strength", top=2.0)
        for axes, channel in zip(line[2:], best.tolist(), strict=True):
            title = f"θ = {theta:g}, channel {channel}: d {apart[theta][channel]:.2f}"
            show_signed(axes, part.cut(found[channel], scale=scale), title)
    figure.suptitle(
        f"First layer of {bundle.name} on pale nuclei; channels in standard deviations, −3 blue to 3 red",
        fontsize=10.5,
    )


def _draw_apart(axes: Axes, apart: dict[float, npt.NDArray[np.float64]]) -> None:
    (trained, of_trained), (_, without) = apart.items()
    most = max(float(of_trained.max()), float(without.max()), 0.1) * 1.08
    axes.plot([0, most], [0, most], color="#999999", linewidth=0.7)
    axes.scatter(without, of_trained, s=9, color=COLOURS["EDT"])
    axes.set(xlim=(0, most), ylim=(0, most), aspect="equal")
    axes.set(xlabel=f"θ = 0 (median {np.median(without):.2f})")
    axes.set(ylabel=f"θ = {trained:g} (median {np.median(of_trained):.2f})")
    axes.set_title("d of pale nuclei, a dot a channel")


def theta_of(mga: MGA) -> float:
    """θ of its difference convolutions."""
    branch = mga.branches[0]
    assert isinstance(branch, DifferenceConv2d)
    return branch.theta


def without_differences(mga: MGA) -> MGA:
    """A copy whose convolutions are plain ones with the same weights."""
    plain = copy.deepcopy(mga)
    for branch in plain.branches:
        assert isinstance(branch, DifferenceConv2d)
        branch.theta = 0.0
    return plain


@torch.inference_mode()
def _standardised(mga: MGA, bundle: Bundle, pixels: torch.Tensor) -> Map:
    """(C, H, W) the layer's output, each channel with mean 0 and standard deviation 1 over the field."""
    found = mga(Normalise(bundle.normalisation)(pixels))[0]
    spread = found.std(dim=(1, 2), keepdim=True).clamp_min(1e-12)
    return np.asarray(((found - found.mean(dim=(1, 2), keepdim=True)) / spread).numpy())


def show_pixels(axes: Axes, field: Field, part: Part, title: str) -> None:
    """The part's pixels, with a scale bar of 10 µm."""
    axes.imshow(part.cut(field.pixels), extent=(0, part.side, part.side, 0))
    length = 10 / field.mpp
    axes.plot([6, 6 + length], [part.side - 6] * 2, color="black", linewidth=2.5, solid_capstyle="butt")
    axes.text(6, part.side - 9, "10 µm", fontsize=7)
    _bare(axes, title, part.side)


def show_map(axes: Axes, values: Map, title: str, *, top: float) -> AxesImage:
    """A map from 0 (black) to `top`, colours by its square root: linear ones show little but the peaks."""
    image = axes.imshow(
        values,
        cmap="magma",
        norm=PowerNorm(0.5, 0, top),
        interpolation="nearest",
        extent=(0, values.shape[1], values.shape[0], 0),
    )
    _bare(axes, title, values.shape[0])
    return image


def show_signed(axes: Axes, values: Map, title: str) -> None:
    """Values in standard deviations, 0 white."""
    extent = (0, values.shape[1], values.shape[0], 0)
    axes.imshow(values, cmap="RdBu_r", vmin=-3, vmax=3, interpolation="nearest", extent=extent)
    _bare(axes, title, values.shape[0])


def mark(axes: Axes, points: npt.NDArray[np.float64], colour: str) -> None:
    """A ring around each point, on a white one that shows on any ground."""
    for edge, width in (("white", 2.2), (colour, 1.2)):
        axes.scatter(points[:, 0], points[:, 1], s=26, facecolors="none", edgecolors=edge, linewidths=width)


def _bare(axes: Axes, title: str, side: int) -> None:
    axes.set(xticks=[], yticks=[], xlim=(0, side), ylim=(side, 0), anchor="N")
    axes.set_title(title)
    for spine in axes.spines.values():
        spine.set_visible(False)


def write(folder: Path, name: str, inches: tuple[float, float], draw: Callable[[Figure], None]) -> None:
    """Draw a figure and write it as PNG and SVG."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=inches, layout="constrained")
        FigureCanvasAgg(figure)
        draw(figure)
        for path in (folder / f"{name}.png", folder / f"{name}.svg"):
            content, suffix = io.BytesIO(), path.suffix[1:]
            undated: dict[str, Any] = {"Date": None} if suffix == "svg" else {}
            figure.savefig(content, format=suffix, dpi=150, metadata=undated)
            write_atomically(path, content.getvalue())


def figures(
    field: Field, bundle: Bundle
) -> Sequence[tuple[str, tuple[float, float], Callable[[Figure], None]]]:
    """Name, size and drawing of each figure that the model has."""
    network = load_network(bundle)
    drawn: list[tuple[str, tuple[float, float], Callable[[Figure], None]]] = [
        ("maps", (12.5, 6.2), lambda figure: draw_maps(figure, field)),
        ("constants", (9.9, 7.8), lambda figure: draw_constants(figure, field)),
    ]
    if bundle.decode.method == "ccls" and bundle.decode.evidence != "separate":
        drawn.append(("ccls", (13.0, 3.2), lambda figure: draw_ccls(figure, field, bundle, network)))
    if any(isinstance(module, MGA) for module in network.modules()):
        drawn.append(("mga", (13.0, 5.6), lambda figure: draw_mga(figure, field, bundle, network)))
    return drawn


@click.command()
@click.option(
    "--data",
    required=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Holds the sets' folders.",
)
@click.option(
    "--dataset", default="bcdata", show_default=True, type=click.Choice(list(FORMATS)), help="Which of them."
)
@click.option("--split", help="Of the set.  [default: validation, or all where there is none]")
@click.option("--mpp", type=float, help="µm/px of the set's images, where its format assumes none.")
@click.option("--image", help="File name of the image.  [default: the one with the most cells]")
@click.option("--model", default=DEFAULT_MODEL, show_default=True)
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path))
def main(
    data: Path, dataset: str, split: str | None, mpp: float | None, image: str | None, model: str, out: Path
) -> None:
    """Draw the paper's figures from the middle 512 × 512 px of an image."""
    try:
        bundle = find_bundle(model)
        spec = SetSpec(name=dataset, split=split or held_out_split(dataset), mpp=mpp)
        field = middle_field(chosen_image(read_set(spec, data), image), bundle.model_mpp)
        if not len(field.points):
            raise UsageError(
                "has no cells in its middle 512 × 512 px", where=field.name, remedy="choose another --image"
            )
        drawn = figures(field, bundle)
        for name, inches, draw in drawn:
            write(out, name, inches, draw)
            click.echo(out / f"{name}.png")
    except (UsageError, UnknownModelError) as error:
        raise click.UsageError(str(error)) from error
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error
    missing = {"ccls", "mga"} - {name for name, _, _ in drawn}
    why = {"ccls": "its cells aren't found by CCLS on one map", "mga": "its first layer isn't MGA"}
    for name in sorted(missing):
        click.echo(f"no {name}.png of {bundle.name}: {why[name]}")


if __name__ == "__main__":
    main()
