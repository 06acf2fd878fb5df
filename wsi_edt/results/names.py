"""Every name in a results folder, in one place."""

from __future__ import annotations

from typing import Final

# Of the batch.
SUMMARY: Final = "summary.csv"
BATCH_REPORT: Final = "report.html"
REPORT_PDF: Final = "report.pdf"
RUN_RECORD: Final = "run.json"
REPORT_RECORD: Final = "report.json"  # of what was reported again
LOCK: Final = ".wsi-edt.lock"
LEASE: Final = ".wsi-edt.lease"  # where the disk has no locks

# Of a slide, in the folder named after it. What outputs write is named here too, and listed in `outputs`.
CELLS: Final = "cells.geojson"
CELLS_GZIPPED: Final = "cells.geojson.gz"
CELLS_PARQUET: Final = "cells.parquet"
CELLS_CSV: Final = "cells.csv"
CELLS_ANNDATA: Final = "cells.h5ad"
TABLES: Final = (CELLS_PARQUET, CELLS_CSV, CELLS_ANNDATA)
KI67: Final = "ki67.json"
REGIONS: Final = "regions.csv"
REPORT: Final = "report.html"
OVERVIEW: Final = "overview.png"
TISSUE: Final = "tissue.png"
STORE: Final = "store.zarr"
MAPS: Final = "maps.ome.zarr"
ZARRS: Final = (STORE, MAPS)  # folders of many files, none of which is a result by itself
CORRECTIONS: Final = "corrections.json"  # of persons; no run or report changes it
ERROR_LOG: Final = "error.log"
