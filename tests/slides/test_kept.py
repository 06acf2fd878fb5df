"""Slides stay open for the next borrower, and are closed where they may be no good any more."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MPP
from wsi_edt.errors import SlideError
from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, KeptSlides, SlideKey, SlideSource, TileLoader, TileRequest
from wsi_edt.slides.protocol import RgbArray

PIXELS = np.random.default_rng(3).integers(0, 256, (64, 64, 3), dtype=np.uint8)


class Handle(ImageSlide):
    """Knows whether it was closed; can't be read at x = 32."""

    def __init__(self, source: SlideSource, reader: str) -> None:
        super().__init__(source.path, PIXELS, MPP)
        self.reader = reader
        self.closed = False

    def read_level(self, level: int, window: Window) -> RgbArray:
        if window.x == 32:
            raise SlideError("can't be read", where=self.path)
        return super().read_level(level, window)

    def close(self) -> None:
        assert not self.closed
        self.closed = True


@dataclass(frozen=True)
class Source(SlideSource):
    """Notes the handles that it opened."""

    reader: str = "openslide"
    opened: list[Handle] = field(default_factory=list, compare=False)

    def open(self) -> Handle:
        self.opened.append(Handle(self, self.reader))
        return self.opened[-1]


def key(source: SlideSource) -> SlideKey:
    return SlideKey(source, "1")


def test_who_comes_next_gets_the_open_slide() -> None:
    source = Source(Path("a.tif"))
    kept = KeptSlides(most=2)
    with kept.lent(key(source)) as first, kept.lent(key(source)) as second:
        assert first is not second  # one borrower each
    with kept.lent(key(source)) as again:
        assert again in (first, second)
    assert len(source.opened) == 2
    assert not any(handle.closed for handle in source.opened)
    kept.close()
    assert all(handle.closed for handle in source.opened)


@pytest.mark.parametrize("change", ["path", "fallback_mpp", "fingerprint"])
def test_another_slide_scale_or_file_is_another_handle(change: str) -> None:
    source = Source(Path("a.tif"))
    other = {
        "path": SlideKey(replace(source, path=Path("b.tif")), "1"),
        "fallback_mpp": SlideKey(replace(source, fallback_mpp=0.5), "1"),
        "fingerprint": SlideKey(source, "2"),
    }
    kept = KeptSlides(most=2)
    with kept.lent(key(source)):
        pass
    with kept.lent(other[change]) as slide:
        assert slide is source.opened[1]


def test_an_error_closes_the_slide_that_it_met() -> None:
    source = Source(Path("a.tif"))
    kept = KeptSlides(most=2)
    with pytest.raises(SlideError, match="unreadable"), kept.lent(key(source)):
        raise SlideError("unreadable")
    assert source.opened[0].closed
    with kept.lent(key(source)) as slide:
        assert slide is source.opened[1]


def test_of_too_many_the_one_that_waited_longest_is_closed() -> None:
    source = Source(Path("a"))
    kept = KeptSlides(most=2)
    for name in ("a", "b", "a", "c", "d"):
        with kept.lent(key(replace(source, path=Path(name)))):
            pass
    assert [(str(handle.path), handle.closed) for handle in source.opened] == [
        ("a", True),
        ("b", True),
        ("c", False),
        ("d", False),
    ]


def test_an_image_is_not_kept_as_it_is_held_whole() -> None:
    source = Source(Path("a.png"), reader="image")
    kept = KeptSlides(most=2)
    for _ in range(2):
        with kept.lent(key(source)):
            pass
    assert [handle.closed for handle in source.opened] == [True, True]


def test_no_two_threads_have_one_handle() -> None:
    source = Source(Path("a.tif"))
    kept, held, lock = KeptSlides(most=3), set[int](), threading.Lock()

    def use(_: int) -> None:
        with kept.lent(key(source)) as slide:
            with lock:
                assert id(slide) not in held
                held.add(id(slide))
            assert isinstance(slide, Handle) and not slide.closed
            with lock:
                held.remove(id(slide))

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(use, range(2000)))


def test_a_loader_gives_its_slides_back_but_for_one_that_failed() -> None:
    source = Source(Path("a.tif"))
    kept = KeptSlides(most=4)

    def read(x: int) -> None:
        request = TileRequest(source, Window(x, 0, 16, 16), MPP)
        with TileLoader(
            [request], batch_size=1, threads=1, opener=lambda given: kept.lent(key(given))
        ) as loader:
            next(loader)

    read(0)
    read(16)
    assert [handle.closed for handle in source.opened] == [False]
    with pytest.raises(SlideError, match="can't be read"):
        read(32)
    assert [handle.closed for handle in source.opened] == [True]
    read(48)
    assert [handle.closed for handle in source.opened] == [True, False]
