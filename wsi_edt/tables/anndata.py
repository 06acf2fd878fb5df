"""cells.h5ad: the cells as AnnData, for scanpy and squidpy."""

from __future__ import annotations

import io
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from wsi_edt.errors import UsageError, readable
from wsi_edt.files import write_atomically
from wsi_edt.ki67.findings import SlideFindings
from wsi_edt.tables.columns import DENSITIES, batches, joined_names, schema

if TYPE_CHECKING:
    import pyarrow

_OBS = ["class", "score", "regions", "x", "y"]


def refuse_without_anndata() -> None:
    """UsageError if anndata isn't installed."""
    if find_spec("anndata") is None:
        raise UsageError("AnnData needs the package anndata", remedy="`pip install 'wsi-edt[anndata]'`")


def write_anndata(path: Path, findings: SlideFindings) -> None:
    """Write the cells atomically; unlike the other tables this one is made in memory.

    X holds the optical densities (N, 2) in a disc of 2 µm radius, NaN where they weren't measured; obs the class, score and
    regions, and x and y in level-0 px; obsm["spatial"] x and y in µm, so that distances mean the same on every slide; uns
    the slide, its µm/px, the model, and what the cells can be found again from.

    Raises
    ------
    OutputError
        If the file can't be written.
    """
    import h5py
    import pandas
    from anndata import AnnData
    from anndata.io import write_elem

    cells = _table(findings)
    densities = [cells[name].to_numpy() for name in DENSITIES]
    obs = cells.select(_OBS).to_pandas()
    obs.index = pandas.Index(np.arange(len(obs)).astype(str), dtype=object)
    table = AnnData(
        X=np.stack(densities, axis=1),
        obs=obs,
        var=pandas.DataFrame(index=pandas.Index(DENSITIES, dtype=object)),
        obsm={"spatial": np.stack([cells["x_um"].to_numpy(), cells["y_um"].to_numpy()], axis=1)},
        uns=_described(findings),
    )
    content = io.BytesIO()
    with h5py.File(content, "w") as file:
        write_elem(file, "/", table, dataset_kwargs={"compression": "gzip", "compression_opts": 1})
    write_atomically(path, content.getvalue())


def _table(findings: SlideFindings) -> pyarrow.Table:
    """The columns of all cells, with each cell's regions as one text of few."""
    import pyarrow

    cells = pyarrow.Table.from_batches(batches(findings), schema=schema())
    texts = [joined_names(chunk) for chunk in cells["regions"].chunks]
    regions = pyarrow.chunked_array(texts, pyarrow.string()).dictionary_encode()
    return cells.set_column(cells.schema.get_field_index("regions"), "regions", regions)


def _described(findings: SlideFindings) -> dict[str, object]:
    """What the cells are of; what a run had none of is left out, since not every reader knows an empty value."""
    known = {} if findings.provenance is None else asdict(findings.provenance)
    return {
        "slide": readable(findings.slide),
        "slide_mpp": findings.scale.slide_mpp,
        "model": findings.counted_by.model,
        "what_is_counted": findings.counted_by.sentence,
        "spatial_unit": "µm",
        **{name: value for name, value in known.items() if value is not None},
    }
