"""A server that is killed amid corrections: what it acknowledged is there."""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.viewer.serving import Client, viewing

_COMMAND = [sys.executable, "-c", "from wsi_edt.cli.main import main; main()", "view", "--no-browser"]


@contextmanager
def process(results: Path) -> Iterator[tuple[subprocess.Popen[str], Client]]:
    """`wsi-edt view` as a person starts it, killed when the block ends."""
    with subprocess.Popen([*_COMMAND, str(results)], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield server, Client(server.stdout.readline().split()[-1], [])
        finally:
            server.kill()


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has no SIGKILL")
def test_all_that_was_acknowledged_outlasts_a_kill(own_results: Path) -> None:
    acknowledged: dict[int, float] = {}  # where a cell was added, by the correction's id
    for _ in range(2):  # the second server begins with what the first one left
        with process(own_results) as (server, client):
            first = revision = client.ask("slide/0/corrections.json").json["revision"]
            assert revision >= len(acknowledged)
            try:
                while True:
                    x = 2.0 * revision
                    entry = {"what": "add", "x": x, "y": 5.0, "class": "Positive"}
                    answer = client.post("slide/0/corrections", {"revision": revision, "entry": entry})
                    revision = answer.json["revision"]
                    acknowledged[revision] = x
                    if revision == first + 10:
                        os.kill(server.pid, signal.SIGKILL)  # it may be at anything by the time this arrives
            except (OSError, http.client.HTTPException):
                assert server.wait(20) == -signal.SIGKILL
    assert len(acknowledged) >= 20
    with viewing(own_results) as client:
        entries = client.ask("slide/0/corrections.json").json["entries"]
        assert acknowledged.items() <= {entry["id"]: entry["x"] for entry in entries}.items()
        assert client.ask("slide/0/score.json").json["revision"] == len(entries)
