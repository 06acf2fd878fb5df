"""Names of slides, which are also the folders of their results: what no folder can be called is found before a run."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePosixPath

from wsi_edt.errors import SlideError, UsageError
from wsi_edt.results import names

# What file systems take for one part of a path, in bytes of UTF-8: nearly all of them 255.
MOST_BYTES = 255
# Of a whole path; some bytes are left for the files of a slide's store.
_MOST_PATH_BYTES = 4096 - 96
_HASH_DIGITS = 8
_OF_THE_BATCH = {
    name.casefold()
    for name in (names.SUMMARY, names.BATCH_REPORT, names.RUN_RECORD, names.REPORT_RECORD, names.LOCK)
}


def fitted(name: str) -> str:
    """The name with each part short enough for a folder: what is too long is cut, and a hash tells it from others."""
    return "/".join(map(_fitted_part, name.split("/")))


def fault_of(name: str) -> str | None:
    """What is wrong with a name that somebody chose, as a clause ("leads out of the results folder"); None if nothing."""
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or PurePosixPath(name).is_absolute():
        return "leads out of the results folder"
    if not all(parts) or any(part.startswith(".") for part in parts):
        return "has a part that is empty or hidden"
    if any(unicodedata.category(letter) == "Cc" for letter in name):
        return "has a control character"
    if os.name == "nt" and set(name) & set('<>:"\\|?*'):
        return 'has one of < > : " \\ | ? *, which Windows refuses'
    if parts[0].casefold() in _OF_THE_BATCH:
        return "is that of a file in the results folder"
    if any(len(part.encode()) > MOST_BYTES for part in parts):
        return f"is longer than {MOST_BYTES} bytes"
    return None


def placeless(name: str, out: Path) -> SlideError | None:
    """Why no slide of that name can have its results in that folder; None if it can."""
    if name.split("/", 1)[0].casefold() in _OF_THE_BATCH:
        return SlideError(
            "is called as a file in the results folder is",
            where=name,
            remedy="rename it, or give a name in a table (see --help)",
        )
    if len(name.encode()) > _MOST_PATH_BYTES - len(os.fsencode(out.absolute())):
        return SlideError(
            f"has a name of {len(name.encode())} bytes, too long for a folder below {out}",
            where=name,
            remedy="choose a shorter --out, or give a name in a table (see --help)",
        )
    return None


def refuse_impossible(slides: Sequence[tuple[object, str]]) -> None:
    """UsageError if slides can't have their results beside each other.

    Parameters
    ----------
    slides : where each lies, for the message, and its name
    """
    where: dict[str, object] = {}
    for path, name in slides:
        if name in where:
            raise UsageError(
                f"{where[name]} and {path} would both have their results in {name}",
                remedy="give the folder above them, or a name for each in a table (see --help), or run them into two "
                "results folders",
            )
        where[name] = path
    for name, path in where.items():
        for above in PurePosixPath(name).parents:
            if str(above) in where:
                raise UsageError(
                    f"{path} would have its results among those of {where[str(above)]}",
                    remedy="run them into two results folders",
                )


def refuse_alike(slides: Iterable[str], out: Path) -> None:
    """UsageError if the results folder's disk takes two of the names for one: of other case, or otherwise composed.

    Parameters
    ----------
    out : the results folder, with its lock in it
    """
    seen: dict[str, str] = {}
    for name in slides:
        other = seen.setdefault(unicodedata.normalize("NFC", name).casefold(), name)
        if other != name and (out / names.LOCK.upper()).exists():
            raise UsageError(
                f"{other!r} and {name!r} are one folder on the disk of {out}",
                remedy="rename one of them, or run them into two results folders",
            )


def _fitted_part(part: str) -> str:
    encoded = part.encode()
    if len(encoded) <= MOST_BYTES:
        return part
    suffix = PurePosixPath(part).suffix.encode()
    suffix = suffix if len(suffix) <= 16 else b""
    end = b"~" + hashlib.sha256(encoded).hexdigest()[:_HASH_DIGITS].encode() + suffix
    return (encoded[: MOST_BYTES - len(end)] + end).decode("utf-8", "ignore")
