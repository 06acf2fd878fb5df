"""What was seen of a slide comes back from its store as it was."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
import shapely
import zarr
from upath import UPath

from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.errors import OutputError
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import CountedBy
from wsi_edt.qupath.regions import Region
from wsi_edt.results.seen import Drawn, Seen, read_seen, write_seen
from wsi_edt.slides.quality import MEASURES, SlideQuality
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import TissueMask

RNG = np.random.default_rng(5)
HOLED = shapely.Polygon([(0.1, 0.2), (1e5 / 3, 0.2), (9, 1e4 / 7)], [[(3.3, 4.4), (9.1, 4.4), (5.0, 9.9)]])
APART = shapely.MultiPolygon([shapely.box(0, 0, 1 / 3, 1), shapely.box(2, 2, 3, 3)])
SEEN = Seen(
    slide="deep/ä \U0001f52c.svs#2",
    source=SlideSource(Path("/slides/ä.svs"), 0.25, 2, icc=True, black_as_white=True),
    case="S-7",
    fingerprint="12-ab",
    scale=Scale(1 / 3, 0.3125),
    mpp_stated=True,
    bounds=Window(7, 8, 900, 800),
    drawn_on=AnnotatedSlide((1000, 900), 1 / 3, (7.0, 8.0), (-1.5, 2.25)),
    staining=Staining.DAB,
    quality=SlideQuality(
        {measure.name: value for measure, value in zip(MEASURES, [0.1, None] * 9, strict=False)}
    ),
    tissue=TissueMask(
        RNG.random((3, 4)) < 0.5,
        10.0,
        (128, 96),
        (127.3, 95.1),
        0.01,
        RNG.integers(0, 256, (3, 4), dtype=np.uint8),
        0.2,
    ),
    counted_by=CountedBy("colour 1", "The model counts discs."),
    remark="read as it is stored",
    drawn=Drawn(
        (Region("A", HOLED, "Tumor"), Region("\ud83d", APART)), "ff", "of a, 1 line passed over", True
    ),
)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    path = tmp_path / "store.zarr"
    zarr.open_group(path, mode="w")
    return path


def assert_same(found: Seen, expected: Seen) -> None:
    for name in Seen.__slots__:
        if name not in ("tissue", "drawn"):
            assert getattr(found, name) == getattr(expected, name), name
    for name in TissueMask.__slots__:
        assert np.array_equal(getattr(found.tissue, name), getattr(expected.tissue, name)), name
    assert found.tissue.mask.dtype == np.bool_
    for name in ("sha256", "passed_over", "alone"):
        assert getattr(found.drawn, name) == getattr(expected.drawn, name), name
    for one, other in zip(found.drawn.regions, expected.drawn.regions, strict=True):
        assert (one.name, one.class_name) == (other.name, other.class_name)
        assert (
            shapely.get_coordinates(one.polygon).tolist() == shapely.get_coordinates(other.polygon).tolist()
        )
        assert one.polygon.equals_exact(other.polygon, 0)


def test_it_comes_back(store: Path) -> None:
    write_seen(store, SEEN)
    assert_same(read_seen(store), SEEN)


def test_it_takes_the_place_of_what_was_kept(store: Path) -> None:
    write_seen(store, SEEN)
    plain = replace(
        SEEN,
        source=SlideSource(UPath("memory://slides/a.svs")),
        drawn_on=AnnotatedSlide((1000, 900)),
        tissue=replace(SEEN.tissue, size=None, cover=None),
        remark=None,
        drawn=Drawn(),
    )
    write_seen(store, plain)
    assert_same(read_seen(store), plain)
    assert isinstance(read_seen(store).source.path, UPath)


def test_the_same_gives_the_same_bytes(store: Path) -> None:
    def content() -> dict[PurePosixPath, bytes]:
        files = (path for path in (store / "seen").rglob("*") if path.is_file())
        return {PurePosixPath(path.relative_to(store)): path.read_bytes() for path in files}

    write_seen(store, SEEN)
    before = content()
    write_seen(store, SEEN)
    assert content() == before


def _unmark(seen: Path) -> None:
    node = json.loads((seen / "zarr.json").read_text())
    del node["attributes"]["done"]
    (seen / "zarr.json").write_text(json.dumps(node))


@pytest.mark.parametrize(
    "damage",
    [
        _unmark,
        shutil.rmtree,
        lambda seen: shutil.rmtree(seen / "tissue"),
        lambda seen: shutil.rmtree(seen / "tissue/c"),
        lambda seen: (seen / "zarr.json").write_text("{"),
        lambda seen: (seen / "zarr.json").unlink(),
    ],
    ids=["unmarked", "gone", "no tissue", "no data", "cut", "no metadata"],
)
def test_what_is_not_whole_says_to_run_again(store: Path, damage: object) -> None:
    write_seen(store, SEEN)
    assert callable(damage)
    damage(store / "seen")
    with pytest.raises(OutputError, match="give the command of the run again"):
        read_seen(store)
