"""The paper's data sets, and how each is divided: what is trained on, what chooses a threshold, what is tested."""

from __future__ import annotations

import functools
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import numpy as np

from wsi_edt.datasets import ALL_SPLITS, FORMATS, LabelledImage, SetSpec, read_set
from wsi_edt.datasets.published import compared, counted
from wsi_edt.errors import AnnotationError
from wsi_edt.training.fingerprint import marks_of
from wsi_edt.training.material import deal

Division = Literal["validation", "test", "folds", "70-30"]

UW_FOLD = 50  # images up to this number are fold1.txt's, the others fold2.txt's
UW_TRAINED, PSU_TRAINED = 70, 84  # how many images the paper trains on; it doesn't say which: the first, here
CONIC_GROUPS = 5  # the paper's division of CoNIC isn't known to us: a fifth of its source images is tested
HELD_BACK = 10  # one training image in so many chooses the threshold
STAND_IN = "uw"  # for a trial of a recipe without its set


@dataclass(frozen=True, slots=True)
class PaperSet:
    """A data set as the paper's networks see it.

    Attributes
    ----------
    name : of its format and of its folder
    mpp : µm/px at which its images become 512×512, as the paper resizes them
    image_mpp : of a format that states none
    """

    name: str
    mpp: float
    image_mpp: float | None = None

    @property
    def entries(self) -> dict[str, Any]:
        """What every reading of the set has in common. A missing point means that nothing is there, as in the paper."""
        entries: dict[str, Any] = {"name": self.name, "split": ALL_SPLITS, "nuclei": "everywhere"}
        return entries if self.image_mpp is None else entries | {"mpp": self.image_mpp}


SETS: Mapping[str, PaperSet] = {
    one.name: one
    for one in (
        PaperSet("bcdata", 0.25 * 640 / 512),
        PaperSet("uw", 0.5 * 500 / 512),
        PaperSet("ccrcc", 0.25),
        PaperSet("conic", 0.5 * 256 / 512),
        # 612×452 px; the paper squeezes them to a square, here their proportions stay. Nobody states µm/px: 0.5 stands in.
        PaperSet("psu", 0.5 * (612 * 452) ** 0.5 / 512, image_mpp=0.5),
    )
}


@dataclass(frozen=True, slots=True)
class Part:
    """One division of a set, by the names of its cases.

    Attributes
    ----------
    name : short, for folders
    data : the set
    train : trained on
    choose : choose window and threshold; neither trained on nor tested
    test : tested
    """

    name: str
    data: PaperSet
    train: tuple[str, ...]
    choose: tuple[str, ...]
    test: tuple[str, ...]

    def images(self, which: Literal["choose", "test"], data: Path) -> list[LabelledImage]:
        """The images of some of its cases."""
        return read_set(self._spec(self.choose if which == "choose" else self.test), data)

    @functools.cache  # noqa: B019 - a recipe has a handful of parts, and ends
    def digest(self, data: Path) -> str:
        """Of the px and the points of all its images: scores hold for these and no others."""
        marks = []
        for cases in (self.train, self.choose, self.test):
            spec = self._spec(cases)
            marks.append(marks_of(read_set(spec, data), [spec], data)[self.data.name])
        text = json.dumps(
            [{name: one.model_dump() for name, one in own.items()} for own in marks], sort_keys=True
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def _spec(self, cases: tuple[str, ...]) -> SetSpec:
        return SetSpec.model_validate(self.data.entries | {"cases": cases})

    def shortened(self, cases: int) -> Part:
        """The same with that many cases in each role at most, spread evenly."""
        train, choose, test = (_spread(own, cases) for own in (self.train, self.choose, self.test))
        return replace(self, train=train, choose=choose, test=test)


def divided(name: str, division: Division, data: Path) -> list[Part]:
    """The parts on which a table trains and tests.

    - "validation": tests on the validation split; a tenth of the training images, held back, choose the threshold.
    - "test": tests on the test split, and the validation split chooses; where a copy lacks either, as "validation".
    - "folds": each of UW's two published folds is tested in turn. A tenth of the other chooses.
    - "70-30": UW's first 70 images and the others; PSU's first 84; CoNIC by source image.

    Raises
    ------
    AnnotationError
        If the set isn't there, or can't be read.
    """
    there = SETS[name]
    cases = _cases(name, data / name)
    if division == "folds":
        low, high = (
            [one for one in cases["all"] if (_number(one) <= UW_FOLD) is first] for first in (True, False)
        )
        return [_part("fold1", there, high, low), _part("fold2", there, low, high)]
    if division == "70-30":
        return [_part("first", there, *_by_number(name, cases["all"]))]
    train, validation, test = (cases.get(split, []) for split in ("train", "validation", "test"))
    if division == "test" and validation and test:
        return [Part("test", there, tuple(train), tuple(validation), tuple(test))]
    return [_part("validation", there, train, validation)]


def facts_of(name: str, division: Division, data: Path) -> list[str]:
    """What must be known of a set at hand before its scores are read: sentences."""
    sentences = [compared(name, counted(name, data / name))]
    if division == "test" and not _cases(name, data / name).get("test"):
        sentences.append(f"{name}: no test images are at hand; the validation images stand in for them")
    return sentences


def _cases(name: str, folder: Path) -> dict[str, list[str]]:
    """The cases of each split, and of all, in their numbers' order."""
    facts = FORMATS[name]
    found = {
        split: sorted({record.case for record in facts.read(folder, split)}, key=_key)
        for split in facts.splits
    }
    found["all"] = sorted({case for cases in found.values() for case in cases}, key=_key)
    if not found["all"]:
        raise AnnotationError(f"holds no images in the layout of {name}", where=folder)
    return found


def _by_number(name: str, cases: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is trained on, and what is tested."""
    if name == "conic":
        groups = deal(cases, set_name=name, count=CONIC_GROUPS)
        return [one for one in cases if groups[one]], [one for one in cases if not groups[one]]
    trained = UW_TRAINED if name == "uw" else PSU_TRAINED
    return list(cases[:trained]), list(cases[trained:])


def _part(name: str, data: PaperSet, train: Sequence[str], test: Sequence[str]) -> Part:
    """A part whose threshold is chosen on a tenth of what it would train on, two images at least."""
    choose = _spread(train, max(2, len(train) // HELD_BACK))
    if len(choose) == len(train) or not test:
        raise AnnotationError(
            f"has {len(train)} cases to train on and {len(test)} to test on, too few for a comparison",
            where=data.name,
            remedy="three to train on and one to test on are the least; README.md has what the whole set holds",
        )
    return Part(name, data, tuple(one for one in train if one not in choose), choose, tuple(test))


def _spread(cases: Sequence[str], count: int) -> tuple[str, ...]:
    """That many cases, evenly spread over their order."""
    if len(cases) <= count:
        return tuple(cases)
    return tuple(cases[place] for place in np.linspace(0, len(cases) - 1, count).round().astype(int))


def _number(case: str) -> int:
    """The last number in a name; 0 without one."""
    numbers = re.findall(r"\d+", case)
    return int(numbers[-1]) if numbers else 0


def _key(case: str) -> tuple[int, str]:
    return _number(case), case
