"""run.json: its times by a clock that may be set, its duration by one that may not."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from wsi_edt.run import record
from wsi_edt.run.record import RunRecord


def test_a_clock_that_is_set_back_makes_no_run_of_negative_seconds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = RunRecord.begin()

    class SetBack(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=1)

    monkeypatch.setattr(record, "datetime", SetBack)
    monkeypatch.setattr("time.monotonic", lambda: begun.begun + 12.34)
    begun.write(tmp_path / "run.json", configuration={}, slides=1, failed=0, unfinished=0)
    written = json.loads((tmp_path / "run.json").read_text())
    assert written["seconds"] == 12.3
    assert written["finished"].startswith("1970-01-02")
