"""The pictures of a TIFF file, each with its levels: OME-TIFF's and other formats' series, or plain pages.

A picture has one plane here: the first in depth and in time, which is also what QuPath shows first. Pages of a plain TIFF
that are of one size are pictures of their own, since nothing says that they are planes.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from math import prod
from xml.etree import ElementTree

import numpy as np
import tifffile

from wsi_edt.slides.metadata import ome_mpp, ome_pixels, unit_um
from wsi_edt.slides.picture_roles import Evidence, role_by_name

TiffPage = tifffile.TiffPage | tifffile.TiffFrame

# How many times smaller than the level above a picture may be to be its next level: more is a thumbnail.
_LARGEST_STEP = 8
_MOST_BASES = 64  # pictures of which another may be a level: a file may have thousands of pages
_SAME_MPP = 0.05
_RGB = (tifffile.PHOTOMETRIC.RGB, tifffile.PHOTOMETRIC.YCBCR)
_GREY = (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.MINISWHITE)
_AXIS_NAMES = {"Z": "plane", "T": "time point", "C": "channel"}
_GENERIC_NAME = re.compile(r"(channel)?[\s:_]*[\d:]*")
# OME-XML's colours: signed 32-bit RGBA.
_RED_GREEN_BLUE = ["-16776961", "16711935", "65535"]


def keyframe_of(page: TiffPage) -> tifffile.TiffPage:
    """The page that holds a page's tags; itself, or the first of its series."""
    assert page.keyframe is not None
    return page.keyframe


@dataclass(frozen=True, slots=True)
class TiffLevel:
    """One level of a picture: a page with all samples, or a page for each of red, green and blue.

    The keyframe holds the tags of all pages. A page is None where the file, or another that should hold it, lacks it.
    """

    keyframe: tifffile.TiffPage
    pages: tuple[TiffPage | None, ...]

    @property
    def width(self) -> int:
        """Its px across."""
        return int(self.keyframe.imagewidth)

    @property
    def height(self) -> int:
        """Its px down."""
        return int(self.keyframe.imagelength)

    @property
    def samples(self) -> int:
        """Samples a px, over all pages."""
        return int(self.keyframe.samplesperpixel) * len(self.pages)


@dataclass(frozen=True, slots=True)
class TiffPicture:
    """One picture of a TIFF file.

    Attributes
    ----------
    levels : finest first
    mpp : µm/px across and down, as stated
    plane : which plane it is of how many ("plane 1 of 3"); empty if it has but one
    channels : how many it has in pages of their own, but for red, green and blue
    reduced, is_mask : whether the file calls it a reduced version of another, or a mask
    """

    levels: tuple[TiffLevel, ...]
    name: str = ""
    mpp: tuple[float | None, float | None] = (None, None)
    plane: str = ""
    channels: int = 1
    reduced: bool = False
    is_mask: bool = False

    @property
    def other_pixels(self) -> str | None:
        """What its pixels are, in words, if they aren't 8-bit RGB."""
        level = self.levels[0]
        page, bits = level.keyframe, int(np.max(level.keyframe.bitspersample))
        is_grey = page.photometric in _GREY
        if self.channels > 1 and level.samples < 3:
            return self._sized(f"{self.channels} channels")
        if len(level.pages) == 1 and page.photometric not in _RGB:
            if not is_grey:
                return self._sized(_photometric(page))
            if level.samples == 1:
                return self._sized(f"greyscale of {bits} bits a px")
        # Three samples of grey are how scientists' programs write RGB.
        if level.samples < 3 or (is_grey and level.samples > 4):
            return self._sized(f"{level.samples} channels")
        if page.dtype != np.uint8 or bits != 8:
            return self._sized(f"colour of {bits} bits a px")
        return None

    def _sized(self, kind: str) -> str:
        return f"{self.levels[0].width} x {self.levels[0].height} px in {kind}"

    @property
    def mean_mpp(self) -> float | None:
        """µm/px as stated, however implausible, or None."""
        x, y = self.mpp
        return None if x is None or y is None or not x > 0 or not y > 0 else (x + y) / 2

    @property
    def evidence(self) -> Evidence:
        """What tells whether it is a scan."""
        level = self.levels[0]
        return Evidence(
            size=(level.width, level.height),
            name=self.name,
            mpp=self.mean_mpp,
            tiled=bool(level.keyframe.is_tiled),
            reduced=self.reduced,
            is_mask=self.is_mask,
            readable=self.other_pixels is None,
            has_levels=len(self.levels) > 1,
        )


def tiff_pictures(tiff: tifffile.TiffFile) -> tuple[TiffPicture, ...]:
    """The pictures of a TIFF file, in its order; levels that stand alone are joined to their picture.

    Raises
    ------
    Exception
        Whatever tifffile raises if it can't make sense of the file.
    """
    series = tiff.series
    if not series:
        return ()
    plain = series[0].kind in ("generic", "uniform")
    return _joined(list(_of_pages(tiff) if plain else _of_series(tiff)))


