"""What a request must have. The headers are those that browsers send, as the Fetch standard says."""

from __future__ import annotations

import pytest

from wsi_edt.errors import UsageError
from wsi_edt.viewer.guard import Guard, checked_token, is_loopback, new_token

TOKEN = "x" * 20
HERE = "127.0.0.1:8000"
PATH = f"/{TOKEN}/slides.json"
POST = {"Host": HERE, "Origin": f"http://{HERE}", "Content-Type": "application/json"}


def status(method: str = "GET", path: str = PATH, *, host: str = "127.0.0.1", **headers: str) -> int:
    """What a request to a guard on port 8000 is answered; 200 if it passes."""
    given = {"Host": HERE, **{name.replace("_", "-"): value for name, value in headers.items()}}
    refused = Guard.of(host, 8000, TOKEN).refusal(method, path, given)
    return 200 if refused is None else refused[0]


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost:8000", "LOCALHOST:8000", "[::1]:8000"])
def test_own_names_pass(host: str) -> None:
    assert status(Host=host) == 200


def test_on_port_80_browsers_name_no_port() -> None:
    for host, passes in (
        ("127.0.0.1", True),
        ("[::1]", True),
        ("evil.example", False),
        ("127.0.0.1:8000", False),
    ):
        assert (Guard.of("127.0.0.1", 80, TOKEN).refusal("GET", PATH, {"Host": host}) is None) == passes


@pytest.mark.parametrize(
    "host",
    [
        "",
        "evil.example:8000",
        "127.0.0.1",
        "127.0.0.1:80",
        "127.0.0.1:8000,evil.example",
        "localhost.evil.example:8000",
        "127.0.0.1.nip.example:8000",
        "user@127.0.0.1:8000",
        "127.0.0.1:8000:8000",
        "198.51.100.7:8000",
        "0.0.0.0:8000",
    ],
)
def test_other_names_are_refused(host: str) -> None:
    """A page whose name was made to point to this machine sends that name."""
    assert status(Host=host) == 403


@pytest.mark.parametrize("host", ["198.51.100.7:8000", "[2001:db8::1]:8000", "pathology.example:8000"])
def test_on_a_network_numbers_and_the_stated_name_pass(host: str) -> None:
    assert status(host="pathology.example", Host=host) == 200
    assert status(host="pathology.example", Host="evil.example:8000") == 403


@pytest.mark.parametrize(
    "path",
    ["/", "//", f"/{TOKEN[:-1]}/", f"/{TOKEN}x/", f"//{TOKEN}/", f"/x/../{TOKEN}/", f"/{TOKEN.upper()}/", ""],
)
def test_without_the_token_there_is_nothing(path: str) -> None:
    assert status(path=path) == 404


def test_a_token_of_other_letters_is_no_crash() -> None:
    assert status(path="/ü\udc80/") == 404


@pytest.mark.parametrize(
    ("headers", "wanted"),
    [
        ({"Sec_Fetch_Site": "same-origin"}, 200),
        ({"Sec_Fetch_Site": "none", "Sec_Fetch_Mode": "navigate"}, 200),  # typed, or a bookmark
        (
            {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "navigate"},
            200,
        ),  # the file that opens the browser
        ({"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors"}, 403),  # an <img> of another page
        ({"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "cors"}, 403),  # another server on localhost
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Origin": "null"}, 403),  # a sandboxed frame, or a file
        ({"Origin": "http://127.0.0.1:8001"}, 403),
        ({"Origin": "https://127.0.0.1:8000"}, 403),
        ({"Origin": f"http://{HERE}"}, 200),
    ],
)
def test_reading_is_for_the_own_page(headers: dict[str, str], wanted: int) -> None:
    assert status(**headers) == wanted


@pytest.mark.parametrize(
    ("changed", "wanted"),
    [
        ({}, 200),
        ({"Content-Type": "application/json; charset=utf-8"}, 200),
        ({"Origin": None}, 403),
        ({"Origin": "null"}, 403),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate"}, 403),  # a form of another page
        ({"Content-Type": "text/plain"}, 415),  # what a form can send
        ({"Content-Type": "application/x-www-form-urlencoded"}, 415),
        ({"Content-Type": None}, 415),
    ],
)
@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "FOO"])
def test_changing_is_for_the_own_page(method: str, changed: dict[str, str | None], wanted: int) -> None:
    headers = {name: value for name, value in {**POST, **changed}.items() if value is not None}
    refused = Guard.of("127.0.0.1", 8000, TOKEN).refusal(method, PATH, headers)
    assert (200 if refused is None else refused[0]) == wanted


def test_random_tokens_pass_as_stated_ones_and_differ() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100 and all(checked_token(token) == token for token in made)
    assert min(len(token) for token in made) >= 32  # of 64 letters: 192 bits


@pytest.mark.parametrize("token", ["", "x" * 15, "x" * 15 + "/", "x" * 20 + "\n", "ü" * 20, "x" * 20 + "?"])
def test_weak_tokens_are_refused(token: str) -> None:
    with pytest.raises(UsageError, match="16 to 256"):
        checked_token(token)


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("192.0.2.1", False),
        ("localhost.example", False),
        ("", False),
    ],
)
def test_loopback(host: str, local: bool) -> None:
    assert is_loopback(host) == local
