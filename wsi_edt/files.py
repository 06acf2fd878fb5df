"""The one place that writes safely: whole files or none, flushed to the disk, and one sentence if the system refuses."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wsi_edt.errors import OutputError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
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
            remedy="check its permissions, or write elsewhere",
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
        if error.errno in _FULL:
            reason = f"{_reason(error)} ({_free_space(path)})"
            remedy = "make room there, then give the same command again"
        else:
            reason, remedy = _reason(error), "check the path and its permissions, or write elsewhere"
        raise OutputError(f"can't be written: {reason}", where=path, remedy=remedy) from error


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
