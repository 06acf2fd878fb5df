"""Thirty kills, spread over the client's steps on the disk and over the shards; `make soak` runs them."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from tests.scenarios.accidents import Accident
from tests.scenarios.kill_at_every_step import marked_shards
from tests.scenarios.test_accidents import ended, in_process, slides, whole
from tests.stand_ins import result_files

__all__ = ["slides", "whole"]  # fixtures

STEPS = range(5, 155, 10)  # of the client, which takes more than so many
SHARDS = (("a.png", 0), ("a.png", 4), ("b.png", 1), ("b.png", 6), ("c.png", 9))
KILLS = (("client",), ("worker",), ("client", "worker"))
PLACES = [
    *({"step": step, "kills": KILLS[2 * (number % 2)]} for number, step in enumerate(STEPS)),
    *(
        {"slide": slide, "shard": shard, "kills": kills, "after": number % 2 == 1}
        for number, (slide, shard) in enumerate(SHARDS)
        for kills in KILLS
    ),
]


@pytest.mark.soak
@pytest.mark.parametrize(
    "place", PLACES, ids=lambda place: "-".join(str(part) for part in place.values()).replace(" ", "")
)
def test_a_killed_run_continues_to_the_same_bytes(
    place: dict[str, object], slides: Path, whole: dict[str, bytes], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    accident = Accident(str(tmp_path), **place)  # type: ignore[arg-type]
    first = accident.start(slides, out)
    said = ended(first)
    assert accident.happened == 1, said
    assert first.returncode == (-signal.SIGKILL if "client" in accident.kills else 0), said
    marked, before = marked_shards(out), len(accident.log)
    again = accident.start(slides, out)
    said = ended(again)
    assert again.returncode == 0, said
    assert not marked & {(slide, shard) for _, slide, shard in accident.log[before:]}
    assert result_files(out) == whole
    assert in_process(slides, out).computed == []
