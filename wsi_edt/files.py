"""The one place that writes safely: whole files or none, flushed to the disk, and one sentence if the system refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wsi_edt.errors import OutputError

_AGAIN = "then give the same command again"
_AWAY = f"the disk is out of reach: see that it is mounted, {_AGAIN}"
# By what the system answers, what helps.
_REMEDIES: Mapping[int, str] = {
    errno.ENOSPC: f"make room there, {_AGAIN}",
    errno.EDQUOT: f"your share of that disk is used up: remove something of yours, or have it raised, {_AGAIN}",
    errno.EFBIG: "files so large aren't allowed there: write to another disk (FAT32 ends at 4 GiB), or lift this "
    "session's limit (ulimit -f unlimited)",
    errno.EROFS: "it is mounted read-only: write elsewhere",
    errno.EACCES: "check its permissions, or choose a place elsewhere",
    errno.EPERM: "check its permissions, or choose a place elsewhere",
    errno.ENAMETOOLONG: "use shorter names, or a place with a shorter path",
    errno.EINVAL: "names there may not hold such characters: rename it, or choose a place elsewhere",
    errno.EILSEQ: "names there may not hold such characters: rename it, or choose a place elsewhere",
    errno.EMFILE: f"raise this session's limit of open files (ulimit -n 4096), {_AGAIN}",
    errno.ENFILE: f"the whole machine has too many files open: end other programs, {_AGAIN}",
    errno.ENOENT: "check the path: is a disk not mounted, or was a folder removed?",
    errno.ENOTDIR: "a part of its path is a file, not a folder: choose a place elsewhere",
    errno.EISDIR: "there is a folder of that name: choose a place elsewhere",
    errno.EEXIST: "there is something else of that name: choose a place elsewhere",
    errno.ELOOP: "its links lead in a circle: correct them, or choose a place elsewhere",
    errno.EBUSY: f"another program has it open: close that, {_AGAIN}",
    errno.ETXTBSY: f"another program has it open: close that, {_AGAIN}",
    errno.EIO: "the disk, or the way to it, is failing: check it, or choose a place elsewhere",
    errno.ENOMEM: f"end other programs, {_AGAIN}",
    errno.ESTALE: _AWAY,
    errno.ETIMEDOUT: _AWAY,
    errno.ENOTCONN: _AWAY,
    errno.EHOSTDOWN: _AWAY,
    errno.EHOSTUNREACH: _AWAY,
    errno.ENETUNREACH: _AWAY,
    errno.ENODEV: _AWAY,
    errno.ENXIO: _AWAY,
}
# Whose words no library uses for anything else: too many files, a disk that fails or is away.
_WORDS = {
    code: os.strerror(code) for code in (errno.EMFILE, errno.ENFILE, errno.EIO, errno.ESTALE, errno.ENOTCONN)
}
_OTHER_REMEDY = "check the path and its permissions, or choose a place elsewhere"
# What Windows and some network disks answer if asked to flush a folder.
_NO_FOLDER_SYNC = {errno.EACCES, errno.EPERM, errno.EINVAL, errno.ENOTSUP, errno.EBADF, errno.EISDIR}


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Yield a binary file to write; it takes `path`'s place when the block ends without an error.

    Folders above it are made. Until the block has ended, and after any error in it, `path` is what it was and
    nothing else is left. A killed process leaves `.<name>.partial`, which the next write of that file replaces.

    Raises
    ------
    OutputError
        If the system refuses, see `writing`.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            with partial.open("wb") as file:
                yield file
                _flush(file)
            partial.replace(path)
            sync(path.parent)
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file of that content, whole or not at all (see `atomic_write`)."""
    with atomic_write(path) as file:
        file.write(content)


def append(path: Path, content: bytes) -> None:
    """Add to the end of a file, for example rows of a log, and flush it; a kill may leave a part of `content`.

    Raises
    ------
    OutputError
        If the system refuses, see `writing`.
    """
    with writing(path), path.open("ab") as file:
        file.write(content)
        _flush(file)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it; nothing happens if there is none.

    Raises
    ------
    OutputError
        If the system refuses.
    """
    try:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"can't be removed: {_reason(error)}",
            where=path,
            remedy=remedy_of(error),
        ) from error


def sync(*paths: Path) -> None:
    """Flush files and folders to the disk, so that they outlast a power cut; a folder only if the system can."""
    for path in paths:
        is_folder = path.is_dir()
        try:
            handle = os.open(path, os.O_RDONLY)
            try:
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            if not (is_folder and error.errno in _NO_FOLDER_SYNC):
                raise


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what the system refuses in the block into one sentence about `path`, with the free space if the disk is full.

    Raises
    ------
    OutputError
        If the block raises an OSError (no space, no permission).
    """
    try:
        yield
    except OSError as error:
        free = f" ({_free_space(path)})" if error.errno == errno.ENOSPC else ""
        raise OutputError(
            f"can't be written: {_reason(error)}{free}", where=path, remedy=remedy_of(error)
        ) from error


def remedy_of(error: OSError) -> str:
    """What helps where the system refuses to read, write or remove a file."""
    return _REMEDIES.get(error.errno or 0, _OTHER_REMEDY)


def refusal_of_system(error: Exception) -> OSError | None:
    """What the system answered, if an error comes from that; libraries of other languages leave only its words."""
    if isinstance(error, OSError) and error.errno is not None:
        return error
    words = str(error)
    return next((OSError(code, text) for code, text in _WORDS.items() if text in words), None)


def _flush(file: BinaryIO) -> None:
    file.flush()
    os.fsync(file.fileno())


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with suppress(OSError):
            return f"{shutil.disk_usage(folder).free:,} bytes free"
    return "free space unknown"
