"""What pictures without labels teach: a network trained without a laboratory labels them, and another learns from that, too.

    python workflows/shipped_model/self_training.py leave_one_out.toml --data DATA --teacher RUNS --out RUNS [--laboratory immunoratio]

The teacher is leave_one_out.py's network of that seed (the average of its weights, as always). Its cells become points of the
unlabelled fields, and of shidc's nuclei without a point.
"""

from __future__ import annotations

import csv
from pathlib import Path

import click
import numpy as np
from leave_one_out import (
    CHOSEN_ON,
    HEAD,
    LABORATORIES,
    OTHERWISE,
    predictions,
    row_of,
    trained_without,
    without,
)
from scipy.spatial import cKDTree

from wsi_edt.cells import CellClass
from wsi_edt.datasets import SetSpec, image_files, read_set
from wsi_edt.evaluation.selection import select
from wsi_edt.training import read_config
from wsi_edt.training.config import TrainConfig

UNLABELLED = {"unlabelled/glioma_ki67": (0.25, 0.15), "unlabelled/pannet_ki67": (0.5, 0.03)}  # µm/px, weight
APART_UM = 4.4  # from a point, at least: what is known of shidc


def labelled_by(predictor, settings, images, folder):
    (folder / "points").mkdir(parents=True, exist_ok=True)
    (folder / "images").mkdir(exist_ok=True)
    count = 0
    for image in images:
        found = predictor.predict(image).predicted(settings)
        places = np.column_stack([found.x, found.y]) * (predictor.model_mpp / image.image_mpp)
        inside = (places < np.array(image.pixels.shape[1::-1])).all(axis=1)
        places, class_id = places[inside], np.asarray(found.class_id)[inside]
        if len(image.points):
            distance = cKDTree(image.points).query(places)[0] if len(places) else np.zeros(0)
            apart = distance > APART_UM / image.image_mpp
            places = np.vstack([image.points, places[apart]])
            class_id = np.concatenate([image.class_id, class_id[apart]])
        link = folder / "images" / image.path.name
        if not link.exists():
            link.symlink_to(image.path.resolve())
        with (folder / "points" / f"{image.path.stem}.csv").open("w", newline="") as file:
            rows = csv.writer(file)
            rows.writerow(["class", "x", "y"])
            for (x, y), one in zip(places.tolist(), class_id.tolist(), strict=True):
                rows.writerow([CellClass(one).label, f"{x:.1f}", f"{y:.1f}"])
        count += len(places)
    click.echo(f"{folder.name}: {count} points", err=True)


def pictures(name, mpp, data, folder):
    for kind in ("images", "points"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for file in image_files(data / name):
        link = folder / "images" / file.name
        if not link.exists():
            link.symlink_to(file.resolve())
        (folder / "points" / f"{file.stem}.csv").write_text("class,x,y\n")
    return read_set(SetSpec(name=name, format="glioma", folder=folder.resolve(), split="all", mpp=mpp), data)


@click.command()
@click.argument("config", type=click.Path(exists=True, path_type=Path))
@click.option("--data", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--teacher", required=True, type=click.Path(exists=True, path_type=Path))
@click.option("--out", required=True, type=click.Path(path_type=Path))
@click.option("--laboratory", type=click.Choice(list(LABORATORIES)), default="immunoratio")
@click.option("--seed", default=1)
def main(config, data, teacher, out, laboratory, seed):
    recipe = read_config(config)
    own = without(recipe, laboratory, seed=seed)
    predictor = trained_without(own, data, teacher, device="cpu")
    chosen = select(predictions(predictor, OTHERWISE if laboratory == "bcdata" else CHOSEN_ON, data))
    sets = list(own.model_dump(exclude_none=True)["sets"])
    for name, (mpp, weight) in UNLABELLED.items():
        if name in LABORATORIES[laboratory] or (laboratory == "bcdata" and name == "unlabelled/glioma_ki67"):
            continue
        folder = out / "found" / name
        labelled_by(predictor, chosen.settings, pictures(name, mpp, data, folder), folder)
        sets.append(
            {
                "name": name,
                "format": "glioma",
                "folder": folder.resolve(),
                "split": "all",
                "mpp": mpp,
                "weight": weight,
            }
        )
    if laboratory != "shidc":
        folder = out / "found" / "shidc"
        labelled_by(predictor, chosen.settings, read_set(SetSpec(name="shidc", split="all"), data), folder)
        sets = [
            one if one["name"] != "shidc" else {
                "name": "shidc", "format": "glioma", "folder": folder.resolve(), "split": "all", "mpp": 0.25,
                "classes": "near points", "nuclei": "near points", "weight": one["weight"],
            } for one in sets
        ]  # fmt: skip
    again = TrainConfig.model_validate(own.model_dump(exclude_none=True) | {"sets": sets})
    student = trained_without(again, data, out / f"{laboratory}-{seed}", device="cpu")
    click.echo(f"| {' | '.join(HEAD)} |")
    click.echo(f"| {' | '.join(row_of(laboratory, student, data, seed=str(seed)))} |")


if __name__ == "__main__":
    main()
