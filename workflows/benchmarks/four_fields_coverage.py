"""How often the intervals of the four fields hold the index that slides were made with.

    python workflows/benchmarks/four_fields_coverage.py [--slides 150]

The slides are points, as those of hotspots.py: 4 mm² each. The unweighted index isn't the tissue's, as each stratum counts
by its fields: how often its interval holds the truth says how wrong it is to take it for that.
"""

from __future__ import annotations

from collections.abc import Callable

import click
import numpy as np
from hotspots import Chance, FloatArray, even, low, made_slide, slope, spot
from measuring import table

from wsi_edt.ki67 import Conventions
from wsi_edt.ki67.four_fields import count_fields

L0_UM = 0.25
WAVES = 60


def waves(mean: float, scale_um: float, deviation: float) -> Callable[[int], Chance]:
    """Of a seed: a random field of log odds, alike over so many µm (Gaussian covariance)."""

    def of(seed: int) -> Chance:
        rng = np.random.default_rng([seed, WAVES])
        along, phase = rng.normal(size=(WAVES, 2)) / scale_um, rng.random(WAVES) * 2 * np.pi

        def chance(x: FloatArray, y: FloatArray) -> FloatArray:
            odds = np.cos(np.outer(x, along[:, 0]) + np.outer(y, along[:, 1]) + phase).sum(axis=1)
            against = (1 - mean) / mean * np.exp(-deviation * np.sqrt(2 / WAVES) * odds)
            return np.asarray(1 / (1 + against), np.float64)

        return chance

    return of


def nest(x: FloatArray, y: FloatArray) -> FloatArray:
    """One of 0.6 mm, in tissue that is hardly positive elsewhere."""
    return np.where(np.hypot(x - 800, y - 800) < 300, 0.6, 0.01)


def steep(x: FloatArray, y: FloatArray) -> FloatArray:
    """From 1 % on the left to 50 % on the right."""
    return 0.01 + 0.5 * (x / 2500) ** 2


KINDS: dict[str, Callable[[int], Chance]] = {
    "20 % everywhere": lambda seed: even,
    "1 % everywhere": lambda seed: low,
    "a spot of 40 % in 15 %": lambda seed: spot,
    "a slope, 10 to 30 %": lambda seed: slope,
    "a slope, 1 to 50 %": lambda seed: steep,
    "a nest of 60 % in 1 %": lambda seed: nest,
    "15 %, alike over 0.2 mm": waves(0.15, 200, 1.0),
    "15 %, alike over 0.6 mm": waves(0.15, 600, 1.0),
    "5 %, alike over 0.1 mm": waves(0.05, 100, 1.5),
}


def coverage(name: str, slides: int) -> list[str]:
    """A row: the weighted index's mean error, its interval's width, and how often each interval holds the truth."""
    rows = []
    for seed in range(slides):
        chance = KINDS[name](seed)
        area, findings = made_slide(4.0, chance, seed)
        fields = count_fields(area, findings, Conventions())[1]
        assert fields is not None
        true = 100 * float(chance(area.cells.x * L0_UM, area.cells.y * L0_UM).mean())
        held = []
        for one in (fields.weighted, fields.unweighted):
            assert one.low is not None and one.high is not None
            held.append(one.low <= true <= one.high)
        assert fields.weighted.high is not None and fields.weighted.low is not None
        rows.append((fields.weighted.value - true, fields.weighted.high - fields.weighted.low, *held))
    bias, width, weighted, unweighted = np.mean(rows, axis=0).tolist()
    return [name, f"{bias:+.1f}", f"{width:.1f}", f"{100 * weighted:.0f}", f"{100 * unweighted:.0f}"]


@click.command()
@click.option("--slides", default=150, help="Of each kind.")
def main(slides: int) -> None:
    """Print the table."""
    head = ["chance of being positive", "error", "width", "HOLDS %", "unweighted holds %"]
    click.echo(table(head, [coverage(name, slides) for name in KINDS]))


if __name__ == "__main__":
    main()
