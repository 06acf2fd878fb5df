"""Pages read as a browser reads them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote


class Page(HTMLParser):
    """A page's text, links, pictures and tags; tags that don't match fail.

    `pictures` are the words that stand for each picture; those of `<image>` in a figure are its figure's.
    """

    VOID = frozenset({"meta", "img", "br", "link", "input"})

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.links: list[str] = []
        self.data: list[str] = []
        self.pictures: list[str] = []
        self.tags: list[str] = []
        self._open: list[str] = []
        self.source = source
        self.feed(self.source)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        addresses = [value or "" for name, value in attrs if name in ("href", "src")]
        self.links += [address for address in addresses if not address.startswith("data:")]
        self.data += [address for address in addresses if address.startswith("data:")]
        self._note_picture(tag, dict(attrs))
        if tag not in self.VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """In a figure every element may close itself."""
        self.handle_starttag(tag, attrs)
        if tag not in self.VOID:
            self.handle_endtag(tag)

    def _note_picture(self, tag: str, attrs: dict[str, str | None]) -> None:
        inside = "svg" in self._open
        if tag == "img" or (tag == "svg" and not inside and attrs.get("aria-hidden") != "true"):
            self.pictures.append(attrs.get("alt" if tag == "img" else "aria-label") or "")

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"</{tag}> closes another"

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
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
