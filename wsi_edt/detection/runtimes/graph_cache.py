"""Files that are slow to make and can always be made again, kept in the user's cache folder ($XDG_CACHE_HOME)."""

from __future__ import annotations

import hashlib
import logging
import os
import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import uuid4

from wsi_edt.errors import OutputError
from wsi_edt.files import write_atomically

_MOST_FILES = 4  # the last ones used; the shipped model's has 40 MB
_ABANDONED = 3600.0  # seconds after which a file that is still being written belongs to a killed process

_log = logging.getLogger(__name__)


def cache_folder() -> Path:
    """Where the user's cached files belong on this system; it needn't exist."""
    home = Path(os.path.expanduser("~"))  # noqa: PTH111 - Path.home() fails where there is no home
    places = {"Windows": os.environ.get("LOCALAPPDATA"), "Darwin": home / "Library" / "Caches"}
    named = os.environ.get("XDG_CACHE_HOME") or places.get(platform.system())
    return Path(named or home / ".cache") / "wsi-edt"


def cached(key: str, made: Callable[[], list[bytes]]) -> list[bytes]:
    """What is kept under the key, else what `made` makes, which is kept from then on.

    A cache that can't be read or written, or is damaged, costs time only. Several processes may miss at once: each makes
    its own, and the last one's is kept.
    """
    path = cache_folder() / f"{key}.graph"
    parts = _kept(path)
    if parts is None:
        parts = made()
        _keep(path, parts)
    return parts


def _kept(path: Path) -> list[bytes] | None:
    """The parts in a file; None if there is none, or if it isn't what was written."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, rest = content[:32], memoryview(content)[32:]
    if hashlib.sha256(rest).digest() != digest:
        _log.info("%s is damaged, and is made again", path)
        return None
    parts: list[bytes] = []
    while rest:
        size = int.from_bytes(rest[:8], "little")
        parts.append(bytes(rest[8 : 8 + size]))
        rest = rest[8 + size :]
    with suppress(OSError):
        os.utime(path)  # used just now: the others go first
    return parts


def _keep(path: Path, parts: Sequence[bytes]) -> None:
    content = b"".join(len(part).to_bytes(8, "little") + part for part in parts)
    own = path.with_name(f"{uuid4().hex}.new")  # another process may be writing the same
    try:
        if not path.is_absolute():
            raise OSError("there is no home folder")
        write_atomically(own, hashlib.sha256(content).digest() + content)
        own.replace(path)
        by_use = sorted(path.parent.glob("*.graph"), key=lambda kept: kept.stat().st_mtime)
        for old in [*by_use[:-_MOST_FILES], *_abandoned(path.parent)]:
            old.unlink(missing_ok=True)
    except (OSError, OutputError) as error:
        with suppress(OSError):
            own.unlink(missing_ok=True)
        _log.info("%s can't be kept, so that the next worker makes it again (%s)", path, error)


def _abandoned(folder: Path) -> list[Path]:
    """What killed processes left half written."""
    now = time.time()
    return [part for part in folder.glob(".*.partial") if now - part.stat().st_mtime > _ABANDONED]
