"""F1 over the constants C1 and C2 of EDT maps, each varied by itself. That the paper's Fig. 9 shows this is our guess.

Run ``python workflows/paper/figure9.py --data DATA``; README.md has the options.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from comparison import NIGHT
from curves import draw
from recipe import Result, Table, command
from table10 import NETWORK, edt

C1 = (2.0, 5.0, 10.0, 20.0)  # with C2 = 0.5
C2 = (0.25, 0.5, 0.75, 1.0)  # with C1 = 10
PANELS = {"C1": {edt(c1, 0.5).label: c1 for c1 in C1}, "C2": {edt(10.0, c2).label: c2 for c2 in C2}}
TABLE = Table(
    "Fig. 9",
    f"BCData, validation images, one map for all cells; {NETWORK} with CCLS, EDT of several constants",
    "bcdata",
    "validation",
    (*(edt(c1, 0.5) for c1 in C1), *(edt(10.0, c2) for c2 in C2 if c2 != 0.5)),
    night=NIGHT,
    remarks=("What the paper's Fig. 9 shows isn't known to us: this is a guess.",),
)


def figure(path: Path, results: Sequence[Result]) -> None:
    """Draw the curves."""
    draw(path, results, PANELS, title="EDT maps")


main = command(TABLE, figure=figure)

if __name__ == "__main__":
    main()
