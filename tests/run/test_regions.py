"""Regions of a table: numbers of their own, written again from the store when they change, never a reason to compute."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.stand_ins import MPP, Painted, Pool, make_settings, paint, write_slide
from wsi_edt.errors import UsageError
from wsi_edt.ki67 import assess
from wsi_edt.run.batch import RunResult, run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import NoProgress


class Lab:
    """A folder with a slide, a table and its regions."""

    def __init__(self, folder: Path) -> None:
        self.painted: Painted = paint(4)
        write_slide(folder / "a.png", self.painted)
        self.folder, self.out = folder, folder / "out"
        (folder / "batch.csv").write_text("path;regions\na.png;drawn.geojson\n")

    def draw(self, *boxes: tuple[str, tuple[int, int, int, int]]) -> None:
        features = [
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [
                        [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
                    ],
                },
                "properties": {
                    "objectType": "annotation",
                    "name": name,
                    **({"classification": {"name": name}} if name.startswith("Ignore") else {}),
                },
            }
            for name, (left, top, right, bottom) in boxes
        ]
        (self.folder / "drawn.geojson").write_text(json.dumps(features))

    def run(self, *inputs: Path) -> tuple[RunResult, Pool]:
        pool = Pool()
        slides = find_slides(inputs or [self.folder / "batch.csv"], out=self.out, fallback_mpp=MPP).slides
        result = run_batch(
            slides, self.out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress()
        )
        return result, pool

    @property
    def areas(self) -> list[dict[str, Any]]:
        """The areas of ki67.json, but for those that were looked for."""
        found: list[dict[str, Any]] = json.loads((self.out / "a.png/ki67.json").read_text())["areas"]
        return [area for area in found if area["kind"] not in ("hotspot", "field")]

    def inside(self, left: int, top: int, right: int, bottom: int) -> tuple[int, int]:
        """How many positive and negative nuclei were painted there."""
        counts = [
            int(np.count_nonzero((x >= left) & (x <= right) & (y >= top) & (y <= bottom)))
            for x, y in (self.painted.positive.T, self.painted.negative.T)
        ]
        return counts[0], counts[1]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


LEFT, RIGHT = (0, 0, 200, 300), (200, 0, 440, 300)


def test_half_a_letter_in_a_name_is_written_as_an_escape(lab: Lab) -> None:
    lab.draw(("core \ud83d", LEFT))
    assert lab.run()[0].failed == 0
    assert [area["name"] for area in lab.areas][1:] == [r"core \ud83d"]


def test_each_region_has_numbers_of_its_own(lab: Lab) -> None:
    lab.draw(("left", LEFT), ("right", RIGHT), ("Ignore*", (0, 150, 900, 300)))
    result, _ = lab.run()
    assert result.failed == 0
    whole, left, right, both = lab.areas
    assert (whole["kind"], left["kind"], left["name"], right["name"]) == (
        "whole tissue",
        "region",
        "left",
        "right",
    )
    # The upper halves alone: the lower ones are ignored. A nucleus's peak may lie a px from where it was painted.
    for region, box in ((left, (0, 0, 200, 150)), (right, (200, 0, 440, 150))):
        positive, negative = lab.inside(*box)
        assert positive > 5 and negative > 15
        assert abs(region["positive"] - positive) <= 1 and abs(region["negative"] - negative) <= 2
    # 200 × 150 px of MPP µm, all of it tissue, but for what mask units at its edges leave out.
    assert left["area_mm2"] == pytest.approx(200 * 150 * (MPP / 1000) ** 2, rel=0.15)
    assert whole["total"] == left["total"] + right["total"] == both["total"], "what is ignored counts nowhere"
    assert both["kind"] == "all regions"
    page = (lab.out / "a.png/report.html").read_text()
    assert ">left<" in page and ">right<" in page
    provenance = json.loads((lab.out / "a.png/ki67.json").read_text())["provenance"]
    digest = hashlib.sha256((lab.folder / "drawn.geojson").read_bytes()).hexdigest()
    assert (provenance["regions_file"], provenance["regions_sha256"]) == ("drawn.geojson", digest)
    assert f"drawn.geojson, sha256 <code>{digest}" in page
    said = re.search(r"whole tissue without excluded areas \(([\d.]+) mm² left out\)", page)
    # The stroma is 450 px wide, of which the lower 150 px are ignored.
    assert said is not None and float(said[1]) == pytest.approx(450 * 150 * (MPP / 1000) ** 2, rel=0.15)


def test_the_whole_tissue_is_the_same_with_and_without_regions(lab: Lab) -> None:
    lab.draw(("left", LEFT))
    lab.run()
    (whole, _), cells = lab.areas, (lab.out / "a.png/cells.geojson").read_bytes()
    plain = Lab(lab.folder / "plain")
    plain.run(plain.folder / "a.png")
    assert plain.areas == [whole]
    assert (plain.out / "a.png/cells.geojson").read_bytes() == cells


def test_a_region_that_is_called_ignore_without_the_class_is_remarked_on(lab: Lab) -> None:
    lab.draw(("Ignore*", (0, 150, 900, 300)), ("left", LEFT))
    path = lab.folder / "drawn.geojson"
    features = json.loads(path.read_text())
    del features[0]["properties"]["classification"]
    path.write_text(json.dumps(features))
    lab.run()
    assert [area["name"] for area in lab.areas if area["kind"] == "region"] == ["Ignore*", "left"]
    remark = json.loads((lab.out / "a.png/ki67.json").read_text())["remark"]
    assert "'Ignore*' isn't of a class Ignore*, and counts" in remark


def test_changed_regions_are_written_without_computing_again(lab: Lab) -> None:
    lab.draw(("left", LEFT))
    _, first = lab.run()
    assert first.computed
    assert lab.run()[1].computed == []
    for boxes in ([("right", RIGHT)], [("right", RIGHT), ("left", LEFT)]):
        lab.draw(*boxes)
        _, pool = lab.run()
        assert pool.computed == []
        assert [area["name"] for area in lab.areas if area["kind"] == "region"] == [name for name, _ in boxes]
    _, pool = lab.run(lab.folder / "a.png")  # and without regions
    assert pool.computed == [] and len(lab.areas) == 1


def test_regions_that_change_during_a_run_are_read_again_by_the_next(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.draw(("left", LEFT))

    def changed_meanwhile(*given: Any) -> Any:
        lab.draw(("right", RIGHT))
        return assess(*given)

    monkeypatch.setattr("wsi_edt.run.finalise.assess", changed_meanwhile)
    lab.run()
    assert [area["name"] for area in lab.areas[1:]] == ["left"]
    monkeypatch.undo()
    _, pool = lab.run()
    assert pool.computed == [] and [area["name"] for area in lab.areas[1:]] == ["right"]


def test_finished_slides_without_regions_are_left_alone(lab: Lab) -> None:
    lab.run(lab.folder / "a.png")
    before = (lab.out / "a.png/ki67.json").stat().st_mtime_ns
    lab.run(lab.folder / "a.png")
    assert (lab.out / "a.png/ki67.json").stat().st_mtime_ns == before


def test_what_is_no_region_is_told_and_the_table_has_the_regions_indices(lab: Lab) -> None:
    lab.draw(("left", LEFT))
    drawn = json.loads((lab.folder / "drawn.geojson").read_text())
    line = {"type": "LineString", "coordinates": [[0, 0], [9, 9]]}
    drawn += [{"type": "Feature", "geometry": line, "properties": {"objectType": "annotation"}}] * 2
    (lab.folder / "drawn.geojson").write_text(json.dumps(drawn))
    result, _ = lab.run()
    remark = json.loads((lab.out / "a.png/ki67.json").read_text())["remark"]
    assert remark == "of drawn.geojson, 2 lines passed over, as they are no regions"
    (row,) = result.rows
    left = lab.areas[1]
    assert row.regions == f"left {left['index_percent']:.1f} %"
    assert row.regions in (lab.out / "summary.csv").read_text()
    assert row.regions in (lab.out / "report.html").read_text()


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("{", "drawn.geojson isn't"),
        ("[]", "drawn.geojson"),
        (
            '{"type": "Polygon", "coordinates": [[[5000, 0], [5010, 0], [5010, 9], [5000, 0]]]}',
            r"has a region '1' outside the slide \(900 x 300 px\)",
        ),
    ],
)
def test_regions_that_cannot_be_read_fail_their_slide(lab: Lab, content: str, says: str) -> None:
    (lab.folder / "drawn.geojson").write_text(content)
    result, pool = lab.run()
    (row,) = result.rows
    assert row.error is not None
    assert re.search(says, row.error), row.error
    assert not pool.computed


def test_a_finished_slide_whose_regions_vanish_fails(lab: Lab) -> None:
    lab.run(lab.folder / "a.png")
    lab.draw(("left", LEFT))
    slides = find_slides([lab.folder / "batch.csv"], out=lab.out, fallback_mpp=MPP).slides
    (lab.folder / "drawn.geojson").unlink()
    result = run_batch(
        slides, lab.out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress()
    )
    assert result.failed == 1 and "drawn.geojson" in str(result.rows[0].error)


def test_a_table_that_names_regions_that_are_not_there_is_wrong(lab: Lab) -> None:
    with pytest.raises(UsageError, match=r"line 2 names the regions .*drawn\.geojson, which don't exist"):
        lab.run()
