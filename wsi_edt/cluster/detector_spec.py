"""What a worker builds its detector from."""

from __future__ import annotations

import platform
import threading
from dataclasses import dataclass, field
from pathlib import Path

from wsi_edt.bundles import find_bundle
from wsi_edt.cluster.versions import Versions, difference, installed_versions
from wsi_edt.detection.compute import Compute
from wsi_edt.detection.detector import Detector
from wsi_edt.errors import ModelError
from wsi_edt.maps import DecodeSettings


@dataclass(frozen=True, slots=True)
class DetectorSpec:
    """A detector as the client resolved it; a worker obeys or refuses.

    Attributes
    ----------
    name, sha256 : of the model; the worker's copy must have these weights
    directory : the client's copy; a worker on another machine falls back on the name
    decode : how maps become peaks
    versions : of the client's packages; the worker's must be the same
    """

    name: str
    sha256: str
    directory: Path
    decode: DecodeSettings
    compute: Compute
    versions: Versions = field(default_factory=installed_versions)


class HeldDetector:
    """The detector of this process: a worker that outlives a run drops the model of the run before."""

    def __init__(self) -> None:
        self._loading = threading.Lock()
        self._held: tuple[DetectorSpec, Detector] | None = None

    def get(self, spec: DetectorSpec) -> Detector:
        """The detector of that spec, built at the first call.

        Raises
        ------
        ModelError
            If the model isn't here, has other weights, or can't run as it was resolved.
        """
        with self._loading:
            if self._held is None or self._held[0] != spec:
                self._held = None  # before the next takes memory
                self._held = (spec, _load(spec))
            return self._held[1]


def _load(spec: DetectorSpec) -> Detector:
    # Again here, although all workers were asked at the start: one may have joined since.
    if (words := difference(installed_versions(), spec.versions)) is not None:
        raise ModelError(f"{platform.node()} has {words}", remedy="install the same versions there")
    bundle = find_bundle(str(spec.directory) if spec.directory.is_dir() else spec.name)
    if bundle.sha256 != spec.sha256:
        raise ModelError(
            f"the model {spec.name} has other weights here (sha256 {bundle.sha256[:12]}…, not {spec.sha256[:12]}…)",
            remedy="install the same version of it",
        )
    return Detector.load(bundle, settings=spec.decode, compute=spec.compute)
