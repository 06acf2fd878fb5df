"""Where a slide lies: at a path on this machine, or at a URL that fsspec reads (s3://, gs://, https://, memory:// …).

A path is pathlib's, and every reader takes it. A URL is universal_pathlib's UPath, which goes to workers as it is; each
process opens it with its own driver and its own credentials, which are fsspec's business and never passed on from here.
"""

from __future__ import annotations

import errno
import io
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import BinaryIO
from urllib.parse import unquote, urlsplit
from urllib.request import url2pathname

from fsspec.asyn import AsyncFileSystem
from fsspec.spec import AbstractFileSystem
from upath import UPath

from wsi_edt.errors import SlideError, UsageError, WsiEdtError
from wsi_edt.files import refusal_of_system, remedy_of
from wsi_edt.slides.unsupported import unsupported

SlidePath = Path | UPath

# A slide is read in small pieces all over its file, and neighbouring tiles share blocks. A shard of 64 tiles of a JPEG
# pyramid of 109 MB took 28 requests and 14 MB with these; 40 and 10 MB with 256 KiB, 11 and 42 MB with 4 MiB, 20 and
# 97 MB with fsspec's own 5 MiB read ahead (S3's are 50).
_BLOCK_BYTES = 1 << 19
_BLOCKS = 64


def location(given: str | SlidePath) -> SlidePath:
    """The path or URL that a text means; file:// URLs are paths on this machine.

    Raises
    ------
    UsageError
        If nothing reads such URLs, or the package that does is missing.
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
            raise UsageError(
                "names another machine", where=text, remedy="write file:/// and the path on this one"
            )
        return Path(url2pathname(path))
    try:
        url = given if isinstance(given, UPath) else UPath(text)
        _ = url.fs  # loads the driver
    except ImportError as error:
        raise _no_driver(UsageError, text, error) from error
    except Exception as error:  # ValueError for an unknown protocol; drivers raise what they like
        raise UsageError(f"can't be read ({_reason(error)})", where=text, remedy="check the URL") from error
    return url


def is_folder(path: SlidePath) -> bool:
    """Whether it is a folder, and not a file.

    Raises
    ------
    UsageError
        If it is neither, or can't be reached.
    """
    if isinstance(path, Path):
        return _is_folder_here(path)
    try:
        return stat.S_ISDIR(path.stat().st_mode)
    except Exception as error:  # drivers raise what they like
        raise _refusal(UsageError, path, error) from error


def _is_folder_here(path: Path) -> bool:
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            what = f"is a link to {path.readlink()}, which isn't there"
            raise UsageError(what, where=path, remedy="mount what it leads to, or correct the link") from None
        mode = 0
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise UsageError(
                "is a link that leads in a circle", where=path, remedy="correct the link"
            ) from error
        raise _refusal(UsageError, path, error) from error
    if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
        raise UsageError("is neither a file nor a folder", where=path, remedy="check the path")
    return stat.S_ISDIR(mode)


def file_name(path: SlidePath) -> str:
    """The last part of a path or URL, without a web address' query and %-signs."""
    if isinstance(path, Path) or not _is_web(path):
        return path.name
    return PurePosixPath(unquote(urlsplit(str(path)).path)).name


@dataclass(frozen=True, slots=True)
class Listing:
    """What lies below a folder at a URL.

    Attributes
    ----------
    files : each file at any depth, with its name from there, but for hidden ones
    hidden : the names of files that are hidden, or in hidden folders
    unreadable : the folders below it that couldn't be listed, with the reason
    """

    files: tuple[tuple[UPath, str], ...]
    hidden: tuple[str, ...]
    unreadable: tuple[tuple[UPath, str], ...]


def files_below(folder: UPath) -> Listing:
    """What lies below a folder, at any depth.

    Raises
    ------
    UsageError
        If the folder itself can't be listed.
    """
    unreadable: list[tuple[str, str]] = []
    try:
        found = sorted(_found_below(folder.fs, folder.path, unreadable))
    except Exception as error:  # drivers raise what they like
        raise _refusal(UsageError, folder, error) from error
    root = folder.path.rstrip("/")
    files, hidden = [], []
    for file in found:
        below = file.removeprefix(root).removeprefix("/")
        name = unquote(below) if _is_web(folder) else below
        parts = name.split("/")
        # ".." among them: what is written under that name must stay in the results folder.
        if not all(parts) or any(part.startswith(".") for part in parts):
            hidden += [name] if all(parts) and ".." not in parts else []
        else:
            files.append((folder / below, name))
    lost = tuple((folder / path.removeprefix(root).strip("/"), reason) for path, reason in unreadable)
    return Listing(tuple(files), tuple(hidden), lost)


