"""`wsi-edt report RESULTS`: results reported again, by other rules."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from wsi_edt.cli.conventions import changes_of, changes_options
from wsi_edt.cli.paths import InPath


@click.command()
@click.argument("results", type=InPath())
@changes_options
@click.option(
    "--roi",
    type=InPath(),
    metavar="PATH",
    help="Report these regions alone: a file of them (GeoJSON of QuPath, XML of ImageScope or ASAP), or a folder with one"
    " for each slide, called as the slide is.",
)
@click.option("--no-roi", is_flag=True, help="Report whole slides again that were reported by regions alone.")
@click.option(
    "--threshold", type=float, help="The score that a cell must exceed, no lower than that of the run."
)
@click.option("--pdf", is_flag=True, help="Also write report.pdf, of two A4 pages; needs wsi-edt[pdf].")
def report(
    results: Path,
    *,
    roi: Path | None,
    no_roi: bool,
    threshold: float | None,
    pdf: bool,
    **given: Any,  # noqa: ANN401 - click's
) -> int:
    """Make the reports and numbers of finished slides again, without the network, in seconds.

    RESULTS is the --out of a run, or the folder of one slide in it. What isn't given stays as it was last reported.
    ki67.json, regions.csv and report.html are written again, so are the batch's summary.csv and report.html, and the
    cells' files where other cells count; report.json says what was done. A slide's file is read for pictures alone:
    where it is gone, they are left out. What a person corrected of a slide (wsi-edt view, wsi-edt correct) counts, and the
    numbers without it stand beside those with it. Slides that failed keep their rows. A slide that can't be reported gets
    its row with the reason, the others go on, and the exit code is 1. A later `wsi-edt run` into the same folder reports
    its slides by its own options again, without the network too.
    """
    from wsi_edt.cli.run import run_and_show
    from wsi_edt.run.report import ReportOptions, report_slides

    options = ReportOptions(changes_of(given), roi, threshold, pdf, no_roi)
    assert not given, f"no option takes {given}"
    return run_and_show(partial(report_slides, results, options), results)
