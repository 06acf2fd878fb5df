"""Where a slide lies: at a path of this machine, or at a URL that fsspec reads (s3://, gs://, https://, memory:// …).

A path is pathlib's, and every reader takes it. A URL is universal_pathlib's UPath, which goes to workers as it is; each
process opens it with its own driver and its own credentials, which are fsspec's business and never passed on from here.
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from upath import UPath

from wsi_edt.errors import SlideError, UsageError

SlidePath = Path | UPath

# A slide is read in small pieces all over its file, and neighbouring tiles share blocks. A shard of 64 tiles of a JPEG
# pyramid of 109 MB took 28 requests and 14 MB with these; 40 and 10 MB with 256 KiB, 11 and 42 MB with 4 MiB, 20 and
# 97 MB with fsspec's own 5 MiB read ahead (S3's are 50).
_BLOCK_BYTES = 1 << 19
_BLOCKS = 64


def location(given: str | SlidePath) -> SlidePath:
    """The path or URL that a text means; file:// URLs are paths of this machine.

    Raises
    ------
    UsageError
        Where nothing reads such URLs, or a package is missing that does.
    """
    if isinstance(given, Path):
        return given
    text = str(given)
    protocol, marker, rest = text.partition("://")
    if not marker:
        return Path(text)
    if protocol.lower() in ("file", "local"):
        path = rest.removeprefix("localhost")
        if not path.startswith("/"):
            raise UsageError(f"{text} names another machine; write file:/// and the path on this one")
        return Path(url2pathname(path))
    try:
        url = given if isinstance(given, UPath) else UPath(text)
        _ = url.fs  # loads the driver
    except ImportError as error:
        raise UsageError(_no_driver(text, error)) from error
    except Exception as error:  # ValueError for an unknown protocol; drivers raise what they like
        raise UsageError(f"{text} can't be read ({_reason(error)}); check the URL") from error
    return url


def is_folder(path: SlidePath) -> bool:
    """Whether it is a folder, and not a file.

    Raises
    ------
    UsageError
        Where it is neither, or can't be reached.
    """
    if isinstance(path, Path):
        if path.is_file():
            return False
        if path.is_dir():
            return True
        raise UsageError(f"{path} is neither a file nor a folder")
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except Exception as error:  # drivers raise what they like
        raise UsageError(_refusal(path, error)) from error


def file_name(path: SlidePath) -> str:
    """The last part of a path or URL, without a web address' query and %-signs."""
    if isinstance(path, Path) or not _is_web(path):
        return path.name
    return PurePosixPath(unquote(urlsplit(str(path)).path)).name


def files_below(folder: UPath) -> Iterator[tuple[UPath, str]]:
    """Each file below a folder, at any depth, with its name from there; hidden files and folders are passed over.

    Raises
    ------
    UsageError
        Where the folder can't be listed.
    """
    try:
        found: list[str] = sorted(folder.fs.find(folder.path))
    except Exception as error:  # drivers raise what they like
        raise UsageError(_refusal(folder, error)) from error
    root = folder.path.rstrip("/")
    for file in found:
        below = file.removeprefix(root).removeprefix("/")
        name = unquote(below) if _is_web(folder) else below
        # ".." among them: what is written under that name must not leave the results folder.
        if all(part and not part.startswith(".") for part in name.split("/")):
            yield folder / below, name


def open_binary(path: SlidePath) -> BinaryIO:
    """A slide's file, opened for reading at any place.

    Raises
    ------
    SlideError
        Where it is missing, empty or a folder, or can't be reached or read.
    """
    try:
        if isinstance(path, Path):
            file: BinaryIO = path.open("rb")
        else:
            file = path.open(
                "rb", block_size=_BLOCK_BYTES, cache_type="blockcache", cache_options={"maxblocks": _BLOCKS}
            )
            if isinstance(file, io.BytesIO):  # memory:// gives all readers one file, with one position
                file = io.BytesIO(file.getvalue())
        size = file.seek(0, os.SEEK_END)
        file.seek(0)
    except Exception as error:  # OSError for a path; drivers raise what they like
        raise SlideError(_refusal(path, error)) from error
    if not size:
        file.close()
        raise SlideError(f"{path} is empty (0 bytes); copy or export it again")
    return file


def unreadable(path: SlidePath) -> str | None:
    """Why this machine can't read it, in one sentence; None where it can."""
    try:
        open_binary(path).close()
    except SlideError as error:
        return str(error)
    return None


def reason_and_remedy(path: SlidePath, error: Exception) -> str:
    """The end of a sentence that says that a slide's file can't be read or decoded: "(reason); remedy"."""
    if isinstance(path, Path):
        return f"({error}); the file is damaged or truncated: copy or export it again"
    if "range requests" in str(error):  # what fsspec says of it is for programmers
        return "(its server gives whole files alone, no ranges of bytes); use one that does, or copy the slide here"
    what_to_do = "the connection failed, or the file is damaged or truncated: try again, else upload or export it again"
    return f"({error}); {what_to_do}"


def _is_web(url: UPath) -> bool:
    return url.protocol in ("http", "https")


def _refusal(path: SlidePath, error: Exception) -> str:
    """Why it can't be opened, in one sentence."""
    if isinstance(error, ImportError):
        return _no_driver(str(path), error)
    if isinstance(error, IsADirectoryError):
        return f"{path} is a folder, not a slide; name a file in it"
    if isinstance(path, Path):
        if isinstance(error, FileNotFoundError):
            return f"{path} doesn't exist; check the path"
        return f"{path} can't be read ({_reason(error)}); check its permissions"
    if isinstance(error, FileNotFoundError):
        cause = error.__cause__  # fsspec's web driver takes whatever goes wrong for a missing file
        if not isinstance(cause, OSError) and getattr(cause, "status", 404) == 404:
            return f"{path} doesn't exist; check the URL"
        error = cause if isinstance(cause, Exception) else error
    return f"{path} can't be read ({_reason(error)}); check the URL, the network and your credentials"


def _no_driver(text: str, error: ImportError) -> str:
    missing = error if error.name else error.__cause__  # fsspec hides which package it missed
    package = missing.name if isinstance(missing, ImportError) else None
    if package is None:
        return f"{text} needs a package that isn't installed: {_reason(error)}"
    return f"{text} needs the package {package}, which isn't installed; pip install {package}"


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
