from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path

import numpy as np
import pytest

from tests.conftest import MPP
from wsi_edt.errors import MissingMppError, SlideError, UsageError
from wsi_edt.geometry import Window
from wsi_edt.slides import ImageSlide, Slide, SlideSource, TileLoader, TileRequest, open_slide, read_window
from wsi_edt.slides.protocol import RgbArray

PIXELS = np.random.default_rng(5).integers(0, 256, (200, 300, 3), dtype=np.uint8)


def request(index: int, path: str = "a.png") -> TileRequest:
    return TileRequest(SlideSource(Path(path)), Window(3 * index % 250, 7 * index % 150, 32, 24), MPP)


class Counting(ImageSlide):
    """An image that knows which threads read it and whether it was closed."""

    def __init__(self, source: SlideSource) -> None:
        super().__init__(source.path, PIXELS, MPP)
        self.readers: set[int] = set()
        self.closed = False

    def read_level(self, level: int, window: Window) -> RgbArray:
        assert not self.closed
        self.readers.add(threading.get_ident())
        return super().read_level(level, window)

    def close(self) -> None:
        self.closed = True


class Opener:
    def __init__(self) -> None:
        self.slides: list[Counting] = []

    def __call__(self, source: SlideSource) -> Slide:
        self.slides.append(Counting(source))
        return self.slides[-1]


def test_batches_come_in_order_and_the_last_has_what_is_left() -> None:
    requests = [request(index) for index in range(10)]
    slide = ImageSlide(Path("a.png"), PIXELS, MPP)
    with TileLoader(requests, batch_size=4, threads=3, opener=lambda _: slide) as loader:
        batches = list(loader)
    assert [len(batch.requests) for batch in batches] == [4, 4, 2]
    assert [r for batch in batches for r in batch.requests] == requests
    for batch in batches:
        assert batch.images.shape == (len(batch.requests), 24, 32, 3)
        for image, wanted in zip(batch.images, batch.requests, strict=True):
            assert np.array_equal(image, read_window(slide, wanted.window, wanted_mpp=MPP))


def test_windows_are_read_into_their_batch_whole_at_the_edge_too() -> None:
    slide = ImageSlide(Path("a.png"), PIXELS, MPP)
    windows = [Window(x, y, 64, 64) for y in (-32, 100, 180, 400) for x in (-40, 100, 270)]
    requests = [TileRequest(SlideSource(slide.path), window, 0.3125) for window in windows]
    with TileLoader(requests, batch_size=12, opener=lambda _: slide) as loader:
        (batch,) = loader
    assert batch.images.flags.c_contiguous
    for image, window in zip(batch.images, windows, strict=True):
        assert np.array_equal(image, read_window(slide, window, wanted_mpp=0.3125))


def test_no_requests_are_no_batches() -> None:
    with TileLoader([], batch_size=4, opener=Opener()) as loader:
        assert list(loader) == []


def test_endless_requests_are_drawn_only_as_far_as_is_read_ahead() -> None:
    drawn = []

    def endless() -> Iterator[TileRequest]:
        for index in count():
            drawn.append(index)
            yield request(index)

    with TileLoader(endless(), batch_size=4, batches_ahead=2, opener=Opener()) as loader:
        assert len(list(islice(loader, 5))) == 5
        assert len(drawn) <= 4 * (5 + 3)


def test_each_thread_has_its_own_handle_and_all_are_closed() -> None:
    opener = Opener()
    requests = [request(index, f"{index % 7}.png") for index in range(60)]
    with TileLoader(requests, batch_size=5, threads=3, opener=opener) as loader:
        assert sum(len(batch.requests) for batch in loader) == 60
        still_open = [slide for slide in opener.slides if not slide.closed]
        assert len(still_open) <= 3
    assert all(slide.closed for slide in opener.slides)
    assert all(len(slide.readers) <= 1 for slide in opener.slides)
    assert {slide.path.name for slide in opener.slides} == {f"{index}.png" for index in range(7)}


def test_a_slide_stays_open_between_its_windows() -> None:
    opener = Opener()
    with TileLoader([request(i) for i in range(40)], batch_size=4, threads=2, opener=opener) as loader:
        list(loader)
    assert Counter(slide.path.name for slide in opener.slides)["a.png"] <= 2


def test_leaving_early_stops_the_threads() -> None:
    before = threading.active_count()
    with TileLoader((request(i) for i in count()), batch_size=2, threads=3, opener=Opener()) as loader:
        next(loader)
    assert threading.active_count() == before


def test_a_window_that_cannot_be_read_fails_its_own_batch() -> None:
    class Broken(Counting):
        """Fails at one window and, like openslide's handles, everywhere after that."""

        failed = False

        def read_level(self, level: int, window: Window) -> RgbArray:
            self.failed |= window.x == request(5).window.x
            if self.failed:
                raise SlideError(f"{self.path} can't be read")
            return super().read_level(level, window)

    requests = [request(i) for i in range(12)]
    with TileLoader(requests, batch_size=4, threads=1, opener=Broken) as loader:
        assert len(next(loader).requests) == 4
        with pytest.raises(
            SlideError, match=r"^window of 32 x 24 px at \(15, 35\), 0.25 µm/px: a\.png can't"
        ):
            next(loader)
        assert len(next(loader).requests) == 4  # with a fresh handle


def test_errors_of_opening_keep_their_class() -> None:
    slide = ImageSlide(Path("a.png"), PIXELS, None)
    with (
        TileLoader([request(0)], batch_size=1, opener=lambda _: slide) as loader,
        pytest.raises(MissingMppError, match="pass --mpp"),
    ):
        next(loader)


def test_sizes_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="at least 1"):
        TileLoader([], batch_size=0, opener=Opener())


def test_threads_read_a_real_file_alike(ihc_slide_path: Path) -> None:
    windows = [Window(x, y, 128, 128) for y in range(-64, 1200, 250) for x in range(-64, 1200, 250)]
    requests = [TileRequest(SlideSource(ihc_slide_path), window, 0.3125) for window in windows]
    with open_slide(ihc_slide_path) as slide:
        expected = [read_window(slide, window, wanted_mpp=0.3125) for window in windows]
    with TileLoader(requests, batch_size=8, threads=4) as loader:
        images = [image for batch in loader for image in batch.images[: len(batch.requests)]]
    assert all(np.array_equal(one, other) for one, other in zip(images, expected, strict=True))
