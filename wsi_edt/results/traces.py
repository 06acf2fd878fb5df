"""What a run leaves in its results folder beside results: nothing, so that a refused run leaves nothing at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from wsi_edt.results import names


@contextmanager
def without_empty_folders(out: Path) -> Iterator[None]:
    """Remove, at the end, the results folder and those above it that weren't there before, as far as they are empty."""
    made = [folder for folder in (out.absolute(), *out.absolute().parents) if not os.path.lexists(folder)]
    try:
        yield
    finally:
        with suppress(OSError):  # the first that isn't empty ends it
            for folder in made:
                folder.rmdir()


@contextmanager
def without_lock(out: Path) -> Iterator[None]:
    """Remove the lock's file at the end, while the lock is held: filelock takes no lock of a file that was removed.

    A lock's file of another run, after somebody emptied the folder, stays.
    """
    path = out / names.LOCK
    before = _state(path)
    try:
        yield
    finally:
        if before is not None and _state(path) == before:
            with suppress(OSError):  # Windows removes no open file; there the lock does it
                path.unlink()


def _state(path: Path) -> tuple[int, int] | None:
    try:
        state = path.stat()
    except OSError:
        return None
    return state.st_dev, state.st_ino
