"""What each address answers."""

from __future__ import annotations

import json
import os
import shutil
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.stand_ins import paint
from tests.viewer.serving import Client, viewing
from wsi_edt.results import names
from wsi_edt.run.report import ReportOptions, report_slides
from wsi_edt.run.stored import stored_slides

ADDED = {"what": "add", "x": 10.5, "y": 20.25, "class": "Positive"}


def test_slides_are_listed_by_name(client: Client) -> None:
    assert client.ask("slides.json").json == {
        "slides": [{"name": "a.png", "case": ""}, {"name": "deep/b <i>.png", "case": ""}]
    }


def test_a_slide_is_described(client: Client, seen_results: Path) -> None:
    fields = client.ask("slide/0/info.json").json
    assert (fields["name"], fields["width"], fields["height"], fields["mpp"]) == ("a.png", 700, 300, 0.5)
    assert fields["zoom"] == {"tile_px": 512, "first_level": 9, "top_level": 10}
    assert fields["gone"] is None
    assert [(one["id"], one["name"]) for one in fields["classes"]] == [
        (0, "Negative"),
        (1, "Positive"),
        (2, "Nucleus"),
    ]
    kept = json.loads((seen_results / "a.png" / names.KI67).read_text())
    (whole,) = (area for area in fields["areas"] if area["kind"] == "whole tissue")
    for name in ("index_percent", "positive", "total", "area_mm2"):
        assert whole[name] == kept[name]
    assert whole["text"]["positive"] == str(kept["positive"])
    assert "research use" in fields["research_use"]


def test_cells_are_those_of_the_geojson(client: Client, seen_results: Path) -> None:
    """In the order of the file: of two arrays out of step none would fit."""
    content = client.ask("slide/0/cells.bin").body
    (count,) = struct.unpack_from("<I", content)
    assert len(content) == 4 + count * 13
    x, y, score = (np.frombuffer(content, "<f4", count, 4 + k * 4 * count) for k in range(3))
    class_id = np.frombuffer(content, "u1", count, 4 + 12 * count)
    features = json.loads((seen_results / "a.png" / names.CELLS).read_text())["features"]
    points = np.array([one["geometry"]["coordinates"] for one in features])
    labels = [one["properties"]["classification"]["name"] for one in features]
    scores = [one["properties"]["measurements"]["Score"] for one in features]
    assert count == len(features) > 50
    np.testing.assert_allclose(np.column_stack([x, y]), points, atol=0.006)
    np.testing.assert_allclose(score, scores, atol=0.0006)
    assert [("Negative", "Positive", "Nucleus")[kind] for kind in class_id] == labels


def test_a_tile_shows_the_slide(client: Client) -> None:
    painted = paint(0, width=700, height=300).pixels
    answer = client.ask("slide/0/tiles/10/1_0.jpg")
    assert answer.headers["Content-Type"] == "image/jpeg"
    tile = cv2.imdecode(np.frombuffer(answer.body, np.uint8), cv2.IMREAD_COLOR)
    assert tile is not None and tile.shape == (300, 188, 3)
    assert np.abs(tile[..., ::-1].astype(float) - painted[:, 512:]).mean() < 4


@pytest.mark.parametrize(
    "name",
    [
        "slide/0/tiles/10/2_0.jpg",
        "slide/0/tiles/11/0_0.jpg",
        "slide/2/info.json",
        "slide/2/cells.bin",
        "slide/999999999/info.json",
        "slide/9999999999/info.json",
        "slide/-1/info.json",
        "page/main.py",
        "page/",
    ],
)
def test_what_there_isnt_is_404(client: Client, name: str) -> None:
    answer = client.ask(name)
    assert answer.status == 404
    assert answer.json["error"]


def test_a_slide_that_is_gone_still_shows_its_cells(own_results: Path) -> None:
    slide = stored_slides(own_results)[0]
    path = Path(str(slide.seen.source.path))
    content = path.read_bytes()
    path.unlink()
    try:
        with viewing(own_results) as client:
            assert "a.png" in client.ask("slide/0/info.json").json["gone"]
            assert client.ask("slide/0/tiles/10/0_0.jpg").status == 404
            assert len(client.ask("slide/0/cells.bin").body) > 13 * 50
    finally:
        path.write_bytes(content)


def test_another_file_in_a_slides_place_isnt_shown(own_results: Path) -> None:
    path = Path(str(stored_slides(own_results)[0].seen.source.path))
    content = path.read_bytes()
    path.write_bytes(cv2.imencode(".png", np.zeros((300, 700, 3), np.uint8))[1].tobytes())
    try:
        with viewing(own_results) as client:
            assert "isn't the file that was counted" in client.ask("slide/0/info.json").json["gone"]
            assert client.ask("slide/0/tiles/10/0_0.jpg").status == 404
    finally:
        path.write_bytes(content)


