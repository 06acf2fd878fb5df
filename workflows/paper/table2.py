"""Table 2: maps and ways of decoding on BCData's validation images, positive and negative cells with a map each.

python workflows/paper/table2.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT, Row
from networks import NETWORKS
from recipe import SEPARATE, Table, command

# Each map with the decoding that it was published with, and the paper's own pair.
PAIRS = (("density", "lmss"), ("fidt", "lmds"), ("edt", "ccls"))
TITLES = {"density": "density", "fidt": "FIDT", "edt": "EDT", "lmss": "LMSS", "lmds": "LMDS", "ccls": "CCLS"}
LABELS = ("SC-CNN", "CSRNet", "U-CSRNet")
PUBLISHED = {"U-CSRNet, EDT, CCLS": {"F1 10 positive": 86.5, "F1 10 negative": 84.8}}


def rows_of(published: dict[str, dict[str, float]]) -> tuple[Row, ...]:
    """Each network with each pair."""
    rows = []
    for label in LABELS:
        for target, method in PAIRS:
            name = f"{label}, {TITLES[target]}, {TITLES[method]}"
            figures = published.get(name, {})
            rows.append(
                Row(name, NETWORKS[label], target={"target": target}, method=method, published=figures)
            )
    return tuple(rows)


TABLE = Table(
    "Table 2",
    "BCData, validation images, a map for each class; F1, precision and recall at 10 px",
    "bcdata",
    "validation",
    rows_of(PUBLISHED),
    night=NIGHT,
    separate=True,
    columns=SEPARATE,
    remarks=(
        "Misprint in the paper: the averages of SC-CNN and CSRNet stand in each other's columns.",
        "At which radius the paper's two figures hold isn't known to us: 10 px is assumed.",
    ),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
