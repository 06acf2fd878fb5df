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
    by_hotspot : whether they are for the index where it is highest, and not for that of all tissue
    """

    name: str
    cutoffs_percent: tuple[float, ...]
    source: str
    by_hotspot: bool = False


PROFILES: Mapping[str, Profile] = {
    profile.name: profile
    for profile in (
        Profile("none", (), ""),
        Profile(
            "breast",
            (5.0, 13.25, 20.0, 30.0),
            "International Ki67 in Breast Cancer Working Group, Nielsen et al. 2021 (up to 5 % and from 30 % on); Cheang "
            "et al. 2009, luminal A against B (13.25 %, 14 % of St Gallen 2011); St Gallen 2013 (20 %)",
        ),
        Profile(
            "net",
            (3.0, 20.0),
            "WHO 2019 and 2022, neuroendocrine tumours of the digestive system: G1 below 3 %, G2 3 to 20 %, G3 above 20 %, "
            "by at least 500 cells where the index is highest",
            by_hotspot=True,
        ),
    )
}
NO_PROFILE = PROFILES["none"]
