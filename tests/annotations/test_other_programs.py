"""Annotations of ImageScope, ASAP and NDP.view; positions worked out by hand from the formats' definitions."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import shapely

from wsi_edt.annotations import AnnotatedSlide, read_drawing, read_regions
from wsi_edt.cells import CellClass
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError

CASES = Path(__file__).parents[3] / "shared" / "cases" / "files" / "annotations"
HIGH = AnnotatedSlide((40000, 20000), mpp=0.25)
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
        read_drawing(written(tmp_path, "a.ndpa", NDPA), slide)


def test_only_geojson_starts_where_qupath_crops(tmp_path: Path) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}
    geojson = written(tmp_path, "a.geojson", json.dumps(square))
    (region,) = read_regions(geojson, SLIDE)
    assert region.polygon.bounds == (100, 50, 104, 54)
    assert read_regions(written(tmp_path, "a.xml", ASAP), SLIDE)[0].polygon.bounds == (0, 0, 8, 8)


def test_markers_of_imagescope_are_cells_of_their_layer(tmp_path: Path) -> None:
    text = """<Annotations><Annotation Id="1" Name=""><Attributes><Attribute Id="0" Name="Description" Value="Positive"/>
    </Attributes><Regions><Region Type="5"><Vertices><Vertex X="1.5" Y="2"/><Vertex X="3" Y="4"/></Vertices></Region>
    </Regions></Annotation></Annotations>"""
    (cells,) = read_points(written(tmp_path, "a.xml", text)).values()
    assert (cells.x.tolist(), cells.y.tolist()) == ([1.5, 3], [2, 4])
    assert cells.class_id.tolist() == [CellClass.POSITIVE] * 2


def test_pins_and_rulers_of_ndp_view(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    text = """<annotations>
    <ndpviewstate><title>Positive</title><coordformat>nanometers</coordformat>
      <annotation type="pin"><x>3000</x><y>-1000</y></annotation></ndpviewstate>
    <ndpviewstate><title>width</title><annotation type="linearmeasure"><x1>0</x1><y1>0</y1><x2>9</x2><y2>9</y2></annotation>
    </ndpviewstate></annotations>"""
    (cells,) = read_points(written(tmp_path, "a.ndpa", text), slide=SLIDE).values()
    assert (cells.x.tolist(), cells.y.tolist()) == ([2004], [1002])  # 2 µm right and 1 µm down of the centre
    assert "1 line" in caplog.text
    with pytest.raises(AnnotationError, match="annotation 1 is measured in pixels, not in nanometers"):
        read_drawing(written(tmp_path, "b.ndpa", text.replace("nanometers", "pixels")), SLIDE)


def test_terms_of_cytomine_are_classes(tmp_path: Path) -> None:
    entries: list[dict[str, object]] = [
        {"location": "POINT (5 90)", "term": ["Positive"]},
        {"location": "POINT (6 80)"},
    ]
    many = {"collection": entries}
    (cells,) = read_points(
        written(tmp_path, "a.json", json.dumps(many)), slide=AnnotatedSlide((100, 100))
    ).values()
    assert (cells.y.tolist(), cells.class_id.tolist()) == ([10, 20], [CellClass.POSITIVE, CellClass.NUCLEUS])
    entries[1]["location"] = "POINT (6 80"
    with pytest.raises(AnnotationError, match="annotation 2 has a location that can't be read"):
        read_drawing(written(tmp_path, "a.json", json.dumps(many)), SLIDE)


def test_sectra_tells_its_side_by_what_it_measured(tmp_path: Path) -> None:
    # 0.5 of a side of 2000 px at 0.5 µm: 500 µm, which 4000 px would make 1 mm.
    line = {"type": "Polyline", "result": "0.5 mm", "content": [{"x": 0.25, "y": 0.5}, {"x": 0.75, "y": 0.5}]}
    (feature,) = read_drawing(written(tmp_path, "a.json", json.dumps(line)), SLIDE).features
    assert feature.geometry["coordinates"] == [(500, 1000), (1500, 1000)]
    for content in ([{"x": 0.25, "y": "a"}], [{"x": 1e999, "y": 1}, {"x": 0, "y": 0}], None):
        with pytest.raises(AnnotationError, match="annotation 1 has places that can't be read"):
            read_drawing(written(tmp_path, "a.json", json.dumps(line | {"content": content})), SLIDE)


def test_the_content_tells_the_format_not_the_name(tmp_path: Path) -> None:
    (cells,) = read_points(written(tmp_path, "a.json", f"\n  {ASAP}")).values()
    assert len(cells) == 3
    square = '{"type": "Point", "coordinates": [1, 2]}'
    for name in ("a.txt", "a.csv", "a.xml"):
        (cells,) = read_points(written(tmp_path, name, square)).values()
        assert (cells.x.tolist(), cells.y.tolist()) == ([1], [2])


def test_regions_beside_others_are_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    square = {"type": "Polygon", "coordinates": [[[0, 0], [4, 0], [4, 4], [0, 4], [0, 0]]]}
    nothing: list[list[object]] = [[], [[]]]
    empties = [{"type": "Polygon", "coordinates": empty} for empty in nothing]
    collection = {
        "type": "GeometryCollection",
        "geometries": [square, {"type": "Point", "coordinates": [9, 9]}],
    }
    points = {"type": "MultiPoint", "coordinates": [[1, 1], [2, 2]]}
    cell = {"type": "Feature", "geometry": square, "properties": {"objectType": "detection"}}
    tile = {"type": "Feature", "geometry": square, "properties": {"objectType": "tile"}}
    found = read_regions(
        written(tmp_path, "a.geojson", json.dumps([[collection], points, *empties, cell, cell, [[tile]]])),
        SLIDE,
    )
    assert [region.polygon.bounds for region in found] == [(100, 50, 104, 54)]
    assert (
        "1 annotation of points, 2 shapes without a place, 2 detections and 1 object of type tile"
        in caplog.text
    )
    with pytest.raises(AnnotationError, match="holds 2 detections, but no regions"):
        read_regions(written(tmp_path, "b.geojson", json.dumps([cell, cell])), SLIDE)
    with pytest.raises(AnnotationError, match="holds no regions"):
        read_regions(written(tmp_path, "b.geojson", "[]"), SLIDE)
    with pytest.raises(AnnotationError, match="isn't GeoJSON or XML of annotations"):
        read_regions(written(tmp_path, "b.geojson", "x,y\n1,2\n"), SLIDE)


BOMB = (
    '<!DOCTYPE a [<!ENTITY b "ha"><!ENTITY c "&b;&b;">]><Annotations><Annotation Name="&c;"/></Annotations>'
)
FAR = [
    "[" * 100_000,
    '{"type":"Point","coordinates":[1e400,1]}',
    f'{{"type":"Point","coordinates":[{"9" * 400},1]}}',
]


@pytest.mark.parametrize(
    "content",
    [
        *(
            text.encode()
            for text in (*FAR, BOMB, BOMB.replace("DOCTYPE", "doctype"), "<a", "<a/>", "{", "[1]", '{"a": 1}')
        ),
        b'{"type":"Polygon","coordinates":[[[1,2],[3,null],[5,6],[1,2]]]}',
        b'{"type":"Feature","geometry":3}',
        b"<Annotations><Annotation><Region><Vertex X='1e999' Y='2'/></Region></Annotation></Annotations>",
        b"\x1f\x8b\x08\x00cut off",
        bytes(range(256)) * 8,
        bytes(1000),
        b"",
    ],
    ids=range(17),
)
@pytest.mark.parametrize("suffix", [".json", ".csv", ".txt", ".xml", ".geojson.gz"])
def test_broken_files_are_refused_in_one_sentence(tmp_path: Path, content: bytes, suffix: str) -> None:
    path = tmp_path / f"broken{suffix}"
    path.write_bytes(content)
    readers: list[Callable[[], object]] = [lambda: read_regions(path, SLIDE), lambda: read_points(path)]
    if not content and suffix == ".txt":  # no line, no image: no fault
        readers.pop()
    for read in readers:
        with pytest.raises(AnnotationError, match=r"broken") as caught:
            read()
        assert len(str(caught.value)) < 1000 and "\n" not in str(caught.value)


@pytest.mark.parametrize("text", [APERIO, ASAP, NDPA])
def test_cut_off_files_are_named(tmp_path: Path, text: str) -> None:
    for length in range(30, len(text), 97):
        with pytest.raises(AnnotationError, match=r"cut\.xml"):
            read_drawing(written(tmp_path, "cut.xml", text[:length]), SLIDE)


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
            read_drawing(CASES / "lazyslide" / "annotations_malformed.ndpa", SLIDE)

    @pytest.mark.parametrize("name", ["pathologycore-polyline.json", "cytomine-point.txt"])
    def test_what_needs_its_slide_says_so(self, name: str) -> None:
        with pytest.raises(AnnotationError, match=r"can't be read without the slide.*; pass --slide"):
            read_points(next(CASES.rglob(name)))

    def test_points_of_cytomine(self) -> None:
        (point,) = read_points(next(CASES.rglob("cytomine-point.txt")), slide=HIGH).values()
        assert (point.x.tolist(), point.y.tolist()) == ([27646], [20000 - 19349.34375])

    @pytest.mark.parametrize("name", ["circle", "freehand-polygon", "polygon", "rectangle"])
    def test_areas_of_cytomine(self, name: str) -> None:
        path = next(CASES.rglob(f"cytomine-{name}.txt"))
        (region,) = read_regions(path, HIGH)
        assert region.polygon.area == pytest.approx(json.loads(path.read_text())["annotation"]["area"], abs=1)

    @pytest.mark.parametrize("name", ["line", "freehand-line"])
    def test_lines_of_cytomine(self, name: str) -> None:
        with pytest.raises(AnnotationError, match="holds 1 line, but no regions"):
            read_regions(next(CASES.rglob(f"cytomine-{name}.txt")), HIGH)

    @pytest.mark.parametrize("size", [(47270, 20000), (20000, 47270)])
    def test_areas_of_sectra(self, size: tuple[int, int]) -> None:
        (region,) = read_regions(next(CASES.rglob("pathologycore-area.json")), AnnotatedSlide(size, mpp=0.5))
        assert region.polygon.area * 0.25 / 1e6 == pytest.approx(5.33, abs=0.01)  # mm², as the file says

    def test_sectra_on_another_slide(self) -> None:
        with pytest.raises(
            AnnotationError, match=r"'5\.33 mm²', which agrees with neither side of the slide"
        ):
            read_regions(next(CASES.rglob("pathologycore-area.json")), SLIDE)

    def test_data_of_qupath_s_own(self) -> None:
        with pytest.raises(AnnotationError, match=r"is data of QuPath's own.*; export GeoJSON"):
            read_regions(CASES / "qupath" / "test-objects.hierarchy", SLIDE)

    def test_annotated_cells_alone_are_no_cells(self) -> None:
        with pytest.raises(AnnotationError, match=r"holds \d+ annotations with an area.*, but no cells"):
            read_points(next(CASES.rglob("qupath-polygon-cell-classified.json")))
