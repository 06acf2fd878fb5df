"""Slides with results, which tests of reports share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.run.reports.helpers import BREAST, RAISED, fresh
from tests.run.test_batch import run_all
from tests.stand_ins import (
    STROMA,
    paint,
    write_slide,
)


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two slides, of whose negative nuclei every third lacks its right edge, and their results."""
    folder = tmp_path_factory.mktemp("made")
    for seed, name in enumerate(("a.png", "deep/b.png")):
        painted = paint(seed, width=500, height=160)
        for x, y in painted.negative[::3].astype(int).tolist():
            painted.pixels[y - 4 : y + 5, x + 3 : x + 5] = STROMA
        write_slide(folder / "slides" / name, painted)
    run_all(folder / "slides", folder / "out")
    return folder


@pytest.fixture
def slides(made: Path) -> Path:
    """The slides, for tests that leave them as they are."""
    return made / "slides"


@pytest.fixture
def out(made: Path, tmp_path: Path) -> Path:
    """Their results, for one test."""
    return shutil.copytree(made / "out", tmp_path / "out")


@pytest.fixture(scope="session")
def in_breast(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run by these rules leaves."""
    return fresh(made / "slides", tmp_path_factory.mktemp("breast"), conventions=BREAST)


@pytest.fixture(scope="session")
def raised(made: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What a run with a higher threshold leaves."""
    return fresh(made / "slides", tmp_path_factory.mktemp("raised"), threshold=RAISED)


@pytest.fixture
def own(made: Path, tmp_path: Path) -> tuple[Path, Path]:
    """Slides and results of one test's own."""
    slides = shutil.copytree(made / "slides", tmp_path / "slides")
    run_all(slides, tmp_path / "own")
    return slides, tmp_path / "own"


@pytest.fixture
def folder(out: Path) -> Path:
    """The results of one slide."""
    return out / "a.png"