def test_a_slide_that_is_replaced_while_it_is_shown_isnt_shown_any_more(own_results: Path) -> None:
    path = Path(str(stored_slides(own_results)[0].seen.source.path))
    content, times = path.read_bytes(), path.stat()
    try:
        with viewing(own_results) as client:
            assert client.ask("slide/0/tiles/10/0_0.jpg").status == 200
            path.write_bytes(cv2.imencode(".png", np.full((300, 700, 3), 9, np.uint8))[1].tobytes())
            assert client.ask("slide/0/tiles/10/0_0.jpg").status == 404
            assert "isn't the file that was counted" in client.ask("slide/0/info.json").json["gone"]
            path.write_bytes(content)
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
            assert client.ask("slide/0/tiles/10/0_0.jpg").status == 200
            assert client.ask("slide/0/info.json").json["gone"] is None
    finally:
        path.write_bytes(content)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))


def test_the_last_report_is_shown_and_slides_that_end_meanwhile(own_results: Path) -> None:
    shutil.move(own_results / "deep", own_results.parent / "deep")
    with viewing(own_results) as client:
        assert [one["name"] for one in client.ask("slides.json").json["slides"]] == ["a.png"]
        seen = client.ask("slide/0/info.json").json
        before = seen["threshold"]["reported"]
        assert client.ask("slide/0/score.json").json["report"] == seen["report"]
        shutil.move(own_results.parent / "deep", own_results / "deep")
        report_slides(own_results / "a.png", ReportOptions(threshold=0.7))
        assert [one["name"] for one in client.ask("slides.json").json["slides"]] == [
            "a.png",
            "deep/b <i>.png",
        ]
        info = client.ask("slide/0/info.json").json
        assert info["threshold"]["reported"] == 0.7 != before
        assert client.ask("slide/0/score.json").json["report"] == info["report"] != seen["report"]
        assert info["areas"][0]["total"] == client.ask("slide/0/score.json").json["before"][0]["total"]
        assert client.ask("slide/1/info.json").json["name"] == "deep/b <i>.png"


def test_results_that_were_moved_away_arent_made_anew(own_results: Path) -> None:
    with viewing(own_results) as client:
        assert client.ask("slide/0/info.json").status == 200
        shutil.move(own_results / "a.png", own_results.parent / "elsewhere")
        answer = client.post("slide/0/corrections", {"revision": 0, "entry": ADDED})
        assert answer.status == 500 and "isn't there any more" in answer.json["error"]
        assert not (own_results / "a.png").exists()


def test_the_address_without_its_last_slash_leads_to_the_page(client: Client) -> None:
    answer = client.ask(path=client.path.rstrip("/"))
    assert (answer.status, answer.headers["Location"]) == (302, client.path)
    assert client.ask(path="/elsewhere").status == 404


def test_cells_that_the_run_didnt_find_cant_be_corrected(own_results: Path) -> None:
    with viewing(own_results) as client:
        named = {"index": [10**6], "x": [1.0], "y": [1.0], "class": ["Positive"]}
        answer = client.post(
            "slide/0/corrections", {"revision": 0, "entry": {"what": "flip", "cells": named}}
        )
        assert answer.status == 400 and "there is no cell 1000000" in answer.json["error"]


def test_an_outline_that_crosses_itself_thousands_of_times_is_refused_at_once(client: Client) -> None:
    """Its 25 million crossings would take minutes and gigabytes to mend."""
    ring = np.random.default_rng(1).uniform(0, 300, (10_000, 2)).tolist()
    polygon = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    answer = client.post(
        "slide/0/corrections", {"revision": 0, "entry": {"what": "exclude", "polygon": polygon}}
    )
    assert answer.status == 400 and "crosses itself" in answer.json["error"]


def test_a_correction_is_on_the_disk_when_it_is_answered(own_results: Path) -> None:
    with viewing(own_results) as client:
        assert client.ask("slide/0/corrections.json").json == {"format": 1, "revision": 0, "entries": []}
        answer = client.post("slide/0/corrections", {"revision": 0, "entry": ADDED})
        assert answer.status == 200
        (entry,) = json.loads((own_results / "a.png/corrections.json").read_text())["entries"]
        assert ADDED.items() <= entry.items() and entry["who"]
        assert answer.json == {"revision": 1, "who": entry["who"], "when": entry["when"]}
        assert client.ask("slide/0/corrections.json").json["entries"] == [entry]
        assert client.ask("slide/1/corrections.json").json["revision"] == 0


