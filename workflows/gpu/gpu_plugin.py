"""A pytest plugin for the stage `tests`: GPU tests first, outcomes written as they come, no need for OpenVINO.

OpenVINO only runs on CPUs and isn't carried to a GPU. Tests with its name are skipped if it isn't installed.
"""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType

import pytest
from supervise import write_figures

FIGURES = "WSI_EDT_GPU_FIGURES"  # environment variable: where the outcomes go


class _Anything(ModuleType):
    """A module that has whatever is imported from it."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (), {})


def pytest_configure() -> None:
    """Make modules that import OpenVINO importable without it; nothing in them works then."""
    if find_spec("openvino") is not None:
        return
    stand_ins = ("openvino", "openvino.opset13")
    for name in stand_ins:
        sys.modules[name] = _Anything(name)
    sys.modules["openvino"].opset13 = sys.modules["openvino.opset13"]  # type: ignore[attr-defined]
    try:
        import wsi_edt.detection.runtimes.openvino_cpu  # noqa: F401 - for what it leaves in sys.modules
    finally:
        for name in stand_ins:
            del sys.modules[name]


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests marked `gpu` and those of detection, the former first."""
    chosen = [item for item in items if _is_gpu(item) or "detection" in Path(item.path).parts]
    config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
    items[:] = sorted(chosen, key=lambda item: not _is_gpu(item))
    if find_spec("openvino") is None:
        for item in items:
            if "openvino" in item.name:
                item.add_marker(pytest.mark.skip(reason="OpenVINO isn't installed"))


def _is_gpu(item: pytest.Item) -> bool:
    return item.get_closest_marker("gpu") is not None


class _Outcomes:
    """Writes each test's outcome."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._gpu: set[str] = set()
        self._outcomes: dict[str, str] = {}
        self._seconds: dict[str, float] = {}

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        self._gpu = {item.nodeid for item in session.items if _is_gpu(item)}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" or report.outcome != "passed":
            self._outcomes[report.nodeid] = str(report.outcome)
        self._seconds[report.nodeid] = self._seconds.get(report.nodeid, 0.0) + report.duration
        self._write()

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self._outcomes[report.nodeid] = "not collected"
            self._write()

    def _write(self) -> None:
        gpu = {name: outcome for name, outcome in self._outcomes.items() if name in self._gpu}
        others = {name: outcome for name, outcome in self._outcomes.items() if name not in self._gpu}
        failed = [name for name, outcome in self._outcomes.items() if outcome in ("failed", "not collected")]
        summary = f"GPU tests: {_counted(gpu)}; others: {_counted(others)}"
        if failed:
            summary += f"; failed: {', '.join(failed)}"
        slowest = sorted(self._seconds.items(), key=lambda entry: -entry[1])[:10]
        write_figures(
            self._path,
            {
                "summary": summary,
                "gpu": gpu,
                "others": others,
                "slowest": {k: round(v, 1) for k, v in slowest},
            },
        )


def _counted(outcomes: dict[str, str]) -> str:
    kinds = ("passed", "failed", "skipped", "not collected")
    counts = [(list(outcomes.values()).count(kind), kind) for kind in kinds]
    return ", ".join(f"{count} {kind}" for count, kind in counts if count) or "none"


if os.environ.get(FIGURES):
    _outcomes = _Outcomes(Path(os.environ[FIGURES]))
    pytest_collection_finish = _outcomes.pytest_collection_finish
    pytest_runtest_logreport = _outcomes.pytest_runtest_logreport
    pytest_collectreport = _outcomes.pytest_collectreport