def _of_pages(tiff: tifffile.TiffFile) -> Iterator[TiffPicture]:
    for index in range(len(tiff.pages)):
        page = tiff.pages.get(index, aspage=True)
        assert isinstance(page, tifffile.TiffPage)
        if not page.shape or 0 in page.shape:
            continue
        levels = [_page_level(page)]
        for k, offset in enumerate(page.subifds or ()):
            tiff.filehandle.seek(offset)
            level = _page_level(tifffile.TiffPage(tiff, (index, k)))
            if _belongs(level, levels):
                levels.append(level)
        name = page.tags.valueof("PageName", default="") or _first_word(page.description)
        kind = int(page.subfiletype)
        plane = f"plane 1 of {page.imagedepth}" if page.imagedepth > 1 else ""
        mask = bool(kind & 4)
        yield TiffPicture(
            tuple(levels), str(name), _tag_mpp(page), plane, reduced=bool(kind & 1), is_mask=mask
        )


def _of_series(tiff: tifffile.TiffFile) -> Iterator[TiffPicture]:
    images = ome_pixels(tiff.ome_metadata) if tiff.series[0].kind == "ome" else ()
    following = 0
    for series in tiff.series:
        xml: ElementTree.Element | None = None
        for k in range(following, len(images)):  # tifffile leaves out images without data
            if _is_of(series, images[k][1]):
                xml, following = images[k][1], k + 1
                break
        name = series.name if series.name != "Baseline" else ""
        yield from _of_one_series(tiff, series, name, xml)


def _is_of(series: tifffile.TiffPageSeries, pixels: ElementTree.Element) -> bool:
    page = series.keyframe
    return (pixels.get("SizeX"), pixels.get("SizeY")) == (str(page.imagewidth), str(page.imagelength))


def _of_one_series(
    tiff: tifffile.TiffFile, series: tifffile.TiffPageSeries, name: str, xml: ElementTree.Element | None
) -> Iterator[TiffPicture]:
    axes = series.get_axes(squeeze=False)
    sizes = dict(zip(axes, series.get_shape(squeeze=False), strict=True))
    leading = {axis: size for axis, size in sizes.items() if axis not in "YXS"}
    # The axes of which nothing says what they are: pages beside each other.
    unknown = {axis: size for axis, size in leading.items() if axis in "IQ" and size > 1}
    step = _steps(leading)
    is_rgb = sizes.get("S", 1) == 1 and leading.get("C") == 3 and _are_red_green_blue(xml)
    channels = [step["C"] * channel for channel in range(3)] if is_rgb else [0]
    planes = ", ".join(
        f"{_AXIS_NAMES.get(axis, axis)} 1 of {size}"
        for axis, size in leading.items()
        if size > 1 and axis not in unknown and not (axis == "C" and is_rgb)
    )
    page = series.keyframe
    mpp = (None, None) if xml is None else ome_mpp(xml)
    if None in mpp:
        mpp = _imagej_mpp(tiff, page) if tiff.is_imagej else _tag_mpp(page)
    for number in range(prod(unknown.values())):
        first = sum(
            int(place) * step[axis]
            for axis, place in zip(
                unknown, np.unravel_index(number, tuple(unknown.values()) or (1,)), strict=False
            )
        )
        levels: list[TiffLevel] = []
        for one in series.levels:
            level = _series_level(one, [first + channel for channel in channels])
            if not levels or _belongs(level, levels):
                levels.append(level)
        kind = int(page.subfiletype)
        yield TiffPicture(
            tuple(levels),
            name,
            mpp,
            planes,
            channels=1 if is_rgb else leading.get("C", 1),
            reduced=bool(kind & 1),
            is_mask=bool(kind & 4),
        )


def _steps(leading: dict[str, int]) -> dict[str, int]:
    """How many pages lie between neighbours along each axis."""
    sizes = list(leading.values())
    return {axis: prod(sizes[k + 1 :]) for k, axis in enumerate(leading)}


def _series_level(level: tifffile.TiffPageSeries, indices: Sequence[int]) -> TiffLevel:
    pages = tuple(level[index] if index < len(level) else None for index in indices)
    return TiffLevel(level.keyframe, pages)


def _page_level(page: tifffile.TiffPage) -> TiffLevel:
    return TiffLevel(page, (page,))


def _are_red_green_blue(xml: ElementTree.Element | None) -> bool:
    """Whether three channels are the three colours: they say so, or say nothing (fluorescence names its own)."""
    if xml is None:
        return False
    channels = [one for one in xml if one.tag.endswith("}Channel")]
    names = [channel.get("Name", "").strip().lower() for channel in channels]
    if not all(_GENERIC_NAME.fullmatch(name) for name in names):
        return names in (["red", "green", "blue"], ["r", "g", "b"])
    colours = [channel.get("Color", "-1") for channel in channels]
    return colours == _RED_GREEN_BLUE or set(colours) <= {"-1"}


