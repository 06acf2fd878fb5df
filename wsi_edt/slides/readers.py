"""Which libraries read slides here."""

from __future__ import annotations

from importlib import metadata

import openslide


def reader_versions() -> dict[str, str]:
    """The versions of the readers by their names; OpenSlide's is that of the library, not of its Python package."""
    installed = {name: metadata.version(name) for name in ("tifffile", "tiffslide")}
    return {"openslide": openslide.__library_version__, **installed}
