"""Every model and every network: what it is, what it costs, how fast it is here, which scores and licence it has."""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from safetensors import SafetensorError, safe_open

from wsi_edt.bundles import DEFAULT_MODEL, Bundle, find_bundle, model_names
from wsi_edt.bundles.bundle import DESCRIPTION
from wsi_edt.errors import ModelError, UnknownModelError, UsageError, WsiEdtError
from wsi_edt.networks import NetworkSpec
from wsi_edt.networks.catalogue import every_network, missing_library
from wsi_edt.networks.cost import KEPT_MAPS, TILE_PX, Cost, cost_of

if TYPE_CHECKING:
    from wsi_edt.detection.compute import Compute
    from wsi_edt.detection.speed import Speed

STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # a batch norm's, which aren't trained
CODE_LICENCE = "MIT"  # of the networks' code, which is the program's own; weights have their model's


@dataclass(frozen=True, slots=True)
class Entry:
    """A model or a network, before anything is counted or measured: it took no torch.

    Attributes
    ----------
    kind : "model", which has weights, or "network", to be trained
    name : the model's, or the architecture's
    spec : what the network is built from
    weights : of a model the folder that holds them; of a network the models in this list that are trained ones of it
    licence : of the weights, or of the network's code
    bundle : the model's description
    """

    kind: Literal["model", "network"]
    name: str
    spec: NetworkSpec
    weights: tuple[str, ...]
    licence: str
    bundle: Bundle | None = None

    @property
    def names(self) -> frozenset[str]:
        """What it may be called, in lower case: a network by its title, too."""
        titles = (self.spec.options.title,) if self.kind == "network" else ()
        return frozenset(name.casefold() for name in (self.name, *titles))


@dataclass(frozen=True, slots=True)
class Row:
    """What is known of an entry.

    Attributes
    ----------
    cost : parameters and operations; None where `problem` says why
    speed : where it was asked for and could be measured
    problem : what stands in the way of using it here, as a sentence with its remedy
    """

    entry: Entry
    cost: Cost | None
    speed: Speed | None
    problem: str


def unreadable(folders: Sequence[str]) -> dict[str, str]:
    """Those of the folders whose model can't be read, each with what is wrong.

    Raises
    ------
    UnknownModelError
        If a folder holds no model.
    """
    problems: dict[str, str] = {}
    for folder in folders:
        try:
            find_bundle(folder)
        except UnknownModelError:
            raise
        except ModelError as error:
            problems[folder] = str(error)
    return problems


def entries(folders: Sequence[str] = (), *, only: Sequence[str] = ()) -> list[Entry]:
    """The shipped models, those in `folders`, and every network of the registry.

    Parameters
    ----------
    folders : of further models
    only : names of models, architectures or networks (their titles), in any case; without any, all of them

    Raises
    ------
    UsageError
        If nothing is called as `only` says.
    ModelError
        If a folder holds no model, or a model's description can't be read.
    """
    bundles = {bundle.directory: bundle for bundle in map(find_bundle, [*model_names(), *folders])}.values()
    models = [
        Entry("model", bundle.name, bundle.network, (str(bundle.directory),), bundle.licence, bundle)
        for bundle in bundles
    ]
    networks = []
    for options in every_network():
        spec = NetworkSpec(options, KEPT_MAPS)
        trained = tuple(bundle.name for bundle in bundles if bundle.network.options == options)
        networks.append(Entry("network", options.architecture, spec, trained, CODE_LICENCE))
    listed = [*models, *networks]
    wanted = {name.casefold() for name in only}
    known = {name for entry in listed for name in entry.names}
    unknown = next((name for name in only if name.casefold() not in known), None)
    if unknown is not None:
        names = sorted({entry.name for entry in listed})
        raise UsageError(f"there is no model or network {unknown!r}", remedy=f"choose of {', '.join(names)}")
    return [entry for entry in listed if not only or wanted & entry.names]


