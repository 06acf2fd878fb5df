"""A viewer that answers in a thread, and requests to it, honest ones and others."""

from __future__ import annotations

import http.client
import json
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from wsi_edt.viewer.server import Viewer, ViewOptions


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Client:
    """Asks a viewer as its page does, unless told otherwise."""

    def __init__(self, address: str, notes: list[str]) -> None:
        self.address, self.notes = address, notes
        parts = urlsplit(address)
        self.host, self.port = parts.hostname or "", parts.port or 0
        self.path = parts.path
        self.token = parts.path.strip("/")
        self.origin = f"http://{parts.netloc}"

    def ask(
        self,
        name: str = "",
        *,
        method: str = "GET",
        body: bytes | None = None,
        path: str | None = None,
        **headers: str,
    ) -> Answer:
        """Ask for what stands below the token, or for a path as it is; `_` in names of headers stands for `-`."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=20)
        try:
            given = {key.replace("_", "-"): value for key, value in headers.items()}
            connection.putrequest(
                method,
                self.path + name if path is None else path,
                skip_host="Host" in given,
                skip_accept_encoding=True,
            )
            if body is not None and "Content-Length" not in given:
                given["Content-Length"] = str(len(body))
            for key, value in given.items():
                connection.putheader(key, value)
            connection.endheaders(body)
            answer = connection.getresponse()
            return Answer(answer.status, dict(answer.getheaders()), answer.read())
        finally:
            connection.close()

    def post(self, name: str, fields: object, **headers: str) -> Answer:
        """Send JSON as the page does."""
        own = {"Origin": self.origin, "Content_Type": "application/json", "Sec_Fetch_Site": "same-origin"}
        return self.ask(name, method="POST", body=json.dumps(fields).encode(), **{**own, **headers})

    def raw(self, sent: bytes) -> bytes:
        """What comes back for these bytes, until the server has ended or said nothing for a second."""
        with socket.create_connection((self.host, self.port), timeout=5) as connection:
            connection.sendall(sent)
            connection.settimeout(1)
            received = b""
            try:
                while part := connection.recv(1 << 16):
                    received += part
            except (TimeoutError, ConnectionError):
                pass
            return received


@contextmanager
def viewing(results: Path, options: ViewOptions | None = None) -> Iterator[Client]:
    """A viewer of these results, until the block ends."""
    notes: list[str] = []
    viewer = Viewer(results, options or ViewOptions(), note=notes.append)
    ready = threading.Event()
    thread = threading.Thread(target=viewer.run, kwargs={"ready": ready.set})
    thread.start()
    try:
        assert ready.wait(20)
        yield Client(viewer.address, notes)
    finally:
        viewer.stop()
        thread.join(20)
        assert not thread.is_alive()
