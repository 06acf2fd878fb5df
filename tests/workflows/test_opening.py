"""What the benchmark of opening slides counts; no timings, and no server."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from wsi_edt.slides import SlideSource, TileGrid, shards


@pytest.fixture
def opening(scripts: Any) -> Any:
    return scripts("opening")


def test_it_counts_what_is_opened_and_requested(opening: Any, ihc_slide_path: Path) -> None:
    blocks = shards(TileGrid((700, 400), tile_px=128, halo_px=32), None, side=2)
    assert len(blocks) > 8
    source, asked = SlideSource(ihc_slide_path), iter((3, 10))
    kept = opening.measured(source, blocks, keep=True, requests=lambda: next(asked))
    anew = opening.measured(source, blocks, keep=False, requests=lambda: 0)
    assert 1 <= len(kept.opens) <= opening.AT_A_TIME * opening.READERS < len(blocks) <= len(anew.opens)
    assert (kept.requests, anew.requests) == (7, 0)


def test_it_says_what_s3_needs(opening: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    options = ["--side", "2048", "--shards", "1", "--repeats", "1"]
    result = CliRunner().invoke(opening.main, options, catch_exceptions=False)
    assert re.search(r"s3:// wasn't measured: pip install (moto\[server\] )?s3fs$", result.output.strip())
    assert len(re.findall(r"^\| 2,048 px", result.output, re.MULTILINE)) == 2
