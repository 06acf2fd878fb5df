"""Damaged points, regions, models and configurations: each is read, or refused with one sentence."""

from __future__ import annotations

import hashlib
import json
import pickle
import struct
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.annotations.test_other_programs import APERIO, ASAP, NDPA, SLIDE
from tests.bundles.tiny import tiny_bundle
from tests.fuzz.slides import flipped, overwritten, truncated
from wsi_edt.annotations import read_regions
from wsi_edt.bundles import find_bundle
from wsi_edt.bundles.bundle import WEIGHTS, Bundle
from wsi_edt.bundles.weights import load_network
from wsi_edt.datasets.points_io import read_points
from wsi_edt.errors import WsiEdtError
from wsi_edt.run.discover import find_slides
from wsi_edt.training import read_config

REPOSITORY = Path(__file__).parents[2]
EACH = 60  # damaged copies of a file

GEOJSON = json.dumps(
    {
        "type": "FeatureCollection",
        "features": [
            {
                "type": "Feature",
                "id": "PathDetectionObject",
                "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [8, 0], [8, 8.5], [0, 0]]]},
                "properties": {
                    "objectType": "detection",
                    "classification": {"name": "Positive", "color": [1, 2, 3]},
                    "measurements": {"Score": 0.5},
                },
            },
            {
                "type": "Feature",
                "geometry": {"type": "MultiPoint", "coordinates": [[1, 2], [3, 4]]},
                "properties": {"classification": {"names": ["Tumor", "Negative"]}},
            },
            {
                "type": "Feature",
                "geometry": {
                    "type": "Polygon",
                    "coordinates": [[[0, 0], [9, 0], [9, 9], [0, 0]]],
                    "isEllipse": True,
                },
                "properties": {"objectType": "annotation", "name": "a"},
            },
        ],
    }
)
TABLE = "Image;Object type;Class;Centroid X px;Centroid Y px;Score\na;Detection;Positive;1,5;2,5;0,5\nb;Cell;;3;4;\n"
TEXT = "1 2 3.5 4 5 6\n2 0\n3 1 1 2 3 4 5\n"
MANIFEST = "path;mpp;name;case;series\na.svs;0,25;x/y;7;1\nb.svs;;;;\n"


def damaged(content: bytes, seed: int) -> bytes:
    rng = np.random.default_rng(seed)
    return (truncated, flipped, overwritten)[seed % 3](rng, content)


def refused_or_done(call: Callable[[], object]) -> bool:
    """Whether it was refused; the sentence is one line."""
    try:
        call()
    except WsiEdtError as error:
        sentence = str(error)
    else:
        return False
    assert "\n" not in sentence, sentence
    return True


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.geojson", GEOJSON), ("a.xml", APERIO), ("b.xml", ASAP), ("a.ndpa", NDPA), ("a.csv", TABLE), ("a.txt", TEXT)
    ],
)  # fmt: skip
def test_points_and_regions(tmp_path: Path, name: str, content: str) -> None:
    path, refused = tmp_path / name, 0
    for seed in range(EACH):
        path.write_bytes(damaged(content.encode(), seed))
        refused += refused_or_done(lambda: read_points(path))
        refused_or_done(lambda: read_regions(path, SLIDE))
    assert refused > EACH / 4, "they are damaged enough"


@pytest.mark.parametrize(
    "content",
    [
        '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1e999, 2]}}]',
        '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [' + "9" * 400 + ", 2]}}]",
        '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": {"x": 1}}}]',
        '[{"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [[[0, 0], [1, 1]]]}}]',
        '[{"type": "Feature", "geometry": {"type": "GeometryCollection", "geometries": [3]}}]',
        '[{"type": "Feature", "geometry": {"type": "Point", "coordinates": [1, 2]},'
        '"properties": {"measurements": {"Score": ' + "9" * 400 + "}}}]",
        "[" * 100_000,
        '{"a":' * 100_000,
        '{"type": "FeatureCollection", "features": [{"type": "Feature", "properties": {"classification": [1]}}]}',
    ],
)
def test_adverse_geojson(tmp_path: Path, content: str) -> None:
    (tmp_path / "a.geojson").write_text(content)
    refused_or_done(lambda: read_points(tmp_path / "a.geojson"))
    refused_or_done(lambda: read_regions(tmp_path / "a.geojson", SLIDE))


def test_entities_that_grow_without_end_are_refused(tmp_path: Path) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    bomb = f'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY e0 "x">{entities}]><Annotations>&e9;</Annotations>'
    (tmp_path / "a.xml").write_text(bomb)
    assert refused_or_done(lambda: read_points(tmp_path / "a.xml"))
    (tmp_path / "b.xml").write_bytes(bomb.encode("utf-16"))
    assert refused_or_done(lambda: read_points(tmp_path / "b.xml"))


def test_tables_of_slides(tmp_path: Path) -> None:
    for seed in range(EACH):
        (tmp_path / "a.csv").write_bytes(damaged(MANIFEST.encode(), seed))
        refused_or_done(lambda: find_slides([tmp_path / "a.csv"], out=tmp_path / "out"))


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return tiny_bundle(tmp_path_factory.mktemp("model") / "tiny")


def test_descriptions_of_models(model: Bundle, tmp_path: Path) -> None:
    content = (model.directory / "model.toml").read_bytes()
    for seed in range(3 * EACH):
        (tmp_path / "model.toml").write_bytes(damaged(content, seed))
        refused_or_done(lambda: find_bundle(str(tmp_path)))


class Runs:
    """What a pickle can do."""

    def __reduce__(self) -> tuple[Callable[[str], object], tuple[str]]:
        return (pytest.fail, ("a pickle was loaded",))


def test_weights(model: Bundle, tmp_path: Path) -> None:
    whole = (model.directory / WEIGHTS).read_bytes()
    (length,) = struct.unpack_from("<Q", whole)
    header = json.loads(whole[8 : 8 + length])
    name = next(key for key, one in header.items() if len(one.get("shape", ())) == 4)
    header[name]["shape"] = [1, *header[name]["shape"]]
    reshaped = json.dumps(header).encode()
    contents = {
        "a pickle": pickle.dumps(Runs()),
        "an absurd header": struct.pack("<Q", 2**63) + whole[8:],
        "a header of the rest": struct.pack("<Q", len(whole)) + whole[8:],
        "wrong shapes": struct.pack("<Q", len(reshaped)) + reshaped + whole[8 + length :],
        "nothing": b"",
        "half": whole[: len(whole) // 2],
    }
    for words, content in contents.items():
        (tmp_path / WEIGHTS).write_bytes(content)
        # With the sha256 of what is there, as somebody who made the file would state it.
        stated = replace(model, directory=tmp_path, sha256=hashlib.sha256(content).hexdigest())
        assert refused_or_done(lambda: load_network(stated)), words  # noqa: B023 - called at once


def test_training_configurations(tmp_path: Path) -> None:
    content = (REPOSITORY / "workflows/shipped_model/train.toml").read_bytes()
    for seed in range(3 * EACH):
        (tmp_path / "a.toml").write_bytes(damaged(content, seed))
        refused_or_done(lambda: read_config(tmp_path / "a.toml"))
