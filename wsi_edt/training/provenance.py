"""Where weights come from: the configuration, the images and their licences, and the model at the start."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict

import wsi_edt
from wsi_edt.bundles import Bundle
from wsi_edt.cells import CellClass
from wsi_edt.datasets import FORMATS, Labelled, LabelledImage, SetSpec
from wsi_edt.slides.stain_style import KnownStains
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.fingerprint import Fingerprint
from wsi_edt.training.stains import known_stains


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SetSummary(_Frozen):
    """What a set held.

    Attributes
    ----------
    name, format : of the set
    images, cases : how many
    positive, negative, neither : how many points
    mpp : µm/px of its images, the smallest and the largest
    classes, nuclei : where its labels hold, each value that occurs
    licence, citation : of its images and points
    """

    name: str
    format: str
    images: int
    cases: int
    positive: int
    negative: int
    neither: int
    mpp: tuple[float, float]
    classes: tuple[Labelled, ...]
    nuclei: tuple[Labelled, ...]
    licence: str
    citation: str


class Provenance(_Frozen):
    """What a checkpoint says about its weights.

    Attributes
    ----------
    version : of this program
    configuration : of the training, as JSON
    sets : what was trained on
    started_from : the model at the start, in words with its licence; "" for random weights
    data : the fingerprint of the images; None in checkpoints of version 0.1.0, which didn't note it
    stains : of the training pictures and of those of the model at the start; None if they are too few, or weren't noted
    """

    version: str
    configuration: str
    sets: tuple[SetSummary, ...]
    started_from: str
    data: Fingerprint | None = None
    stains: KnownStains | None = None

    @property
    def config(self) -> TrainConfig:
        """The configuration; UsageError if it's another version's."""
        return TrainConfig.from_json(self.configuration)

    @property
    def licences(self) -> str:
        """What the weights' licence depends on: each set's, and that of the model at the start."""
        sets = [f"{one.name}: {one.licence}{one.citation and f' ({one.citation})'}" for one in self.sets]
        return f"trained on {', '.join(sets)}" + (
            f"; started from {self.started_from}" if self.started_from else ""
        )


def provenance_of(
    config: TrainConfig,
    images: Sequence[LabelledImage],
    init: Bundle | None,
    *,
    data: Fingerprint | None = None,
) -> Provenance:
    """The provenance of a training on these images, of that fingerprint, that starts from that model."""
    started_from = "" if init is None else f"{identity_of(init)} ({init.licence})"
    return Provenance(
        version=wsi_edt.__version__,
        configuration=config.to_json(),
        sets=tuple(summary_of(spec, images) for spec in config.sets),
        started_from=started_from,
        data=data,
        stains=known_stains(images, earlier=None if init is None else init.stains),
    )


def identity_of(bundle: Bundle) -> str:
    """What says which model it is: its name, version and hash."""
    return f"{bundle.name} version {bundle.version}, sha256 {bundle.sha256[:12]}…"


def summary_of(spec: SetSpec, images: Sequence[LabelledImage]) -> SetSummary:
    """The summary of those images that belong to the set."""
    own = [image for image in images if image.dataset == spec.name]
    points = np.bincount(np.concatenate([image.class_id for image in own]), minlength=3).tolist()
    mpp = [image.image_mpp for image in own]
    facts = FORMATS[spec.format]
    return SetSummary(
        name=spec.name,
        format=spec.format,
        images=len(own),
        cases=len({image.case for image in own}),
        positive=points[CellClass.POSITIVE],
        negative=points[CellClass.NEGATIVE],
        neither=points[CellClass.NUCLEUS],
        mpp=(min(mpp), max(mpp)),
        classes=tuple(sorted({image.classes for image in own})),
        nuclei=tuple(sorted({image.nuclei for image in own})),
        licence=facts.licence,
        citation=facts.citation,
    )
