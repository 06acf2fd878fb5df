from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.metadata import (
    ome_mpp,
    ome_pixels,
    stated_bounds,
    stated_mpp,
    stated_number,
    true_downsamples,
    unit_um,
)

PATH = Path("case.svs")


def test_rounded_level_sizes_still_give_whole_downsamples() -> None:
    dimensions = [(2202, 2202), (1101, 1101), (550, 550), (275, 275)]
    reported = [2202 / width for width, _ in dimensions]
    assert reported[2] != 4
    assert true_downsamples(dimensions, reported) == (1, 2, 4, 8)
    # Aperio rounds one side up and one down.
    assert true_downsamples([(46001, 32914), (11500, 8229)], [1.0, 4.00006]) == (1, 4)


def test_a_downsample_that_no_whole_number_explains_stays() -> None:
    assert true_downsamples([(1000, 1000), (600, 600)], [1.0, 1000 / 600]) == (1, 1000 / 600)
    assert true_downsamples([(1000, 1000), (490, 490)], [1.0, 1000 / 490]) == (1, 1000 / 490)


@pytest.mark.parametrize(
    ("x", "y", "expected"),
    [
        (0.25, 0.25, 0.25),
        (0.25, 0.26, 0.255),
        (None, 0.25, None),
        (352.8, 352.8, None),  # 72 dpi
        (84.7, 84.7, None),  # 300 dpi
        (0.0, 0.0, None),
    ],
)
def test_stated_mpp(x: float | None, y: float | None, expected: float | None) -> None:
    assert stated_mpp(PATH, x, y) == pytest.approx(expected)


def test_pixels_that_are_not_square_are_refused() -> None:
    with pytest.raises(SlideError, match=r"case\.svs states 0\.25 µm/px across and 0\.3 down"):
        stated_mpp(PATH, 0.25, 0.3)


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        ('PhysicalSizeX="0.25" PhysicalSizeY="0.26"', (0.25, 0.26)),
        (
            'PhysicalSizeX="250" PhysicalSizeXUnit="nm" PhysicalSizeY="2.5e-4" PhysicalSizeYUnit="mm"',
            (0.25, 0.25),
        ),
        (  # Greek mu, and the micro sign
            'PhysicalSizeX="0.3" PhysicalSizeXUnit="\u03bcm" PhysicalSizeY="0.3" PhysicalSizeYUnit="\u00b5m"',
            (0.3, 0.3),
        ),
        (  # 0.25 µm are 0.25 / 25400 inches
            'PhysicalSizeX="9.84251968503937e-6" PhysicalSizeXUnit="in" PhysicalSizeY="2500" PhysicalSizeYUnit="Å"',
            (0.25, 0.25),
        ),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="pixel"', (None, None)),
        ('PhysicalSizeX="1" PhysicalSizeXUnit="reference frame" PhysicalSizeY="x"', (None, None)),
        ("", (None, None)),
    ],
)
def test_ome_mpp(attributes: str, expected: tuple[float | None, float | None]) -> None:
    images = f'<Image Name="one"><Pixels {attributes}/></Image><Image><Pixels PhysicalSizeX="9"/></Image>'
    xml = f'<OME xmlns="http://x">{images}</OME>'
    (name, first), (unnamed, second) = ome_pixels(xml)
    assert (name, unnamed) == ("one", "")
    assert list(ome_mpp(first)) == [pytest.approx(side) for side in expected]
    assert ome_mpp(second) == (9.0, None)


@pytest.mark.parametrize("xml", [None, "", "Aperio Image Library", "<OME><unclosed>", "<OME/>"])
def test_what_is_no_ome_xml_describes_no_pixels(xml: str | None) -> None:
    assert ome_pixels(xml) == ()


@pytest.mark.parametrize(
    ("name", "um"),
    [
        ("micron", 1),
        ("\\u00B5m", 1),  # as ImageJ escapes it
        ("um", 1),
        ("μm", 1),
        ("nm", 0.001),
        ("inch", 25400),
        ("cm", 10000),
        ("pixel", None),
        ("", None),
        (None, None),
    ],
)
def test_units_of_length(name: object, um: float | None) -> None:
    assert unit_um(name) == um


@pytest.mark.parametrize(
    ("text", "number"), [("0.499", 0.499), ("0,25", 0.25), (20, 20), ("", None), (None, None)]
)
def test_stated_number(text: object, number: float | None) -> None:
    assert stated_number(text) == number


def test_bounds_are_cut_to_the_slide_and_are_the_slide_where_unstated() -> None:
    assert stated_bounds(["10", "20", "30", "40"], (100, 100)) == Window(10, 20, 30, 40)
    assert stated_bounds(["-5", "20", "30", "400"], (100, 100)) == Window(0, 20, 25, 80)
    assert stated_bounds([None, None, None, None], (100, 90)) == Window(0, 0, 100, 90)
    assert stated_bounds(["200", "0", "10", "10"], (100, 90)) == Window(0, 0, 100, 90)
