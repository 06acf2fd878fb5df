"""What must be the same on all machines of a run: the versions of what changes cells, and Dask's.

Workers are asked with this module's own code (Dask sends it by value, see `workers`), so that a worker without wsi-edt, or
with another version, can answer too. So it needs nothing but Python's standard library and answers in plain types.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path

# By the names under which they are installed. A network's sums follow torch's or OpenVINO's kernels; Dask's parts
# understand each other within a version.
PACKAGES = ("torch", "numpy", "openvino", "distributed")
OPTIONAL = ("openvino",)  # a machine without it runs torch: what is refused is another version of it

Versions = tuple[tuple[str, str], ...]


def installed_versions() -> Versions:
    """(package, version) of wsi-edt and of those of `PACKAGES` that are installed here.

    A clone bears a release's version long before and after it, so a digest of the code is part of wsi-edt's version.
    """
    found = []
    with suppress(ImportError):
        ours = import_module("wsi_edt")
        found.append(("wsi-edt", f"{ours.__version__}, code {code_digest(Path(ours.__path__[0]))}"))
    for package in PACKAGES:
        try:
            # "2.13.0+cpu" and "2.13.0+cu130" are builds of one version: a client without a GPU may lead workers with one.
            found.append((package, metadata.version(package).partition("+")[0]))
        except metadata.PackageNotFoundError:
            continue
    return tuple(found)


def code_digest(folder: Path) -> str:
    """A few digits of the SHA-256 of a package's modules."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.py"), key=lambda path: path.relative_to(folder).parts):
        digest.update("/".join(path.relative_to(folder).parts).encode() + b"\0")
        digest.update(path.read_bytes().replace(b"\r\n", b"\n") + b"\0")
    return digest.hexdigest()[:8]


def host_and_versions() -> tuple[str, Versions]:
    """The name of this machine, and its `installed_versions`."""
    return platform.node(), installed_versions()


def difference(there: Versions, here: Versions) -> str | None:
    """What is different on another machine: "torch 2.12.0 (here 2.13.0) and no numpy (here 2.4.6)"; None if nothing is."""
    theirs, words = dict(there), []
    for package, version in here:
        their = theirs.get(package)
        if their is None and package not in OPTIONAL:
            words.append(f"no {package} (here {version})")
        elif their is not None and their != version:
            words.append(f"{package} {their} (here {version})")
    return " and ".join(words) or None


def refusal(answers: Sequence[tuple[str, Versions]], here: Versions) -> str | None:
    """What is wrong with the first worker whose versions aren't the client's, or None.

    Parameters
    ----------
    answers : of `host_and_versions`, one per worker
    """
    differing = {host: words for host, there in answers if (words := difference(there, here)) is not None}
    if not differing:
        return None
    host, words = next(iter(sorted(differing.items())))
    others = f", and {len(differing) - 1} more hosts differ" if len(differing) > 1 else ""
    return f"worker {host} has {words}{others}"
