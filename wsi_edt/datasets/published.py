"""What the paper's data sets hold as they are published, and whether a folder holds that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from wsi_edt.datasets.formats import FORMATS
from wsi_edt.errors import AnnotationError


@dataclass(frozen=True, slots=True)
class Counts:
    """How many images a set has, and how many cells are annotated in them."""

    images: int
    cells: int

    def __str__(self) -> str:
        return f"{self.images:,} images and {self.cells:,} cells"


@dataclass(frozen=True, slots=True)
class Published:
    """A set of the paper.

    Attributes
    ----------
    counts : of the whole set, as the paper states them
    address : where it can be had
    """

    counts: Counts
    address: str


# The paper's authors gather all five in a folder that github.com/Boom5426/MHFAN points to; these are their own pages.
PUBLISHED: Mapping[str, Published] = MappingProxyType(
    {
        "bcdata": Published(Counts(1338, 181_074), "https://sites.google.com/view/bcdataset"),
        "uw": Published(
            Counts(100, 29_756), "https://warwick.ac.uk/fac/cross_fac/tia/data/crchistolabelednucleihe/"
        ),
        "psu": Published(Counts(120, 25_462), "https://github.com/Boom5426/MHFAN (its own page is gone)"),
        "ccrcc": Published(Counts(1000, 70_945), "https://huggingface.co/datasets/zeyugao/RCCNucSeg"),
        "conic": Published(Counts(4981, 495_179), "https://conic-challenge.grand-challenge.org/"),
    }
)


def counted(name: str, folder: Path) -> Counts:
    """What a folder holds of a set in all its splits; images aren't decoded, so they may still prove unreadable.

    Parameters
    ----------
    name : of the format
    folder : of the set

    Raises
    ------
    AnnotationError
        If there is no such folder, no image of the set in it, or an annotation that can't be read.
    """
    remedy = f"get it from {PUBLISHED[name].address}" if name in PUBLISHED else ""
    if not folder.is_dir():
        raise AnnotationError(f"isn't there: the set {name!r} is expected in it", where=folder, remedy=remedy)
    facts = FORMATS[name]
    cells = [len(record.points) for split in facts.splits for record in facts.read(folder, split)]
    if not cells:
        raise AnnotationError(f"holds no images in the layout of {name}", where=folder, remedy=remedy)
    return Counts(len(cells), sum(cells))


def is_complete(name: str, found: Counts) -> bool:
    """Whether that is the whole set, as it was published."""
    return found == PUBLISHED[name].counts


def compared(name: str, found: Counts) -> str:
    """What was found beside what was published, in a sentence.

    Parameters
    ----------
    name : of a set in `PUBLISHED`
    found : in its folder
    """
    whole = PUBLISHED[name].counts
    if found == whole:
        return f"{name}: {found}, as published"
    if found.images < whole.images and found.cells < whole.cells:
        return (
            f"{name}: {found.images:,} of {whole.images:,} images, {found.cells:,} of {whole.cells:,} cells: a part of the "
            "set, so that no score from it compares with a published one"
        )
    return f"{name}: {found}, but {whole} are published: this isn't the set as it was published"
