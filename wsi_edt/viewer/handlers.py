"""The addresses of the server and what each answers, see `application`.

All stand below the token: ``/TOKEN/`` is the page. What takes time runs in threads, and a tile that nobody waits for any
more isn't begun.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson
from tornado.http1connection import HTTP1Connection
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body

from wsi_edt.corrections import Record, parsed_change
from wsi_edt.corrections.wire import record_to_json
from wsi_edt.errors import StaleError, UsageError, WsiEdtError
from wsi_edt.viewer.cells_bin import packed
from wsi_edt.viewer.guard import HEADERS, NOTHING, Guard
from wsi_edt.viewer.heat import heat_fields
from wsi_edt.viewer.info import score_fields, slide_info
from wsi_edt.viewer.opened import OpenedResults, OpenedSlide
from wsi_edt.viewer.page_files import INDEX, PageFile

_T = TypeVar("_T")
_TILE_THREADS = 3
_OTHER_THREADS = 2  # loading a million cells takes seconds, which tiles shouldn't wait for
_JSON = "application/json"
_CORRECTION_BYTES = 64 << 20


@dataclass(frozen=True, slots=True, eq=False)
class Site:
    """What all handlers share.

    Attributes
    ----------
    guard : the rules that requests must pass
    results : what is shown
    page : the page's files
    who : whose corrections they are
    note : tells the person at the terminal
    """

    guard: Guard
    results: OpenedResults
    page: Mapping[str, PageFile]
    who: str
    note: Callable[[str], None]
    tile_threads: ThreadPoolExecutor
    other_threads: ThreadPoolExecutor

    @classmethod
    def of(
        cls,
        guard: Guard,
        results: OpenedResults,
        page: Mapping[str, PageFile],
        *,
        who: str,
        note: Callable[[str], None],
    ) -> Site:
        """A site with threads of its own."""
        tiles = ThreadPoolExecutor(_TILE_THREADS, "tiles")
        return cls(guard, results, page, who, note, tiles, ThreadPoolExecutor(_OTHER_THREADS, "slides"))

    def close(self) -> None:
        """End the threads, and close the slides."""
        for threads in (self.tile_threads, self.other_threads):
            threads.shutdown(wait=True, cancel_futures=True)
        self.results.close()


class Handler(RequestHandler):
    """What holds for each request: the guard before anything else, and errors as one sentence of JSON."""

    def initialize(self, site: Site) -> None:
        """Take what all handlers share."""
        self.site = site
        self._future: Future[Any] | None = None

    def set_default_headers(self) -> None:
        """Set what each answer carries; the server's name and version are no one's business."""
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.set_header("Cache-Control", "no-store")

    def prepare(self) -> None:
        """Refuse what the guard refuses."""
        request = self.request
        refused = self.site.guard.refusal(request.method or "", request.path, request.headers)
        if refused is not None:
            raise HTTPError(*refused)

    def compute_etag(self) -> str | None:
        """None: hashing megabytes of cells takes longer than sending them to this same machine."""
        return None

    def write_error(self, status_code: int, **kwargs: Any) -> None:  # noqa: ANN401 - tornado's
        """Answer `{"error": sentence}`."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        sentence = "something went wrong here; the terminal that runs wsi-edt view says what"
        if isinstance(error, WsiEdtError):
            sentence = str(error)
        elif isinstance(error, HTTPError):
            sentence = error.get_message() or error.reason or self._reason
        self.set_header("Content-Type", _JSON)
        self.finish(orjson.dumps({"error": sentence}))

    def log_exception(self, *details: Any) -> None:  # noqa: ANN401 - tornado's
        """Tell the terminal in one line what isn't the asker's fault."""
        kind, error, _ = details
        if isinstance(error, WsiEdtError):
            self.site.note(str(error))
        elif not isinstance(error, HTTPError):
            self.site.note(f"{self.request.method} failed: {kind.__name__}: {error}")

    def on_connection_close(self) -> None:
        """Give up what nobody waits for."""
        if self._future is not None:
            self._future.cancel()

    async def computed(self, threads: ThreadPoolExecutor, work: Callable[[], _T]) -> _T:
        """The result of some work, done by one of the threads."""
        self._future = threads.submit(work)
        try:
            result: _T = await asyncio.wrap_future(self._future)
        except asyncio.CancelledError as error:
            if not self._future.cancelled():
                raise
            raise HTTPError(499, "nobody waits for it", reason="Closed") from error
        return result

    def slide(self, number: str) -> OpenedSlide:
        """The slide of that number; 404 if there is none."""
        slide = self.site.results.slide(int(number)) if len(number) < 10 else None
        if slide is None:
            raise HTTPError(404, "there is no such slide")
        return slide

    def answer(self, content: bytes, kind: str) -> None:
        """Send the content."""
        self.set_header("Content-Type", kind)
        self.finish(content)


class Nothing(Handler):
    """Whatever has no address; and methods that an address hasn't."""

    def prepare(self) -> None:
        """Refuse."""
        super().prepare()
        raise HTTPError(404, NOTHING)


class WithoutSlash(Handler):
    """The page's address without the slash at its end."""

    def get(self) -> None:
        """Send on."""
        self.redirect(f"{self.request.path}/")


class Page(Handler):
    """The page, or a file of it."""

    def get(self, name: str = INDEX) -> None:
        """Send the file."""
        file = self.site.page.get(name)
        if file is None:
            raise HTTPError(404, NOTHING)
        self.answer(file.content, file.kind)


class Slides(Handler):
    """slides.json: the slides by name."""

    async def get(self) -> None:
        """Send the list."""
        slides = await self.computed(self.site.other_threads, self.site.results.listed)
        listed = [{"name": slide.name, "case": slide.case} for slide in slides]
        self.answer(orjson.dumps({"slides": listed}), _JSON)


