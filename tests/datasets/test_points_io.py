"""Points files of every kind that is promised, and sentences for those that aren't."""

import gzip
import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest

from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import AnnotationError
from wsi_edt.qupath.cells_out import write_geojson

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def rows(cells: Cells) -> list[tuple[float, float, int]]:
    return list(zip(cells.x.tolist(), cells.y.tolist(), cells.class_id.tolist(), strict=True))


def feature(geometry: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return {"type": "Feature", "geometry": geometry, "properties": properties}


def point(x: float, y: float) -> dict[str, Any]:
    return {"type": "Point", "coordinates": [x, y]}


def square(x: float, y: float, half: float) -> dict[str, Any]:
    ring = [[x - half, y - half], [x + half, y - half], [x + half, y + half], [x - half, y + half]]
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}


def collection(*features: dict[str, Any]) -> str:
    return json.dumps({"type": "FeatureCollection", "features": features})


POSITIVE_CLASS = {"name": "Positive", "color": [250, 62, 62]}
NEGATIVE_CLASS = {"name": "Negative", "color": [112, 112, 225]}


def test_geojson_of_detections(tmp_path: Path) -> None:
    content = collection(
        feature(
            point(10.25, 20.5),
            objectType="detection",
            classification=POSITIVE_CLASS,
            measurements={"score": 0.75},
        ),
        feature(square(40, 60, 5), objectType="detection", classification=NEGATIVE_CLASS),
        feature(point(1, 2), objectType="detection"),
    )
    found = read_points(write(tmp_path / "slide.svs.geojson", content))
    assert list(found) == ["slide.svs"]
    # Whole numbers in GeoJSON are continuous px like all others.
    assert rows(found["slide.svs"]) == [(10.25, 20.5, POSITIVE), (40.0, 60.0, NEGATIVE), (1.0, 2.0, NUCLEUS)]
    assert found["slide.svs"].score.tolist() == [0.75, 1.0, 1.0]


def test_geojson_of_annotations(tmp_path: Path) -> None:
    # Points that somebody set are cells; the region that they drew is none.
    two_points = {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]}
    content = collection(
        feature(two_points, objectType="annotation", classification=NEGATIVE_CLASS),
        feature(point(5, 6), classification={"name": "Tumor: Positive"}),
        feature(point(7, 8), classification={"names": ["Tumor", "Negative"]}),
        feature(square(40, 60, 5), objectType="annotation", classification={"name": "Tumor"}),
        feature(square(40, 60, 5)),
    )
    found = read_points(write(tmp_path / "points.json", content))
    assert rows(found["points"]) == [(1, 2, NEGATIVE), (3, 4, NEGATIVE), (5, 6, POSITIVE), (7, 8, NEGATIVE)]


def test_geojson_of_cells_counts_the_nucleus(tmp_path: Path) -> None:
    cell = feature(square(50, 50, 20), objectType="cell", classification=POSITIVE_CLASS)
    cell["nucleusGeometry"] = square(45, 52, 4)
    cell["properties"]["measurements"] = [{"name": "score", "value": 0.5}]
    found = read_points(write(tmp_path / "cells.geojson", json.dumps([cell])))
    assert rows(found["cells"]) == [(45, 52, POSITIVE)]
    assert found["cells"].score.tolist() == [0.5]


def test_geojson_zipped_and_empty(tmp_path: Path) -> None:
    path = tmp_path / "cells.geojson.gz"
    path.write_bytes(gzip.compress(collection(feature(point(1.5, 2.5), objectType="detection")).encode()))
    assert rows(read_points(path)["cells"]) == [(1.5, 2.5, NUCLEUS)]
    assert len(read_points(write(tmp_path / "none.geojson", collection()))["none"]) == 0


def test_csv_with_columns_in_any_order(tmp_path: Path) -> None:
    content = "area_px, Y,class,X,score\n12,2.5,positive,1.5,0.25\n\n13,4.0,Negative,3.0,\n14,6.5,,5.5,1\n"
    found = read_points(write(tmp_path / "case.csv", content))
    assert rows(found["case"]) == [(1.5, 2.5, POSITIVE), (3.0, 4.0, NEGATIVE), (5.5, 6.5, NUCLEUS)]
    assert found["case"].score.tolist() == [0.25, 1.0, 1.0]


