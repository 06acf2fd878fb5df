"""The cells that the networks of Table 5 find in one of its images. That the paper's Fig. 7 shows this is our guess.

Run ``python workflows/paper/figure7.py --data DATA``; README.md has the options. A picture for each network: the image
beside itself with matched, missed and false cells, at 10 px.
"""

from __future__ import annotations

from pathlib import Path

import click
import cv2
from comparison import Budget, Row, Training, one_writer, predictor_for
from divisions import Part
from recipe import ONE_MAP, parts_of, run, with_options
from table5 import TABLE
from ways import RADII_PX, best_settings

from wsi_edt.detection.compute import Device
from wsi_edt.evaluation.failures import failure_picture, fates
from wsi_edt.files import write_atomically

LABELS = ("U-CSRNet", "M_U-CSRNet", "HRNet", "M_HRNet")
METHOD = "ccls"


def write_picture(row: Row, part: Part, data: Path, *, out: Path, budget: Budget, device: Device) -> Path:
    """Draw what the network of a row, trained from the first seed, finds in the first tested image; return the file."""
    training = Training(part, row, ONE_MAP, budget, seed=1)
    predictor = predictor_for(training, data, out, device=device)
    settings = best_settings([predictor.predict(image) for image in part.images("choose", data)], METHOD)
    image = part.images("test", data)[0]
    pair = predictor.predict(image).paired(settings)
    found = fates(pair.predicted, pair.truth, radius_px=RADII_PX[-1], has_classes=False)
    pixels = image.window_at(predictor.model_mpp)
    caption = (
        f"{row.label} on {image.path.name}, {len(pair.predicted)} cells found, {len(pair.truth)} annotated"
    )
    encoded = cv2.imencode(".png", failure_picture(pixels, found, caption=caption)[:, :, ::-1])[1]
    path = out / budget.name / f"figure7-{row.network}.png"
    with one_writer(path.parent):
        write_atomically(path, encoded.tobytes())
    return path


def draw(data: Path, out: Path, budget: Budget, _seeds: int, device: Device) -> None:
    """Draw the pictures; what isn't trained is trained first."""
    run(TABLE, data, out, budget=budget, seeds=1, device=device, only=LABELS)
    part = parts_of(TABLE, data, budget)[0]
    for row in TABLE.rows:
        if row.label in LABELS and row.is_here:
            click.echo(write_picture(row, part, data, out=out, budget=budget, device=device))


main = with_options(
    "Fig. 7: what the networks of Table 5, from the first seed, find in one of its images.", TABLE, draw
)

if __name__ == "__main__":
    main()
