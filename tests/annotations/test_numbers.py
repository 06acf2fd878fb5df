"""Numbers as spreadsheets write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsi_edt.annotations.numbers import NumberTexts
from wsi_edt.errors import AnnotationError


def number(text: str) -> float:
    numbers = NumberTexts()
    plain = numbers.plain(text, "a.csv, line 2")
    numbers.refuse_doubtful()
    return float(plain)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("100", 100),
        ("100.5", 100.5),
        ("1.100", 1.1),  # a point is a decimal one wherever there is just one
        ("-.5e2", -50),
        ("100,5", 100.5),
        ("0,123", 0.123),  # no group of thousands begins with 0
        ("1234,567", 1234.567),
        (",5", 0.5),
        ("1,5E+02", 150),
        ("12 345", 12_345),
        ("1\N{NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567,25", 1_234_567.25),
        ("1'234.5", 1234.5),
        ("1’234", 1234),
    ],
)
def test_what_a_number_means(text: str, value: float) -> None:
    assert number(text) == value


@pytest.mark.parametrize("text", ["1,234.5", "1.234,5", "1,234,567", "1.234.567"])
def test_separators_of_thousands_are_refused_for_another_line_may_have_one_alone(text: str) -> None:
    with pytest.raises(AnnotationError, match=r"line 2 has '[\d.,]+', with separators of thousands"):
        number(text)


def test_what_may_be_either_is_refused_unless_another_number_tells() -> None:
    with pytest.raises(AnnotationError, match=r"line 2 has '1,234', which may be 1234 or 1\.234"):
        number("1,234")
    numbers = NumberTexts()
    assert [numbers.plain(text, "line 2") for text in ("1,234", "10,5", "2,345")] == [
        "1.234",
        "10.5",
        "2.345",
    ]
    numbers.refuse_doubtful()


def read(*texts: str, points_may_group: bool) -> list[float]:
    numbers = NumberTexts(points_may_group=points_may_group)
    found = [float(numbers.plain(text, "line 2")) for text in texts]
    numbers.refuse_doubtful()
    return found


@pytest.mark.parametrize("texts", [("1.300", "1.480"), ("950", "1.480"), ("100.250", "200.500"), ("-1.300",)])
def test_points_may_be_thousands_where_semicolons_separate(texts: tuple[str, ...]) -> None:
    with pytest.raises(
        AnnotationError, match=r"line 2 has '-?\d+\.\d{3}', which may be -?\d{4,6} or -?\d+\.\d{3}"
    ):
        read(*texts, points_may_group=True)
    assert read(*texts, points_may_group=False) == [float(text) for text in texts]


@pytest.mark.parametrize(
    "teller", ["12.5", "0.125", "1234.5", "1300", ".125", "1234.500", "12.3456", "1.5e2"]
)
def test_one_number_tells_that_points_are_decimal_ones(teller: str) -> None:
    for texts in (("1.300", teller), (teller, "1.300")):
        assert read(*texts, points_may_group=True) == [float(text) for text in texts]


@pytest.mark.parametrize("texts", [("1.300", "12,5"), ("12,5", "1.300")])
def test_beside_a_decimal_comma_a_point_is_none(texts: tuple[str, str]) -> None:
    with pytest.raises(AnnotationError, match=r"has '1\.300', which may be 1300 or 1\.300"):
        read(*texts, points_may_group=False)


@pytest.mark.parametrize("text", ["", "1 2", "12 px", "a,b", "1,2,x"])
def test_what_is_no_number_stays_none(text: str) -> None:
    with pytest.raises(ValueError, match="could not convert"):
        number(text)
    assert NumberTexts().plain(text, "") == text, "so that an error shows what the file holds"


@given(st.floats(-1e9, 1e9))
def test_a_decimal_comma_is_as_good_as_a_point(value: float) -> None:
    numbers = NumberTexts()
    for text in (repr(value), f"{value:.3f}"):
        assert (
            float(numbers.plain(text.replace(".", ","), "")) == float(numbers.plain(text, "")) == float(text)
        )