def _tag_mpp(page: tifffile.TiffPage) -> tuple[float | None, float | None]:
    """µm/px of the resolution tags; without a unit they state nothing."""
    unit = page.tags.valueof("ResolutionUnit", default=2)  # the standard's default: inch
    um = {2: 25400.0, 3: 10000.0, 4: 1000.0, 5: 1.0}.get(int(unit))
    x, y = (_um_per_px(page.tags.valueof(f"{axis}Resolution"), um) for axis in "XY")
    return x, y


def _imagej_mpp(tiff: tifffile.TiffFile, page: tifffile.TiffPage) -> tuple[float | None, float | None]:
    """µm/px of ImageJ's own unit, in which it writes the resolution tags; without one, that of the tags."""
    metadata = tiff.imagej_metadata or {}
    if "unit" not in metadata:
        return _tag_mpp(page)
    um = unit_um(metadata["unit"])
    across, down = (_um_per_px(page.tags.valueof(f"{axis}Resolution"), um) for axis in "XY")
    if metadata.get("yunit", metadata["unit"]) != metadata["unit"]:
        down = _um_per_px(page.tags.valueof("YResolution"), unit_um(metadata["yunit"]))
    return across, down


def _um_per_px(px_per_unit: object, unit: float | None) -> float | None:
    if unit is None or not isinstance(px_per_unit, tuple) or len(px_per_unit) != 2 or not all(px_per_unit):
        return None
    return unit * float(px_per_unit[1]) / float(px_per_unit[0])


def _first_word(description: str) -> str:
    """A description's "Macro" or "Label" at its start, as Philips and Ventana write it; nothing of other texts."""
    word = description.split(maxsplit=1)[0] if description.strip() else ""
    return word if len(word) < 40 and role_by_name(word) is not None else ""


def _photometric(page: tifffile.TiffPage) -> str:
    try:
        return f"{tifffile.PHOTOMETRIC(page.photometric).name.lower()} colours"
    except ValueError:
        return f"colours of an unknown kind ({page.photometric})"


def _joined(found: list[TiffPicture]) -> tuple[TiffPicture, ...]:
    """Join pictures that are coarser levels of another one to it; the order stays."""
    levels_of: dict[int, list[TiffLevel]] = {}
    for k in sorted(range(len(found)), key=lambda k: -found[k].levels[0].width):
        for base in islice(levels_of, _MOST_BASES):
            if _is_level(found[k], found[base], levels_of[base][-1]):
                levels_of[base].append(found[k].levels[0])
                break
        else:
            levels_of[k] = list(found[k].levels)
    return tuple(replace(one, levels=tuple(levels_of[k])) for k, one in enumerate(found) if k in levels_of)


def _is_level(one: TiffPicture, base: TiffPicture, above: TiffLevel) -> bool:
    """Whether it is the next coarser level of a picture, by its pixels, size and µm/px."""
    level, first = one.levels[0], base.levels[0]
    if not level.width < above.width <= level.width * (above.width if one.reduced else _LARGEST_STEP):
        return False
    alike = ((one_of.keyframe.is_tiled, one_of.keyframe.dtype, one_of.samples) for one_of in (level, first))
    if len(set(alike)) > 1 or one.plane != base.plane or len(one.levels) > 1 or one.is_mask:
        return False
    # Where the file itself doesn't call it a reduced picture, its size must be a whole fraction.
    is_fraction = _same_shape(level, first) if one.reduced else _is_whole_fraction(level, first)
    if role_by_name(one.name) is not None or not is_fraction:
        return False
    mpp, base_mpp, downsample = one.mean_mpp, base.mean_mpp, first.width / level.width
    return (
        mpp is None
        or base_mpp is None
        or any(abs(mpp / expected - 1) < _SAME_MPP for expected in (base_mpp * downsample, base_mpp))
    )


def _belongs(level: TiffLevel, levels: Sequence[TiffLevel]) -> bool:
    """Whether a level that the file gives to a picture has its shape, and is coarser than the last."""
    first = levels[0]
    return (
        any(level.pages)
        and level.width < levels[-1].width
        and _same_shape(level, first)
        and (level.samples, level.keyframe.dtype) == (first.samples, first.keyframe.dtype)
    )


def _same_shape(level: TiffLevel, first: TiffLevel) -> bool:
    """Whether a level has the shape of the first, but for a px of rounding."""
    return abs(level.width * first.height - level.height * first.width) <= first.width + first.height


def _is_whole_fraction(level: TiffLevel, first: TiffLevel) -> bool:
    """Whether a level's sides are those of the first divided by a whole number, but for a px of rounding."""
    whole = round(first.width / level.width)
    sides = ((first.width, level.width), (first.height, level.height))
    return whole > 1 and all(side // whole - 1 <= part <= -(-side // whole) + 1 for side, part in sides)
