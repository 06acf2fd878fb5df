"""`wsi-edt training-set RESULTS --out FOLDER`: corrected regions as a data set for wsi-edt train."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

from wsi_edt import files
from wsi_edt.cli.paths import InPath, OutFolder
from wsi_edt.errors import UsageError, printable

if TYPE_CHECKING:
    from wsi_edt.run.training_set import Taught
    from wsi_edt.training.config import TrainConfig

OURS = "ours"  # the set of a configuration that corrections replace, and its folder in --out


@click.command()
@click.argument("results", type=InPath())
@click.option("--out", type=OutFolder(), required=True, help="The set's folder, new or empty.")
def training_set(results: Path, *, out: Path) -> int:
    """Write corrected regions as a data set for wsi-edt train.

    RESULTS is the --out of a run. Of each slide with corrections the regions that were drawn in wsi-edt view or QuPath are
    taken as gone over: their cells, as corrected, are the labels; the rest of the slide is masked out. The set is of the
    format qupath: links to the slides, each with a GeoJSON. What to write into a training's configuration is printed.
    """
    from wsi_edt.run.training_set import write_training_set

    ended = write_training_set(results, out, told=_tell)
    click.echo('\nFor the configuration:\n\n[[sets]]\nname = "corrected"\nformat = "qupath"')
    click.echo(f'folder = "{printable(out.absolute().as_posix())}"\nsplit = "all"\nweight = 1.0')
    return 1 if any(one.error is not None for one in ended) else 0


def _tell(one: Taught) -> None:
    from wsi_edt.run.progress import counted

    if one.error is None:
        click.echo(
            printable(f"{one.slide}: {counted(one.cells, 'cell')} in {counted(one.regions, 'region')}")
        )
    else:
        click.echo(printable(f"Left out: {one.error}"), err=True)


def with_corrections(config: TrainConfig, results: Path, out: Path) -> TrainConfig:
    """The configuration whose set "ours" is what was corrected in a results folder; a training that goes on keeps its own.

    Raises
    ------
    UsageError
        If the configuration has no such set, or there are no results.
    OutputError
        If no slide has a corrected region.
    """
    from wsi_edt.run.training_set import write_training_set
    from wsi_edt.training.config import TrainConfig

    if OURS not in [one.name for one in config.sets]:
        raise UsageError(
            f"the configuration has no set named {OURS}", remedy=f'give one of its [[sets]] the name "{OURS}"'
        )
    folder = out.absolute() / OURS
    if not folder.exists():
        begun = folder.with_name(f"{OURS}.partial")
        shutil.rmtree(begun, ignore_errors=True)  # of a command that was killed
        write_training_set(results, begun, told=_tell)
        with files.writing(folder):
            begun.rename(folder)
    entries = config.model_dump(exclude_none=True)
    own = {"format": "qupath", "folder": folder, "split": "all"}
    entries["sets"] = [one | own if one["name"] == OURS else one for one in entries["sets"]]
    return TrainConfig.model_validate(entries)
