"""Results of a run, and what tells of them."""

from __future__ import annotations

import csv
import html
from pathlib import Path
from typing import Any

from tests.run.test_batch import run_all
from tests.stand_ins import (
    make_settings,
    result_files,
)
from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.profiles import PROFILES
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.report import ReportOptions

BREAST = Conventions(profile=PROFILES["breast"], hotspots=HotspotRule(mm2=0.02, cells=20, count=2))
RAISED = 0.8  # between the scores of nuclei that are cut and whole


class Notes(NoProgress):
    def __init__(self) -> None:
        self.lines: list[str] = []

    def note(self, line: str) -> None:
        self.lines.append(line)


def written(out: Path) -> dict[str, bytes]:
    """All that tells of the slides."""
    names = [*out.rglob("regions.csv"), out / "summary.csv", out / "report.html"]
    return result_files(out) | {path.relative_to(out).as_posix(): path.read_bytes() for path in names}


def shown(page: Path) -> str:
    """A page with its escapes resolved."""
    return html.unescape(page.read_text(encoding="utf-8"))


def fresh(slides: Path, out: Path, **given: Any) -> dict[str, bytes]:
    run_all(slides, out, settings=make_settings(**given))
    return written(out)


def by(conventions: Conventions) -> ReportOptions:
    return ReportOptions(lambda before: conventions)


def listed(out: Path) -> dict[str, dict[str, str]]:
    with (out / "summary.csv").open() as file:
        return {row["slide"]: row for row in csv.DictReader(file)}
