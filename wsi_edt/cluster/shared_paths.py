"""Whether every worker sees every slide under the client's path, asked in blocks of many paths.

For URLs, one per bucket or server is enough: a worker that lacks the driver, the network or the credentials lacks them
for all of them.
"""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from upath import UPath

from wsi_edt.errors import SlideError
from wsi_edt.slides.location import SlidePath, unreadable

_BLOCK = 1000  # paths a question: about 100 KB, and on a slow network file system a second or so

SizedFile = tuple[str, int]  # path, bytes


@dataclass(frozen=True, slots=True)
class Sight:
    """Which of some files one worker can't see.

    Attributes
    ----------
    missing : paths at which it sees nothing
    other : paths at which it sees a file of another size
    unreadable : why it can't read one of the URLs, in a sentence; None if it can
    """

    host: str
    missing: tuple[str, ...] = ()
    other: tuple[str, ...] = ()
    unreadable: str | None = None


def blocks(paths: Iterable[SlidePath]) -> Iterator[tuple[SizedFile, ...]]:
    """The files at these paths with their sizes, a block at a time.

    URLs are left out, and files that are gone: they will fail their slide, not the batch.
    """
    block: list[SizedFile] = []
    for path in paths:
        if isinstance(path, Path) and (size := _size(path)) is not None:
            block.append((str(path), size))
        if len(block) == _BLOCK:
            yield tuple(block)
            block.clear()
    if block:
        yield tuple(block)


def look_for(files: Sequence[SizedFile]) -> Sight:
    """Which of them this machine can't see."""
    sizes = {path: _size(Path(path)) for path, _ in files}
    missing = tuple(path for path, _ in files if sizes[path] is None)
    other = tuple(path for path, size in files if sizes[path] not in (None, size))
    return Sight(platform.node(), missing, other)


def one_url_per_place(paths: Iterable[SlidePath]) -> tuple[UPath, ...]:
    """Of the URLs among these, the first of each bucket or server that can be read here."""
    found: dict[tuple[str, str], UPath] = {}
    for path in paths:
        if isinstance(path, Path):
            continue
        parts = urlsplit(str(path))
        place = (parts.scheme, parts.netloc)
        if place not in found and unreadable(path) is None:
            found[place] = path
    return tuple(found.values())


def look_at(urls: Sequence[UPath]) -> Sight:
    """Whether this machine can read them."""
    reasons = (unreadable(url) for url in urls)
    return Sight(platform.node(), unreadable=next((reason for reason in reasons if reason is not None), None))


def refusal(sights: Iterable[Sight]) -> SlideError | None:
    """Why the first worker that can't see what the client sees is refused, or None."""
    for sight in sorted(sights, key=lambda sight: sight.host):
        worker = f"worker {sight.host}"
        if sight.unreadable:
            return SlideError(f"can't read the slides: {sight.unreadable}", where=worker)
        if sight.missing:
            return SlideError(
                f"doesn't see {_first_of(sight.missing)}",
                where=worker,
                remedy="mount the slides there under the same path",
            )
        if sight.other:
            return SlideError(
                f"has files of another size at {_first_of(sight.other)}",
                where=worker,
                remedy="mount the same slides there, or copy them again",
            )
    return None


def _first_of(paths: Sequence[str]) -> str:
    return paths[0] + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