def row(entry: Entry, *, compute: Compute | None = None, repeats: int = 5) -> Row:
    """Count what an entry costs and, if `compute` is given, measure how fast it is.

    Parameters
    ----------
    entry : the model or network
    compute : what would run it here; None: nothing is measured
    repeats : of the measurement
    """
    cost, speed, problem = None, None, ""
    try:
        cost = cost_of(entry.spec)
        problem = missing_library(entry.spec.options)
        if entry.bundle is not None and not problem:
            _refuse_other_weights(entry.bundle, cost)
        speed = None if compute is None or problem else _speed(entry, compute, repeats)
    except WsiEdtError as error:
        problem = str(error)
    return Row(entry, cost, speed, problem)


def as_json(row: Row) -> Mapping[str, object]:
    """A row for machines: plain values, units in the names; null where something isn't known."""
    entry, bundle = row.entry, row.entry.bundle
    speed = None if row.speed is None else {**asdict(row.speed), "unit": "tiles/s"}
    return {
        "kind": entry.kind,
        "name": entry.name,
        "version": bundle and bundle.version,
        "network": entry.spec.options.title,
        "options": entry.spec.to_table(),
        "maps": entry.spec.maps if bundle is None else list(bundle.decode.maps),
        "mpp": bundle and bundle.model_mpp,
        "parameters": row.cost and row.cost.parameters,
        f"flop_per_{TILE_PX}px_tile": row.cost and row.cost.flop,
        "speed": speed,
        "weights": list(entry.weights),
        "scores": None if bundle is None else dict(bundle.metrics),
        "counts": bundle and bundle.counts,
        "licence": entry.licence,
        "problem": row.problem or None,
    }


def _refuse_other_weights(bundle: Bundle, cost: Cost) -> None:
    """ModelError if the weights aren't the file that belongs to the description, or not as many as the network has."""
    bundle.verify()
    try:
        with safe_open(bundle.weights, framework="np") as file:
            shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - it is no mapping
    except SafetensorError as error:
        raise ModelError(
            "can't be read as weights", where=bundle.weights, remedy="install the model again"
        ) from error
    trained = sum(math.prod(shape) for name, shape in shapes.items() if not name.endswith(STATISTICS))
    if trained != cost.parameters:
        raise ModelError(
            f"holds {trained:,} parameters, but {bundle.network}, which {DESCRIPTION} describes, has {cost.parameters:,}",
            where=bundle.weights,
            remedy="correct [network] there, or install the model again",
        )


def _speed(entry: Entry, compute: Compute, repeats: int) -> Speed:
    """Measured in the runtime that a run would take, or in torch where OpenVINO can't take the network."""
    if entry.bundle is not None:
        return _measured(entry.bundle, compute, repeats)
    with _untrained(entry.spec) as bundle:
        try:
            return _measured(bundle, compute, repeats)
        except Exception as error:  # of OpenVINO's, whose converter has kinds of its own for what it lacks
            if isinstance(error, WsiEdtError) or compute.runtime != "openvino":
                raise
            return _measured(bundle, replace(compute, runtime="torch"), repeats)


def _measured(bundle: Bundle, compute: Compute, repeats: int) -> Speed:
    from wsi_edt.detection.detector import Detector
    from wsi_edt.detection.speed import measure_speed

    detector = Detector.load(bundle, settings=bundle.decode, compute=compute)
    return measure_speed(detector, compute, tile_px=TILE_PX, repeats=repeats)


@contextmanager
def _untrained(spec: NetworkSpec) -> Iterator[Bundle]:
    """A network with fresh weights as a model in a temporary folder, whose graphs aren't kept in the user's cache."""
    from wsi_edt.bundles.weights import write_bundle
    from wsi_edt.networks import build_network

    with tempfile.TemporaryDirectory(prefix="wsi-edt-models-", ignore_cleanup_errors=True) as folder:
        shipped = find_bundle(DEFAULT_MODEL)
        bundle = replace(shipped, directory=Path(folder), name=spec.architecture, network=spec)
        with _cache_in(folder):
            yield write_bundle(bundle, build_network(spec).state_dict())


@contextmanager
def _cache_in(folder: str) -> Iterator[None]:
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = folder
    try:
        yield
    finally:
        if before is None:
            del os.environ["XDG_CACHE_HOME"]
        else:
            os.environ["XDG_CACHE_HOME"] = before
