"""What a run shows."""

from __future__ import annotations

import io
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console

from tests.ki67.made import BLURRED, result
from wsi_edt.cli.run import _print_rows as print_rows
from wsi_edt.cli.run_display import (
    LineDisplay,
    TerminalDisplay,
    duration,
    outcome,
    rate_in_words,
)
from wsi_edt.ki67.conventions import HotspotRule
from wsi_edt.ki67.decision import Verdict
from wsi_edt.ki67.hotspots import Hotspots
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.progress import RunProgress, counted

DONE = SummaryRow.from_result(result(349, 1652, slide="a.svs"), seconds=1.0)
EMPTY = SummaryRow.from_result(result(slide="b.svs"), seconds=1.0)
FAILED = SummaryRow.failed("c.svs", "c.svs is damaged [here]", model="m 1")


def watch(watcher: RunProgress) -> None:
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
    blurred = SummaryRow.from_result(result(349, 1652, quality=BLURRED), seconds=1.0)
    assert outcome(blurred) == "17.4 % positive of 2,001 cells; out of focus"
    nothing = SummaryRow.from_result(result(quality=BLURRED), seconds=1.0)
    assert outcome(nothing) == "not assessable: no cells (0 cells); out of focus"


def test_names_do_not_steer_the_terminal() -> None:
    hostile = SummaryRow.failed("\x1b[31ma.svs", "\x1b[31ma.svs is\x07 damaged", model="m 1")
    lines, terminal = io.StringIO(), io.StringIO()
    for watcher in (
        LineDisplay(lines),
        TerminalDisplay(Console(file=terminal, width=200, color_system=None)),
    ):
        with watcher:
            watcher.note("\x9b31m")
            watcher.planned("\x1b[31ma.svs", tiles=1, tiles_stored=0)
            watcher.ended(hostile)
    for shown in (lines.getvalue(), terminal.getvalue()):
        assert r"\x1b[31ma.svs: failed: \x1b[31ma.svs is\x07 damaged" in shown
        assert r"\x9b31m" in shown
        assert not {"\x1b", "\x07", "\x9b"} & set(shown)


NO_HOTSPOT = "no hotspot: no disc of 1 mm² holds 6,000 cells with a class"


def test_the_closing_table_says_flags_and_escapes_names() -> None:
    stream = io.StringIO()
    none = Hotspots(HotspotRule(), (), NO_HOTSPOT)
    rows = [
        SummaryRow.from_result(replace(found, hotspots=hotspots), seconds=1.0)
        for found, hotspots in (
            (result(349, 1652, slide="a.svs", quality=BLURRED), none),
            (result(1, 3, slide="b.svs", quality=BLURRED), None),
            (result(349, 1652, slide="c\x1b[31m.svs"), none),
        )
    ]
    print_rows(Console(file=stream, width=200, color_system=None), rows)
    lines = [re.sub(" {2,}", "  ", line).rstrip() for line in stream.getvalue().splitlines()]
    assert lines[1:] == [
        "a.svs  17.4 %  2,001  out of focus, no hotspot",
        "b.svs  25.0 %  4  few cells, out of focus",
        r"c\x1b[31m.svs  17.4 %  2,001  no hotspot",
        NO_HOTSPOT,
    ]


def test_the_closing_table_says_intervals_and_verdicts() -> None:
    counted = result(123, 877, slide="a.svs")
    whole = replace(
        counted.whole,
        values={**counted.whole.values, "index_low_percent": 10.1, "index_high_percent": 14.9},
        verdicts=(Verdict(5.0, 1.0, certain=True), Verdict(13.25, 0.3, certain=False)),
    )
    row = SummaryRow.from_result(replace(counted, areas=(whole,), hotspots=None), seconds=1.0)
    stream = io.StringIO()
    print_rows(Console(file=stream, width=200, color_system=None), [row])
    line = re.sub(" {2,}", "  ", stream.getvalue().splitlines()[1]).rstrip()
    assert line == "a.svs  12.3 % (10.1–14.9)  1,000  above 5 up to 13.25 %, second reader advised at 13.25 %"


def test_lines_for_a_log() -> None:
    stream = io.StringIO()
    with LineDisplay(stream) as watcher:
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
    with TerminalDisplay(Console(file=stream, force_terminal=True, width=200, color_system=None)) as watcher:
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


def test_one_is_no_plural_and_a_slow_run_has_a_speed() -> None:
    assert counted(1, "slide") == "1 slide"
    assert counted(2000, "slide") == "2,000 slides"
    assert counted(0, "cell") == "0 cells"
    assert rate_in_words(0.0421) == "0.042 tiles/s"
    assert rate_in_words(12.34) == "12.3 tiles/s"
    stream = io.StringIO()
    with LineDisplay(stream) as watcher:
        watcher.begun(slides=1, finished=0)
        watcher.planned("a.svs", tiles=1, tiles_stored=0)
    assert stream.getvalue() == "1 slide\na.svs: 1 tile\n"


PIPED = """
import sys
from dataclasses import replace
from wsi_edt.cli.run_display import LineDisplay
from wsi_edt.cli.streams import harmless_streams
harmless_streams()
with LineDisplay(sys.stdout) as watcher:
    for number in range(100):
        watcher.note(str(number))
        sys.stdin.readline()
print("ignored")
sys.stderr.write("went on")
"""


def test_a_pipe_that_closes_does_not_stop_the_run() -> None:
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, "-c", PIPED], stdin=pipe, stdout=pipe, stderr=pipe, text=True
    ) as run:
        assert run.stdin is not None
        assert run.stdout is not None
        assert run.stderr is not None
        assert run.stdout.readline() == "0\n"
        run.stdout.close()
        run.stdin.write("\n" * 100)
        run.stdin.close()
        assert run.stderr.read() == "went on"
        assert run.wait() == 0


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.4, 59, 61, 3600, 7384)] == [
        "0 s",
        "59 s",
        "1 min 01 s",
        "1 h 00 min",
        "2 h 03 min",
    ]


def test_the_rate_counts_from_the_first_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter([100.0, 104.0, 104.0])
    monkeypatch.setattr("time.monotonic", lambda: next(now))
    stream = io.StringIO()
    with LineDisplay(stream) as watcher:
        watcher.begun(slides=2, finished=0)
        watcher.planned("a.svs", tiles=4, tiles_stored=0)
        for slide in ("a.svs", "b.svs"):  # two workers that end together
            watcher.stored(slide, tiles=4, cells=1)
        watcher.ended(DONE)
    assert "[2.0 tiles/s]" in stream.getvalue()
