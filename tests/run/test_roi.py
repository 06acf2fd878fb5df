"""`--roi`: regions hold what a run of the whole slide finds in them."""

from __future__ import annotations

import csv
import gzip
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import shapely
import shapely.geometry

from tests.stand_ins import MPP, Painted, Pool, compute, make_settings, paint, write_slide
from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.cluster.worker import ShardResult, ShardTask
from wsi_edt.detection.stitching import MARGIN_PX
from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.ki67.drawn import looked_at
from wsi_edt.report.rows import SummaryRow
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.dry_run import Preview, previews
from wsi_edt.run.plan import plan_slide
from wsi_edt.run.progress import NoProgress
from wsi_edt.run.regions import read_slide_regions, shards_for
from wsi_edt.run.roi import with_roi
from wsi_edt.slides.grid import shards

Box = tuple[float, float, float, float]


def ring(left: float, top: float, right: float, bottom: float) -> list[list[float]]:
    return [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]


def feature(name: str, *rings: list[list[float]], class_name: str | None = None) -> dict[str, Any]:
    """An annotation as QuPath writes it: the first ring is its outline, others are holes."""
    properties: dict[str, Any] = {"objectType": "annotation", "name": name}
    if class_name is not None:
        properties["classification"] = {"name": class_name, "color": [200, 0, 0]}
    return {
        "type": "Feature",
        "id": "0",
        "geometry": {"type": "Polygon", "coordinates": list(rings)},
        "properties": properties,
    }


