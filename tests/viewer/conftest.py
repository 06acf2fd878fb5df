"""One results folder of painted slides, and a viewer of it, for all tests that change nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import paint, write_slide
from tests.viewer.serving import Client, viewing


@pytest.fixture(scope="session")
def seen_results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of a.png and deep/b <i>.png, not to be changed."""
    folder = tmp_path_factory.mktemp("viewed")
    write_slide(folder / "slides/a.png", paint(0, width=700, height=300))
    write_slide(folder / "slides/deep/b <i>.png", paint(1, width=300, height=200))
    run_all(folder / "slides", folder / "out")
    return folder / "out"


@pytest.fixture(scope="session")
def client(seen_results: Path) -> Iterator[Client]:
    with viewing(seen_results) as client:
        yield client


@pytest.fixture
def own_results(seen_results: Path, tmp_path: Path) -> Path:
    """A copy that may be changed."""
    return Path(shutil.copytree(seen_results, tmp_path / "own"))
