"""A web server of a folder, as object stores answer: parts of files (HTTP ranges), and a page of links for a folder."""

from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, BinaryIO


@dataclass
class Web:
    """A running server: its address, the names of files that it refuses from now on, and what it has sent."""

    address: str = ""
    broken: set[str] = field(default_factory=set)
    requests: int = 0
    sent: int = 0


class _Handler(SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, *arguments: Any, web: Web, **options: Any) -> None:
        self._web = web
        super().__init__(*arguments, **options)

    def end_headers(self) -> None:
        self.send_header("Accept-Ranges", "bytes")
        super().end_headers()

    def send_head(self) -> BinaryIO | io.BytesIO | None:
        self._web.requests += 1
        path = Path(self.translate_path(self.path))
        if path.name in self._web.broken:
            self.send_error(HTTPStatus.SERVICE_UNAVAILABLE)
            return None
        wanted = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if wanted is None or not path.is_file():
            return super().send_head()
        first, last, size = int(wanted[1]), int(wanted[2]), path.stat().st_size
        with path.open("rb") as file:
            file.seek(first)
            part = file.read(last + 1 - first)
        self._web.sent += len(part)
        self.send_response(HTTPStatus.PARTIAL_CONTENT)
        self.send_header("Content-Range", f"bytes {first}-{first + len(part) - 1}/{size}")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        return io.BytesIO(part)

    def log_message(self, *_: Any) -> None:
        return


class _WholeFiles(SimpleHTTPRequestHandler):
    """As `python -m http.server` answers: never a part of a file."""

    def __init__(self, *arguments: Any, web: Web, **options: Any) -> None:
        super().__init__(*arguments, **options)

    def log_message(self, *_: Any) -> None:
        return


@contextmanager
def serve(folder: Path, *, ranges: bool = True) -> Iterator[Web]:
    web = Web()
    handler = partial(_Handler if ranges else _WholeFiles, directory=str(folder), web=web)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        web.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield web
        finally:
            server.shutdown()
            thread.join()
