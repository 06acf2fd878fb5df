"""What options on how maps become cells have in common. The names stand here so that `--help` needn't import numpy."""

from __future__ import annotations

from wsi_edt.cli.numbers import Finite

METHODS = ("ccls", "lmss", "lmds", "peak_local_max")  # of wsi_edt.maps, as a test makes sure
GAIN = Finite(min=0.1, max=10.0)  # of the negative map
EVIDENCES = ("max", "sum", "nucleus", "separate")

METHOD_WORDS = (
    "ccls, the paper's, and scikit-image's peak_local_max compare each peak with an absolute threshold; lmss and lmds, the "
    "paper's baselines, with a share of the map's maximum, which wsi-edt run refuses: it differs from tile to tile."
)
