"""Which files and images belong together."""

import json
from pathlib import Path

import pytest

from wsi_edt.errors import AnnotationError
from wsi_edt.evaluation.pairs import read_pairs


def write(path: Path, content: str) -> Path:
    path.write_text(content, encoding="utf-8")
    return path


def geojson(*points: tuple[float, float]) -> str:
    geometries = [{"type": "Point", "coordinates": point} for point in points]
    features = [{"type": "Feature", "geometry": one, "properties": {}} for one in geometries]
    return json.dumps({"type": "FeatureCollection", "features": features})


def test_pairs_of_two_files(tmp_path: Path) -> None:
    predicted = write(tmp_path / "cells.csv", "x,y\n1,2\n")
    truth = write(tmp_path / "annotated.geojson", geojson((1.5, 2.5), (8, 9)))
    (pair,) = read_pairs(predicted, truth)
    assert pair.image == "annotated"
    assert (len(pair.predicted), len(pair.truth)) == (1, 2)


def test_pairs_of_files_of_several_images(tmp_path: Path) -> None:
    predicted = write(tmp_path / "p.csv", "image,x,y\na,1,2\nc,1,2\n")
    truth = write(tmp_path / "t.csv", "image,x,y\nb,1,2\na,1,2\na,5,6\n")
    pairs = read_pairs(predicted, truth)
    # What only one of them names has no cells in the other.
    assert [(p.image, len(p.predicted), len(p.truth)) for p in pairs] == [
        ("b", 0, 1),
        ("a", 1, 2),
        ("c", 1, 0),
    ]
    strangers = write(tmp_path / "s.csv", "image,x,y\nd,1,2\ne,1,2\n")
    with pytest.raises(AnnotationError, match="no image in common"):
        read_pairs(strangers, truth)


def test_pairs_of_folders(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    predicted, truth = tmp_path / "predicted", tmp_path / "truth"
    predicted.mkdir()
    truth.mkdir()
    for name in ("a.svs.geojson", "b.svs.geojson", "unlabelled.geojson"):
        write(predicted / name, geojson((1, 2)))
    write(truth / "b.svs.csv", "x,y\n")
    write(truth / "a.svs.csv", "x,y\n1.5,2.5\n")
    write(truth / "notes.md", "nothing")
    write(truth / ".hidden.csv", "nothing")
    pairs = read_pairs(predicted, truth)
    assert [(p.image, len(p.predicted), len(p.truth)) for p in pairs] == [("a.svs", 1, 1), ("b.svs", 1, 0)]
    assert "1 files have no truth and are left out, the first unlabelled" in caplog.text
    write(truth / "c.svs.csv", "x,y\n")
    with pytest.raises(AnnotationError, match=r"no predictions for c\.svs \(1 of 3"):
        read_pairs(predicted, truth)
    write(predicted / "c.svs.csv", "x,y\n")
    write(predicted / "c.svs.txt", "1 0\n")
    with pytest.raises(AnnotationError, match="the same stem"):
        read_pairs(predicted, truth)


def test_pairs_of_what_does_not_belong_together(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "x,y\n")
    with pytest.raises(AnnotationError, match="two files or two folders"):
        read_pairs(path, tmp_path)
    empty = tmp_path / "empty"
    empty.mkdir()
    with pytest.raises(AnnotationError, match="holds no points files"):
        read_pairs(tmp_path, empty)
