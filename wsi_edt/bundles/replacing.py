"""Whether a model may be written to a folder: only into an empty one, or over another model that may be replaced."""

from __future__ import annotations

import os
from pathlib import Path

from wsi_edt.bundles.bundle import CARD, DESCRIPTION, WEIGHTS, arriving_name, read_bundle
from wsi_edt.errors import ModelError, OutputError, UsageError

_NAMED = 3  # of the files that are in the way


def refuse_to_replace(folder: Path, *, overwrite: bool) -> bool:
    """Whether a model written to the folder takes another's place.

    Files beside a model's own stay when it is replaced, and so does a card that waits for its model. Hidden files don't
    count, nor does what a kill left of a first model: weights have their name only after its description is there, so
    that weights alone are somebody's.

    Raises
    ------
    UsageError
        If the folder holds a model, or weights, that mustn't be overwritten, or, whether or not that is allowed, something
        else.
    OutputError
        If nothing can be written there.
    """
    _refuse_unwritable(folder)
    if not folder.is_dir():
        return False
    if (folder / DESCRIPTION).exists():
        _refuse_model(folder, overwrite=overwrite)
        return True
    others = sorted(path.name for path in folder.iterdir() if not _is_a_models(path))
    if others:
        named = ", ".join(others[:_NAMED]) + (", …" if len(others) > _NAMED else "")
        raise UsageError(
            f"isn't a model's folder: it holds {named} but no {DESCRIPTION}",
            where=folder,
            remedy="give the model a folder of its own",
        )
    has_weights = (folder / WEIGHTS).exists()
    if has_weights and not overwrite:
        raise UsageError(
            f"holds {WEIGHTS} but no {DESCRIPTION}",
            where=folder,
            remedy="pass --overwrite to replace it, or write elsewhere",
        )
    return has_weights


def _refuse_unwritable(folder: Path) -> None:
    """OutputError that would otherwise end minutes of choosing settings."""
    there = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(
            f"can't be written: {there} is read-only here", where=folder, remedy="write the model elsewhere"
        )


def _refuse_model(folder: Path, *, overwrite: bool) -> None:
    try:
        there = read_bundle(folder)
    except ModelError as error:
        raise UsageError(
            f"isn't replaced: its {DESCRIPTION} doesn't describe a model",
            where=folder,
            remedy="give the model a folder of its own",
        ) from error
    if not overwrite:
        raise UsageError(
            f"holds the model {there.name} version {there.version}",
            where=folder,
            remedy="pass --overwrite to replace it, or write elsewhere",
        )


def _is_a_models(path: Path) -> bool:
    return path.name in (CARD, WEIGHTS) or path.name.startswith(".") or path.match(arriving_name("?" * 12))