def geojson(path: Path, *features: dict[str, Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": list(features)}))
    return path


SLANTED = [[20.0, 30.0], [215.0, 12.0], [250.0, 190.0], [130.0, 280.0], [20.0, 30.0]]
HOLE = ring(90, 60, 150, 130)
NEST = feature("nest", SLANTED, HOLE, class_name="Tumor")
SECOND = feature("second", ring(180, 100, 300, 220), class_name="Tumor")
FOLD = feature("fold", ring(200, 120, 240, 160), class_name="Ignore*")


class Lab:
    """A slide whose tissue is its left half, and its results."""

    def __init__(self, folder: Path) -> None:
        self.painted: Painted = paint(4)
        self.slide = write_slide(folder / "slides/a.png", self.painted)
        self.folder, self.out = folder, folder / "out"

    def run(
        self, roi: Path | None, out: Path | None = None, pool: Pool | None = None
    ) -> tuple[SummaryRow, Pool]:
        pool, out = pool or Pool(), out or self.out
        slides = find_slides([self.slide], out=out, fallback_mpp=MPP).slides
        if roi is not None:
            slides, _ = with_roi(slides, roi, out=out)
        result = run_batch(
            slides, out, settings=make_settings(), open_pool=pool.opener, progress=NoProgress()
        )
        return result.rows[0], pool

    def preview(self, roi: Path) -> Preview:
        slides, _ = with_roi(
            find_slides([self.slide], out=self.out, fallback_mpp=MPP).slides, roi, out=self.out
        )
        (one,) = previews(
            slides, self.out, settings=make_settings(), plan_slide=plan_slide, seconds_per_tile=0.5
        )
        return one

    def areas(self, out: Path | None = None) -> list[dict[str, Any]]:
        """The areas of ki67.json, but for those that were looked for."""
        found: list[dict[str, Any]] = json.loads(((out or self.out) / "a.png/ki67.json").read_text())["areas"]
        return [area for area in found if area["kind"] not in ("hotspot", "field")]

    def cells(self, out: Path | None = None) -> list[str]:
        """The cells of QuPath's file, each as its text."""
        found = json.loads(((out or self.out) / "a.png/cells.geojson").read_text())
        return [json.dumps(one, sort_keys=True) for one in found["features"]]


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    return Lab(tmp_path)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A run of the whole slide; all labs have the same."""
    found = Lab(tmp_path_factory.mktemp("whole"))
    found.run(None)
    return found


def place(cell: str) -> shapely.Point:
    return shapely.geometry.shape(json.loads(cell)["geometry"])


def test_regions_hold_what_a_run_of_the_whole_slide_finds_in_them(lab: Lab, whole: Lab) -> None:
    roi = geojson(lab.folder / "roi.geojson", NEST, SECOND, FOLD)
    row, _ = lab.run(roi)
    assert row.error is None
    drawn = shapely.union(
        shapely.Polygon(SLANTED, [HOLE]), shapely.Polygon(ring(180, 100, 300, 220))
    ).difference(shapely.Polygon(ring(200, 120, 240, 160)))
    inside = [cell for cell in whole.cells() if drawn.intersects(place(cell))]
    assert lab.cells() == inside and len(inside) > 50
    first, nest, second, tumour = lab.areas()
    assert [area["kind"] for area in (first, nest, second, tumour)] == [
        "all regions",
        "region",
        "region",
        "regions of a class",
    ]
    assert first["total"] == len(inside) == tumour["total"] < nest["total"] + second["total"]
    assert row.whole is not None and row.whole.values["area_mm2"] == first["area_mm2"]
    assert first["area_mm2"] == pytest.approx(drawn.area * (MPP / 1000) ** 2, rel=0.06)


def unsteady(task: ShardTask) -> ShardResult:
    """Every other tile sees its nuclei a px further right, and each of three in turn less surely, as tiles may."""
    result = compute(task)
    peaks = result.peaks
    x, score = peaks.x + peaks.tile % 2, peaks.score * (1 - 0.05 * (peaks.tile % 3))
    right = {tile.index: tile.core.right + MARGIN_PX for tile in task.shard.tiles}
    own = x < np.array([right[tile] for tile in peaks.tile.tolist()])
    moved = replace(peaks, x=x.astype(np.int32), score=score.astype(np.float32))
    return replace(result, peaks=moved.select(np.flatnonzero(own)))


@pytest.fixture(scope="module")
def unsteady_whole(tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """A run of the whole slide by such a detector."""
    found = Lab(tmp_path_factory.mktemp("unsteady"))
    found.run(None, pool=Pool(compute=unsteady))
    return found


@pytest.mark.parametrize("seed", range(4))
def test_tiles_beside_a_region_decide_about_its_cells(lab: Lab, unsteady_whole: Lab, seed: int) -> None:
    """Outlines that follow the tiles' seams at every 32 px: what neighbours see there must be computed too."""
    rng = np.random.default_rng(seed)
    boxes = []
    for k in range(3):
        left, top, width = (32 * int(rng.integers(*ends)) for ends in ((0, 10), (0, 6), (1, 4)))
        boxes.append(feature(str(k), ring(left, top, left + width, top + 64)))
    roi = geojson(lab.folder / "roi.geojson", *boxes)
    lab.run(roi, pool=Pool(compute=unsteady))
    drawn = shapely.union_all([shapely.geometry.shape(one["geometry"]) for one in boxes])
    assert lab.cells() == [cell for cell in unsteady_whole.cells() if drawn.intersects(place(cell))]


def test_only_tiles_near_regions_are_computed(lab: Lab) -> None:
    roi = geojson(lab.folder / "roi.geojson", feature("one", ring(70, 70, 90, 90)))
    (ref,), _ = with_roi(find_slides([lab.slide], out=lab.out, fallback_mpp=MPP).slides, roi, out=lab.out)
    plan, _ = plan_slide(ref, make_settings().cells)
    windows = [tile.core for shard in plan.shards for tile in shard.tiles]
    # Cores of 32 px; the region lies in that at (64, 64), and within 32 px of those around it.
    assert {(core.x, core.y) for core in windows} == {(x, y) for x in (32, 64, 96) for y in (32, 64, 96)}
    assert plan.searched.sum() == 1
    everything = sum(len(shard.tiles) for shard in shards(plan.grid, plan.tissue))
    assert everything > 100


def test_a_store_of_the_whole_slide_serves_regions_and_one_may_go_back(lab: Lab) -> None:
    roi = geojson(lab.folder / "roi.geojson", NEST)
    lab.run(roi, lab.folder / "alone")
    lab.run(None)
    before = lab.areas()
    _, pool = lab.run(roi)
    assert pool.computed == []
    assert lab.areas() == lab.areas(lab.folder / "alone") and lab.cells() == lab.cells(lab.folder / "alone")
    assert lab.run(roi)[1].computed == []
    _, pool = lab.run(None)
    assert pool.computed == [] and lab.areas() == before


def test_what_a_store_of_regions_lacks_is_computed(lab: Lab, whole: Lab) -> None:
    small = geojson(lab.folder / "small.geojson", feature("one", ring(70, 70, 90, 90)))
    large = geojson(lab.folder / "large.geojson", NEST)
    lab.run(small)
    assert lab.run(large)[1].computed
    lab.run(large, lab.folder / "alone")
    assert lab.areas() == lab.areas(lab.folder / "alone") and lab.cells() == lab.cells(lab.folder / "alone")
    assert lab.run(small)[1].computed == [], "its tiles are among the other's"
    assert lab.run(None)[1].computed
    assert lab.cells() == whole.cells()


def test_with_nothing_but_ignored_regions_all_else_is_looked_at(lab: Lab, whole: Lab) -> None:
    roi = geojson(lab.folder / "roi.geojson", feature("left", ring(0, 0, 200, 300), class_name="Ignore*"))
    lab.run(roi)
    (rest,), (full,) = lab.areas(), whole.areas()
    right = [cell for cell in whole.cells() if place(cell).x > 200]
    assert rest["kind"] == "whole tissue" and lab.cells() == right and right
    assert rest["area_mm2"] == pytest.approx(full["area_mm2"] - 200 * 300 * (MPP / 1000) ** 2, rel=0.02)


def test_a_region_on_glass_gives_a_reason_and_computes_nothing(lab: Lab) -> None:
    row, pool = lab.run(geojson(lab.folder / "roi.geojson", feature("glass", ring(700, 100, 800, 200))))
    assert pool.computed == [] and (row.error, row.reason) == (None, "no tissue")


APERIO = """<Annotations><Annotation Name="Tumor"><Regions>
<Region Type="0" NegativeROA="0" Text="nest"><Vertices>{outer}</Vertices></Region>
<Region Type="0" NegativeROA="1"><Vertices>{inner}</Vertices></Region></Regions></Annotation></Annotations>"""
ASAP = """<ASAP_Annotations><Annotations>
<Annotation Name="nest" Type="Polygon" PartOfGroup="Tumor"><Coordinates>{outer}</Coordinates></Annotation>
<Annotation Name="gap" Type="Polygon" PartOfGroup="Ignore*"><Coordinates>{inner}</Coordinates></Annotation>
</Annotations></ASAP_Annotations>"""


@pytest.mark.parametrize("program", ["ImageScope", "ASAP"])
def test_other_programs_regions_count_as_qupaths(lab: Lab, program: str) -> None:
    text, mark = (APERIO, "Vertex") if program == "ImageScope" else (ASAP, "Coordinate")
    outer, inner = (
        "".join(f'<{mark} Order="{k}" X="{x}" Y="{y}"/>' for k, (x, y) in enumerate(points[:-1]))
        for points in (SLANTED, HOLE)
    )
    xml = lab.folder / "xml/a.xml.gz"
    xml.parent.mkdir()
    xml.write_bytes(gzip.compress(text.format(outer=outer, inner=inner).encode()))
    lab.run(xml.parent)
    lab.run(geojson(lab.folder / "roi.geojson", NEST), lab.folder / "qupath")
    (first, region), (_, other) = lab.areas(), lab.areas(lab.folder / "qupath")
    assert (region["name"], region["class"]) == ("nest", "Tumor") and first["total"] == region["total"] > 30
    # There the gap is a region that is ignored, in QuPath's a hole of the region itself.
    hole = shapely.Polygon(HOLE).area * (MPP / 1000) ** 2
    assert (other.pop("ignored_mm2"), region.pop("ignored_mm2")) == (0.0, pytest.approx(hole, rel=0.2))
    assert region == other


def test_a_slides_corner_is_added_to_qupaths_regions_alone(tmp_path: Path) -> None:
    slide = AnnotatedSlide((900, 300), MPP, corner=(100.0, 50.0))
    (region,) = read_slide_regions(geojson(tmp_path / "a.geojson", SECOND), slide).regions
    assert region.polygon.bounds == (280, 150, 400, 270)
    xml = tmp_path / "a.xml"
    xml.write_text(ASAP.format(outer='<Coordinate Order="0" X="1" Y="1"/>', inner=""))
    with pytest.raises(AnnotationError, match="1 line and 1 shape without a place, but no regions"):
        read_slide_regions(xml, slide)


def test_an_outline_that_crosses_itself_is_mended_and_named(tmp_path: Path) -> None:
    bow_tie = feature("tie", [[0, 0], [40, 40], [40, 0], [0, 40], [0, 0]])
    found = read_slide_regions(geojson(tmp_path / "a.geojson", bow_tie), AnnotatedSlide((900, 300), MPP))
    assert found.regions[0].polygon.area == 2 * (40 * 40 / 4)
    assert found.remark == "of a.geojson, outlines that cross themselves were mended: 'tie'"


def test_a_dry_run_tells_of_the_regions(lab: Lab) -> None:
    roi = geojson(lab.folder / "roi.geojson", NEST, SECOND, feature("c", ring(0, 0, 30, 30)), FOLD)
    said = lab.preview(roi)
    assert said.note == "3 regions alone (Tumor 2)" and 0 < said.tiles < 150
    lab.run(roi)
    assert said.tissue_mm2 == pytest.approx(lab.areas()[0]["area_mm2"], abs=1e-6)


def test_regions_csv_has_a_row_for_each_area(lab: Lab) -> None:
    lab.run(geojson(lab.folder / "roi.geojson", NEST, feature("=1+1", ring(0, 0, 60, 60), class_name="@x")))
    with (lab.out / "a.png/regions.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    areas = json.loads((lab.out / "a.png/ki67.json").read_text())["areas"]
    assert [row["kind"] for row in rows] == [area["kind"] for area in areas]
    assert {row["name"] for row in rows} >= {"all regions", "nest", "'=1+1"} and rows[2]["class"] == "'@x"
    for row, area in zip(rows, areas, strict=True):
        assert int(row["total"]) == area["total"]
        assert float(row["area_mm2"]) == pytest.approx(area["area_mm2"], abs=1e-4)
        assert (row["x"] == "") == (area["place"] is None)
        if area["place"] is not None:
            assert float(row["x"]) == pytest.approx(area["place"]["x"], abs=0.06)


def test_a_slide_without_regions_is_a_failed_row(lab: Lab) -> None:
    write_slide(lab.folder / "slides/b.png", paint(5, width=240, height=100))
    geojson(lab.folder / "roi/b.geojson", feature("all", ring(0, 0, 100, 100)))
    slides, _ = with_roi(
        find_slides([lab.folder / "slides"], out=lab.out, fallback_mpp=MPP).slides,
        lab.folder / "roi",
        out=lab.out,
    )
    result = run_batch(
        slides, lab.out, settings=make_settings(), open_pool=Pool().opener, progress=NoProgress()
    )
    first, second = result.rows
    assert first.error is not None and first.error.startswith("a.png has no regions in ")
    assert second.error is None and result.failed == 1
    assert not (lab.out / "a.png/store.zarr").exists()


def test_what_makes_no_sense_is_refused_at_once(lab: Lab) -> None:
    one = geojson(lab.folder / "one.geojson", NEST)
    (ref,) = find_slides([lab.slide], out=lab.out, fallback_mpp=MPP).slides
    with pytest.raises(UsageError, match="doesn't exist"):
        with_roi([ref], lab.folder / "none", out=lab.out)
    with pytest.raises(UsageError, match="one file of regions for 2 slides; give --roi a folder"):
        with_roi([ref, replace(ref, name="b")], one, out=lab.out)
    with pytest.raises(UsageError, match=r"holds 1 file of regions, and none .* such as a\.geojson"):
        with_roi([ref], lab.folder, out=lab.out)
    with pytest.raises(UsageError, match=r"so does the table for a\.png"):
        with_roi([replace(ref, regions=one)], one, out=lab.out)


def test_no_tile_is_wanted_where_nothing_is_looked_at(lab: Lab) -> None:
    (ref,) = find_slides([lab.slide], out=lab.out, fallback_mpp=MPP).slides
    plan, _ = plan_slide(ref, make_settings().cells)
    everything = geojson(lab.folder / "e.geojson", feature("e", ring(-9, -9, 999, 999), class_name="Ignore*"))
    regions = read_slide_regions(everything, AnnotatedSlide((900, 300), MPP)).regions
    assert looked_at(regions, plan.tissue, plan.scale, only_regions=True) is None
    assert shards_for(plan.shards, regions, plan.tissue, plan.scale) == ()
