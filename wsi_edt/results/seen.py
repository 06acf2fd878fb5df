"""What was seen of a slide before any network ran, kept in its store: results are made again from there, without the slide.

It is the group `seen` of the store: an array with the tissue, and attributes with all else; no picture. Like a shard it
counts once it carries the attribute `done`, which is written after the array has been flushed to the disk.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import shapely
import zarr
from upath import UPath

from wsi_edt import files
from wsi_edt.annotations import AnnotatedSlide
from wsi_edt.errors import OutputError
from wsi_edt.geometry import Scale, Window
from wsi_edt.ki67 import CountedBy
from wsi_edt.qupath.regions import Polygons, Region
from wsi_edt.slides.quality import SlideQuality
from wsi_edt.slides.source import SlideSource
from wsi_edt.slides.staining import Staining
from wsi_edt.slides.tissue import TissueMask

_GROUP = "seen"
_TISSUE = "tissue"
_HASH = "tissue_sha256"
RUN_AGAIN = "give the command of the run again, which computes nothing that is there"

Json = dict[str, Any]
LayerArray = npt.NDArray[np.uint8]  # (1 or 2, rows, columns): the mask, and how much of each unit is tissue


@dataclass(frozen=True, slots=True, eq=False)
class Drawn:
    """What a user drew on a slide.

    Attributes
    ----------
    regions : in the file's order, level-0 px
    sha256 : of the file's bytes; None without a file
    passed_over : a clause on what of the file is no region; "" if there is nothing else
    alone : whether the slide is reported by its regions alone
    file : its name, without folders; None without a file
    """

    regions: tuple[Region, ...] = ()
    sha256: str | None = None
    passed_over: str = ""
    alone: bool = False
    file: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is known of a slide beside its cells.

    Attributes
    ----------
    slide : its relative path, POSIX, extension included: the name of its results
    source : where it lay
    case : as the laboratory calls it; "" if unknown
    fingerprint : of its files, see `FileState`
    scale : of the slide against the model
    mpp_stated : whether the file states its µm/px
    bounds : what QuPath shows of the slide, level-0 px
    drawn_on : the slide as files of regions know it
    remark : what the user should know of how the slide was read
    drawn : the regions that it was last reported with
    """

    slide: str
    source: SlideSource
    case: str
    fingerprint: str
    scale: Scale
    mpp_stated: bool
    bounds: Window
    drawn_on: AnnotatedSlide
    staining: Staining
    quality: SlideQuality
    tissue: TissueMask
    counted_by: CountedBy
    remark: str | None = None
    drawn: Drawn = field(default_factory=Drawn)


