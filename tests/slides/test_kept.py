"""Slides stay open for the next borrower, and are closed where they may be no good any more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MPP
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, KeptSlides, SlideKey, TileLoader, TileRequest

PIXELS = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)
KEY = SlideKey(Path("a.tif"), None, "1")


class Handle(ImageSlide):
    """Knows whether it was closed."""

    def __init__(self, key: SlideKey, *, reader: str = "openslide") -> None:
        super().__init__(key.path, PIXELS, MPP)
        self.reader = reader
        self.closed = False

    def close(self) -> None:
        assert not self.closed
        self.closed = True


class Opener:
    def __init__(self) -> None:
        self.opened: list[Handle] = []

    def __call__(self, key: SlideKey) -> Handle:
        self.opened.append(Handle(key))
        return self.opened[-1]


def test_who_comes_next_gets_the_open_slide() -> None:
    opener = Opener()
    kept = KeptSlides(opener, most=2)
    with kept.lent(KEY) as first, kept.lent(KEY) as second:
        assert first is not second  # one borrower each
    with kept.lent(KEY) as again:
        assert again in (first, second)
    assert len(opener.opened) == 2
    assert not any(handle.closed for handle in opener.opened)
    kept.close()
    assert all(handle.closed for handle in opener.opened)


@pytest.mark.parametrize("other", [{"path": Path("b.tif")}, {"mpp": 0.5}, {"fingerprint": "2"}])
def test_another_slide_file_or_scale_is_another_handle(other: dict[str, object]) -> None:
    opener = Opener()
    kept = KeptSlides(opener, most=2)
    with kept.lent(KEY):
        pass
    with kept.lent(replace(KEY, **other)) as slide:  # type: ignore[arg-type]
        assert slide is opener.opened[1]


def test_an_error_closes_the_slide_that_it_met() -> None:
    opener = Opener()
    kept = KeptSlides(opener, most=2)
    with pytest.raises(SlideError, match="unreadable"), kept.lent(KEY):
        raise SlideError("unreadable")
    assert opener.opened[0].closed
    with kept.lent(KEY) as slide:
        assert slide is opener.opened[1]


def test_of_too_many_the_one_that_waited_longest_is_closed() -> None:
    opener = Opener()
    kept = KeptSlides(opener, most=2)
    for name in ("a", "b", "a", "c", "d"):
        with kept.lent(replace(KEY, path=Path(name))):
            pass
    assert [(str(handle.path), handle.closed) for handle in opener.opened] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
    ]


def test_an_image_is_not_kept_as_it_is_held_whole() -> None:
    opened: list[Handle] = []

    def opener(key: SlideKey) -> Handle:
        opened.append(Handle(key, reader="image"))
        return opened[-1]

    kept = KeptSlides(opener, most=2)
    for _ in range(2):
        with kept.lent(KEY):
            pass
    assert [handle.closed for handle in opened] == [True, True]


def test_no_two_threads_have_one_handle() -> None:
    kept, held, lock = KeptSlides(Opener(), most=3), set(), threading.Lock()

    def use(_: int) -> None:
        with kept.lent(KEY) as slide:
            with lock:
                assert id(slide) not in held
                held.add(id(slide))
            assert not slide.closed  # type: ignore[attr-defined]
            with lock:
                held.remove(id(slide))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(2000)))


def test_a_loader_gives_its_slides_back_but_for_one_that_failed() -> None:
    class Broken(Handle):
        def read_level(self, level: int, window: Window) -> np.ndarray:
            if window.x == 32:
                raise SlideError("can't be read")
            return super().read_level(level, window)

    opened: list[Broken] = []

    def opener(key: SlideKey) -> Broken:
        opened.append(Broken(key))
        return opened[-1]

    kept = KeptSlides(opener, most=4)

    def read(x: int) -> None:
        request = TileRequest(KEY.path, Window(x, 0, 16, 16), MPP)
        with TileLoader([request], batch_size=1, threads=1, opener=lambda _: kept.lent(KEY)) as loader:
            next(loader)

    read(0)
    read(16)
    assert [handle.closed for handle in opened] == [False]
    with pytest.raises(SlideError, match="can't be read"):
        read(32)
    assert [handle.closed for handle in opened] == [True]
    read(48)
    assert [handle.closed for handle in opened] == [True, False]