def test_a_correction_of_what_was_seen_before_another_is_refused(own_results: Path) -> None:
    with viewing(own_results) as first, viewing(own_results) as second:
        assert first.post("slide/0/corrections", {"revision": 0, "entry": ADDED}).status == 200
        answer = second.post("slide/0/corrections", {"revision": 0, "entry": {**ADDED, "x": 99}})
        assert (answer.status, answer.json["revision"]) == (409, 1)
        assert second.post("slide/0/corrections", {"revision": 1, "entry": {**ADDED, "x": 99}}).status == 200
        xs = [entry["x"] for entry in first.ask("slide/0/corrections.json").json["entries"]]
        assert xs == [10.5, 99]


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b'{"revision": 0}',
        b'{"revision": "0", "entry": {}}',
        b"\xff\xfe",
        b"[" * 100000,
        b'{"revision": 0, "entry": {"what": "format", "x": 1}}',
        b'{"revision": -1, "entry": {"what": "undo"}}',
        b'{"revision": 0, "entry": {"what": "add", "x": 1e999, "y": 0, "class": "Positive"}}',
        b'{"revision": 0, "entry": {"what": "add", "x": 1, "y": 0, "class": "Positive", "who": "somebody else"}}',
    ],
)
def test_what_is_no_correction_is_400_and_writes_nothing(
    client: Client, seen_results: Path, sent: bytes
) -> None:
    own = {"Origin": client.origin, "Content_Type": "application/json"}
    answer = client.ask("slide/0/corrections", method="POST", body=sent, **own)
    assert answer.status == 400
    assert answer.json["error"].count("\n") == 0 and "Traceback" not in answer.json["error"]
    assert not (seen_results / "a.png/corrections.json").exists()


def test_a_flip_moves_the_score_by_one_cell(own_results: Path) -> None:
    """Before: what the run's own file says. After: one positive cell less, counted by hand."""
    features = json.loads((own_results / "a.png" / names.CELLS).read_text())["features"]
    index, flipped = next(
        (k, one)
        for k, one in enumerate(features)
        if one["properties"]["classification"]["name"] == "Positive"
    )
    x, y = flipped["geometry"]["coordinates"]
    kept = json.loads((own_results / "a.png" / names.KI67).read_text())
    cells = {"index": [index], "x": [x], "y": [y], "class": ["Positive"]}
    with viewing(own_results) as client:
        fields = client.ask("slide/0/score.json").json
        assert fields["revision"] == 0
        assert fields["before"] == fields["after"]
        answer = client.post(
            "slide/0/corrections", {"revision": 0, "entry": {"what": "flip", "cells": cells}}
        )
        assert answer.status == 200
        fields = client.ask("slide/0/score.json").json
    assert fields["revision"] == 1
    before, after = fields["before"][0], fields["after"][0]
    assert (before["positive"], before["negative"]) == (kept["positive"], kept["negative"])
    assert (after["positive"], after["negative"]) == (kept["positive"] - 1, kept["negative"] + 1)
    assert after["index_percent"] == pytest.approx(100 * after["positive"] / after["total"], abs=1e-3)


def test_a_threshold_that_is_asked_for_counts_the_cells_above_it(client: Client, seen_results: Path) -> None:
    features = json.loads((seen_results / "a.png" / names.CELLS).read_text())["features"]
    scores = sorted(one["properties"]["measurements"]["Score"] for one in features)
    asked = scores[len(scores) // 2]
    above = sum(score > asked + 0.001 for score in scores)
    total = client.ask(f"slide/0/score.json?threshold={asked + 0.001}").json["after"][0]["total"]
    assert total == above < len(scores)
    assert not (seen_results / "a.png/corrections.json").exists()


@pytest.mark.parametrize("asked", ["x", "nan", "-1", "1e999", "0.0001", ""])
def test_an_impossible_threshold_is_400(client: Client, asked: str) -> None:
    answer = client.ask(f"slide/0/score.json?threshold={asked}")
    assert answer.status == 400 and answer.json["error"]


def test_a_threshold_below_the_runs_is_refused_and_not_stored(own_results: Path) -> None:
    with viewing(own_results) as client:
        entry = {"what": "threshold", "value": 0.01}
        assert client.post("slide/0/corrections", {"revision": 0, "entry": entry}).status == 400
    assert not (own_results / "a.png/corrections.json").exists()
