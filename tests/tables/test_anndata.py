"""cells.h5ad, read back by anndata."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.tables.made import four_cells, no_cells
from wsi_edt.errors import UsageError
from wsi_edt.tables.anndata import refuse_without_anndata, write_anndata

anndata = pytest.importorskip("anndata")


def test_cells_are_observations(tmp_path: Path) -> None:
    path = tmp_path / "a/cells.h5ad"
    write_anndata(path, four_cells())
    read = anndata.read_h5ad(path)
    assert read.shape == (4, 2)
    assert read.obs_names.tolist() == ["0", "1", "2", "3"]
    assert read.var_names.tolist() == ["haematoxylin_od", "dab_od"]
    assert np.array_equal(
        read.X, np.array([[0.5, 0.75], [np.nan, np.nan], [0.25, 0], [0.125, 0.0625]]), equal_nan=True
    )
    assert read.X.dtype == np.float32
    assert read.obs["class"].tolist() == ["Positive", "Negative", "Nucleus", "Positive"]
    assert read.obs["class"].cat.categories.tolist() == ["Negative", "Positive", "Nucleus"]
    assert read.obs["score"].tolist() == pytest.approx([0.9, 0.5, 0.75, 0.6])
    assert read.obs["regions"].tolist() == ["Tumour", "=hot, µ", "Tumour; =hot, µ", ""]
    assert read.obs["x"].tolist() == [10.5, 30.5, 20.0, 90.25]
    # µm: half of the px, on a slide of 0.5 µm/px.
    assert read.obsm["spatial"].tolist() == [[5.25, 2.75], [15.25, 2.75], [10.0, 10.0], [45.125, 30.0]]
    assert read.uns == {
        "slide": "ward/a µ.svs",
        "slide_mpp": 0.5,
        "model": "ki67-w18 1.0",
        "what_is_counted": "The model counts nuclei of the test.",
        "spatial_unit": "µm",
        "version": "9.9",
        "model_sha256": "a" * 64,
        "settings_sha256": "b" * 64,
        "slide_fingerprint": "size-and-digest",
    }


def test_without_densities_they_are_missing(tmp_path: Path) -> None:
    write_anndata(tmp_path / "cells.h5ad", four_cells(measured=False, regions=False))
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert np.isnan(read.X).all() and read.X.shape == (4, 2)
    assert set(read.obs["regions"]) == {""}


def test_a_slide_without_cells(tmp_path: Path) -> None:
    write_anndata(tmp_path / "cells.h5ad", no_cells())
    read = anndata.read_h5ad(tmp_path / "cells.h5ad")
    assert read.shape == (0, 2) and read.obsm["spatial"].shape == (0, 2)


def test_the_bytes_are_the_same(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in ("one.h5ad", "two.h5ad")]
    for path in paths:
        write_anndata(path, four_cells())
    assert paths[0].read_bytes() == paths[1].read_bytes()


def test_a_missing_package_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    find: Any = importlib.util.find_spec
    monkeypatch.setattr(
        "wsi_edt.tables.anndata.find_spec", lambda name: None if name == "anndata" else find(name)
    )
    with pytest.raises(
        UsageError, match=r"^AnnData needs the package anndata; `pip install 'wsi-edt\[anndata\]'`$"
    ):
        refuse_without_anndata()
