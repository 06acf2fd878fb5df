"""What can be corrected. The fields are those of corrections.json; all coordinates are level-0 px.

None of them replaces another: a cell that is flipped twice is what it was, one that is deleted twice is gone once. So any
of them can be undone at any time, and what is left means what it meant.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Annotated, ClassVar, Literal, Self, TypeAlias, cast

import numpy as np
import shapely
from pydantic import ConfigDict, Field, PlainSerializer, PlainValidator

from wsi_edt.cells import CellClass, Cells
from wsi_edt.qupath.regions import Polygons, mended, polygons_of

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)
LONGEST_NAME = 200  # letters
_MOST_CORNERS = 200_000  # of an outline
_FARTHEST = 1e8  # level-0 px; the largest slides have 1e6

Label = Literal["Negative", "Positive", "Nucleus"]  # of `CellClass`
Coordinate = Annotated[float, Field(ge=-_FARTHEST, le=_FARTHEST)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME)]


def label_of(class_id: int) -> Label:
    """What JSON calls a class."""
    return cast(Label, CellClass(class_id).label)


def _polygons(value: object) -> Polygons:
    """The area of a GeoJSON geometry, mended where its outline crosses itself; ValueError if it has none."""
    if isinstance(value, Polygons):
        return value
    if not isinstance(value, dict) or value.get("type") not in ("Polygon", "MultiPolygon"):
        raise ValueError("it isn't a GeoJSON Polygon or MultiPolygon")
    try:
        shape = shapely.force_2d(shapely.geometry.shape(value))
    except Exception as error:  # shapely raises what it likes on other things than coordinates
        raise ValueError(f"its coordinates can't be read ({error})") from error
    # An infinity or NaN has no place between these.
    bounds = shape.bounds if not shape.is_empty else (0.0,)
    if not all(-_FARTHEST <= edge <= _FARTHEST for edge in bounds):
        raise ValueError("it has a coordinate that no slide has")
    corners = shapely.get_num_coordinates(shape)
    if corners > _MOST_CORNERS:
        raise ValueError(f"its outline has {corners:,} corners, more than {_MOST_CORNERS:,}")
    area = polygons_of(mended(shape))
    if area is None:
        raise ValueError("it has no area")
    return area


Shape = Annotated[Polygons, PlainValidator(_polygons), PlainSerializer(shapely.geometry.mapping)]


@dataclass(frozen=True, slots=True)
class NamedCells:
    """N cells, named so that a cell of another run isn't taken for one of them.

    Attributes
    ----------
    index : of a cell that the run found, its number in the store's stitched order, from 0; of an added one, minus the id
        of the entry that added it
    x, y : where it lies; within `applied.SAME_PLACE_PX`, since pages have them as float32
    class_name : "class" in JSON: as the run found it, or as it was added, whatever it was flipped to since
    """

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    index: tuple[int, ...]
    x: tuple[Coordinate, ...]
    y: tuple[Coordinate, ...]
    class_name: Annotated[tuple[Label, ...], Field(alias="class")]

    def __post_init__(self) -> None:
        if not self.index:
            raise ValueError("it names no cell")
        if not len(self.index) == len(self.x) == len(self.y) == len(self.class_name):
            raise ValueError("index, x, y and class have different lengths")
        if len(set(self.index)) < len(self.index):
            raise ValueError("it names a cell twice")

    @classmethod
    def of(cls, cells: Cells, which: Sequence[int]) -> Self:
        """Those of a run's cells (all that it stored, level-0 px) that have these indices."""
        at = np.array(which, np.int64)
        labels = tuple(map(label_of, cells.class_id[at].tolist()))
        return cls(tuple(at.tolist()), tuple(cells.x[at].tolist()), tuple(cells.y[at].tolist()), labels)

    @classmethod
    def joined(cls, parts: Sequence[Self]) -> Self:
        """The cells of all parts, of which there is at least one."""
        return cls(
            tuple(chain.from_iterable(part.index for part in parts)),
            tuple(chain.from_iterable(part.x for part in parts)),
            tuple(chain.from_iterable(part.y for part in parts)),
            tuple(chain.from_iterable(part.class_name for part in parts)),
        )


@dataclass(frozen=True, slots=True)
class Flip:
    """Positive cells that are negative, and negative ones that are positive."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    cells: NamedCells
    what: Literal["flip"] = "flip"

    def __post_init__(self) -> None:
        if CellClass.NUCLEUS.label in self.cells.class_name:
            raise ValueError("a nucleus without a class can't be flipped")


@dataclass(frozen=True, slots=True)
class Delete:
    """Cells that are none, or none to count."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    cells: NamedCells
    what: Literal["delete"] = "delete"


@dataclass(frozen=True, slots=True)
class Add:
    """A cell that wasn't found."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    x: Coordinate
    y: Coordinate
    class_name: Annotated[Label, Field(alias="class")]
    what: Literal["add"] = "add"


@dataclass(frozen=True, slots=True)
class Exclude:
    """An area in which nothing counts, as if drawn with the class Ignore*."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    polygon: Shape
    what: Literal["exclude"] = "exclude"


@dataclass(frozen=True, slots=True)
class MakeRegion:
    """An area that gets numbers of its own."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    name: Name
    polygon: Shape
    class_name: Annotated[Name | None, Field(alias="class")] = None
    what: Literal["region"] = "region"


@dataclass(frozen=True, slots=True)
class Threshold:
    """The score that a cell must exceed; the last one counts, and what a person flipped or added needs none."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    value: Annotated[float, Field(ge=0, le=2)]
    what: Literal["threshold"] = "threshold"


@dataclass(frozen=True, slots=True)
class Undo:
    """An entry that doesn't count any more."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    entry: int
    what: Literal["undo"] = "undo"


@dataclass(frozen=True, slots=True)
class Redo:
    """An entry that was undone and counts again."""

    __pydantic_config__: ClassVar[ConfigDict] = _STRICT

    entry: int
    what: Literal["redo"] = "redo"


Correction: TypeAlias = Flip | Delete | Add | Exclude | MakeRegion | Threshold | Undo | Redo
