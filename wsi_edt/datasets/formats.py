"""What is known about each format in which labelled images are distributed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from wsi_edt.datasets.ki67 import read_bcdata, read_shidc
from wsi_edt.datasets.labelled import Labelled, Record
from wsi_edt.datasets.masks import read_ccrcc, read_conic, read_psu
from wsi_edt.datasets.points_set import read_glioma, read_points_set
from wsi_edt.datasets.qupath import read_qupath
from wsi_edt.datasets.uw import read_uw
from wsi_edt.qupath.classes import ClassNames


@dataclass(frozen=True, slots=True)
class Format:
    """A format and the facts about what is distributed in it.

    Attributes
    ----------
    read : yields the images of a folder's split
    mpp : nominal µm/px; none was measured, all are assumed from the stated magnification or the nuclei's size; None: each
        image states its own, or the user does
    splits : what the distribution is divided into; ("train",) if it isn't
    classes, nuclei : see `LabelledImage`
    licence : of the images and points
    citation : whose work it is; empty if that isn't known, or it is the user's own
    read_named : the same as `read` for a user's own names of classes; None for formats whose classes are fixed
    """

    read: Callable[[Path, str], Iterator[Record]]
    mpp: float | None
    splits: tuple[str, ...]
    classes: Labelled
    nuclei: Labelled
    licence: str
    citation: str
    read_named: Callable[[Path, str, ClassNames], Iterator[Record]] | None = None


_ONE = ("train",)
_TWO = ("train", "validation")
_THREE = ("train", "validation", "test")
_KI67 = {
    # Tumour nuclei only: a nucleus without a point may be stroma, so "any nucleus" holds only near the points.
    "bcdata": Format(
        read=read_bcdata,
        mpp=0.25,
        splits=_THREE,
        classes=Labelled.EVERYWHERE,
        nuclei=Labelled.NEAR_POINTS,
        licence="none stated",
        citation="Huang et al., MICCAI 2020",
    ),
    # Partial labels: many nuclei carry no point.
    "shidc": Format(
        read=read_shidc,
        mpp=0.25,
        splits=_THREE,
        classes=Labelled.NEAR_POINTS,
        nuclei=Labelled.NEAR_POINTS,
        licence="research use",
        citation="Negahbani et al., Scientific Reports 2021",
    ),
    "glioma": Format(
        read=read_glioma,
        mpp=0.125,
        splits=_ONE,
        classes=Labelled.EVERYWHERE,
        nuclei=Labelled.EVERYWHERE,
        licence="MIT",
        citation="A. Rouland",
    ),
    # Every nucleus within each field's region, stromal ones too.
    "immunoratio": Format(
        read=read_points_set,
        mpp=0.46,
        splits=_ONE,
        classes=Labelled.EVERYWHERE,
        nuclei=Labelled.EVERYWHERE,
        licence="none stated, research use",
        citation="ImmunoRatio sample set, University of Tampere",
    ),
    # Only tumour nuclei. Their classes were guessed from the stain, so they teach no classes.
    "gepnet": Format(
        read=read_points_set,
        mpp=0.5,
        splits=_ONE,
        classes=Labelled.NOWHERE,
        nuclei=Labelled.NEAR_POINTS,
        licence="GPL-3.0",
        citation="",
    ),
}
_OWN = {
    name: Format(
        read=read,
        mpp=None,
        splits=_ONE,
        classes=Labelled.EVERYWHERE,
        nuclei=Labelled.EVERYWHERE,
        licence="the owner's",
        citation="",
        read_named=read,
    )
    for name, read in (("points", read_points_set), ("qupath", read_qupath))
}


def _haematoxylin_eosin(
    read: Callable[[Path, str], Iterator[Record]],
    licence: str,
    citation: str,
    *,
    mpp: float | None,
    splits: tuple[str, ...] = _ONE,
) -> Format:
    """A set of H&E, in which every nucleus has a point and none a class: it only teaches "any nucleus"."""
    return Format(read, mpp, splits, Labelled.NOWHERE, Labelled.EVERYWHERE, licence, citation)


_HE = {
    "uw": _haematoxylin_eosin(
        read_uw,
        "research use",
        "Sirinukunwattana et al., IEEE Transactions on Medical Imaging 2016",
        mpp=0.5,
        splits=_TWO,
    ),
    "monuseg": _haematoxylin_eosin(
        read_points_set,
        "CC BY-NC-SA 4.0",
        "Kumar et al., IEEE Transactions on Medical Imaging 2017",
        mpp=0.25,
    ),
    "glioma_he": _haematoxylin_eosin(read_points_set, "none stated", "", mpp=0.25),
    "conic": _haematoxylin_eosin(
        read_conic, "CC BY-NC-SA 4.0, research use", "Graham et al., arXiv:2111.14485", mpp=0.5
    ),
    "ccrcc": _haematoxylin_eosin(
        read_ccrcc, "Apache-2.0, research use", "Gao et al., MICCAI 2021", mpp=0.25, splits=_THREE
    ),
    "psu": _haematoxylin_eosin(
        read_psu, "none stated", "Tofighi et al., IEEE Transactions on Medical Imaging 2019", mpp=None
    ),
}
FORMATS: Mapping[str, Format] = MappingProxyType(_KI67 | _OWN | _HE)
