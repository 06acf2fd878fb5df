"""Who may ask: the rules that each request must pass before anything else of it is looked at.

The server is meant for one person's browser. What else can reach it are other users of the machine, who don't know the
token, and pages of others in that same browser: those can send requests to it, but can't choose their Host, Origin and
Sec-Fetch-* headers. A page that makes its own name point to 127.0.0.1 (DNS rebinding) still sends that name as Host.
"""

from __future__ import annotations

import hmac
import ipaddress
import re
import secrets
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from wsi_edt.errors import UsageError

LEAST_TOKEN: Final = 16  # letters of a token that a person states: 96 bits if they are random
_LONGEST_TOKEN: Final = 256
_TOKEN = re.compile(r"[A-Za-z0-9_-]+")
_LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "[::1]")
_EVERYWHERE: Final = ("0.0.0.0", "::")
NOTHING: Final = "there is nothing here"
_FOREIGN: Final = "pages of others may not ask this server"

# Nothing from elsewhere, nothing inline, no frames: what a slide's or a person's name holds can't become a script.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final[Mapping[str, str]] = {
    "Content-Security-Policy": POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",  # the token is in the address
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


def new_token() -> str:
    """A token of 192 random bits."""
    return secrets.token_urlsafe(24)


def checked_token(token: str) -> str:
    """A token that a person stated.

    Raises
    ------
    UsageError
        If it is short or very long, or can't stand in an address.
    """
    if not LEAST_TOKEN <= len(token) <= _LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise UsageError(
            f"the token isn't {LEAST_TOKEN} to {_LONGEST_TOKEN} of the letters A-Z a-z 0-9 _ -",
            remedy='make one with: python -c "import secrets; print(secrets.token_urlsafe())"',
        )
    return token


@dataclass(frozen=True, slots=True)
class Guard:
    """What a request must have.

    Attributes
    ----------
    names : by which the server may be asked, as they stand in a Host header; the first one in its address
    port : where it listens
    token : the first part of each path
    any_address : whether it may also be asked by any number (198.51.100.7), which no foreign page can have as its name
    """

    names: tuple[str, ...]
    port: int
    token: str
    any_address: bool = False

    @classmethod
    def of(cls, host: str, port: int, token: str) -> Self:
        """The guard of a server that was told to listen on `host`."""
        if is_loopback(host):
            own = f"[{host}]" if ":" in host else host
            return cls((own, *_LOOPBACK_NAMES), port, token)
        shown = socket.gethostname() if host in _EVERYWHERE else host
        return cls((f"[{shown}]" if ":" in shown else shown, "localhost"), port, token, any_address=True)

    def refusal(self, method: str, path: str, headers: Mapping[str, str]) -> tuple[int, str] | None:
        """The status and the sentence that a request is refused with; None if it may pass.

        Parameters
        ----------
        headers : by their names in any spelling; one that is given twice has both values, joined by a comma
        """
        host = headers.get("Host", "")
        if not self._knows(host):
            return 403, "this server isn't asked by that name"
        given = path.removeprefix("/").split("/", 1)[0]
        if not hmac.compare_digest(given.encode("utf-8", "surrogatepass"), self.token.encode()):
            return 404, NOTHING
        origin = headers.get("Origin")
        if origin is not None and origin.lower() != f"http://{host}".lower():
            return 403, _FOREIGN
        site, mode = headers.get("Sec-Fetch-Site", "none"), headers.get("Sec-Fetch-Mode", "")
        if site not in ("same-origin", "none") and not (method == "GET" and mode == "navigate"):
            return 403, _FOREIGN
        if method == "GET":
            return None
        if origin is None:
            return 403, "changes must come from the page"
        kind = headers.get("Content-Type", "").split(";")[0].strip().lower()
        return None if kind == "application/json" else (415, "changes are sent as JSON")

    def _knows(self, host: str) -> bool:
        """Whether a Host header names this server."""
        name, colon, port = host.rpartition(":")
        if not colon or host.endswith("]"):  # a browser leaves out port 80
            name, port = host, "80"
        if port != str(self.port):
            return False
        return name.lower() in (known.lower() for known in self.names) or (
            self.any_address and _is_address(name.removeprefix("[").removesuffix("]"))
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches a server that listens there."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
