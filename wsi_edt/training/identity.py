"""Whether a checkpoint belongs to the training that is to continue: its configuration, its first model, its data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from wsi_edt.bundles import find_bundle
from wsi_edt.errors import ModelError, UnknownModelError, UsageError
from wsi_edt.training.config import TrainConfig
from wsi_edt.training.fingerprint import Fingerprint
from wsi_edt.training.provenance import Provenance, identity_of

_ELSEWHERE = "train into another folder with --out"


def refuse_another_configuration(path: Path, provenance: Provenance, config: TrainConfig) -> None:
    """ModelError, naming the first entry that differs, unless the checkpoint was begun as the configuration says.

    The model to start from counts by what it is, not by where it lies.
    """
    try:
        found = provenance.config.model_dump()
    except UsageError as error:
        raise ModelError(
            f"belongs to a configuration of another version ({error})", where=path, remedy=_ELSEWHERE
        ) from error
    wanted = config.model_dump()
    if found["init"] and wanted["init"]:
        _refuse_another_start(path, provenance, config, moved=found["init"] != wanted["init"])
        del found["init"], wanted["init"]
    if found == wanted:
        return
    entry, old, new = next(_differences("", found, wanted))
    raise ModelError(
        f"belongs to another configuration ({entry} was {old!r}, is {new!r})",
        where=path,
        remedy=f"{_ELSEWHERE}, or restore the entry",
    )


def refuse_other_data(path: Path, provenance: Provenance, data: Fingerprint) -> None:
    """ModelError, naming the images that differ, unless the checkpoint was begun on these data or doesn't say on which."""
    changes = "" if provenance.data is None else provenance.data.changes(data)
    if changes:
        raise ModelError(
            f"belongs to a training on other data ({changes})",
            where=path,
            remedy=f"{_ELSEWHERE}, or restore the data",
        )


def _refuse_another_start(path: Path, provenance: Provenance, config: TrainConfig, *, moved: bool) -> None:
    try:
        init = find_bundle(config.init)
    except UnknownModelError:
        if moved:
            raise
        return  # a training that has begun doesn't need it any more
    if not provenance.started_from.startswith(identity_of(init)):
        raise ModelError(
            f"started from {provenance.started_from}, but {config.init} is {identity_of(init)} now",
            where=path,
            remedy=f"{_ELSEWHERE}, or start from the model of then",
        )


def _differences(entry: str, old: object, new: object) -> Iterator[tuple[str, object, object]]:
    """Entries that differ: their names, old and new values."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in {**old, **new}:
            yield from _differences(f"{entry}.{key}" if entry else key, old.get(key), new.get(key))
    elif old != new:
        yield entry, old, new
