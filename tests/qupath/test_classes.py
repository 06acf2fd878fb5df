"""What names of classes mean."""

from __future__ import annotations

import pytest

from wsi_edt.cells import CellClass
from wsi_edt.qupath.classes import ClassNames

POSITIVE, NEGATIVE, NUCLEUS = CellClass.POSITIVE, CellClass.NEGATIVE, CellClass.NUCLEUS


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        (None, NUCLEUS),
        ("", NUCLEUS),
        ("Nucleus", NUCLEUS),
        ("Positive", POSITIVE),
        ("Tumor: Negative", NEGATIVE),
        ("POS", POSITIVE),
        ("Stroma: neg", NEGATIVE),
        ("+", POSITIVE),
        ("-", NEGATIVE),
        ("\N{MINUS SIGN}", NEGATIVE),
        ("Ki67+", POSITIVE),
        ("Ki-67-", NEGATIVE),
        ("ki 67 positive", POSITIVE),
        ("Negative nuclei", NEGATIVE),
        ("Ki67_positive_cell", POSITIVE),
        ("Ignore*", None),
    ],
)
def test_names_that_are_known(name: str | None, meaning: CellClass | None) -> None:
    assert ClassNames().meaning(name) is meaning


@pytest.mark.parametrize(
    "name", ["Ki67", "1", "0", "1+", "Tumor", "Tumor cell", "Other: Ki-67", "cell", "not positive"]
)
def test_names_that_are_not(name: str) -> None:
    with pytest.raises(KeyError):
        ClassNames().meaning(name)


def test_a_user_s_word_comes_first() -> None:
    names = ClassNames.from_options(
        ["+=ignore", "Tumor: Positive=nucleus", "Ki67=positive", "Absent=negative"]
    )
    assert [names.meaning(name) for name in ("+", "Tumor: positive", "Stroma: Positive", "KI67")] == [
        None,
        NUCLEUS,
        POSITIVE,
        POSITIVE,
    ]
    assert names.never_met() == ["Absent"]
