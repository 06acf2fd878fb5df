"""Table 6: the networks on ccRCC.

python workflows/paper/table6.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT
from networks import every_network
from recipe import Table, command

TABLE = Table(
    "Table 6",
    "ccRCC, all nuclei",
    "ccrcc",
    "test",
    every_network({"M_HRNet": {"F1 5": 86.2, "F1 10": 91.3}}),
    night=NIGHT,
    remarks=(
        "That Tables 6 to 8 are of ccRCC, CoNIC and PSU in this order is assumed: we know that Table 9 is UW's.",
    ),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
