"""Which of a file's pictures is the slide, from what scanners and converters write."""

from __future__ import annotations

from pathlib import Path

import pytest

from wsi_edt.errors import SlideError
from wsi_edt.slides.picture_roles import Evidence, Picture, Role, chosen_picture, pictures_of

SCAN = Evidence((40000, 30000), "x40", 0.25, tiled=True, has_levels=True)


def roles(*found: Evidence) -> list[Role]:
    return [picture.role for picture in pictures_of(found)]


@pytest.mark.parametrize(
    ("other", "role"),
    [
        (Evidence((1280, 431), "macro image", 20.0), Role.MACRO),
        (Evidence((40000, 30000), "slide_macro.tif", tiled=True), Role.MACRO),  # of any size, by its name
        (Evidence((500, 500), "Label"), Role.LABEL),
        (Evidence((1024, 768), "Thumbnail"), Role.THUMBNAIL),
        (Evidence((1616, 4668), "", 16.4, tiled=True, has_levels=True), Role.MACRO),  # of Leica, in OME-TIFF
        (Evidence((1000, 750), "", reduced=True), Role.THUMBNAIL),
        (Evidence((40000, 30000), "", is_mask=True, tiled=True), Role.OTHER),
        (Evidence((40000, 30000), "", 0.25, tiled=True, readable=False), Role.OTHER),  # a mask in greyscale
        (Evidence((1280, 431), ""), Role.OTHER),
        (Evidence((1000, 750), ""), Role.THUMBNAIL),  # it has the scan's shape
        (Evidence((30000, 20000), "region 2", 0.25, tiled=True), Role.SCAN),
        (Evidence((3000, 2000), "region 2", 0.25, tiled=True), Role.SCAN),  # however small
        (Evidence((20000, 15000), "x20", 0.5, tiled=True), Role.SCAN),
        (Evidence((3000, 2000), "labelled cells", 0.25, tiled=True), Role.SCAN),
    ],
)
def test_what_stands_beside_a_scan(other: Evidence, role: Role) -> None:
    assert roles(SCAN, other) == [Role.SCAN, role]
    assert roles(other, SCAN) == [role, Role.SCAN], "wherever it stands"


def test_a_files_only_picture_is_its_scan_whatever_it_is_called() -> None:
    for name in ("macro", "Label 12", "thumbnail"):
        assert roles(Evidence((500, 500), name, 20.0, reduced=True)) == [Role.SCAN]


def test_a_rule_that_leaves_no_scan_says_nothing() -> None:
    coarse = Evidence((1280, 431), "macro 1", 20.0)
    assert roles(coarse, Evidence((40000, 30000), "macro 2", 0.25, tiled=True)) == [Role.MACRO, Role.SCAN]
    assert roles(coarse, coarse) == [Role.SCAN, Role.SCAN]


def test_one_scan_is_chosen_and_several_have_to_be() -> None:
    path = Path("case.ome.tif")
    pictures = pictures_of(
        [Evidence((1280, 431), "macro"), SCAN, Evidence((300, 200), "second", 0.25, tiled=True)]
    )
    with pytest.raises(SlideError) as caught:
        chosen_picture(pictures, None, path)
    assert str(caught.value) == (
        'case.ome.tif holds 2 scans: 2 "x40" (40000 x 30000 px, 0.25 µm/px), 3 "second" (300 x 200 px, 0.25 µm/px); '
        "pass --series 2 (or --series all for each)"
    )
    assert [chosen_picture(pictures, number, path).number for number in (1, 2, 3)] == [1, 2, 3]
    for number in (0, 4):
        with pytest.raises(
            SlideError, match=rf"holds 3 pictures, and none has the number {number}; wsi-edt info"
        ):
            chosen_picture(pictures, number, path)
    assert chosen_picture(pictures[:2], None, path).number == 2


def test_many_scans_are_counted() -> None:
    pictures = [Picture(number, "", (10, 20), None, Role.SCAN) for number in range(1, 101)]
    with pytest.raises(
        SlideError, match=r"holds 100 scans: 1 \(10 x 20 px, no µm/px\), .* and 94 more; pass"
    ):
        chosen_picture(pictures, None, Path("a.tif"))
