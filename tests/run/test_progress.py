"""A display that fails ends no run."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import NoReturn

import pytest

from tests.run.test_batch import run_all
from tests.stand_ins import MPP, Pool, make_settings, paint, result_files, write_slide
from wsi_edt.run.batch import run_batch
from wsi_edt.run.discover import find_slides
from wsi_edt.run.progress import HarmlessProgress, NoProgress


class Failing:
    """Raises whatever it is told."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def begun(self, **_: object) -> NoReturn:
        self._fail("begun")

    def planned(self, *_: object, **__: object) -> NoReturn:
        self._fail("planned")

    def note(self, _: str) -> NoReturn:
        self._fail("note")

    def stored(self, *_: object, **__: object) -> NoReturn:
        self._fail("stored")

    def ended(self, _: object) -> NoReturn:
        self._fail("ended")

    def _fail(self, name: str) -> NoReturn:
        self.told.add(name)
        raise OSError(errno.EIO, f"Input/output error in {name}")


def test_the_run_goes_on_and_warns_once(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    for name in ("a.png", "b.png"):
        write_slide(folder / name, paint(1, width=240, height=100))
    (folder / "bad.svs").write_bytes(b"no slide")
    run_all(folder, tmp_path / "whole")
    found = find_slides([folder], out=tmp_path / "out", fallback_mpp=MPP).slides
    display = Failing()
    with pytest.warns(UserWarning, match="the run goes on, but can't show it: .*error in begun") as warned:
        result = run_batch(
            found, tmp_path / "out", settings=make_settings(), open_pool=Pool().opener, progress=display
        )
    assert len(warned) == 1
    assert display.told == {"begun", "planned", "stored", "ended"}
    assert (len(result.rows), result.failed) == (3, 1)
    assert result_files(tmp_path / "out") == result_files(tmp_path / "whole")


def test_a_person_who_interrupts_is_obeyed() -> None:
    class Impatient(NoProgress):
        def note(self, line: str) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        HarmlessProgress(Impatient()).note("a line")
