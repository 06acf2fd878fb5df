"""Pages read as a browser reads them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote


class Page(HTMLParser):
    """A page's text, links and tags; tags that don't match fail."""

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.source = source
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src")]
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] != "style":
            self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def check_links(page: Page, folder: Path) -> None:
    """Each of the page's links leads to a file that is there, when the page lies in that folder."""
    assert page.links
    for link in page.links:
        assert not re.match(r"\w+:|//|/|#|\?", link), f"{link} leads out of the results"
        assert "#" not in link
        assert "?" not in link
        assert (folder / unquote(link)).is_file(), link
