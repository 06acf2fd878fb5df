"""Files that are whole or not there: written beside their place, synced, then renamed into it."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wsi_edt.errors import OutputError


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Give a binary file to write; it takes `path`'s place when the block ends without an error.

    Folders above it are made. Until the block has ended, and after any error in it, `path` is what it was and
    nothing else is left. A killed process leaves `.<name>.partial`, which the next write of that file
    replaces.

    Raises
    ------
    OutputError
        Where the system refuses (no space, no permission): the sentence has the free space and the remedy.
    """
    partial = path.with_name(f".{path.name}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OutputError(_refusal(path, error)) from error
    finally:
        with suppress(OSError):
            partial.unlink(missing_ok=True)


def write_atomically(path: Path, content: bytes) -> None:
    """Write a file of that content, whole or not at all (see `atomic_write`)."""
    with atomic_write(path) as file:
        file.write(content)


def _sync_folder(folder: Path) -> None:
    """Make the rename outlast a power cut, where the system can: Windows and some network disks can't."""
    with suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _refusal(path: Path, error: OSError) -> str:
    reason = error.strerror or type(error).__name__
    if error.errno in _FULL:
        reason += f" ({_free_space(path)}); make room there, or"
    else:
        reason += ";"
    return f"can't write {path}: {reason} write elsewhere, then give the same command again"


_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def _free_space(path: Path) -> str:
    for folder in path.absolute().parents:
        with suppress(OSError):
            return f"{shutil.disk_usage(folder).free:,} bytes free"
    return "free space unknown"
