"""Joins the weights that came back in parts into a checkpoint for `wsi-edt bundle`.

    python workflows/gpu/join.py RESULTS --out runs/gpu/best.safetensors
    wsi-edt bundle runs/gpu/best.safetensors --data DATA --out runs/gpu/MODEL

The checkpoint names the sets as they were before packing, so that `bundle` reads them from DATA and the card
names their licences.
"""

from __future__ import annotations

from pathlib import Path

import click
from parts import PATTERN, read_parts, write_checkpoint

from wsi_edt.errors import WsiEdtError
from wsi_edt.training.checkpoint import HEADER, Header
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.provenance import Provenance, SetSummary


def unpacked(provenance: Provenance, origin: dict[str, object]) -> Provenance:
    """The weights' provenance, with the sets as they were before packing."""
    before = TrainConfig.from_json(str(origin["configuration"]))
    trained = TrainConfig.from_json(provenance.configuration)
    names = ("sets", "validation", "folds", "init", "augmentation")  # the last may name sets
    summaries = origin["sets"]
    assert isinstance(summaries, list)
    return provenance.model_copy(
        update={
            "configuration": trained.model_copy(
                update={name: getattr(before, name) for name in names}
            ).to_json(),
            "sets": tuple(SetSummary.model_validate(one) for one in summaries),
        }
    )


def join(folder: Path, out: Path) -> Header:
    """Write the checkpoint of the parts in a folder; returns its header."""
    weights, about = read_parts(sorted(folder.glob(PATTERN)))
    provenance = Provenance.model_validate(about["provenance"])
    origin = about.get("origin")
    if isinstance(origin, dict):
        provenance = unpacked(provenance, origin)
    f1 = about.get("f1")
    header = Header(
        step=int(str(about["step"])), provenance=provenance, f1=f1 if isinstance(f1, float) else None
    )
    write_checkpoint(out, weights, {HEADER: header.model_dump_json()})
    return header


@click.command()
@click.argument("results", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True, help="The checkpoint.")
def main(results: Path, out: Path) -> None:
    """Join the parts in the folder RESULTS."""
    try:
        header = join(results, out)
    except WsiEdtError as error:
        raise click.ClickException(str(error)) from error
    f1 = "" if header.f1 is None else f", F1 {header.f1:.4f}"
    print(
        f"{out}: weights after {header.step} steps{f1}; `wsi-edt bundle {out} --data DATA --out MODEL` makes a model"
    )


if __name__ == "__main__":
    main()
