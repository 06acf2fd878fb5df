"""Cut-offs of the index that decisions are made at, by what the tissue is. A new profile is a line here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Profile:
    """What an index is compared with.

    Attributes
    ----------
    name : as --profile takes it
    cutoffs_percent : ascending
    source : who set them
    """

    name: str
    cutoffs_percent: tuple[float, ...]
    source: str


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("none", (), ""),
        Profile(
            "breast",
            (5.0, 13.25, 20.0, 30.0),
            "International Ki67 in Breast Cancer Working Group 2021 (5 and 30 %), and the 13.25 and 20 % of St Gallen",
        ),
        Profile(
            "net", (3.0, 20.0), "WHO grades of gastro-enteropancreatic neuroendocrine tumours (3 and 20 %)"
        ),
    )
}
NO_PROFILE = PROFILES["none"]
