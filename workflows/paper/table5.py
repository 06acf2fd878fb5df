"""Table 5: the networks on BCData's test images.

python workflows/paper/table5.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]
"""

from __future__ import annotations

from comparison import NIGHT
from networks import every_network
from recipe import UNIFIED, Table, command

# In the order of UNIFIED: MAE, RMSE, then F1, precision and recall at 5 px and at 10 px.
PUBLISHED = {
    "U-CSRNet": (18.1, 23.8, 73.8, 73.7, 74.0, 85.6, 85.4, 85.7),
    "HRNet": (18.5, 24.7, 79.2, 80.1, 78.3, 87.3, 88.4, 86.3),
    "M_U-CSRNet": (17.4, 22.5, 74.9, 74.1, 75.7, 87.1, 87.5, 86.7),
    "M_U-Net": (22.8, 31.0, 77.8, 78.5, 76.9, 86.9, 82.1, 91.8),
    "M_HRNet": (19.9, 25.6, 79.3, 80.2, 78.3, 87.2, 88.3, 86.2),
}
TABLE = Table(
    "Table 5",
    "BCData, test images, one map for all cells",
    "bcdata",
    "test",
    every_network({label: dict(zip(UNIFIED, own, strict=True)) for label, own in PUBLISHED.items()}),
    night=NIGHT,
    remarks=("In the paper itself MGA doesn't help HRNet at 10 px (87.2 against 87.3).",),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