def test_csv_of_several_images(tmp_path: Path) -> None:
    found = read_points(write(tmp_path / "all.csv", "\ufeffimage,x,y\nb,1.5,1\na,2,2\nb,3,3\n"))
    assert {image: rows(cells) for image, cells in found.items()} == {
        "b": [(1.5, 1.0, NUCLEUS), (3.0, 3.0, NUCLEUS)],
        "a": [(2.0, 2.0, NUCLEUS)],
    }


def test_whole_numbers_are_pixel_indices(tmp_path: Path) -> None:
    whole = read_points(write(tmp_path / "whole.csv", "x,y\n3,4\n-1,+7\n"))["whole"]
    assert rows(whole) == [(3.5, 4.5, NUCLEUS), (-0.5, 7.5, NUCLEUS)]
    # One decimal point anywhere says that the file has continuous coordinates.
    continuous = read_points(write(tmp_path / "continuous.csv", "x,y\n3,4\n5,7.0\n"))["continuous"]
    assert rows(continuous) == [(3.0, 4.0, NUCLEUS), (5.0, 7.0, NUCLEUS)]
    text = read_points(write(tmp_path / "whole.txt", "1 1 3 4\n"))["1"]
    assert rows(text) == [(3.5, 4.5, NUCLEUS)]


def test_csv_without_rows_is_one_image_without_cells(tmp_path: Path) -> None:
    found = read_points(write(tmp_path / "none.csv", "x,y\n"))
    assert {image: len(cells) for image, cells in found.items()} == {"none": 0}


def test_text_of_predictions_and_of_truth(tmp_path: Path) -> None:
    predicted = read_points(write(tmp_path / "predicted.txt", "1 2 10.5 20.5 30 40\n2 0\n\n7 1 5 6.5\n"))
    assert {image: rows(cells) for image, cells in predicted.items()} == {
        "1": [(10.5, 20.5, NUCLEUS), (30.0, 40.0, NUCLEUS)],
        "2": [],
        "7": [(5.0, 6.5, NUCLEUS)],
    }
    truth = read_points(
        write(tmp_path / "truth.txt", "1 2 10.5 20.5 4 8 0 30 40 4 8 1\n2 0\n7 1 5 6.5 5 10 0\n")
    )
    assert {image: rows(cells) for image, cells in truth.items()} == {
        image: rows(cells) for image, cells in predicted.items()
    }


