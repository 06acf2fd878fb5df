"""Would a run work here? What `wsi-edt doctor` finds out, one sentence per check.

Each check imports what it examines only when it is called: a library that can't be loaded is a finding, not a traceback.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path

from wsi_edt.doctor.findings import Finding, Level
from wsi_edt.errors import WsiEdtError

__all__ = ["Finding", "Level", "examine"]

Check = Callable[[], Iterator[Finding]]


def examine(*, model: str | None, out: Path, scheduler: str | None = None) -> Iterator[Finding]:
    """Yield what each check finds, as soon as it is known.

    Parameters
    ----------
    model : a shipped model's name or a model's folder; None for the default of runs
    out : where results would be written
    scheduler : the address of a Dask scheduler, whose workers are checked too
    """
    checks: list[tuple[str, Check]] = [
        ("versions", lambda: import_module("wsi_edt.doctor.installation").versions()),
        ("formats", lambda: import_module("wsi_edt.doctor.formats").formats()),
        ("processor", lambda: import_module("wsi_edt.doctor.machine").processor()),
        ("GPUs", lambda: import_module("wsi_edt.doctor.machine").graphics()),
        ("disk", lambda: import_module("wsi_edt.doctor.machine").disk(out)),
        ("model", lambda: import_module("wsi_edt.doctor.model").model(model)),
    ]
    if scheduler is None:
        checks.append(("run", lambda: import_module("wsi_edt.doctor.trial").trial(model, out)))
    else:
        checks.append(("cluster", lambda: import_module("wsi_edt.doctor.cluster").cluster(scheduler)))
    told = set()
    for name, check in checks:
        try:
            yield from check()
        except WsiEdtError as error:
            if str(error) not in told:  # what stands in the way of several
                yield Finding(name, Level.PROBLEM, str(error))
            told.add(str(error))
        except Exception as error:  # anything that a half-installed library raises
            words = " ".join(f"{type(error).__name__}: {error}".split())
            yield Finding(name, Level.PROBLEM, f"can't be checked ({words}); install wsi-edt again")
