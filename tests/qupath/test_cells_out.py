"""GeoJSON for QuPath: every file made here goes through the checker of the contract."""

from __future__ import annotations

import gzip
import tracemalloc
import uuid
from collections import Counter
from dataclasses import replace
from pathlib import Path

import geojson
import numpy as np
import pytest
import shapely.geometry
from hypothesis import given
from hypothesis import strategies as st

from tests.qupath.qupath_contract import center, check_geojson, qupath_positive_percent
from wsi_edt.cells import CellClass, Cells
from wsi_edt.errors import UsageError
from wsi_edt.qupath.cells_in import cells_of
from wsi_edt.qupath.cells_out import write_geojson
from wsi_edt.qupath.dialect import Geometry, geojson_features, parsed_json

GEOMETRIES: tuple[Geometry, ...] = ("point", "circle")


def cells_at(
    points: list[tuple[float, float]], classes: list[int], scores: list[float] | None = None
) -> Cells:
    xy = np.array(points, dtype=np.float64).reshape(-1, 2)
    score = np.full(len(xy), 0.5) if scores is None else np.array(scores)
    return Cells(
        xy[:, 0].copy(), xy[:, 1].copy(), score.astype(np.float32), np.array(classes, dtype=np.uint8)
    )


def many(n: int) -> Cells:
    rng = np.random.default_rng(7)
    return Cells(
        rng.uniform(0, 90_000, n),
        rng.uniform(0, 70_000, n),
        rng.uniform(0, 1, n).astype(np.float32),
        rng.integers(0, 3, n).astype(np.uint8),
        rng.normal(0.4, 0.2, n).astype(np.float32),
        rng.normal(0.3, 0.3, n).astype(np.float32),
    )


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["cells.geojson", "cells.geojson.gz"])
def test_no_cells_is_a_valid_empty_collection(tmp_path: Path, name: str, geometry: Geometry) -> None:
    path = tmp_path / name
    write_geojson(path, Cells.empty(), slide_name="a.svs", radius_px=12, geometry=geometry)
    assert check_geojson(path) == []


def test_one_cell_of_each_class_reads_back_as_it_was(tmp_path: Path) -> None:
    cells = cells_at([(10.5, 20.5), (99.126, 7.0), (3.0, 4.0)], [1, 0, 2], [0.9876, 0.25, 1.0])
    write_geojson(tmp_path / "cells.geojson", cells, slide_name="a.svs", radius_px=12)
    features = check_geojson(tmp_path / "cells.geojson", extent=(100, 30))
    found = [
        (center(f), f["properties"]["classification"]["name"], f["properties"]["measurements"]["Score"])
        for f in features
    ]
    # Ordered by y, then x.
    assert found == [
        ((3.0, 4.0), "Nucleus", 1.0),
        ((99.13, 7.0), "Negative", 0.25),
        ((10.5, 20.5), "Positive", 0.988),
    ]


def measurements(path: Path) -> list[dict[str, float]]:
    return [feature["properties"]["measurements"] for feature in check_geojson(path)]


def test_densities_are_measurements_with_three_decimals(tmp_path: Path) -> None:
    path = tmp_path / "cells.geojson"
    bare = cells_at([(1.0, 2.0), (3.0, 1.0), (5.0, 3.0)], [1, 0, 2], [0.5, 0.25, 0.75])
    haematoxylin, dab = (
        np.array(values, np.float32) for values in ([0.12345, 0.4, 2.0], [-0.0004, 1.23456, -0.051])
    )
    write_geojson(
        path, replace(bare, haematoxylin_od=haematoxylin, dab_od=dab), slide_name="a.svs", radius_px=12
    )
    assert measurements(path) == [
        {"Score": 0.25, "Haematoxylin OD": 0.4, "DAB OD": 1.235},
        {"Score": 0.5, "Haematoxylin OD": 0.123, "DAB OD": 0.0},
        {"Score": 0.75, "Haematoxylin OD": 2.0, "DAB OD": -0.051},
    ]
    assert "-0.0}" not in path.read_text()
    with_densities = check_geojson(path)
    write_geojson(path, bare, slide_name="a.svs", radius_px=12)
    assert measurements(path) == [{"Score": 0.25}, {"Score": 0.5}, {"Score": 0.75}]
    for one, other in zip(with_densities, check_geojson(path), strict=True):
        assert (one["id"], one["geometry"]) == (other["id"], other["geometry"])


def test_a_cell_that_was_not_measured_has_its_score_alone(tmp_path: Path) -> None:
    cells = cells_at([(1.0, 1.0), (2.0, 2.0)], [1, 0], [0.5, 0.25])
    density = np.array([np.nan, 0.3], np.float32)
    write_geojson(
        tmp_path / "c.geojson",
        replace(cells, haematoxylin_od=density, dab_od=density),
        slide_name="a",
        radius_px=4,
    )
    assert measurements(tmp_path / "c.geojson") == [
        {"Score": 0.5},
        {"Score": 0.25, "Haematoxylin OD": 0.3, "DAB OD": 0.3},
    ]