def _found_below(fs: AbstractFileSystem, path: str, unreadable: list[tuple[str, str]]) -> Iterator[str]:
    """Every file below a path; a driver that lists it at once is asked to, since the others leave out what fails."""
    shared = AsyncFileSystem._find if isinstance(fs, AsyncFileSystem) else AbstractFileSystem.find
    if getattr(type(fs), shared.__name__) is not shared:
        yield from fs.find(path)
        return
    seen, pending = {path.rstrip("/")}, [path]
    while pending:
        here = pending.pop()
        try:
            listed = fs.ls(here, detail=True)
        except Exception as error:  # drivers raise what they like
            if here == path:
                raise
            unreadable.append((here, _reason(error)))
            continue
        for one in listed:
            name = str(one["name"])
            if one["type"] != "directory":
                yield name
            elif name.rstrip("/") not in seen:
                seen.add(name.rstrip("/"))
                pending.append(name)


def open_binary(path: SlidePath) -> BinaryIO:
    """A slide's file, opened for reading at any place.

    Raises
    ------
    SlideError
        If it is missing, empty or a folder, or can't be reached or read.
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
        raise _refusal(SlideError, path, error) from error
    if not size:
        file.close()
        raise SlideError("is empty (0 bytes)", where=path, remedy="copy or export it again")
    return file


def unreadable(path: SlidePath) -> str | None:
    """Why this machine can't read it, in one sentence; None if it can."""
    try:
        open_binary(path).close()
    except SlideError as error:
        return str(error)
    return None


def read_failure(path: SlidePath, error: Exception, what: str = "can't be read") -> SlideError:
    """The error for a slide's file whose content can't be read or decoded: it is damaged, or has a property unread."""
    reason = str(error).replace(f"Reading {path}: ", "")  # openslide repeats the path
    refusal = unsupported(path, reason, what)
    if refusal is not None and "range requests" not in reason:
        return refusal
    refused = refusal_of_system(error)
    if isinstance(path, Path):
        damaged = "the file is damaged or truncated: copy or export it again"
        remedy = damaged if refused is None else remedy_of(refused)
    elif "range requests" in reason:  # what fsspec says of it is for programmers
        reason = "its server sends only whole files, no ranges of bytes"
        remedy = "use one that does, or copy the slide here"
    else:
        remedy = "the connection failed, or the file is damaged or truncated: try again, else upload or export it again"
    return SlideError(f"{what} ({reason})", where=path, remedy=remedy)


def _is_web(url: UPath) -> bool:
    return url.protocol in ("http", "https")


def _refusal(kind: type[WsiEdtError], path: SlidePath, error: Exception) -> WsiEdtError:
    """The error for what can't be opened or listed."""
    if isinstance(error, ImportError):
        return _no_driver(kind, str(path), error)
    if isinstance(error, IsADirectoryError):
        return kind("is a folder, not a slide", where=path, remedy="name a file in it")
    if isinstance(path, Path):
        if isinstance(error, FileNotFoundError):
            return kind("doesn't exist", where=path, remedy="check the path")
        remedy = remedy_of(error) if isinstance(error, OSError) else "check its permissions"
        return kind(f"can't be read ({_reason(error)})", where=path, remedy=remedy)
    if isinstance(error, FileNotFoundError):
        cause = error.__cause__  # fsspec's web driver takes whatever goes wrong for a missing file
        if not isinstance(cause, OSError) and getattr(cause, "status", 404) == 404:
            return kind("doesn't exist", where=path, remedy="check the URL")
        error = cause if isinstance(cause, Exception) else error
    remedy = "check the URL, the network and your credentials"
    return kind(f"can't be read ({_reason(error)})", where=path, remedy=remedy)


def _no_driver(kind: type[WsiEdtError], text: str, error: ImportError) -> WsiEdtError:
    missing = error if error.name else error.__cause__  # fsspec hides which package it missed
    package = missing.name if isinstance(missing, ImportError) else None
    if package is None:
        return kind(f"needs a package that isn't installed: {_reason(error)}", where=text)
    what = f"needs the package {package}, which isn't installed"
    return kind(what, where=text, remedy=f"pip install {package}")


def _reason(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__
