"""Slides that were annotated in QuPath: what is marked, where it counts, and in which px."""

import json
import logging
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import shapely

from tests.conftest import MPP, RULER_SIZE, ruler_pixels, write_pyramid
from tests.training.sets import write_rgb
from wsi_edt.cells import CellClass, Cells
from wsi_edt.datasets import Labelled, LabelledImage, SetSpec, read_set
from wsi_edt.datasets.qupath import CONTEXT_PX, LARGEST_REGION_PX, slide_records
from wsi_edt.errors import AnnotationError, UsageError
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.slides import ImageSlide

Json = dict[str, Any]


def classification(name: str | None) -> Json:
    return {} if name is None else {"classification": {"name": name, "color": [200, 0, 0]}}


def region(left: float, top: float, right: float, bottom: float, name: str | None = None) -> Json:
    """A rectangle as QuPath exports it."""
    ring = [[left, top], [right, top], [right, bottom], [left, bottom], [left, top]]
    return {
        "type": "Feature",
        "id": "96f8a4a5-6f3c-4a1d-8c55-5f2c0e0f7f6a",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "properties": {"objectType": "annotation", "isLocked": True, **classification(name)},
    }


def points(name: str | None, *positions: tuple[float, float]) -> Json:
    """A Points annotation as QuPath exports it."""
    return {
        "type": "Feature",
        "id": "0f1f8a9e-5a47-4a22-93d8-0c3b0a8a7d11",
        "geometry": {"type": "MultiPoint", "coordinates": [list(position) for position in positions]},
        "properties": {"objectType": "annotation", **classification(name)},
    }


def detection(name: str | None, x: float, y: float) -> Json:
    """A detection's outline, 6 px wide around (x, y)."""
    outlined = region(x - 3, y - 3, x + 3, y + 3, name)
    outlined["properties"]["objectType"] = "detection"
    return outlined


def write(path: Path, *features: Json) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    """A folder with one slide, whose colours say where they are from."""
    folder = tmp_path / "lab"
    folder.mkdir()
    write_pyramid(folder / "a.tif", ruler_pixels(), compression="deflate")
    return folder


def read(lab: Path, **entries: Any) -> list[LabelledImage]:
    return read_set(SetSpec(name="lab", format="qupath", **entries), lab.parent)


def test_a_region_becomes_an_image_with_context(lab: Path) -> None:
    write(
        lab / "a.geojson",
        region(500, 400, 560, 450),
        points("Positive", (510.5, 410.25), (520, 420)),
        points("Negative", (530, 430)),
    )
    (image,) = read(lab)
    left, top = 500 - CONTEXT_PX, 400 - CONTEXT_PX
    assert image.pixels.shape == (50 + 2 * CONTEXT_PX, 60 + 2 * CONTEXT_PX, 3)
    assert np.array_equal(
        image.pixels, ruler_pixels()[top : top + image.pixels.shape[0], left : left + image.pixels.shape[1]]
    )
    assert (image.points + np.array([left, top])).tolist() == [[510.5, 410.25], [520, 420], [530, 430]]
    assert image.class_id.tolist() == [1, 1, 0]
    assert image.region is not None
    assert image.region.equals(shapely.box(CONTEXT_PX, CONTEXT_PX, CONTEXT_PX + 60, CONTEXT_PX + 50))
    assert image.image_mpp == pytest.approx(MPP, rel=1e-3)
    assert image.case == "a.tif"
    assert (image.classes, image.nuclei) == (Labelled.EVERYWHERE, Labelled.EVERYWHERE)


def test_at_the_slides_edge_context_ends(lab: Path) -> None:
    width, height = RULER_SIZE
    write(
        lab / "a.geojson",
        region(width - 50, height - 40, width + 30, height + 30),
        points(None, (width - 10, height - 10)),
    )
    (image,) = read(lab)
    assert image.pixels.shape == (40 + CONTEXT_PX, 50 + CONTEXT_PX, 3)
    assert np.array_equal(image.pixels[-1, -1], ruler_pixels()[-1, -1])
    assert image.region is not None
    assert image.region.bounds == (CONTEXT_PX, CONTEXT_PX, CONTEXT_PX + 50, CONTEXT_PX + 40)
    assert image.points.tolist() == [[CONTEXT_PX + 40, CONTEXT_PX + 30]]