def test_each_of_many_cells_has_its_own_measurements(tmp_path: Path) -> None:
    """Several chunks, given in no order."""
    cells = many(20_500)
    write_geojson(tmp_path / "cells.geojson", cells, slide_name="a.svs", radius_px=12)
    x, y = np.rint(cells.x * 100), np.rint(cells.y * 100)
    order = np.lexsort((cells.score, cells.class_id, x, y))
    assert cells.haematoxylin_od is not None
    assert cells.dab_od is not None
    columns = (cells.score, cells.haematoxylin_od, cells.dab_od)
    expected = np.stack([column[order].astype(np.float64) for column in columns], axis=1)
    found = np.array([list(named.values()) for named in measurements(tmp_path / "cells.geojson")])
    assert np.abs(found - expected).max() <= 0.0005 + 1e-12


def test_cells_with_densities_are_read_as_those_without(tmp_path: Path) -> None:
    cells = many(300)
    read = []
    for written in (cells, replace(cells, haematoxylin_od=None, dab_od=None)):
        write_geojson(tmp_path / "cells.geojson", written, slide_name="a.svs", radius_px=12)
        document = parsed_json((tmp_path / "cells.geojson").read_bytes(), tmp_path)
        read.append(cells_of(geojson_features(document, tmp_path)))
    for name in ("x", "y", "score", "class_id"):
        assert np.array_equal(getattr(read[0], name), getattr(read[1], name))


HUNDREDTHS = st.integers(0, 40_000_000)
THOUSANDTHS = st.integers(0, 1000)


@given(
    found=st.lists(st.tuples(HUNDREDTHS, HUNDREDTHS, st.sampled_from(CellClass), THOUSANDTHS), max_size=30),
    geometry=st.sampled_from(GEOMETRIES),
)
def test_cells_read_back_as_they_were(
    tmp_path_factory: pytest.TempPathFactory,
    found: list[tuple[int, int, CellClass, int]],
    geometry: Geometry,
) -> None:
    path = tmp_path_factory.mktemp("round") / "cells.geojson"
    cells = cells_at(
        [(x / 100, y / 100) for x, y, *_ in found],
        [kind for _, _, kind, _ in found],
        [score / 1000 for *_, score in found],
    )
    write_geojson(path, cells, slide_name="a", radius_px=10, geometry=geometry)
    read = []
    for feature in check_geojson(path):
        x, y = center(feature)
        properties = feature["properties"]
        kind = CellClass[properties["classification"]["name"].upper()]
        read.append((round(x * 100), round(y * 100), kind, round(properties["measurements"]["Score"] * 1000)))
    assert Counter(read) == Counter(found)


def test_qupath_counts_what_the_index_counts(tmp_path: Path) -> None:
    cells = many(3000)
    write_geojson(tmp_path / "cells.geojson", cells, slide_name="a.svs", radius_px=12)
    positive, negative = cells.count(CellClass.POSITIVE), cells.count(CellClass.NEGATIVE)
    expected = 100 * positive / (positive + negative)
    assert qupath_positive_percent(check_geojson(tmp_path / "cells.geojson")) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("n", "geometry"), [(9_999, "point"), (10_000, "point"), (10_001, "point"), (10_001, "circle")]
)
def test_chunks_join(tmp_path: Path, n: int, geometry: Geometry) -> None:
    write_geojson(tmp_path / "cells.geojson", many(n), slide_name="a.svs", radius_px=12, geometry=geometry)
    collection = geojson.loads((tmp_path / "cells.geojson").read_text())
    assert len(collection["features"]) == n
    assert collection.is_valid


@given(
    x=st.floats(0, 200_000),
    y=st.floats(0, 200_000),
    radius=st.floats(0.1, 60),
)
def test_circles_are_circles_around_the_cell(
    tmp_path_factory: pytest.TempPathFactory, x: float, y: float, radius: float
) -> None:
    path = tmp_path_factory.mktemp("circle") / "cells.geojson"
    write_geojson(path, cells_at([(x, y)], [1]), slide_name="a.svs", radius_px=radius, geometry="circle")
    (feature,) = check_geojson(path)
    polygon = shapely.geometry.shape(feature["geometry"])
    middle = shapely.geometry.Point(x, y)
    assert polygon.contains(middle)
    for vertex in polygon.exterior.coords:
        assert middle.distance(shapely.geometry.Point(vertex)) == pytest.approx(radius, abs=0.02)
    # A regular polygon of 12 sides fills 3 / π of its circle.
    assert polygon.area == pytest.approx(3 * radius**2, abs=0.15 * radius)


def test_circles_too_small_for_qupath_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--geometry point"):
        write_geojson(tmp_path / "c.geojson", many(1), slide_name="a", radius_px=0.05, geometry="circle")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("geometry", GEOMETRIES)
