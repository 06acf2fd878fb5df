"""The server: where it listens, and what it takes from whom.

Tornado, because each installation has it already (Dask's scheduler speaks through it), it serves HTTP itself, and it bounds
what a request may hold and how long it may take. Starlette with uvicorn would be four packages more, without such bounds.
"""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from getpass import getuser
from pathlib import Path

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets

from wsi_edt.corrections.kinds import LONGEST_NAME
from wsi_edt.errors import UsageError
from wsi_edt.viewer.guard import Guard, checked_token, is_loopback, new_token
from wsi_edt.viewer.handlers import Site, application
from wsi_edt.viewer.opened import OpenedResults
from wsi_edt.viewer.page_files import page_files

_HEADER_BYTES = 16 << 10
_BODY_BYTES = 64 << 10  # of what takes no body, or hasn't passed the guard yet
_IDLE_S = 60.0  # for a request's first line and headers
_BODY_S = 30.0


def _user() -> str:
    try:
        return getuser()
    except (OSError, KeyError, ImportError):  # a container's user may have no name
        return "unknown"


@dataclass(frozen=True, slots=True)
class ViewOptions:
    """Where the viewer listens.

    Attributes
    ----------
    host : a name or address of this machine; others than loopback need a stated token
    port : 0 takes any that is free
    token : the first part of each address; None makes a random one
    who : whose corrections they are
    """

    host: str = "127.0.0.1"
    port: int = 0
    token: str | None = None
    who: str = field(default_factory=_user)

    def __post_init__(self) -> None:
        if not 0 <= self.port <= 65535:
            raise UsageError(f"there is no port {self.port}", remedy="give one from 1 to 65535")
        if not 0 < len(self.who) <= LONGEST_NAME:
            raise UsageError(f"whoever corrects needs a name of at most {LONGEST_NAME} letters")
        if self.token is not None:
            checked_token(self.token)
        elif not is_loopback(self.host):
            raise UsageError(
                f"--host {self.host} lets others in",
                remedy="give --token-file too, a file with the secret that stands in the address",
            )


class Viewer:
    """A server that listens; `run` answers until it is stopped.

    Parameters
    ----------
    note : tells the person at the terminal what went wrong, a line each time

    Raises
    ------
    UsageError
        If there are no results, or it can't listen there.
    OutputError
        If no slide is finished.
    """

    def __init__(self, results: Path, options: ViewOptions, *, note: Callable[[str], None]) -> None:
        opened = OpenedResults(results)
        self._sockets = _listening(options.host, options.port)
        port = self._sockets[0].getsockname()[1]
        self._guard = Guard.of(options.host, port, options.token or new_token())
        self._site = Site.of(self._guard, opened, page_files(), who=options.who, note=note)
        self._stop: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def address(self) -> str:
        """Of the page, with the token."""
        return f"http://{self._guard.names[0]}:{self._guard.port}/{self._guard.token}/"

    def run(self, *, ready: Callable[[], None] = lambda: None) -> None:
        """Answer requests until `stop`, or until the process is interrupted.

        Parameters
        ----------
        ready : called once requests are answered
        """
        logging.getLogger("tornado").setLevel(logging.CRITICAL)  # broken requests are the asker's fault
        try:
            asyncio.run(self._serve(ready))
        finally:
            self._site.close()

    def stop(self) -> None:
        """End `run`, from any thread."""
        assert self._loop is not None and self._stop is not None, "not running"
        self._loop.call_soon_threadsafe(self._stop.set)

    async def _serve(self, ready: Callable[[], None]) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        server = HTTPServer(
            application(self._site),
            max_header_size=_HEADER_BYTES,
            max_body_size=_BODY_BYTES,
            idle_connection_timeout=_IDLE_S,
            body_timeout=_BODY_S,
        )
        server.add_sockets(self._sockets)
        ready()
        try:
            await self._stop.wait()
        finally:
            server.stop()
            await server.close_all_connections()


def _listening(host: str, port: int) -> list[socket.socket]:
    """Sockets that listen there, all on one port.

    Raises
    ------
    UsageError
        If the system refuses.
    """
    try:
        family = socket.AF_INET if host == "localhost" else socket.AF_UNSPEC
        return bind_sockets(port, host, family=family)
    except OSError as error:
        place = f"{host}:{port}" if port else host
        raise UsageError(
            f"can't listen on {place}: {error.strerror}",
            remedy="give another --port" if port else "give a --host of this machine",
        ) from error