def test_classes_as_qupath_names_them(lab: Path) -> None:
    write(
        lab / "a.geojson",
        region(0, 0, 100, 100, "Region*"),
        points("Tumor: Positive", (10, 10)),
        detection("Negative", 20, 20),
        detection("Tumor: Negative", 30, 30),
        points(None, (40, 40)),
    )
    (image,) = read(lab)
    assert image.points.tolist() == [[10, 10], [20, 20], [30, 30], [40, 40]]
    assert image.class_id.tolist() == [1, 0, 0, 2]


def test_classes_that_the_user_names(lab: Path) -> None:
    marked = points("Neoplastic", (20, 20)), points("Debris", (30, 30)), points("Stroma", (40, 40))
    write(lab / "a.geojson", region(10, 10, 60, 60), *marked)
    names = {"neoplastic": "positive", "Debris": "ignore", "Stroma": "negative"}
    (image,) = read(lab, class_names=names)
    assert image.points.tolist() == [[20, 20], [40, 40]]
    assert image.class_id.tolist() == [CellClass.POSITIVE, CellClass.NEGATIVE]
    with pytest.raises(
        AnnotationError, match=r"has the class 'Neoplastic'.*in a training's set by class_names"
    ):
        read(lab)
    with pytest.raises(
        UsageError, match=r"class_names of the set 'lab' has Debris=dirt, which isn't NAME=CLASS"
    ):
        read(lab, class_names={"Debris": "dirt"})
    with pytest.raises(UsageError, match="can't be, since the classes of bcdata are fixed"):
        read_set(SetSpec(name="lab", format="bcdata", class_names=names), lab.parent)


def test_annotations_of_other_programs(lab: Path) -> None:
    corners = "".join(f'<Vertex X="{x}" Y="{y}"/>' for x, y in ((10, 10), (60, 10), (60, 60), (10, 60)))
    drawn = f'<Annotation Name=""><Regions><Region Type="0"><Vertices>{corners}</Vertices></Region></Regions></Annotation>'
    marks = '<Annotation Name="Positive"><Regions><Region Type="5"><Vertices><Vertex X="20" Y="30"/></Vertices></Region>'
    (lab / "a.xml").write_text(f"<Annotations>{drawn}{marks}</Regions></Annotation></Annotations>")
    (image,) = read(lab)
    assert image.points.tolist() == [[20, 30]] and image.class_id.tolist() == [CellClass.POSITIVE]
    write(lab / "a.geojson", region(10, 10, 60, 60))
    with pytest.raises(AnnotationError, match=r"a\.xml annotates a\.tif, as a\.geojson does; keep one"):
        read(lab)


def test_nuclei_without_any_class_teach_no_class(lab: Path) -> None:
    write(lab / "a.geojson", region(0, 0, 100, 100), points(None, (10, 10)))
    assert read(lab)[0].classes is Labelled.NOWHERE
    assert read(lab, classes=Labelled.EVERYWHERE)[0].classes is Labelled.EVERYWHERE


def test_a_region_without_nuclei_is_background(lab: Path) -> None:
    write(lab / "a.geojson", region(0, 0, 100, 100))
    (image,) = read(lab)
    assert image.points.shape == (0, 2)
    assert image.classes is Labelled.EVERYWHERE


