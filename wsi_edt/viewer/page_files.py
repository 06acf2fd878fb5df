"""The files of the page, by the names under which they are served: read once, and nothing beside them can be asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

PAGE: Final = Path(__file__).with_name("page")
INDEX: Final = "index.html"
_KINDS: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file of the page: its bytes, and its media type."""

    content: bytes
    kind: str


def page_files() -> Mapping[str, PageFile]:
    """All files of the page, by their POSIX paths in its folder; licences are read, not served."""
    return {
        path.relative_to(PAGE).as_posix(): PageFile(path.read_bytes(), _KINDS[path.suffix])
        for path in sorted(PAGE.rglob("*"))
        if path.suffix in _KINDS
    }
