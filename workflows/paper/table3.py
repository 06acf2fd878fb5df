"""Table 3: maps and ways of decoding on BCData's validation images, one map for all cells ("unified prediction").

python workflows/paper/table3.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT
from recipe import Table, command
from table2 import rows_of

TABLE = Table(
    "Table 3",
    "BCData, validation images, one map for all cells",
    "bcdata",
    "validation",
    rows_of({}),
    night=NIGHT,
    remarks=("None of this table's figures is known to us; its rows are those of Table 2.",),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
