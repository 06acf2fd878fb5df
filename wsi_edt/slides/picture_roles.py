"""The pictures of a file, and which of them is the slide: chosen by what it is, never by where it stands.

A file may hold a scan, or several, beside pictures that are no scans: a macro (the whole glass slide, photographed), its
label, a thumbnail. A model finds "nuclei" in any of them, so what isn't a scan is passed over, and which of several scans
is meant has to be said.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath

# Macros state 7 to 60 µm/px. A scan at 4 × has 2.5: beside one at 40 ×, it is an overview as well.
_COARSE_MPP = 2.0
_COARSER_TIMES = 8.0
# A picture that states no µm/px or isn't tiled, where the largest does or is, is no scan if its area is that much smaller;
# if both, it needn't be quite as small.
_SMALLER_TIMES = 16
_SMALLER_TIMES_IF_BOTH = 4

_NAMED = "(?:^|[^a-z])(?:{})(?:$|[^a-z])"
_MACRO_NAME = re.compile(_NAMED.format("macro|overview|slide ?image|whole ?slide ?overview"))
_LABEL_NAME = re.compile(_NAMED.format("label|barcode"))
_THUMBNAIL_NAME = re.compile(_NAMED.format("thumb|thumbnail|preview"))
_OTHER_NAME = re.compile(_NAMED.format("mask|map|probability|icc"))
_MOST_NAMED = 6  # of a file's scans, in a sentence


class Role(StrEnum):
    """What a picture is to its file."""

    SCAN = "scan"
    MACRO = "macro"
    LABEL = "label"
    THUMBNAIL = "thumbnail"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Picture:
    """One picture of a file; its levels belong to it.

    Attributes
    ----------
    number : from 1, in the file's order; what `--series` takes
    name : as the file states it; may be empty
    size : (width, height), px of its finest level
    mpp : µm per px as the file states it, however implausible; None if it states none
    """

    number: int
    name: str
    size: tuple[int, int]
    mpp: float | None
    role: Role

    def __str__(self) -> str:
        """For example: 2 "x40" (1300 x 1100 px, 0.25 µm/px)."""
        name = f' "{" ".join(self.name.split())}"' if self.name.strip() else ""
        scale = "no µm/px" if self.mpp is None else f"{self.mpp:.4g} µm/px"
        return f"{self.number}{name} ({self.size[0]} x {self.size[1]} px, {scale})"


@dataclass(frozen=True, slots=True)
class Evidence:
    """What tells scans from other pictures.

    Attributes
    ----------
    size, name, mpp : see `Picture`
    tiled : whether it is stored in tiles, as large pictures are
    reduced : whether the file calls it a reduced version of another
    is_mask : whether the file calls it a transparency mask
    readable : whether it has 8-bit RGB pixels
    has_levels : whether it has coarser levels of its own
    """

    size: tuple[int, int]
    name: str = ""
    mpp: float | None = None
    tiled: bool = False
    reduced: bool = False
    is_mask: bool = False
    readable: bool = True
    has_levels: bool = False

    @property
    def area(self) -> int:
        """Its px."""
        return self.size[0] * self.size[1]


def role_by_name(name: str) -> Role | None:
    """What a picture's name says of it, if anything."""
    words = name.lower().replace("_", " ")
    for pattern, role in (
        (_MACRO_NAME, Role.MACRO),
        (_LABEL_NAME, Role.LABEL),
        (_THUMBNAIL_NAME, Role.THUMBNAIL),
        (_OTHER_NAME, Role.OTHER),
    ):
        if pattern.search(words):
            return role
    return None


def pictures_of(found: Sequence[Evidence]) -> tuple[Picture, ...]:
    """The pictures with their roles. A file's only picture is its scan, whatever it is called."""
    roles: list[Role | None] = [None] * len(found)
    for rule in (_by_pixels, _by_name, _by_flags, _by_mpp, _by_size):
        left = [k for k, role in enumerate(roles) if role is None]
        judged = dict(zip(left, rule([found[k] for k in left]), strict=True))
        if any(role is None for role in judged.values()):  # a rule that leaves no scan says nothing
            for k, role in judged.items():
                roles[k] = role
    return tuple(
        Picture(number, one.name, one.size, one.mpp, role or Role.SCAN)
        for number, (one, role) in enumerate(zip(found, roles, strict=True), start=1)
    )


def _by_pixels(left: Sequence[Evidence]) -> list[Role | None]:
    return [None if one.readable else role_by_name(one.name) or Role.OTHER for one in left]


def _by_name(left: Sequence[Evidence]) -> list[Role | None]:
    return [role_by_name(one.name) for one in left]


def _by_flags(left: Sequence[Evidence]) -> list[Role | None]:
    return [Role.OTHER if one.is_mask else Role.THUMBNAIL if one.reduced else None for one in left]


def _by_mpp(left: Sequence[Evidence]) -> list[Role | None]:
    finest = min((one.mpp for one in left if one.mpp is not None), default=None)
    if finest is None:
        return [None] * len(left)
    coarse = max(_COARSE_MPP, _COARSER_TIMES * finest)
    return [Role.MACRO if one.mpp is not None and one.mpp > coarse else None for one in left]


def _by_size(left: Sequence[Evidence]) -> list[Role | None]:
    largest = max(left, key=lambda one: one.area)
    return [None if one is largest else _role_beside(one, largest) for one in left]


def _role_beside(one: Evidence, largest: Evidence) -> Role | None:
    no_mpp = one.mpp is None and largest.mpp is not None
    no_tiles = largest.tiled and not one.tiled
    times = _SMALLER_TIMES_IF_BOTH if no_mpp and no_tiles else _SMALLER_TIMES
    if one.has_levels or not (no_mpp or no_tiles) or one.area * times > largest.area:
        return None
    same_shape = abs(one.size[0] * largest.size[1] / (one.size[1] * largest.size[0]) - 1) < 0.02
    return Role.THUMBNAIL if same_shape else Role.OTHER


def chosen_picture(pictures: Sequence[Picture], series: int | None, path: SlidePath) -> Picture:
    """The picture that is the slide: that of the number, else the only scan.

    Raises
    ------
    SlideError
        If the number isn't among them, or if none is given and the file holds several scans.
    """
    if series is not None:
        if not 1 <= series <= len(pictures):
            what = f"{len(pictures)} pictures" if len(pictures) > 1 else "one picture"
            raise SlideError(
                f"holds {what}, and none has the number {series}",
                where=path,
                remedy="wsi-edt info lists them for --series",
            )
        return pictures[series - 1]
    scans = [picture for picture in pictures if picture.role is Role.SCAN]
    if len(scans) > 1:
        named = ", ".join(str(scan) for scan in scans[:_MOST_NAMED])
        more = f" and {len(scans) - _MOST_NAMED} more" if len(scans) > _MOST_NAMED else ""
        raise SlideError(
            f"holds {len(scans)} scans: {named}{more}",
            where=path,
            remedy=f"pass --series {scans[0].number} (or --series all for each)",
        )
    assert scans, pictures
    return scans[0]
