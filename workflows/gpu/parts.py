"""Weights as files small enough to come back: safetensors of at most 16 MiB each, in half precision, and back again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from wsi_edt.errors import ModelError, OutputError
from wsi_edt.files import write_atomically

MOST_BYTES = 16 << 20
HEAD_BYTES = 256 << 10  # of a file: its tensors' names and the metadata
PATTERN = "weights-*.safetensors"


def halved(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Floating-point tensors in half precision; raises ModelError if one doesn't fit it."""
    found = {
        name: (value.half() if value.dtype.is_floating_point else value).detach().cpu().contiguous()
        for name, value in weights.items()
    }
    overflowed = [name for name, value in found.items() if not torch.isfinite(value.float()).all()]
    if overflowed:
        raise ModelError(
            "doesn't fit half precision", where=overflowed[0], remedy="train with less extreme weights"
        )
    return found


def write_parts(
    weights: Mapping[str, Tensor], folder: Path, *, about: Mapping[str, object], most_bytes: int = MOST_BYTES
) -> list[Path]:
    """Write weights as numbered files, replacing those that are there; each file says which part of what it is.

    Parameters
    ----------
    weights : in any precision
    folder : where the files go
    about : metadata that each file carries
    most_bytes : the largest size of a file
    """
    room = most_bytes - HEAD_BYTES
    groups: list[dict[str, Tensor]] = [{}]
    filled = 0
    for name, value in halved(weights).items():
        if value.nbytes > room:
            raise ModelError(f"takes {value.nbytes} bytes, and a file may hold {room}", where=name)
        if filled + value.nbytes > room:
            groups.append({})
            filled = 0
        groups[-1][name] = value
        filled += value.nbytes
    paths = [
        folder / f"weights-{number}-of-{len(groups)}.safetensors" for number in range(1, len(groups) + 1)
    ]
    halves = [path.with_name(f".{path.name}.half") for path in paths]
    for number, (group, half) in enumerate(zip(groups, halves, strict=True), start=1):
        said = {"part": str(number), "parts": str(len(groups)), "about": json.dumps(about, sort_keys=True)}
        said["sha256"] = sha256_of(group)
        half.write_bytes(save(group, said))
        assert half.stat().st_size <= most_bytes, f"{half} has {half.stat().st_size} bytes"
    for half, path in zip(halves, paths, strict=True):  # together, as nearly as can be
        half.replace(path)
    for path in folder.glob(PATTERN):
        if path not in paths:
            path.unlink()
    return paths


def read_parts(paths: Sequence[Path]) -> tuple[dict[str, Tensor], dict[str, object]]:
    """The weights of all parts and their metadata; raises ModelError if one is missing, torn, or of other weights."""
    weights: dict[str, Tensor] = {}
    seen: dict[int, Path] = {}
    about, count = "", 0
    for path in paths:
        try:
            with safe_open(path, framework="pt") as file:
                said = file.metadata()
                number, parts, own = int(said["part"]), int(said["parts"]), said["about"]
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
                whole = sha256_of(tensors) == said["sha256"]
        except Exception as error:  # safetensors raises its own kinds for a torn or foreign file
            raise ModelError(
                "isn't a part of weights, or is cut off", where=path, remedy="copy it again"
            ) from error
        if not whole:
            raise ModelError("was damaged on its way", where=path, remedy="copy it again")
        if seen and (own, parts) != (about, count):
            raise ModelError(
                f"belongs to other weights than {next(iter(seen.values()))}",
                where=path,
                remedy="pass the parts of one run",
            )
        about, count = own, parts
        seen[number] = path
        weights |= tensors
    missing = sorted(set(range(1, count + 1)) - set(seen))
    if not seen:
        raise ModelError(f"there are no {PATTERN}", remedy="pass the folder that run.sh filled")
    if missing:
        raise ModelError(f"part {missing[0]} of {count} is missing", remedy="pass all of them")
    return weights, json.loads(about)


def sha256_of(tensors: Mapping[str, Tensor]) -> str:
    """The sha256 of tensors' names and bytes."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        digest.update(name.encode())
        digest.update(tensors[name].contiguous().view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def write_checkpoint(path: Path, weights: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write weights as the averaged ones of a training's checkpoint; raises OutputError if they can't be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"can't be made: {error.strerror}", where=path.parent, remedy="choose another --out"
        ) from error
    averaged = {f"average.{name}": value for name, value in weights.items()}
    write_atomically(path, save(averaged, dict(metadata)))
