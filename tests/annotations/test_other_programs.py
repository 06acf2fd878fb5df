"""Annotations of ImageScope, ASAP and NDP.view; positions worked out by hand from the formats' definitions."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import shapely

from wsi_edt.annotations import AnnotatedSlide, read_features, read_regions
from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError

CASES = Path(__file__).parents[3] / "shared" / "cases" / "files" / "annotations"
SLIDE = AnnotatedSlide((4000, 2000), mpp=0.5, corner=(100.0, 50.0), centre_offset_nm=(1000.0, -2000.0))

APERIO = """<?xml version="1.0" encoding="UTF-8"?>
<Annotations MicronsPerPixel="0.25"><Annotation Id="1" Name="Tumor" Type="4"><Regions>
<Region Id="1" Type="0" NegativeROA="0" Text="nest"><Vertices>
<Vertex X="10" Y="20"/><Vertex X="30" Y="20"/><Vertex X="30" Y="60"/><Vertex X="10" Y="60"/></Vertices></Region>
<Region Id="2" Type="2" NegativeROA="0"><Vertices><Vertex X="0" Y="0"/><Vertex X="20" Y="10"/></Vertices></Region>
<Region Id="3" Type="0" NegativeROA="1"><Vertices>
<Vertex X="1" Y="1"/><Vertex X="2" Y="1"/><Vertex X="2" Y="2"/></Vertices></Region>
<Region Id="4" Type="4"><Vertices><Vertex X="1" Y="1"/><Vertex X="9" Y="1"/></Vertices></Region>
</Regions></Annotation></Annotations>"""

ASAP = """<?xml version="1.0"?><ASAP_Annotations><Annotations>
<Annotation Name="a" Type="Polygon" PartOfGroup="Tumor"><Coordinates>
<Coordinate Order="2" X="8" Y="8"/><Coordinate Order="0" X="0" Y="0"/><Coordinate Order="1" X="8" Y="0"/>
</Coordinates></Annotation>
<Annotation Name="b" Type="Dot" PartOfGroup="Positive"><Coordinates><Coordinate Order="0" X="5.5" Y="6"/></Coordinates>
</Annotation>
<Annotation Name="c" Type="PointSet" PartOfGroup="None"><Coordinates>
<Coordinate Order="0" X="1" Y="2"/><Coordinate Order="1" X="3" Y="4"/></Coordinates></Annotation>
</Annotations><AnnotationGroups/></ASAP_Annotations>"""

NDPA = """<?xml version="1.0" encoding="utf-8"?><annotations>
<ndpviewstate id="1"><title>Tumor</title><annotation type="freehand"><closed>1</closed><pointlist>
<point><x>1000</x><y>-2000</y></point><point><x>11000</x><y>-2000</y></point><point><x>11000</x><y>3000</y></point>
</pointlist></annotation></ndpviewstate>
<ndpviewstate id="2"><title>hot</title><annotation type="circle"><x>1000</x><y>-2000</y><radius>50000</radius></annotation>
</ndpviewstate></annotations>"""


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_imagescope(tmp_path: Path) -> None:
    nest, oval, hole = read_regions(written(tmp_path, "a.xml", APERIO), SLIDE)
    assert (nest.name, nest.class_name, nest.polygon.bounds) == ("nest", "Tumor", (10, 20, 30, 60))
    assert nest.polygon.area == 20 * 40
    assert oval.polygon.area == pytest.approx(np.pi * 10 * 5, rel=0.002)
    assert hole.ignored and not nest.ignored


def test_asap(tmp_path: Path) -> None:
    path = written(tmp_path, "a.xml", ASAP)
    (region,) = read_regions(path, SLIDE)
    assert region.class_name == "Tumor" and region.polygon.area == 32  # half of 8 × 8: by Order, not by line
    (cells,) = read_points(path).values()
    assert cells.x.tolist() == [5.5, 1, 3] and cells.y.tolist() == [6, 2, 4]
    assert cells.class_id.tolist() == [CellClass.POSITIVE, CellClass.NUCLEUS, CellClass.NUCLEUS]


def test_ndp_view_measures_from_the_centre_of_the_glass(tmp_path: Path) -> None:
    tumor, hot = read_regions(written(tmp_path, "a.ndpa", NDPA), SLIDE)
    # (1000, -2000) nm is the scan's centre, level-0 px (2000, 1000); 10 µm further right are 20 px, 5 µm down 10 px.
    assert tumor.polygon.equals(shapely.Polygon([(2000, 1000), (2020, 1000), (2020, 1010)]))
    assert hot.polygon.bounds == pytest.approx((1900, 900, 2100, 1100))


@pytest.mark.parametrize("slide", [None, AnnotatedSlide((4000, 2000), mpp=0.5)])
def test_ndp_view_without_the_centre_is_refused(tmp_path: Path, slide: AnnotatedSlide | None) -> None:
    with pytest.raises(AnnotationError, match="measures from its slide's centre"):
        read_features(written(tmp_path, "a.ndpa", NDPA), slide)


def test_only_geojson_starts_where_qupath_crops(tmp_path: Path) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}
    geojson = written(tmp_path, "a.geojson", json.dumps(square))
    (region,) = read_regions(geojson, SLIDE)
    assert region.polygon.bounds == (100, 50, 104, 54)
    assert read_regions(written(tmp_path, "a.xml", ASAP), SLIDE)[0].polygon.bounds == (0, 0, 8, 8)


@pytest.mark.parametrize("text", [APERIO, ASAP, NDPA])
def test_cut_off_files_are_named(tmp_path: Path, text: str) -> None:
    for length in range(30, len(text), 97):
        with pytest.raises(AnnotationError, match=r"cut\.xml"):
            read_features(written(tmp_path, "cut.xml", text[:length]), SLIDE)


@pytest.mark.skipif(not CASES.is_dir(), reason="the real annotation files aren't here")
class TestRealFiles:
    def test_of_asap(self) -> None:
        folder = next(CASES.rglob("asap"))
        (dot,) = read_points(folder / "asap-dot.xml").values()
        assert (dot.x.tolist(), dot.y.tolist()) == ([23071.5605], [16831.0098])
        (points,) = read_points(folder / "asap-pointset.xml").values()
        assert len(points) == 5
        assert len(read_regions(folder / "asap-polygon.xml", SLIDE)) == 1

    @pytest.mark.parametrize("name", ["brush", "ellipse", "polygon", "rectangle", "wand"])
    def test_areas_of_qupath(self, name: str) -> None:
        path = next(CASES.rglob(f"qupath-{name}.json"))
        assert len(read_regions(path, SLIDE)) == 1
        with pytest.raises(AnnotationError, match="holds 1 annotation with an area, but no cells"):
            read_points(path)

    def test_points_and_lines_of_qupath(self, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            (points,) = read_points(next(CASES.rglob("qupath-multipoint.json"))).values()
        assert len(points) == 3 and not caplog.text
        with pytest.raises(AnnotationError, match="holds 1 line, but no cells"):
            read_points(next(CASES.rglob("qupath-polyline.json")))

    def test_a_bare_geometry(self) -> None:
        (region,) = read_regions(CASES / "qupath" / "polygon.geojson", SLIDE)
        assert region.polygon.area > 0

    def test_of_ndp_view(self, caplog: pytest.LogCaptureFixture) -> None:
        (tumor,) = read_regions(CASES / "lazyslide" / "annotations_mixed.ndpa", SLIDE)
        assert tumor.polygon.area == (100_000 / 500) * (200_000 / 500)
        with pytest.raises(AnnotationError, match="isn't XML"):
            read_features(CASES / "lazyslide" / "annotations_malformed.ndpa", SLIDE)

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("sectra/pathologycore-polyline.json", "is a Polyline, not a GeoJSON feature"),
            ("cytomine/cytomine-point.txt", "line 1"),
        ],
    )
    def test_what_is_not_read_is_said(self, path: str, words: str) -> None:
        with pytest.raises(AnnotationError, match=words):
            read_points(next(CASES.rglob(Path(path).name)))