def write_seen(store: Path, seen: Seen) -> None:
    """Keep it in the store at `store`, in place of what was kept there.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    path = store / _GROUP
    tissue = seen.tissue
    layers = [tissue.mask.astype(np.uint8), *([] if tissue.cover is None else [tissue.cover])]
    with files.writing(path):
        files.remove(path)
        group = zarr.open_group(path, mode="w")
        stacked = np.stack(layers)
        group.create_array(_TISSUE, data=stacked, chunks=stacked.shape)
        files.sync(*path.rglob("*"), path, store)
        group.attrs.update({**_to_json(seen), _HASH: _hash(stacked), "done": True})
        files.sync(path / "zarr.json", path)


def read_seen(store: Path) -> Seen:
    """What is kept in the store at `store`.

    Raises
    ------
    OutputError
        If nothing is, or it is damaged.
    """
    path = store / _GROUP
    if not (path / "zarr.json").exists():
        raise OutputError("doesn't say what was seen of its slide", where=store, remedy=RUN_AGAIN)
    try:
        group = zarr.open_group(path, mode="r")
        fields: Mapping[str, Any] = dict(group.attrs)
        if fields.get("done") is not True:
            raise ValueError("not complete")
        layers = group[_TISSUE]
        if not isinstance(layers, zarr.Array):
            raise TypeError("a group")
        values = np.asarray(layers[...])
        if _hash(values) != fields[_HASH]:  # where its file is gone, Zarr gives zeros
            raise ValueError("other tissue than was seen")
        return _from_json(fields, values)
    except Exception as error:  # zarr and its codecs raise what they like on a damaged file
        raise OutputError(
            f"is damaged where it says what was seen of its slide ({error})", where=store, remedy=RUN_AGAIN
        ) from error


def _to_json(seen: Seen) -> Json:
    """All but the arrays, as JSON values."""
    tissue, source = seen.tissue, seen.source
    return {
        "slide": seen.slide,
        "source": {
            **asdict(source),
            "path": str(source.path),
            "is_url": not isinstance(source.path, Path),
        },
        "case": seen.case,
        "fingerprint": seen.fingerprint,
        "scale": asdict(seen.scale),
        "mpp_stated": seen.mpp_stated,
        "bounds": asdict(seen.bounds),
        "drawn_on": asdict(seen.drawn_on),
        "staining": str(seen.staining),
        "quality": seen.quality.to_json(),
        "tissue": {
            "unit_mpp": tissue.unit_mpp,
            "extent": tissue.extent,
            "size": tissue.size,
            "hidden_share": tissue.hidden_share,
            "black_share": tissue.black_share,
        },
        "counted_by": asdict(seen.counted_by),
        "remark": seen.remark,
        "drawn": {
            "regions": [
                {
                    "name": region.name,
                    "class": region.class_name,
                    "wkb": shapely.to_wkb(region.polygon, hex=True, byte_order=1),
                }
                for region in seen.drawn.regions
            ],
            "sha256": seen.drawn.sha256,
            "passed_over": seen.drawn.passed_over,
            "alone": seen.drawn.alone,
            "file": seen.drawn.file,
        },
    }


def _from_json(fields: Mapping[str, Any], layers: LayerArray) -> Seen:
    """What `_to_json` gave these fields; any error if they are others."""
    tissue, source, drawn = fields["tissue"], dict(fields["source"]), fields["drawn"]
    path = source.pop("path")
    source["path"] = UPath(path) if source.pop("is_url") else Path(path)
    drawn_on = fields["drawn_on"]
    offset = drawn_on["centre_offset_nm"]
    return Seen(
        slide=fields["slide"],
        source=SlideSource(**source),
        case=fields["case"],
        fingerprint=fields["fingerprint"],
        scale=Scale(**fields["scale"]),
        mpp_stated=fields["mpp_stated"],
        bounds=Window(**fields["bounds"]),
        drawn_on=AnnotatedSlide(
            tuple(drawn_on["size"]),
            drawn_on["mpp"],
            tuple(drawn_on["corner"]),
            None if offset is None else tuple(offset),
        ),
        staining=Staining(fields["staining"]),
        quality=SlideQuality.from_json(fields["quality"]),
        tissue=TissueMask(
            layers[0] != 0,
            tissue["unit_mpp"],
            tuple(tissue["extent"]),
            None if tissue["size"] is None else tuple(tissue["size"]),
            tissue["hidden_share"],
            layers[1] if len(layers) > 1 else None,
            tissue["black_share"],
        ),
        counted_by=CountedBy(**fields["counted_by"]),
        remark=fields["remark"],
        drawn=Drawn(
            tuple(Region(one["name"], _polygons(one["wkb"]), one["class"]) for one in drawn["regions"]),
            drawn["sha256"],
            drawn["passed_over"],
            drawn["alone"],
            drawn.get("file"),
        ),
    )


def _hash(layers: LayerArray) -> str:
    return hashlib.sha256(layers.tobytes()).hexdigest()


def _polygons(wkb: str) -> Polygons:
    shape = shapely.from_wkb(bytes.fromhex(wkb))
    if not isinstance(shape, Polygons):
        raise TypeError(f"a {shape.geom_type}")
    return shape
