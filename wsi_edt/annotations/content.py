"""A file's bytes and text, whatever it was compressed or written with."""

from __future__ import annotations

import codecs
import gc
import gzip
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wsi_edt.errors import AnnotationError
from wsi_edt.files import refusal_of_system, remedy_of

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_GZIP = b"\x1f\x8b"
_CONTROLS = re.compile(rb"[\x00-\x08\x0e-\x1f]")
LARGEST_BYTES = 4 << 30  # ten million cells of QuPath's are 2 GB


def read_content(path: Path) -> bytes:
    """The bytes of a file, unpacked if they are gzip's.

    Raises
    ------
    AnnotationError
        If it can't be read, or is too large when unpacked.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_BYTES + 1)
        if content.startswith(_GZIP) or path.suffix.lower() == ".gz":
            with gzip.open(path, "rb") as file:
                content = file.read(LARGEST_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        refused = refusal_of_system(error)
        reason = refused.strerror if refused is not None else error
        remedy = "copy or export it again" if refused is None else remedy_of(refused)
        raise AnnotationError(f"can't be read: {reason}", where=path, remedy=remedy) from error
    if len(content) > LARGEST_BYTES:
        raise AnnotationError(
            f"has more than {LARGEST_BYTES >> 30} GiB", where=path, remedy="split it, one file an image"
        )
    return content


def text_of(content: bytes, path: Path) -> str:
    """The text of a file in UTF-8, UTF-16 or UTF-32; without a byte order mark it is UTF-8, or UTF-16 by its zeros.

    What is none of these but has no control characters is text of Windows (cp1252): programs of before 2021 wrote "µm" so.

    Raises
    ------
    AnnotationError
        If it isn't text; `path` names the file.
    """
    encoding = next((name for mark, name in _MARKS if content.startswith(mark)), None)
    if encoding is None:
        head = content[:2]
        encoding = {(True, False): "utf-16-be", (False, True): "utf-16-le"}.get(
            (head[:1] == b"\0", head[1:] == b"\0"), "utf-8"
        )
    try:
        return content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8" and not _CONTROLS.search(content):
            return content.decode("cp1252", errors="replace")
        raise AnnotationError(
            f"isn't text in UTF-8 or UTF-16: {error}", where=path, remedy="save it as UTF-8"
        ) from error


@contextmanager
def uncollected() -> Iterator[None]:
    """Without Python's search for reference cycles: parsed files have none, and it takes 11 s of a million cells' 18."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
