"""What changes cells is in the hash, and nothing else."""

from __future__ import annotations

from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest

from tests.stand_ins import make_settings
from wsi_edt.detection.compute import Compute
from wsi_edt.errors import UsageError
from wsi_edt.maps import DecodeSettings, Evidence
from wsi_edt.results.outputs import OutputOptions
from wsi_edt.run.discover import find_slides
from wsi_edt.run.settings import CellSettings, refuse_impossible_threshold

OTHER: dict[str, Any] = {
    "model_sha256": "1" * 64,
    "model_mpp": 0.25,
    "tile_px": 128,
    "halo_px": 0,
    "batch_size": 3,
    "decode": replace(make_settings().cells.decode, threshold=0.7),
    "compute": Compute("cuda", "openvino", "bf16", 7),
    "tissue_mask": False,
    "icc": True,
}

NAMED = {
    "tile_px": "--tile-px 96 there, 128 now",
    "batch_size": "--batch-size 8 there, 3 now",
    "decode": "--threshold 0.6 there, 0.7 now",
    "compute": "--device cpu there, cuda now; --runtime torch there, openvino now; "
    "--precision fp32 there, bf16 now; --threads 1 there, 7 now",
    "tissue_mask": "--no-tissue-mask now, not there",
    "icc": "--icc now, not there",
}


def test_the_case_has_every_setting() -> None:
    assert OTHER.keys() | {"model"} == {field.name for field in fields(CellSettings)}


@pytest.mark.parametrize("name", OTHER)
def test_each_setting_changes_the_hash_and_is_named(name: str) -> None:
    cells = make_settings().cells
    other = replace(cells, **{name: OTHER[name]})
    assert other.cells_hash() != cells.cells_hash()
    assert other.differences(cells.to_json()) == NAMED.get(
        name, "the files of the model colour 1 have changed"
    )
    assert cells.differences(cells.to_json()) == ""


def test_what_was_not_asked_for_is_not_blamed() -> None:
    cells = make_settings().cells
    on_gpu = replace(cells.compute, device="cuda")
    other = replace(cells, compute=on_gpu, decode=replace(cells.decode, threshold=0.7))
    assert other.differences(cells.to_json(), chosen={"device", "threads"}) == (
        "--device cpu there, cuda now (chosen, as it wasn't given); --threshold 0.6 there, 0.7 now"
    )
    renamed = replace(other, model="colour 2", model_sha256="1" * 64, compute=cells.compute)
    assert renamed.differences(cells.to_json(), chosen={"threshold"}) == (
        "--model colour 1 there, colour 2 now"
    ), "the threshold came with the model"


def test_what_changes_no_cell_is_not_in_the_hash() -> None:
    config = make_settings()
    hashes = {
        other.cells.cells_hash()
        for other in (
            config,
            make_settings(
                output=OutputOptions("circle", "openslide", True), overwrite=True, fallback_mpp=0.3
            ),
            replace(config, detector=replace(config.detector, directory=Path("elsewhere"))),
            replace(config, cells=replace(config.cells, model="renamed 2")),
        )
    }
    assert len(hashes) == 1


def test_the_hash_is_the_same_in_every_version() -> None:
    # A changed value makes every results folder unusable: bump the store's format if it must change.
    assert make_settings().cells.cells_hash()[:16] == "6b49b7f9d42c68c0"


def test_another_method_is_another_result() -> None:
    cells = make_settings().cells
    assert cells.decode.method == "ccls"
    assert "method" not in cells.to_json()["decode"]  # type: ignore[operator]
    other = replace(cells, decode=replace(cells.decode, method="peak_local_max"))
    assert other.cells_hash() != cells.cells_hash()
    assert other.differences(cells.to_json()) == "the files of the model colour 1 have changed"
    for one in (cells, other):
        assert CellSettings.from_json(one.to_json()) == one


def test_another_gain_is_another_result() -> None:
    cells = make_settings().cells
    assert "negative_gain" not in cells.to_json()["decode"]  # type: ignore[operator]
    other = replace(cells, decode=replace(cells.decode, negative_gain=1.4))
    assert other.cells_hash() != cells.cells_hash()
    assert CellSettings.from_json(other.to_json()) == other


@pytest.mark.parametrize(
    ("evidence", "gain", "highest"),
    [
        ("sum", 1.0, 2),
        ("sum", 1.4, 2.4),
        ("max", 1.0, 1),
        ("max", 1.4, 1.4),
        ("separate", 0.5, 1),
        ("nucleus", 1.4, 1),
    ],
)
def test_no_score_exceeds_the_sum_of_what_the_evidence_is_made_of(
    evidence: Evidence, gain: float, highest: float
) -> None:
    decode = DecodeSettings(("positive", "negative", "nucleus"), evidence, 11, 0.2, negative_gain=gain)
    refuse_impossible_threshold(highest - 0.01, decode)
    with pytest.raises(UsageError, match=f"less than {highest:g} "):
        refuse_impossible_threshold(highest, decode)


@pytest.mark.parametrize("mpp", [0.0, -1.0, 40.0, float("nan")])
def test_an_impossible_scale_is_refused(mpp: float) -> None:
    with pytest.raises(UsageError, match="--mpp"):
        find_slides([], out=Path("out"), fallback_mpp=mpp)


@pytest.mark.parametrize("tile_px", [7, 100, 64])
def test_a_tile_off_the_grid_or_without_a_core_is_refused(tile_px: int) -> None:
    with pytest.raises(UsageError, match="tile"):
        make_settings(tile_px=tile_px)


def test_a_tile_that_no_memory_holds_is_refused() -> None:
    with pytest.raises(UsageError, match="--tile-px 1000000 is too large; give at most 8192"):
        make_settings(tile_px=1_000_000)