def test_the_corner_is_subtracted_and_ids_stay(tmp_path: Path, geometry: Geometry) -> None:
    cells = cells_at([(1000.5, 2000.25)], [1])
    for name, corner in (("level0", (0.0, 0.0)), ("shown", (990.0, 1980.0))):
        path = tmp_path / f"{name}.geojson"
        write_geojson(path, cells, slide_name="a", radius_px=4, corner=corner, geometry=geometry)
    (level0,) = check_geojson(tmp_path / "level0.geojson")
    (shown,) = check_geojson(tmp_path / "shown.geojson")
    assert center(level0) == pytest.approx((1000.5, 2000.25))
    assert center(shown) == pytest.approx((10.5, 20.25))
    assert level0["id"] == shown["id"]


def test_ids_are_uuid5_of_slide_place_and_class(tmp_path: Path) -> None:
    write_geojson(
        tmp_path / "c.geojson", cells_at([(10.5, 20.25)], [1]), slide_name="folder/a µ.svs", radius_px=4
    )
    (feature,) = check_geojson(tmp_path / "c.geojson")
    namespace = uuid.uuid5(uuid.NAMESPACE_URL, "https://github.com/wsi-edt/wsi-edt")
    assert feature["id"] == str(uuid.uuid5(namespace, "folder/a µ.svs|1050|2025|1"))


def test_ids_differ_between_slides_places_and_classes(tmp_path: Path) -> None:
    seen = set()
    for slide in ("a.svs", "b.svs"):
        cells = cells_at([(1.5, 1.5), (1.5, 2.5), (2.5, 1.5), (1.5, 1.5)], [1, 1, 1, 0])
        write_geojson(tmp_path / "c.geojson", cells, slide_name=slide, radius_px=4)
        seen |= {feature["id"] for feature in check_geojson(tmp_path / "c.geojson")}
    assert len(seen) == 8


def test_cells_on_one_spot_have_ids_of_their_own(tmp_path: Path) -> None:
    points = [(5.0, 5.0)] * 3 + [(6.0, 5.0)] * 2 + [(7.0, 5.0)]
    write_geojson(tmp_path / "c.geojson", cells_at(points, [1] * 6), slide_name="a", radius_px=4)
    assert len(check_geojson(tmp_path / "c.geojson")) == 6
    # Also where the spot's cells fall into two chunks.
    n = 10_002
    write_geojson(tmp_path / "c.geojson", cells_at([(5.0, 5.0)] * n, [0] * n), slide_name="a", radius_px=4)
    assert len(check_geojson(tmp_path / "c.geojson")) == n


@pytest.mark.parametrize("geometry", GEOMETRIES)
@pytest.mark.parametrize("name", ["cells.geojson", "cells.geojson.gz"])
def test_bytes_are_the_same_in_every_run_and_order(tmp_path: Path, name: str, geometry: Geometry) -> None:
    cells = many(2000)
    shuffled = cells.select(np.random.default_rng(1).permutation(len(cells)))
    # In the order of the file they are taken as they come, else they are sorted; the last two are on one spot.
    ordered = cells.sorted_by_position()
    twins = Cells.concatenate([ordered, ordered.select(np.array([len(cells) - 1]))])
    for orders in ([cells, shuffled, ordered], [twins, twins.select(np.arange(len(twins))[::-1])]):
        written = []
        for given_cells in orders:
            write_geojson(tmp_path / name, given_cells, slide_name="a", radius_px=4, geometry=geometry)
            check_geojson(tmp_path / name)
            written.append((tmp_path / name).read_bytes())
        assert len(set(written)) == 1


def test_gzip_holds_the_same_text(tmp_path: Path) -> None:
    for name in ("c.geojson", "c.geojson.gz"):
        write_geojson(tmp_path / name, many(500), slide_name="a", radius_px=4)
    packed = (tmp_path / "c.geojson.gz").read_bytes()
    assert packed[3:8] == bytes(5), "a name or a time in gzip's header: bytes would differ from run to run"
    assert gzip.decompress((tmp_path / "c.geojson.gz").read_bytes()) == (tmp_path / "c.geojson").read_bytes()


def test_memory_grows_by_less_than_64_bytes_a_cell(tmp_path: Path) -> None:
    few, lots = many(20_000), many(80_000)
    peaks = []
    for cells in (few, lots):
        tracemalloc.start()
        write_geojson(tmp_path / "c.geojson", cells, slide_name="a", radius_px=4, geometry="circle")
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 64 * 60_000


def test_coordinates_keep_two_decimals_on_the_largest_slides(tmp_path: Path) -> None:
    write_geojson(
        tmp_path / "c.geojson",
        cells_at([(399_999.99, 0.01), (0.1 + 0.2, 250_000.07)], [1, 0]),
        slide_name="a",
        radius_px=4,
    )
    text = (tmp_path / "c.geojson").read_text()
    assert "[399999.99,0.01]" in text
    assert "[0.3,250000.07]" in text
    check_geojson(tmp_path / "c.geojson")
