"""The installed versions, compared with what this package needs."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from importlib import metadata

from packaging.requirements import Requirement

import wsi_edt
from wsi_edt.cluster.versions import OPTIONAL
from wsi_edt.doctor.findings import Finding, Level

_SHOWN = ("torch", "openvino", "numpy", "dask", "zarr", "tifffile", "imagecodecs")


def versions() -> Iterator[Finding]:
    """wsi-edt and Python, the most important packages, those that don't fit, and the readers."""
    yield Finding(
        "wsi-edt",
        Level.OK,
        f"{wsi_edt.__version__} with Python {platform.python_version()} on {platform.platform()}",
    )
    shown = ((name, _version(name)) for name in _SHOWN)
    yield Finding("packages", Level.OK, ", ".join(f"{name} {version}" for name, version in shown if version))
    yield from unfit(metadata.requires("wsi-edt") or ())
    yield readers()


def unfit(requirements: Iterable[str]) -> Iterator[Finding]:
    """The requirements that aren't met by what is installed, without those of extras."""
    for text in requirements:
        requirement = Requirement(text)
        if requirement.marker is not None and not requirement.marker.evaluate({"extra": ""}):
            continue
        wanted = f"{requirement.name}{requirement.specifier}"
        remedy = f"pip install '{wanted}'"
        there = _version(requirement.name)
        if there is None:
            level = Level.WARNING if requirement.name in OPTIONAL else Level.PROBLEM
            yield Finding(requirement.name, level, f"isn't installed; {remedy}")
        elif not requirement.specifier.contains(there, prereleases=True):
            yield Finding(
                requirement.name, Level.PROBLEM, f"{there} is installed, {wanted} is needed; {remedy}"
            )


def readers() -> Finding:
    """The libraries that read slides."""
    try:
        from wsi_edt.slides.readers import reader_versions

        found = reader_versions()
    except (ImportError, OSError) as error:
        return Finding(
            "readers",
            Level.PROBLEM,
            f"can't be loaded ({error}); pip install --force-reinstall openslide-bin tiffslide",
        )
    return Finding("readers", Level.OK, ", ".join(f"{name} {version}" for name, version in found.items()))


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None