class Info(Handler):
    """info.json of a slide."""

    async def get(self, number: str) -> None:
        """Send it."""
        slide = self.slide(number)
        fields = await self.computed(self.site.other_threads, lambda: slide_info(slide))
        self.answer(orjson.dumps(fields), _JSON)


class Tile(Handler):
    """A tile of a slide."""

    async def get(self, number: str, level: str, column: str, row: str) -> None:
        """Send it."""
        slide = self.slide(number)
        place = (int(level), int(column), int(row))
        tile = await self.computed(self.site.tile_threads, lambda: slide.tile(*place))
        if tile is None:
            raise HTTPError(404, "there is no such tile")
        self.set_header("Cache-Control", "private, max-age=3600")
        self.answer(tile, "image/jpeg")


class CellsBin(Handler):
    """cells.bin of a slide."""

    async def get(self, number: str) -> None:
        """Send them."""
        slide = self.slide(number)
        content = await self.computed(self.site.other_threads, lambda: packed(slide.cells(), slide.counts()))
        self.answer(content, "application/octet-stream")


class Heat(Handler):
    """heat.json of a slide."""

    async def get(self, number: str) -> None:
        """Send it."""
        slide = self.slide(number)
        fields = await self.computed(self.site.other_threads, lambda: heat_fields(slide))
        self.answer(orjson.dumps(fields), _JSON)


class Score(Handler):
    """score.json of a slide."""

    async def get(self, number: str) -> None:
        """Send it; `?threshold=0.5` says what would be if that were set."""
        slide, given = self.slide(number), self.get_query_argument("threshold", None)
        try:
            threshold = None if given is None else float(given)
        except ValueError as error:
            raise HTTPError(400, "the threshold isn't a number") from error
        try:
            fields = await self.computed(
                self.site.other_threads, lambda: score_fields(slide, threshold=threshold)
            )
        except UsageError as error:
            raise HTTPError(400, str(error)) from error
        self.answer(orjson.dumps(fields), _JSON)


class CorrectionsJson(Handler):
    """corrections.json of a slide."""

    async def get(self, number: str) -> None:
        """Send the record."""
        slide = self.slide(number)
        record = await self.computed(self.site.other_threads, slide.stored.corrections.read)
        self.answer(record_to_json(record), _JSON)


@stream_request_body
class Correct(Handler):
    """What the page changes. Its body is taken only once the guard has let the request pass."""

    def prepare(self) -> None:
        """Refuse what the guard refuses; then take a body as large as a lasso around a million cells makes it."""
        super().prepare()
        connection = self.request.connection
        assert isinstance(connection, HTTP1Connection), connection
        connection.set_max_body_size(_CORRECTION_BYTES)
        self._chunks: list[bytes] = []

    def data_received(self, chunk: bytes) -> None:
        """Take a part of the body."""
        self._chunks.append(chunk)

    async def post(self, number: str) -> None:
        """Add the correction, and send the new revision; 409 and the present one if it was made on another."""
        slide, body = self.slide(number), b"".join(self._chunks)

        def append() -> Record:
            seen, correction = parsed_change(body)
            slide.rescorer().refuse(correction)
            return slide.stored.corrections.append([correction], who=self.site.who, seen=seen)

        try:
            record = await self.computed(self.site.other_threads, append)
        except StaleError as error:
            self.set_status(409)
            present = await self.computed(self.site.other_threads, slide.stored.corrections.read)
            self.answer(orjson.dumps({"error": str(error), "revision": present.revision}), _JSON)
            return
        except UsageError as error:
            raise HTTPError(400, str(error)) from error
        last = record.entries[-1]
        fields = {"revision": record.revision, "who": last.who, "when": last.when.isoformat()}
        self.answer(orjson.dumps(fields), _JSON)


def application(site: Site) -> Application:
    """The server's addresses.

    ====================================== ============================================
    ``/TOKEN/``                            the page
    ``/TOKEN/page/<name>``                 its scripts and styles
    ``/TOKEN/slides.json``                 the slides
    ``/TOKEN/slide/<n>/info.json``         a slide's size, classes, areas and numbers
    ``/TOKEN/slide/<n>/tiles/<level>/<column>_<row>.jpg``
    ``/TOKEN/slide/<n>/cells.bin``         its cells, see `packed`
    ``/TOKEN/slide/<n>/heat.json``         its heat maps, see `heat_fields`
    ``/TOKEN/slide/<n>/score.json``        its areas' numbers before and after corrections
    ``/TOKEN/slide/<n>/corrections.json``  what was corrected
    ``/TOKEN/slide/<n>/corrections``       takes a correction, see `parsed_change`
    ====================================== ============================================
    """
    shared = {"site": site}
    slide = r"/[^/]+/slide/([0-9]{1,9})"
    return Application(
        [
            (r"/[^/]+", WithoutSlash, shared),
            (r"/[^/]+/", Page, shared),
            (r"/[^/]+/page/(.+)", Page, shared),
            (r"/[^/]+/slides\.json", Slides, shared),
            (slide + r"/info\.json", Info, shared),
            (slide + r"/tiles/([0-9]{1,2})/([0-9]{1,9})_([0-9]{1,9})\.jpg", Tile, shared),
            (slide + r"/cells\.bin", CellsBin, shared),
            (slide + r"/heat\.json", Heat, shared),
            (slide + r"/score\.json", Score, shared),
            (slide + r"/corrections\.json", CorrectionsJson, shared),
            (slide + r"/corrections", Correct, shared),
        ],
        default_handler_class=Nothing,
        default_handler_args=shared,
        log_function=lambda handler: None,
    )
