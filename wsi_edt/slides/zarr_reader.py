"""Slides in Zarr: OME-Zarr (NGFF 0.4 and 0.5, also as bioformats2raw writes it), and plain arrays of RGB px.

Such a slide is a folder. Chunks that were never written are white, as everywhere else: no scanner writes black glass.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Any, Self

import numpy as np
import zarr

from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides.location import SlidePath, read_failure
from wsi_edt.slides.metadata import stated_mpp, true_downsamples, unit_um
from wsi_edt.slides.picture_roles import Evidence, Picture, chosen_picture, pictures_of
from wsi_edt.slides.pixels import WHITE, as_rgb, inside, other_pixels
from wsi_edt.slides.protocol import REMARK, RgbArray

ZARR_SUFFIX = ".zarr"
_METADATA = (".zgroup", ".zarray", ".zattrs", "zarr.json")
_PLANES = "tz"  # axes of which the first plane is taken
Json = Mapping[str, Any]


def is_zarr(path: SlidePath) -> bool:
    """Whether it is the folder of a Zarr group or array."""
    try:
        return isinstance(path, Path) and path.is_dir() and any((path / name).is_file() for name in _METADATA)
    except OSError:  # out of reach, of which opening it tells
        return False


def zarr_pictures(path: Path) -> tuple[Picture, ...]:
    """The images of a group, with what each is.

    Raises
    ------
    SlideError
        If it holds none, or can't be read.
    """
    return pictures_of([image.evidence for image in _images(path)])


@dataclass(frozen=True, slots=True)
class _Image:
    """One image of a group: its levels, finest first, and what their axes are.

    Attributes
    ----------
    axes : a letter for each, such as "tczyx"
    mpp : µm per px across and down; None where it isn't stated
    """

    name: str
    levels: Sequence[Any]
    axes: str
    mpp: tuple[float | None, float | None]

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the finest level."""
        return _size(self.levels[0], self.axes)

    @property
    def evidence(self) -> Evidence:
        """What tells whether it is the scan."""
        readable = self.levels[0].dtype == np.uint8 and _channels(self.levels[0], self.axes) in (3, 4)
        return Evidence(self.size, self.name, self.mpp[0], tiled=True, readable=readable)


