"""Whether a Dask cluster answers, and whether its workers could take part in a run from here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wsi_edt.cluster.remote import connected_workers
from wsi_edt.cluster.versions import installed_versions
from wsi_edt.detection.compute import ComputeOptions
from wsi_edt.doctor.findings import Finding, Level
from wsi_edt.doctor.model import words


def cluster(address: str) -> Iterator[Finding]:
    """The workers of the scheduler at that address.

    Raises
    ------
    UsageError
        If none answers, or one has other versions.
    """
    with connected_workers(address) as workers:
        machines = workers.machines(ComputeOptions())
    hosts = ", ".join(
        f"{host} ({count})" for host, count in sorted(Counter(machine.host for machine in machines).items())
    )
    same = ", ".join(f"{name} {version}" for name, version in installed_versions())
    count = f"{len(machines)} worker{'' if len(machines) == 1 else 's'}"
    yield Finding("cluster", Level.OK, f"{count} at {address}, on {hosts}, all with {same}")
    kinds = sorted({words(machine.compute) for machine in machines})
    if len(kinds) == 1:
        yield Finding("cluster", Level.OK, f"there {kinds[0]}")
    else:
        yield Finding(
            "cluster",
            Level.WARNING,
            f"the workers differ: {' / '.join(kinds)}; a run takes what all of them have: separate clusters are faster",
        )
