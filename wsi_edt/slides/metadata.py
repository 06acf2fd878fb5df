"""What every reader makes of the numbers that a file states: downsamples, µm/px, bounds."""

from __future__ import annotations

import re
from collections.abc import Sequence
from xml.etree import ElementTree

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath

# A TIFF's resolution tags often hold a printer's 72 or 300 dpi: 353 or 85 µm/px. Microscopes lie well inside.
PLAUSIBLE_MPP = (0.01, 20.0)
# Beyond it a nucleus of 7 µm spans fewer than 7 px: enlarging them makes a picture that no model was trained on.
COARSEST_MPP = 1.0
LARGEST_ANISOTROPY = 0.05
# What OME-XML and ImageJ call the units of length, in lower case and with the micro sign U+00B5 for Greek µ (U+03BC).
# Others ("pixel", "reference frame") state nothing.
_UNITS_UM = {
    **dict.fromkeys(("pm", "picometer", "picometre"), 1e-6),
    **dict.fromkeys(("å", "angstrom", "ångström"), 1e-4),
    **dict.fromkeys(("nm", "nanometer", "nanometre", "nanometers"), 1e-3),
    **dict.fromkeys(
        ("\u00b5m", "um", "\u00b5", "micron", "microns", "micrometer", "micrometre", "micrometers"), 1.0
    ),
    **dict.fromkeys(("mm", "millimeter", "millimetre", "millimeters"), 1e3),
    **dict.fromkeys(("cm", "centimeter", "centimetre", "centimeters"), 1e4),
    "dm": 1e5,
    **dict.fromkeys(("m", "meter", "metre", "meters"), 1e6),
    **dict.fromkeys(("in", "inch", "inches", '"'), 25400.0),
    **dict.fromkeys(("thou", "mil"), 25.4),
    "li": 25400.0 / 12,
    "pt": 25400.0 / 72,
    "ft": 304800.0,
}
_ESCAPE = re.compile(r"\\u([0-9a-fA-F]{4})")  # ImageJ writes \u00B5m


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


def ome_pixels(ome_xml: str | None) -> tuple[tuple[str, ElementTree.Element], ...]:
    """The name of each image that OME-XML describes, and its Pixels element; none if it is no OME-XML."""
    try:
        root = ElementTree.fromstring(ome_xml or "")
    except ElementTree.ParseError:
        return ()
    images = [element for element in root.iter() if element.tag.endswith("}Image")]
    pixels = [(image, next((one for one in image if one.tag.endswith("}Pixels")), None)) for image in images]
    return tuple((image.get("Name", ""), one) for image, one in pixels if one is not None)


def ome_mpp(pixels: ElementTree.Element) -> tuple[float | None, float | None]:
    """µm/px across and down that an OME Pixels element states; None for what it doesn't."""
    x, y = (_ome_length_um(pixels, f"PhysicalSize{axis}") for axis in "XY")
    return x, y


def _ome_length_um(element: ElementTree.Element, name: str) -> float | None:
    number = stated_number(element.get(name))
    unit = unit_um(element.get(f"{name}Unit", "µm"))
    return None if number is None or unit is None else number * unit


def unit_um(name: object) -> float | None:
    """µm in a unit of length as OME-XML or ImageJ names it; None for pixels and what is no length."""
    text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), str(name))
    return _UNITS_UM.get(text.strip().lower().replace("\u03bc", "\u00b5"))


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