class ZarrSlide:
    """An image of a Zarr group or array."""

    reader = "zarr"

    def __init__(self, path: Path, fallback_mpp: float | None, series: int | None = None) -> None:
        """Open the image of that number, by default the one scan; `fallback_mpp` is used if it states none.

        Raises
        ------
        SlideError
            If there is none, or several and `series` doesn't say which; if its px aren't square or aren't 8-bit RGB.
        """
        images = _images(path)
        number = chosen_picture(pictures_of([one.evidence for one in images]), series, path).number
        image = images[number - 1]
        self.path: SlidePath = path
        self._axes = image.axes
        self._levels = image.levels
        self.level_dimensions: tuple[tuple[int, int], ...] = tuple(
            _size(level, image.axes) for level in image.levels
        )
        self.dimensions = self.level_dimensions[0]
        width, height = self.dimensions
        quotients = [(width / w + height / h) / 2 for w, h in self.level_dimensions]
        self.level_downsamples = true_downsamples(self.level_dimensions, quotients)
        own_mpp = stated_mpp(path, *image.mpp)
        self.mpp = own_mpp or fallback_mpp
        self.mpp_stated = own_mpp is not None
        self.bounds = Window(0, 0, width, height)
        self.vendor: str | None = None
        self.objective_power: float | None = None
        self.properties: Mapping[str, str] = MappingProxyType(_properties(image))
        self.read_level(0, Window(0, 0, 1, 1))  # other px than 8-bit RGB are known now

    def read_level(self, level: int, window: Window) -> RgbArray:
        """Pixels (height, width, 3) of a window inside a level, as stored; see `Slide.read_level`."""
        assert inside(window, self.level_dimensions[level]), (level, window)
        places = {"y": slice(window.y, window.bottom), "x": slice(window.x, window.right)}
        chosen = tuple(0 if axis in _PLANES else places.get(axis, slice(None)) for axis in self._axes)
        try:
            pixels = np.asarray(self._levels[level][chosen])
        except Exception as error:  # whatever the codec of the day raises
            raise read_failure(self.path, error, f"can't be read at level {level}") from error
        left = [axis for axis in self._axes if axis not in _PLANES]
        if "c" not in left:
            raise other_pixels(
                f"{self.dimensions[0]}×{self.dimensions[1]} grey {pixels.dtype} pixels", self.path
            )
        pixels = np.transpose(pixels, [left.index(axis) for axis in "yxc"])
        # Zarr has no way to declare a fourth channel as alpha, so it is none.
        return as_rgb(pixels[..., :3] if pixels.shape[2] == 4 else pixels, self.path)

    def close(self) -> None:
        """Nothing is kept open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _properties(image: _Image) -> dict[str, str]:
    planes = {
        axis: count
        for axis, count in zip(image.axes, image.levels[0].shape, strict=True)
        if axis in _PLANES and count > 1
    }
    if not planes:
        return {}
    words = {"t": "time points", "z": "planes"}
    many = " and ".join(f"{count} {words[axis]}" for axis, count in planes.items())
    return {REMARK: f"it has {many}, of which the first is read"}


def _images(path: Path) -> list[_Image]:
    """The images of a group or array; SlideError if there is none."""
    try:
        node = zarr.open(path, mode="r")
        images = [_array_image(node)] if isinstance(node, zarr.Array) else _group_images(node)
    except SlideError:
        raise
    except Exception as error:  # zarr raises what it likes for damaged metadata
        raise read_failure(path, error, "can't be opened") from error
    if not images:
        raise SlideError(
            "is a Zarr group without an image",
            where=path,
            remedy="name the folder of an OME-Zarr image in it",
        )
    if any(0 in level.shape for image in images for level in image.levels):
        raise SlideError("holds an array without pixels", where=path, remedy="copy or export it again")
    return images


def _array_image(array: zarr.Array[Any]) -> _Image:
    shape = array.shape
    axes = "cyx" if len(shape) == 3 and shape[0] in (3, 4) and shape[2] > 4 else "yxc"
    return _Image("", [_on_white(array)], axes if len(shape) == 3 else "yx", (None, None))


def _group_images(group: zarr.Group) -> list[_Image]:
    """An OME-Zarr image's one, or those of the groups 0, 1, … that bioformats2raw writes."""
    if image := _multiscale(group):
        return [image]
    numbered = sorted((int(name), one) for name, one in group.groups() if name.isdecimal())
    return [image for _, one in numbered if (image := _multiscale(one))]


def _multiscale(group: zarr.Group) -> _Image | None:
    attributes: Json = dict(group.attrs)
    scales = attributes.get("ome", attributes).get("multiscales")
    if not scales:
        return None
    first = scales[0]
    # The finest comes first by the standard, but not in every file.
    by_size = sorted(
        ((_on_white(group[one["path"]]), one) for one in first["datasets"]), key=lambda one: -one[0].size
    )
    levels = [level for level, _ in by_size]
    named = first.get("axes") or list("tczyx")[-levels[0].ndim :]
    axes = "".join(axis if isinstance(axis, str) else axis["name"] for axis in named).lower()
    units = [None if isinstance(axis, str) else axis.get("unit") for axis in named]
    steps = np.ones(len(axes))
    for source in (by_size[0][1], first):
        for change in source.get("coordinateTransformations") or ():
            if change.get("type") == "scale":
                steps = steps * np.asarray(change["scale"], np.float64)
    x, y = (_length_um(float(steps[axes.index(axis)]), units[axes.index(axis)]) for axis in "xy")
    return _Image(str(first.get("name") or ""), levels, axes, (x, y))


def _length_um(step: float, unit: str | None) -> float | None:
    in_um = None if unit is None else unit_um(unit)
    return None if in_um is None else step * in_um


def _on_white(array: Any) -> Any:  # noqa: ANN401 - zarr's types are loose
    """The array with white where it has no chunk."""
    if array.dtype != np.uint8:
        return array
    metadata = dataclasses.replace(array.metadata, fill_value=np.uint8(WHITE))
    return zarr.Array(dataclasses.replace(array.async_array, metadata=metadata))


def _size(level: Any, axes: str) -> tuple[int, int]:  # noqa: ANN401
    return int(level.shape[axes.index("x")]), int(level.shape[axes.index("y")])


def _channels(level: Any, axes: str) -> int:  # noqa: ANN401
    return int(level.shape[axes.index("c")]) if "c" in axes else 1
