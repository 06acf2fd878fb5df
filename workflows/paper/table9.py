"""Table 9: UW (CRCHistoPhenotypes), each of its two published folds tested in turn.

    python workflows/paper/table9.py --data DATA [--out RUNS] [--seeds 3] [--smoke | --night] [--device cuda]

On two processor cores, in one night, two processes that share the work:

    for core in 0 1; do
        OMP_NUM_THREADS=1 python workflows/paper/table9.py --data DATA --night > table9-$core.md &
    done
"""

from __future__ import annotations

from comparison import Budget, Row
from recipe import Table, command

# 36 trainings: six networks, three seeds, two folds.
NIGHT = Budget("uw-night", batch_size=8, crop_px=128, learning_rate=3e-3, steps=400, hrnet_width=18)
TABLE = Table(
    "Table 9",
    "UW, all nuclei, F1 at 5 and 10 px of the image at 512×512",
    "uw",
    "folds",
    (
        Row("U-CSRNet", "u_csrnet"),
        Row("U-Net", "unet"),
        Row("HRNet", "hrnet"),
        Row("M_U-CSRNet", "m_u_csrnet"),
        Row("M_U-Net", "m_unet"),
        Row("M_HRNet", "m_hrnet", published={"F1 5": 72.2, "F1 10": 85.2}),
    ),
    night=NIGHT,
    remarks=(
        "The paper trains on 70 images and tests on 30, and doesn't say which; here each of the two published folds of 50 "
        "is tested by networks that trained on the other.",
        "The paper's window of 21 px can find no more than 82 % of these cells even on ideal maps: 11 px is compared too.",
    ),
)
main = command(TABLE)

if __name__ == "__main__":
    main()
