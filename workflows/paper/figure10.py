"""Fig. 10: what θ, the share of differences in MGA's convolutions, is worth.

Run ``python workflows/paper/figure10.py --data DATA``; README.md has the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comparison import NIGHT, Row
from curves import draw
from networks import NETWORKS
from recipe import Result, Table, command

NETWORK = "M_U-CSRNet"  # which one the paper takes isn't known to us
THETAS = (0.0, 0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0)
LABELS = {f"θ = {theta:g}": theta for theta in THETAS}
TABLE = Table(
    "Fig. 10",
    f"BCData, validation images, one map for all cells; {NETWORK} on EDT maps with CCLS",
    "bcdata",
    "validation",
    tuple(Row(label, NETWORKS[NETWORK], options={"theta": theta}) for label, theta in LABELS.items()),
    night=NIGHT,
    remarks=("The paper finds 0.5 to 0.8 good, and 0, plain convolutions, unstable.",),
)


def figure(path: Path, results: Sequence[Result]) -> None:
    """Draw the curve."""
    draw(path, results, {"θ": LABELS}, title=f"{NETWORK} on BCData")


main = command(TABLE, figure=figure)

if __name__ == "__main__":
    main()
