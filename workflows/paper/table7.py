"""Table 7: the networks on CoNIC.

python workflows/paper/table7.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT
from networks import every_network
from recipe import Table, command

TABLE = Table(
    "Table 7",
    "CoNIC, all nuclei",
    "conic",
    "70-30",
    every_network({"M_HRNet": {"F1 5": 78.6, "F1 10": 83.9}}),
    night=NIGHT,
    remarks=(
        "That Tables 6 to 8 are of ccRCC, CoNIC and PSU in this order is assumed: we know that Table 9 is UW's.",
        "Which images the paper tests isn't known to us: here a fifth, whole source images.",
    ),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
