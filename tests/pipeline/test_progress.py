"""What a run shows."""

from __future__ import annotations

import io
import re

from rich.console import Console

from wsi_edt.export.tables import Status, SummaryRow
from wsi_edt.pipeline.progress import LineProgress, TerminalProgress, Watcher, duration, outcome

DONE = SummaryRow("a.svs", Status.DONE, index_percent=17.44, positive=349, negative=1652, total=2001)
EMPTY = SummaryRow("b.svs", Status.NOT_ASSESSABLE, total=0, reason="no cells")
FAILED = SummaryRow.failed("c.svs", "c.svs is damaged [here]", seconds=None, model="m 1")


def watch(watcher: Watcher) -> None:
    watcher.begun(slides=4, finished=1)
    watcher.note("m 1 on cpu")
    for slide in ("a.svs", "b.svs"):
        watcher.planned(slide, tiles=128, tiles_stored=64)
    for _ in range(3):
        watcher.stored("a.svs", tiles=64, cells=1000)
    for row in (DONE, EMPTY, FAILED):
        watcher.ended(row)


def test_outcomes_in_words() -> None:
    assert outcome(DONE) == "17.4 % positive of 2,001 cells"
    assert outcome(EMPTY) == "not assessable: no cells (0 cells)"
    assert outcome(FAILED) == "failed: c.svs is damaged [here]"


def test_lines_for_a_log() -> None:
    stream = io.StringIO()
    with LineProgress(stream) as watcher:
        watch(watcher)
    lines = [re.sub(r" \[[\d.]+ tiles/s\]", "", line) for line in stream.getvalue().splitlines()]
    assert lines == [
        "4 slides, 1 of them finished earlier",
        "m 1 on cpu",
        "a.svs: 128 tiles, 64 of them stored earlier",
        "b.svs: 128 tiles, 64 of them stored earlier",
        "a.svs: 17.4 % positive of 2,001 cells (2/4)",
        "b.svs: not assessable: no cells (0 cells) (3/4)",
        "c.svs: failed: c.svs is damaged [here] (4/4)",
    ]


def test_a_terminal_keeps_a_line_per_slide() -> None:
    stream = io.StringIO()
    with TerminalProgress(Console(file=stream, force_terminal=True, width=200, color_system=None)) as watcher:
        watch(watcher)
    shown = stream.getvalue()
    for words in (
        "1 of 4 slides were finished earlier",
        "a.svs: 17.4 %",
        "c.svs: failed: c.svs is damaged [here]",
    ):
        assert words in shown
    assert "320 tiles" in shown
    assert "3,000 cells" in shown
    assert "1 failed" in shown


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 61, 3600, 7384)] == [
        "0 s",
        "59 s",
        "1 min 01 s",
        "1 h 00 min",
        "2 h 03 min",
    ]
