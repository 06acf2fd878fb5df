from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from shapely import Polygon, box

from wsi_edt.corrections import (
    Add,
    Correction,
    CorrectionsFile,
    Delete,
    Exclude,
    Flip,
    MakeRegion,
    NamedCells,
    Redo,
    Threshold,
    Undo,
    parsed_change,
)
from wsi_edt.errors import OutputError, StaleError, UsageError

ONE = NamedCells((3,), (1.5,), (2.5,), ("Positive",))
EVERY: list[Correction] = [
    Flip(ONE),
    Delete(ONE),
    Add(7.25, 8.0, "Negative"),
    Exclude(Polygon([(0, 0), (9, 0), (9, 9), (0, 9)], [[(1, 1), (2, 1), (2, 2)]])),
    MakeRegion("core", box(0, 0, 5, 5), "Tumor"),
    Threshold(0.5),
    Undo(1),
    Redo(1),
]


@pytest.fixture
def kept(tmp_path: Path) -> CorrectionsFile:
    return CorrectionsFile(tmp_path / "corrections.json")


def test_without_a_file_nothing_was_corrected(kept: CorrectionsFile) -> None:
    assert kept.read().entries == ()
    assert not kept.path.exists()


def test_every_kind_comes_back_with_who_and_when(kept: CorrectionsFile) -> None:
    written = kept.append(EVERY, who="Ada Lovelace", seen=0)
    read = kept.read()
    assert (read.revision, read) == (8, written)
    assert {entry.who for entry in read.entries} == {"Ada Lovelace"}
    assert all(entry.when.utcoffset() == timedelta(0) for entry in read.entries)


def test_the_file_is_as_the_contract_has_it(kept: CorrectionsFile) -> None:
    kept.append(EVERY, who="ada", seen=0)
    document = json.loads(kept.path.read_bytes())
    assert (document["format"], document["revision"]) == (1, 8)
    assert [entry["what"] for entry in document["entries"]] == [
        "flip", "delete", "add", "exclude", "region", "threshold", "undo", "redo",
    ]  # fmt: skip
    flip, _, add, exclude, region, threshold, undo, _ = document["entries"]
    assert datetime.fromisoformat(flip.pop("when")).tzinfo is not None
    cells = {"index": [3], "x": [1.5], "y": [2.5], "class": ["Positive"]}
    assert flip == {"id": 1, "who": "ada", "what": "flip", "cells": cells}
    assert (add["x"], add["y"], add["class"]) == (7.25, 8.0, "Negative")
    assert [len(ring) for ring in exclude["polygon"]["coordinates"]] == [5, 4]
    assert (region["name"], region["class"], threshold["value"], undo["entry"]) == ("core", "Tumor", 0.5, 1)


def test_who_hasnt_seen_the_last_change_is_refused_and_loses_nothing(kept: CorrectionsFile) -> None:
    kept.append([Threshold(0.5)], who="ada", seen=0)
    before = kept.path.read_bytes()
    for seen in (0, 2):
        with pytest.raises(StaleError, match="revision 1, not"):
            kept.append([Threshold(0.6)], who="bob", seen=seen)
    assert kept.path.read_bytes() == before


def test_of_writers_at_once_one_wins_each_revision(kept: CorrectionsFile) -> None:
    def correct(number: int) -> int:
        while True:
            try:
                return kept.append(
                    [Threshold(number / 100)], who=f"w{number}", seen=kept.read().revision
                ).revision
            except StaleError:
                continue

    with ThreadPoolExecutor(8) as threads:
        revisions = list(threads.map(correct, range(24)))
    assert sorted(revisions) == list(range(1, 25))
    assert {entry.who for entry in kept.read().entries} == {f"w{number}" for number in range(24)}


def test_a_writer_that_is_killed_leaves_the_record_and_no_lock(kept: CorrectionsFile) -> None:
    kept.append([Threshold(0.5)], who="ada", seen=0)
    dying = (
        "import os, sys; from pathlib import Path; import wsi_edt.corrections.kept as kept\n"
        "from wsi_edt.corrections import Threshold\n"
        "kept.write_atomically = lambda path, content: os._exit(9)\n"
        "kept.CorrectionsFile(Path(sys.argv[1])).append([Threshold(0.6)], who='eve', seen=1)\n"
    )
    assert subprocess.run([sys.executable, "-c", dying, str(kept.path)], check=False).returncode == 9
    assert kept.append([Threshold(0.7)], who="ada", seen=1).revision == 2


def test_all_of_several_corrections_or_none(kept: CorrectionsFile) -> None:
    with pytest.raises(UsageError, match="can't undo correction 5"):
        kept.append([Threshold(0.5), Undo(5)], who="ada", seen=0)
    assert not kept.path.exists()


