"""What every reader makes of the numbers that a file states: downsamples, µm/px, bounds."""

from __future__ import annotations

from collections.abc import Sequence
from xml.etree import ElementTree

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath

# A TIFF's resolution tags often hold a printer's 72 or 300 dpi: 353 or 85 µm/px. Microscopes lie well inside.
PLAUSIBLE_MPP = (0.01, 20.0)
LARGEST_ANISOTROPY = 0.05
OME_UNITS_UM = {"nm": 1e-3, "µm": 1.0, "um": 1.0, "mm": 1e3, "cm": 1e4, "m": 1e6}


def refuse_implausible_mpp(fallback_mpp: float) -> None:
    """Raise UsageError unless a microscope could have that µm/px."""
    lowest, highest = PLAUSIBLE_MPP
    if not lowest <= fallback_mpp <= highest:
        raise UsageError(
            "isn't a µm/px that a microscope has",
            where=f"--mpp {fallback_mpp:g}",
            remedy="give for example 0.25",
        )


def true_downsamples(
    level_dimensions: Sequence[tuple[int, int]], reported: Sequence[float]
) -> tuple[float, ...]:
    """Level-0 px per px of each level.

    Readers report the quotient of the sizes, which rounding of the level's size makes a little wrong (2202 / 550 =
    4.0036 for a level that was made with 4). If a whole number explains both sizes, it is the downsample.
    """
    width, height = level_dimensions[0]
    downsamples = []
    for (level_width, level_height), quotient in zip(level_dimensions, reported, strict=True):
        whole = round(quotient)
        explained = all(
            side // whole <= level_side <= -(-side // whole)
            for side, level_side in ((width, level_width), (height, level_height))
        )
        downsamples.append(float(whole) if explained else float(quotient))
    return tuple(downsamples)


def stated_mpp(path: SlidePath, x: float | None, y: float | None) -> float | None:
    """One µm/px out of the two that a file states, or None if it states none that a microscope could have.

    Raises
    ------
    SlideError
        If the two differ by more than 5 %: the pixels aren't square, and distances would be wrong.
    """
    low, high = PLAUSIBLE_MPP
    if x is None or y is None or not (low <= x <= high and low <= y <= high):
        return None
    if abs(x - y) > LARGEST_ANISOTROPY * min(x, y):
        raise SlideError(
            f"states {x:g} µm/px across and {y:g} down, which differ by more than {LARGEST_ANISOTROPY:.0%}",
            where=path,
            remedy="convert it to square pixels",
        )
    return (x + y) / 2


def ome_mpp(ome_xml: str | None) -> tuple[float | None, float | None]:
    """µm/px across and down of the first image that OME-XML describes; None if it states none."""
    try:
        root = ElementTree.fromstring(ome_xml or "")
    except ElementTree.ParseError:
        return None, None
    pixels = next((element for element in root.iter() if element.tag.endswith("}Pixels")), None)
    if pixels is None:
        return None, None
    x, y = (_ome_length_um(pixels, f"PhysicalSize{axis}") for axis in "XY")
    return x, y


def _ome_length_um(element: ElementTree.Element, name: str) -> float | None:
    number = stated_number(element.get(name))
    unit_um = OME_UNITS_UM.get(element.get(f"{name}Unit", "µm"))
    return None if number is None or unit_um is None else number * unit_um


def stated_number(value: object) -> float | None:
    """The number that a property holds, or None if it is missing or isn't a number."""
    try:
        return float(str(value).replace(",", "."))
    except ValueError:
        return None


def stated_bounds(stated: Sequence[object], dimensions: tuple[int, int]) -> Window:
    """The stated bounds (x, y, width, height), cut to the slide; the whole slide if the file states none."""
    width, height = dimensions
    numbers = [stated_number(value) for value in stated]
    x, y, bounds_width, bounds_height = (None if number is None else round(number) for number in numbers)
    if x is None or y is None or bounds_width is None or bounds_height is None:
        return Window(0, 0, width, height)
    left, top = max(x, 0), max(y, 0)
    right, bottom = min(x + bounds_width, width), min(y + bounds_height, height)
    if left >= right or top >= bottom:
        return Window(0, 0, width, height)
    return Window(left, top, right - left, bottom - top)
