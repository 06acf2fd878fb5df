"""`--roi FOLDER`: which file is which slide's."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.stand_ins import MPP
from wsi_edt.run.discover import SlideRef
from wsi_edt.run.roi import with_roi
from wsi_edt.slides.source import SlideSource


def matched(slides: dict[str, str], roi: Path, out: Path = Path("out")) -> dict[str, str]:
    """The file of each slide, by the name of its results and where it lies; or why it is refused."""
    refs = [SlideRef(SlideSource(Path(path), MPP), name) for name, path in slides.items()]
    found, notes = with_roi(refs, roi, out=out)
    words = {
        ref.name: str(ref.refused)
        if ref.refused
        else (ref.regions.relative_to(roi).as_posix() if ref.regions and ref.only_regions else "")
        for ref in found
    }
    return words | {"note": "; ".join(notes)}


def empty_file(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.mark.parametrize(
    ("slide", "file"),
    [
        ("case7.svs", "case7.geojson"),  # as QuPath calls it
        ("case7.svs", "case7.svs.geojson"),
        ("case7.svs", "case7.xml"),
        ("case7.svs", "CASE7.GeoJSON.gz"),
        ("case7.svs", "case7.json"),
        ("case7.ndpi", "case7.ndpi.ndpa"),
        ("case7.ome.tif", "case7.geojson"),
        ("case7", "case7.geojson"),  # a folder of DICOM
        ("case 7.1", "case 7.1.geojson"),
        ("a/b/case7.svs", "b/case7.geojson"),
        ("a/b/case7.svs", "case7.geojson"),
        ("e\u0301.svs", "\xe9.geojson"),
    ],
)
def test_a_file_is_called_as_its_slide(tmp_path: Path, slide: str, file: str) -> None:
    empty_file(tmp_path / file)
    assert matched({slide: f"/data/{slide}"}, tmp_path) == {slide: file, "note": ""}


def test_a_name_in_a_table_is_a_name_too(tmp_path: Path) -> None:
    empty_file(tmp_path / "K-12.geojson")
    assert matched({"K-12": "/data/scan0001.svs"}, tmp_path)["K-12"] == "K-12.geojson"


def test_the_nearer_name_goes_before_the_farther(tmp_path: Path) -> None:
    for name in ("a.geojson", "a.svs.geojson", "deep/a.geojson", "other/b.geojson"):
        empty_file(tmp_path / name)
    found = matched(
        {"a.svs": "/s/a.svs", "a.tif": "/s/a.tif", "deep/a.svs": "/s/deep/a.svs", "b.svs": "/s/b.svs"},
        tmp_path,
    )
    assert found["a.svs"] == "a.svs.geojson" and found["a.tif"] == "a.geojson"
    assert found["deep/a.svs"] == "deep/a.geojson"
    assert found["b.svs"].startswith(f"/s/b.svs has no regions in {tmp_path}; put b.geojson there"), (
        "that lies in another folder than the slide"
    )
    assert found["note"] == f"1 file in {tmp_path} belongs to no slide of this run: other/b.geojson"


def test_what_is_ambiguous_is_refused_and_the_others_are_run(tmp_path: Path) -> None:
    for name in ("a.geojson", "b.geojson", "b.xml", "c.geojson"):
        empty_file(tmp_path / name)
    found = matched({name: f"/s/{name}" for name in ("a.svs", "a.tif", "b.svs", "c.svs")}, tmp_path)
    assert "shares its name with another slide, and which of them a.geojson" in found["a.svs"]
    assert "shares its name" in found["a.tif"]
    assert "has several files of regions" in found["b.svs"] and "b.geojson and b.xml" in found["b.svs"]
    assert found["c.svs"] == "c.geojson"