@pytest.mark.parametrize(
    "nonsense",
    [Undo(1), Redo(2), Undo(3), Redo(9), Delete(NamedCells((-2,), (1.0,), (1.0,), ("Positive",)))],
    ids=str,
)
def test_what_makes_no_sense_after_what_was_done_is_refused(
    kept: CorrectionsFile, nonsense: Undo | Redo | Delete
) -> None:
    kept.append([Add(1, 1, "Positive"), Threshold(0.5), Undo(1)], who="ada", seen=0)
    with pytest.raises(UsageError, match="can't"):
        kept.append([nonsense], who="ada", seen=3)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ("", "isn't a record of corrections"),
        ("[]", "it isn't an object"),
        ('{"format": 2}', "its format is 2"),
        ('{"format": 1, "revision": 1, "entries": []}', "hasn't as many entries"),
        ('{"format": 1, "revision": 1, "entries": [{"id": 2}]}', "entry 1 isn't there"),
        ('{"format":1,"revision":1,"entries":[{"id":1,"who":"a","when":"2026-01-01","what":"x"}]}', "x"),
    ],
)
def test_a_file_that_isnt_one_is_told_and_left(kept: CorrectionsFile, content: str, why: str) -> None:
    kept.path.write_text(content)
    with pytest.raises(OutputError, match=why):
        kept.append([Threshold(0.5)], who="ada", seen=0)
    assert kept.path.read_text() == content


def test_a_change_is_parsed() -> None:
    body = (
        b'{"revision": 4, "entry": {"what": "exclude", "polygon": '
        b'{"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4]]]}}}'
    )
    revision, correction = parsed_change(body)
    assert revision == 4
    assert isinstance(correction, Exclude)
    assert correction.polygon.area == 8


CELL = '{"index": [1], "x": [1.0], "y": [2.0], "class": ["Positive"]}'


@pytest.mark.parametrize(
    "body",
    [
        "{",
        "[]",
        '{"revision": 1}',
        '{"revision": true, "entry": {"what": "undo", "entry": 1}}',
        '{"revision": -1, "entry": {"what": "undo", "entry": 1}}',
        '{"revision": 1, "entry": []}',
        '{"revision": 1, "entry": {}}',
        '{"revision": 1, "entry": {"what": "format"}}',
        '{"revision": 1, "entry": {"what": "undo", "entry": "1"}}',
        '{"revision": 1, "entry": {"what": "undo", "entry": 1, "who": "eve"}}',
        '{"revision": 1, "entry": {"what": "threshold", "value": -1}}',
        '{"revision": 1, "entry": {"what": "threshold", "value": 1e999}}',
        '{"revision": 1, "entry": {"what": "add", "x": 1e300, "y": 1, "class": "Positive"}}',
        '{"revision": 1, "entry": {"what": "add", "x": 1, "y": 1, "class": "Tumor"}}',
        f'{{"revision": 1, "entry": {{"what": "flip", "cells": {CELL.replace("[1]", "[1, 2]")}}}}}',
        f'{{"revision": 1, "entry": {{"what": "flip", "cells": {CELL.replace("[1]", "[1.5]")}}}}}',
        f'{{"revision": 1, "entry": {{"what": "flip", "cells": {CELL.replace("Positive", "Nucleus")}}}}}',
        '{"revision": 1, "entry": {"what": "delete", "cells": {"index": [], "x": [], "y": [], "class": []}}}',
        '{"revision": 1, "entry": {"what": "exclude", "polygon": {"type": "Point", "coordinates": [1, 1]}}}',
        '{"revision": 1, "entry": {"what": "exclude", "polygon": {"type": "Polygon", "coordinates": [[[1, 1], [2, 2]]]}}}',
        '{"revision": 1, "entry": {"what": "exclude", "polygon": {"type": "Polygon", "coordinates": "no"}}}',
        '{"revision": 1, "entry": {"what": "exclude", "polygon": {"type": "Polygon", "coordinates": []}}}',
        '{"revision": 1, "entry": {"what": "region", "name": "", "polygon": '
        '{"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4]]]}}}',
    ],
)
def test_a_change_that_isnt_exactly_one_is_refused_in_one_sentence(body: str) -> None:
    with pytest.raises(UsageError, match=r"^a correction") as caught:
        parsed_change(body.encode())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("who", ["", "a" * 201])
def test_somebody_corrects(kept: CorrectionsFile, who: str) -> None:
    with pytest.raises(UsageError, match="needs a name"):
        kept.append([Threshold(0.5)], who=who, seen=0)
