"""A map as a figure: a picture or paths, what is marked on it, its scale bar, and what its colours are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from wsi_edt.ki67.text import count
from wsi_edt.report.frame import WIDTH, Frame
from wsi_edt.report.palette import ByteArray, hexadecimal
from wsi_edt.report.scales import ticks
from wsi_edt.report.templating import figure

_BAR_WIDTH = 240.0


@dataclass(frozen=True, slots=True)
class Mark:
    """A place on a figure, in its units."""

    label: str
    is_disc: bool
    x: float
    y: float
    reach: float
    label_x: float
    label_y: float


@dataclass(frozen=True, slots=True)
class Label:
    """A region's label on a figure."""

    text: str
    x: float
    y: float


@dataclass(frozen=True, slots=True)
class ColourBar:
    """The scale of a map: its colours from 0 to `upper`, of which each stands for as much."""

    colours: tuple[str, ...]
    upper: float
    unit: str = ""

    @classmethod
    def of(cls, steps: ByteArray, upper: float, unit: str = "") -> ColourBar:
        """The scale of these colours, (N, 3)."""
        return cls(tuple(hexadecimal((r, g, b)) for r, g, b in steps.tolist()), upper, unit)

    @property
    def step(self) -> float:
        """The width of one colour."""
        return _BAR_WIDTH / len(self.colours)

    @property
    def ticks(self) -> tuple[tuple[float, str], ...]:
        """Where values stand on the bar, and which."""
        return tuple(
            (_BAR_WIDTH * value / self.upper, count(value) if value >= 1000 else f"{value:g}")
            for value in ticks(self.upper)
        )


def map_figure(
    frame: Frame,
    alt: str,
    *,
    picture: Markup | None = None,
    paths: Sequence[tuple[str, str]] = (),
    marks: Sequence[Mark] = (),
    labels: Sequence[Label] = (),
    bar: ColourBar | None = None,
    line: float = 1.0,
) -> Markup:
    """The figure.

    Parameters
    ----------
    alt : what it shows, for who can't see it
    picture : the address of what fills the frame
    line : the width of the lines of paths
    paths : colours, "none" for an outline, and what has them, as SVG paths
    """
    return figure(
        "figures/map.svg",
        frame=frame,
        alt=alt,
        width=WIDTH,
        picture=picture,
        paths=paths,
        marks=marks,
        labels=labels,
        bar=bar,
        line=line,
        scale_bar=frame.scale_bar(WIDTH / 4),
    )