def test_what_lies_outside_is_counted_and_left_out(lab: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(lab / "a.geojson", region(0, 0, 100, 100), points("Positive", (10, 10), (200, 10), (101, 50)))
    with caplog.at_level(logging.WARNING):
        (image,) = read(lab)
    assert image.points.tolist() == [[10, 10]]
    assert "2 of 3 marked nuclei lie outside all regions" in caplog.text


def test_several_regions_of_one_slide(lab: Path) -> None:
    write(
        lab / "a.geojson",
        region(0, 0, 100, 100, "Tumor"),
        region(600, 600, 700, 700, "Stroma"),
        points("Positive", (10, 10), (650, 650)),
    )
    first, second = read(lab)
    assert first.path != second.path
    assert first.case == second.case == "a.tif"
    assert len(first.points) == len(second.points) == 1


def test_what_overlaps_is_one_image(lab: Path) -> None:
    """A nucleus in both must not be drawn, or scored, twice."""
    write(
        lab / "a.geojson",
        region(0, 0, 100, 100),
        region(300, 0, 400, 100),
        region(50, 0, 150, 100),
        points("Positive", (75, 50)),
    )
    apart, joined = read(lab)
    assert apart.region is not None and joined.region is not None
    assert (apart.region.area, joined.region.area) == (100 * 100, 150 * 100)
    assert (len(apart.points), len(joined.points)) == (0, 1)


def test_what_is_ignored_is_cut_out(lab: Path) -> None:
    write(
        lab / "a.geojson",
        region(0, 0, 100, 100),
        region(20, 20, 40, 40, "Ignore*"),
        points("Positive", (10, 10), (30, 30)),
    )
    (image,) = read(lab)
    assert image.region is not None
    assert image.region.area == 100 * 100 - 20 * 20
    assert image.points.tolist() == [[10, 10]]


def test_bounds_are_added(bounded_slide: ImageSlide, tmp_path: Path) -> None:
    """QuPath's (10, 20) is level 0's (110, 70) on a slide whose bounds start at (100, 50)."""
    path = write(tmp_path / "b.geojson", region(5, 5, 60, 60), points("Positive", (10, 20)))
    (record,) = slide_records(bounded_slide, path, case="b")
    assert record.pixels is not None and record.region is not None
    # The context reaches the slide's corner, so that these are level-0 px.
    assert record.points.tolist() == [[110, 70]]
    assert record.region.bounds == (105, 55, 160, 110)
    assert np.array_equal(record.pixels[70, 110], bounded_slide.read_level(0, bounded_slide.bounds)[20, 10])


def test_a_runs_cells_come_back(bounded_slide: ImageSlide, tmp_path: Path) -> None:
    """What the program wrote for QuPath is, exported from there with a region around it, what it reads."""
    rng = np.random.default_rng(0)
    x, y = rng.uniform(110, 390, 40).round(2), rng.uniform(60, 240, 40).round(2)
    cells = Cells(x, y, np.ones(40, np.float32), rng.integers(0, 2, 40).astype(np.uint8)).sorted_by_position()
    path = tmp_path / "cells.geojson"
    bounds = bounded_slide.bounds
    write_geojson(path, cells, slide_name="b", radius_px=5, corner=(bounds.x, bounds.y))
    written = json.loads(path.read_text())
    path = write(tmp_path / "b.geojson", region(0, 0, bounds.width, bounds.height), *written["features"])
    (record,) = slide_records(bounded_slide, path, case="b")
    assert np.allclose(record.points, np.column_stack([cells.x, cells.y]), atol=1e-9)
    assert record.class_id.tolist() == cells.class_id.tolist()


def test_a_slide_without_mpp_needs_it(tmp_path: Path, ihc_pixels: npt.NDArray[np.uint8]) -> None:
    write_rgb(tmp_path / "lab/a.png", ihc_pixels)
    write(tmp_path / "lab/a.geojson", region(0, 0, 100, 100))
    with pytest.raises(AnnotationError, match=r"a\.png#1 has no µm/px; give mpp for the set 'lab'"):
        read(tmp_path / "lab")
    (image,) = read(tmp_path / "lab", mpp=0.4)
    assert image.image_mpp == 0.4
    assert np.array_equal(image.pixels, ihc_pixels[:356, :356])


def test_a_slides_own_mpp_is_never_overruled(lab: Path) -> None:
    write(lab / "a.geojson", region(0, 0, 100, 100))
    assert read(lab, mpp=0.5)[0].image_mpp == pytest.approx(MPP, rel=1e-3)


@pytest.mark.parametrize("name", ["a.geojson", "a.tif.geojson", "below/a.geojson"])
def test_the_slide_of_the_same_name(lab: Path, name: str) -> None:
    write(lab / name, region(0, 0, 100, 100))
    (lab / "a.png").write_bytes(b"a thumbnail")
    assert read(lab)[0].case == "a.tif"


def test_slides_in_a_folder_of_their_own(lab: Path) -> None:
    (lab / "slides").mkdir()
    (lab / "a.tif").rename(lab / "slides/a.tif")
    write(lab / "annotations/a.geojson", region(0, 0, 100, 100))
    assert read(lab)[0].case == "slides/a.tif"


def test_slides_that_nobody_annotated_are_said(lab: Path, caplog: pytest.LogCaptureFixture) -> None:
    write(lab / "a.geojson", region(0, 0, 100, 100))
    assert len(read(lab)) == 1
    assert not caplog.text
    for name in ("later.svs", "sub/next.ndpi", "a.png", ".hidden.svs"):
        (lab / name).parent.mkdir(exist_ok=True)
        (lab / name).touch()
    assert len(read(lab)) == 1
    assert "passed over 2 slides (later.svs, next.ndpi) without annotations" in caplog.text


def test_a_slide_that_is_not_there_or_is_two(lab: Path) -> None:
    write(lab / "b.geojson", region(0, 0, 100, 100))
    with pytest.raises(AnnotationError, match=r"b\.geojson has no slide: there is no b\.\* below"):
        read(lab)
    (lab / "b.svs").touch()
    (lab / "b.tif").touch()
    with pytest.raises(
        AnnotationError, match=r"b\.geojson may belong to b\.svs or b\.tif .*rename it to b\.svs\.geojson"
    ):
        read(lab)


@pytest.mark.parametrize(
    ("features", "says"),
    [
        ([points("Positive", (1, 1), (2, 2))], "marks 2 nuclei but has no region; draw an annotation"),
        ([], "marks no nuclei and has no region"),
        ([region(0, 0, 9, 9, "Ignore*"), points("Positive", (1, 1))], "marks 1 nuclei but has no region"),
        (
            [region(0, 0, 9, 9), points("Mitosis", (1, 1))],
            "feature 2 has the class 'Mitosis', not one of",
        ),
        ([region(0, 0, 0, 9)], "feature 1 has a Polygon without an area"),
        (
            [region(5000, 0, 5010, 9, "Tumor")],
            r" has a region 'Tumor' outside the slide a\.tif \(1102×902 px\)",
        ),
    ],
)
def test_wrong_annotations_are_named(lab: Path, features: list[Json], says: str) -> None:
    write(lab / "a.geojson", *features)
    with pytest.raises(AnnotationError, match=rf"a\.geojson.*{says}"):
        read(lab)


def test_an_empty_file_is_named(lab: Path) -> None:
    (lab / "a.geojson").write_text("")
    with pytest.raises(AnnotationError, match=r"a\.geojson is empty"):
        read(lab)


def test_a_region_too_large_to_hold(tmp_path: Path) -> None:
    class Huge(ImageSlide):
        def __init__(self) -> None:
            super().__init__(Path("huge.svs"), np.zeros((1, 1, 3), np.uint8), 0.25)
            self.dimensions = (200_000, 100_000)

    path = write(tmp_path / "huge.geojson", region(0, 0, 20_000, 10_000))
    assert LARGEST_REGION_PX < 20_000 * 10_000
    with pytest.raises(
        AnnotationError, match=r"huge\.svs has a region of 20000×10000 px.*split it into smaller regions"
    ):
        list(slide_records(Huge(), path, case="huge"))


@pytest.mark.slide
def test_a_real_slide(data_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab/ki67.tif").symlink_to(data_dir / "slides" / "ki67-scanner-a.tif")
    write(tmp_path / "lab/ki67.geojson", region(700, 700, 1500, 1500), points("Positive", (1000, 1000)))
    (image,) = read(tmp_path / "lab")
    assert image.image_mpp == pytest.approx(0.2271, abs=1e-4)
    assert image.pixels.shape == (800 + 2 * CONTEXT_PX, 800 + 2 * CONTEXT_PX, 3)
    assert image.pixels.std() > 10