def test_a_line_of_five_predictions_is_not_taken_for_two_of_truth(tmp_path: Path) -> None:
    # 5 points of 2 numbers and 2 points of 5 are as long; the count tells them apart.
    numbers = " ".join(f"{n}.5" for n in range(10))
    assert len(read_points(write(tmp_path / "a.txt", f"1 5 {numbers}"))["1"]) == 5
    assert rows(read_points(write(tmp_path / "b.txt", f"1 2 {numbers}"))["1"]) == [
        (0.5, 1.5, 2),
        (5.5, 6.5, 2),
    ]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.geojson", "{", "a.geojson isn't GeoJSON"),
        ("a.geojson", '{"type": "Topology"}', "has no features"),
        ("a.geojson", "[3]", "feature 1"),
        (
            "a.geojson",
            collection(feature(point(1, 2), classification={"name": "Stroma"})),
            "feature 1 has the class 'Stroma'",
        ),
        ("a.geojson", collection(feature({"type": "Point", "coordinates": [1]})), "feature 1 has a Point"),
        (
            "a.geojson",
            collection(feature({"type": "Point", "coordinates": ["a", 2]})),
            "feature 1 has a Point",
        ),
        ("a.geojson", collection(feature({"type": "Blob"}, objectType="detection")), "feature 1 has a Blob"),
        (
            "a.geojson",
            collection(feature({}, objectType="detection")),
            "holds 1 shape without a place, but no cells",
        ),
        (
            "a.geojson",
            collection(feature({"type": "Polygon", "coordinates": []}, objectType="detection")),
            "holds 1 shape without a place, but no cells",
        ),
        ("a.geojson", '[{"id": 3, "type": "Area"}]', "feature 1 is a Area, not a GeoJSON feature"),
        ("a.geojson", '[{"type": "Feature", "geometry": [1, 2], "properties": {}}]', "feature 1"),
        ("a.geojson", '[{"type": "Feature", "geometry": null, "properties": [1]}]', "feature 1"),
        ("a.csv", "a,b\n1,2\n", "no header with x and y"),
        ("a.csv", "", "no header with x and y"),
        ("a.csv", "x,y\n1,2\n3,b\n", "line 3 has 'b' where a number belongs"),
        ("a.csv", "x,y\n1,inf\n", "line 2 has 'inf' where a number belongs"),
        ("a.csv", "x,y\n1\n", "line 2 has no y"),
        ("a.csv", "x,y,class\n1,2,stroma\n", "line 2 has the class 'stroma', not one of"),
        ("a.csv", "x,y,score\n1,2,high\n", "line 2 has 'high' where a number belongs"),
        ("a.txt", "1 2 3 4 5\n", "line 1 has 3 numbers: 2 points need 4"),
        ("a.txt", "1 1 3 4\n1 1 3 4\n", "line 2 is another line of image 1; join the two"),
        ("a.txt", "img\n", "line 1 doesn't start with"),
        ("a.txt", "1 x 3 4\n", "line 1 doesn't start with"),
        ("a.txt", "1 1 3 four\n", "line 1 has 'four' where a number belongs"),
        ("a.svg", "<x/>", "a.svg isn't a points file"),
        ("a.xml", "<x/>", "a.xml is XML of a kind that isn't read (its first element is <x>)"),
        ("a.xml", "<Annotations><Annotation></Annotations>", "a.xml isn't XML"),
        ("a.xml", '<!DOCTYPE a [<!ENTITY b "b">]><Annotations/>', "declares a document type"),
        ("a.geojson.gz", "not zipped", "a.geojson.gz can't be read"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    with pytest.raises(AnnotationError) as raised:
        read_points(write(tmp_path / name, content))
    assert message in str(raised.value)
    assert name in str(raised.value)


@pytest.mark.parametrize("name", ["a.csv", "a.txt"])
def test_files_that_are_no_text_are_named(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"x,y\n\xff\xfe\x00x")
    with pytest.raises(AnnotationError, match=f"{name} isn't"):
        read_points(tmp_path / name)


def test_a_cut_off_zip_is_named(tmp_path: Path) -> None:
    packed = gzip.compress(collection(*(feature(point(n, n)) for n in range(50))).encode())
    (tmp_path / "a.geojson.gz").write_bytes(packed[: len(packed) // 2])
    with pytest.raises(AnnotationError, match=r"a\.geojson\.gz can't be read"):
        read_points(tmp_path / "a.geojson.gz")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(AnnotationError, match=r"a\.csv can't be read"):
        read_points(tmp_path / "a.csv")


@pytest.mark.parametrize("geometry", ["point", "circle"])
@pytest.mark.parametrize("suffix", [".geojson", ".geojson.gz"])
def test_what_a_run_writes_is_read_back(
    tmp_path: Path, geometry: Literal["point", "circle"], suffix: str
) -> None:
    rng = np.random.default_rng(0)
    x, y = rng.uniform(100, 10_000, (2, 300)).round(2)
    written = Cells(
        x, y, rng.uniform(0.3, 1, 300).astype(np.float32), rng.integers(0, 3, 300).astype(np.uint8)
    )
    path = tmp_path / f"cells{suffix}"
    write_geojson(path, written, slide_name="case.svs", geometry=geometry, radius_px=12.0)
    read, expected = read_points(path)["cells"].sorted_by_position(), written.sorted_by_position()
    np.testing.assert_allclose(read.x, expected.x, atol=0.011)
    np.testing.assert_allclose(read.y, expected.y, atol=0.011)
    np.testing.assert_allclose(read.score, expected.score, atol=0.0006)
    np.testing.assert_array_equal(read.class_id, expected.class_id)


def test_ten_thousand_points_keep_their_values(tmp_path: Path) -> None:
    values = np.random.default_rng(0).uniform(0, 1e5, (10_000, 2)).round(2)
    content = collection(*(feature(point(x, y), objectType="detection") for x, y in values.tolist()))
    cells = read_points(write(tmp_path / "many.geojson", content))["many"]
    np.testing.assert_array_equal(np.stack([cells.x, cells.y], axis=1), values)
