"""Points as spreadsheets, older programs and other programs write them; what must be read was worked out by hand."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.qupath.classes import ClassNames

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def only(found: dict[str, Cells]) -> Cells:
    (cells,) = found.values()
    return cells


def detection(x: float, name: object, **properties: object) -> dict[str, Any]:
    own = {"objectType": "detection", "classification": name, **properties}
    return {"type": "Feature", "geometry": {"type": "Point", "coordinates": [x, x]}, "properties": own}


THREE = [detection(100, {"name": "Positive"}), detection(200, {"name": "Negative"}), detection(300, None)]


def assert_three(cells: Cells) -> None:
    np.testing.assert_array_equal(cells.x, [100, 200, 300])
    np.testing.assert_array_equal(cells.y, [100, 200, 300])
    assert cells.class_id.tolist() == [POSITIVE, NEGATIVE, NUCLEUS]


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode("utf-8-sig"),
        lambda text: text.encode("utf-16"),
        lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
        lambda text: text.encode("utf-16-le"),
    ],
    ids=["utf-8 with a mark", "utf-16", "utf-16 big-endian", "utf-16 without a mark"],
)
def test_encodings_of_geojson_and_of_tables(tmp_path: Path, encode: Callable[[str], bytes]) -> None:
    (tmp_path / "a.geojson").write_bytes(encode(json.dumps({"type": "FeatureCollection", "features": THREE})))
    assert_three(only(read_points(tmp_path / "a.geojson")))
    (tmp_path / "a.csv").write_bytes(
        encode("x,y,class\n100.0,100,positive\n200.0,200,negative\n300.0,300,\n")
    )
    assert_three(only(read_points(tmp_path / "a.csv")))


def test_measurements_that_are_not_numbers(tmp_path: Path) -> None:
    measured = detection(100, {"name": "Positive"}, measurements={"DAB": float("nan"), "Score": 0.25})
    infinite = detection(200, {"name": "Negative"}, measurements={"Score": float("-inf")})
    text = json.dumps({"type": "FeatureCollection", "features": [measured, infinite, THREE[2]]})
    assert "NaN" in text and "-Infinity" in text  # as Java writes them too, and as JSON doesn't allow
    (tmp_path / "a.geojson").write_text(text)
    cells = only(read_points(tmp_path / "a.geojson"))
    assert_three(cells)
    assert cells.score.tolist() == [0.25, 1.0, 1.0]


def test_qupath_0_2(tmp_path: Path) -> None:
    def square(x: float) -> list[list[list[float]]]:
        return [[[x - 4, x - 4], [x + 4, x - 4], [x + 4, x + 4], [x - 4, x + 4], [x - 4, x - 4]]]

    def old(kind: str, x: float, name: str) -> dict[str, Any]:
        return {
            "type": "Feature",
            "id": kind,
            "geometry": {"type": "Polygon", "coordinates": square(x)},
            "properties": {
                "classification": {"name": name, "colorRGB": -377282},
                "measurements": [{"name": "Score", "value": 0.5}],
            },
        }

    features = [
        old("PathDetectionObject", 100, "Positive"),
        old("PathCellObject", 200, "Negative"),
        old("PathAnnotationObject", 900, "Tumor"),
    ]
    (tmp_path / "a.json").write_text(json.dumps(features))
    cells = only(read_points(tmp_path / "a.json"))
    np.testing.assert_allclose(cells.x, [100, 200])
    assert cells.class_id.tolist() == [POSITIVE, NEGATIVE]
    assert cells.score.tolist() == [0.5, 0.5]


@pytest.mark.parametrize("name", ["Positive", {"names": ["Tumor", "Positive"]}, "Tumor: Positive"])
def test_classifications_as_text_and_as_names(tmp_path: Path, name: object) -> None:
    (tmp_path / "a.geojson").write_text(json.dumps([detection(5, name)]))
    assert only(read_points(tmp_path / "a.geojson")).class_id.tolist() == [POSITIVE]


def test_what_is_no_cell_is_told_with_its_number(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    area = {"type": "Polygon", "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]]}
    line = {"type": "LineString", "coordinates": [[0, 0], [1, 1]]}
    others = [{"type": "Feature", "geometry": one, "properties": {}} for one in (area, line, area)]
    empty = {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": []}, "properties": {}}
    ignored = detection(1, {"name": "Ignore*"})
    (tmp_path / "a.geojson").write_text(json.dumps([*THREE, *others, empty, ignored]))
    with caplog.at_level(logging.WARNING):
        assert_three(only(read_points(tmp_path / "a.geojson")))
    assert (
        "2 annotations with an area, 1 line, 1 shape without a place and 1 cell of a class to ignore"
        in caplog.text
    )
    (tmp_path / "b.geojson").write_text(json.dumps(others))
    with pytest.raises(AnnotationError, match="holds 2 annotations with an area and 1 line, but no cells"):
        read_points(tmp_path / "b.geojson")


def test_other_classes_stand_for_what_the_user_says(tmp_path: Path) -> None:
    names = ["Neoplastic", "Neoplastic", "Inflammatory", "Positive"]
    (tmp_path / "a.geojson").write_text(
        json.dumps([detection(n, {"name": name}) for n, name in enumerate(names)])
    )
    with pytest.raises(
        AnnotationError, match=r"feature 1 has the class 'Neoplastic'.*2 'Neoplastic', 1 'Inf"
    ):
        read_points(tmp_path / "a.geojson")
    meant = ClassNames.from_options(["Neoplastic=nucleus", "inflammatory=Ignore"])
    assert only(read_points(tmp_path / "a.geojson", classes=meant)).x.tolist() == [0, 1, 3]
    (tmp_path / "a.csv").write_text("x,y,class\n1,1,Neoplastic\n2,2,Inflammatory\n")
    assert only(read_points(tmp_path / "a.csv", classes=meant)).class_id.tolist() == [NUCLEUS]


@pytest.mark.parametrize("option", ["Neoplastic", "=nucleus", "Neoplastic=tumour"])
def test_wrong_class_options_are_usage_errors(option: str) -> None:
    with pytest.raises(UsageError, match="isn't NAME=CLASS"):
        ClassNames.from_options([option])


@pytest.mark.parametrize(
    "text",
    [
        "x;y;class\n100,0;100;positive\n200,0;200;negative\n300,0;300;\n",
        "x\ty\tclass\n100,0\t100\tpositive\n200.0\t200\tnegative\n300.0\t300\t\n",
        'sep=;\r\n"X";"Y";"Class"\r\n"100,0";"100";"Positive"\r\n200,0;200;Negative\r\n300,0;300;\r\n',
        ' X , Y ,Classification\n100.0,100,Tumor: Positive\n\n200.0,200,Negative\n"300.0",300,\n',
        "Object type,Centroid X px,Centroid Y px,Class\nDetection,100.0,100,Positive\nCell,200.0,200,Negative\n"
        "Point,300.0,300,\nAnnotation,7,7,Tumor\n",
    ],
    ids=["semicolons", "tabs", "sep=", "spaces", "QuPath px"],
)
def test_tables(tmp_path: Path, text: str) -> None:
    for name in ("a.csv", "a.tsv", "a.txt"):
        (tmp_path / name).write_text(text)
        assert_three(only(read_points(tmp_path / name)))


def test_centroids_in_whole_px_are_no_indices(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("Centroid X px|Centroid Y px\n100|100\n")
    assert only(read_points(tmp_path / "a.csv")).x.tolist() == [100]
    (tmp_path / "a.csv").write_text("x|y\n100|100\n")
    assert only(read_points(tmp_path / "a.csv")).x.tolist() == [100.5]


def test_with_a_slide_qupath_s_tables_start_where_it_crops(tmp_path: Path) -> None:
    slide = AnnotatedSlide((9000, 9000), mpp=0.25, corner=(100, 50))
    (tmp_path / "a.tsv").write_text("Centroid X µm\tCentroid Y µm\n25\t25\n", encoding="cp1252")
    cells = only(read_points(tmp_path / "a.tsv", slide=slide))
    assert (cells.x.tolist(), cells.y.tolist()) == ([200], [150])  # 25 / 0.25, and the corner
    (tmp_path / "a.tsv").write_text("x\ty\n25.0\t25\n")
    assert only(read_points(tmp_path / "a.tsv", slide=slide)).x.tolist() == [25]


def test_tables_of_old_qupath_name_annotations(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    rows = ["a.tif\tPathAnnotationObject\t\t9\t9", "a.tif\tPositive\tPositive\t25\t25"]
    header = "Image\tName\tClass\tCentroid X µm\tCentroid Y µm"
    (tmp_path / "m.txt").write_text("\n".join([header, *rows]), encoding="utf-16")
    assert only(read_points(tmp_path / "m.txt", mpp=1.0)).x.tolist() == [25]
    assert "1 annotation" in caplog.text


@pytest.mark.parametrize("unit", ["µm", "μm", "Âµm", "Î¼m", "\ufffdm", "um", "[µm]", "(microns)"])
def test_measurements_of_qupath_in_um(tmp_path: Path, unit: str) -> None:
    rows = ["a.tif\tDetection\tPositive\t25.0\t25.0", "a.tif\tDetection\tNegative\t75.0\t75.0"]
    header = f"Image\tObject type\tClassification\tCentroid X {unit}\tCentroid Y {unit}"
    (tmp_path / "m.tsv").write_text("\n".join([header, *rows]), encoding="utf-8")
    found = read_points(tmp_path / "m.tsv", mpp=0.25)
    assert list(found) == ["a.tif"]
    np.testing.assert_allclose(
        found["a.tif"].x, [100, 300]
    )  # 25 / 0.25; no half px: centroids aren't indices
    with pytest.raises(AnnotationError, match="has positions in µm; pass --mpp"):
        read_points(tmp_path / "m.tsv")


def test_line_numbers_count_every_line(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sep=;\nx;y\n1;2\n\n3;b\n")
    with pytest.raises(AnnotationError, match="line 5 has 'b' where a number belongs"):
        read_points(tmp_path / "a.csv")


def test_a_class_column_of_another_name_is_pointed_at(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "a.csv").write_text("X;Y;Befund\n1,5;2;gefärbt\n", encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        read_points(tmp_path / "a.csv")
    assert "has no column class, so that its cells have none; it has befund" in caplog.text
