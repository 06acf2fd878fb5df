"""Table 4: the networks on BCData's validation images.

python workflows/paper/table4.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT
from networks import every_network
from recipe import Table, command

TABLE = Table(
    "Table 4",
    "BCData, validation images, one map for all cells",
    "bcdata",
    "validation",
    every_network({"HRNet": {"F1 5": 77.0, "F1 10": 86.5}, "M_HRNet": {"F1 5": 79.6, "F1 10": 88.0}}),
    night=NIGHT,
)
main = command(TABLE)

if __name__ == "__main__":
    main()
