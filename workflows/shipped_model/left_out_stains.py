"""Whether a run would flag the stain of a laboratory that the model never saw: each of the Ki-67 sets left out in turn.

    python workflows/shipped_model/left_out_stains.py CONFIG.toml --data DATA [--slide SLIDE]

Prints how many standard deviations each set's pictures lie from those that are left (least, median, largest), and how many
of them a run would flag. Slides (`--slide`, several times) are measured as a run does. No network is trained.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
from leave_one_out import LABORATORIES, without

from wsi_edt.datasets import SetSpec, read_set
from wsi_edt.errors import WsiEdtError
from wsi_edt.slides import open_slide
from wsi_edt.slides.quality.fields import sample_fields
from wsi_edt.slides.quality.unknown_stain import LIMIT
from wsi_edt.slides.stain_style import KnownStains, StyleArray, stain_style
from wsi_edt.slides.tissue import slide_tissue
from wsi_edt.training import read_config
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.material import training_images
from wsi_edt.training.stains import known_stains


def stains_of(config: TrainConfig, data: Path) -> KnownStains:
    """The stains of a configuration's training pictures."""
    known = known_stains(training_images(config, data))
    if known is None:
        raise click.ClickException("too few Ki-67 pictures are left to tell anything")
    return known


def styles_of(name: str, data: Path) -> list[StyleArray]:
    """The stain of each of a set's pictures."""
    pictures = read_set(SetSpec(name=name, split="all"), data)
    styles = (stain_style([one.pixels], mpp=one.image_mpp) for one in pictures)
    return [style for style in styles if style is not None]


def style_of_slide(path: Path, *, model_mpp: float) -> StyleArray:
    """The stain of a slide, from the fields that a run takes."""
    with open_slide(path) as slide:
        tissue, _ = slide_tissue(slide, model_mpp=model_mpp)
        fields, mpp = sample_fields(slide, tissue)
    style = stain_style(fields, mpp=mpp)
    if style is None:
        raise click.ClickException(f"{path}: it has too little tissue to tell its stain")
    return style


def line(left_out: str, name: str, known: KnownStains, styles: Sequence[StyleArray]) -> str:
    """A row of the table."""
    distances = [known.distance(style) for style in styles]
    low, middle, high = np.percentile(distances, (0, 50, 100))
    flagged = sum(distance > LIMIT for distance in distances)
    return f"| {left_out} | {name} | {len(distances)} | {low:.1f} | {middle:.1f} | {high:.1f} | {flagged} |"


@click.command()
@click.argument("config", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--slide",
    "slides",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    help="Several times for several.",
)
def main(config: Path, data: Path, slides: tuple[Path, ...]) -> None:
    """Print how far each set and slide lies from the stains that a model would know."""
    try:
        recipe = read_config(config)
        styles = {name: styles_of(name, data) for name in LABORATORIES}
        styles |= {path.name: [style_of_slide(path, model_mpp=recipe.mpp)] for path in slides}
        click.echo("| left out | tested | pictures | least | median | largest | flagged |")
        click.echo("|---" * 7 + "|")
        for left_out in ("nothing", *LABORATORIES):
            own = recipe if left_out == "nothing" else without(recipe, left_out, seed=1)
            known = stains_of(own, data)
            for name, found in styles.items():
                click.echo(line(left_out, name, known, found))
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
