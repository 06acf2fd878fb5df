"""Requests as an attacker sends them, over the wire: none is answered with what it may not have, and nothing is written."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.viewer.serving import Client, viewing
from wsi_edt.errors import UsageError
from wsi_edt.viewer.server import Viewer, ViewOptions

# Of a path below the token. `run.json` stands in the results folder, `main.py` beside the page.
TRICKS = [
    "../../../../../../etc/passwd",
    "..%2f..%2f..%2f..%2fetc%2fpasswd",
    "%2e%2e/%2e%2e/etc/passwd",
    "page/../handlers.py",
    "page/%2e%2e/handlers.py",
    "page/..%5c..%5chandlers.py",
    "page/%252e%252e/handlers.py",
    "page//etc/passwd",
    "page/%2fetc%2fpasswd",
    "page/vendor/../../handlers.py",
    "page/vendor/openseadragon.LICENSE.txt%00.js",
    "page/main.js%00",
    "page/.",
    "page/vendor/",
    "run.json",
    "slide/0/../../run.json",
    "slide/0/store.zarr/zarr.json",
    "slide/0/ki67.json",
    "slide/a.png/info.json",
    "slide/0%2f../1/info.json",
    "slide/٠/info.json",
    "slide/%D9%A0/info.json",
    "slide/0x0/info.json",
    "slide/1e0/info.json",
    "slide/00000000000000/info.json",
    "slide/0/tiles/9/0_0.png",
    "slide/0/tiles/9/-1_0.jpg",
    "slide/0/tiles/99/0_0.jpg",
    "slide/0/tiles/10/999999999_999999999.jpg",
    "slide/0/tiles/10/9999999999999999999999_0.jpg",
    "slide/0/tiles/10/0_0.jpg/../../../../cells.geojson",
    "slide/0/corrections",
]
SECRETS = (b"root:", b"import ", b"zarr_format", b"index_percent")


def state(folder: Path) -> Mapping[str, str]:
    """The content of every file below a folder."""
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file()
    }


def assert_answers(client: Client) -> None:
    assert client.ask("slides.json").status == 200


@pytest.mark.parametrize("trick", TRICKS)
def test_no_path_leads_out(client: Client, trick: str) -> None:
    line = f"GET {client.path}{trick} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nConnection: close\r\n\r\n"
    answer = client.raw(line.encode())
    assert answer.split(b" ", 2)[1] in (b"404", b"400", b"405"), answer[:200]
    assert not any(secret in answer for secret in SECRETS)


@pytest.mark.parametrize(
    "path", ["/", "/slides.json", "/x/slides.json", "//slides.json", "/page/main.js", "/favicon.ico"]
)
def test_without_the_token_nothing_is_answered(client: Client, path: str) -> None:
    answer = client.ask(path=path)
    assert (answer.status, answer.json) == (404, {"error": "there is nothing here"})
    assert client.token not in str(answer.headers)


def test_an_address_that_isnt_below_the_token_says_the_same_as_a_wrong_token(client: Client) -> None:
    """Or a guesser would learn from the difference."""
    wrong = client.ask(path=f"/{'x' * len(client.token)}/slides.json")
    none = client.ask(path="/")
    assert (wrong.status, wrong.body) == (none.status, none.body)


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "127.0.0.1:1", ""])
def test_other_hosts_are_refused(client: Client, host: str) -> None:
    assert client.ask("slides.json", Host=host.format(port=client.port)).status in (400, 403)


def test_two_hosts_are_refused(client: Client) -> None:
    lines = f"GET {client.path}slides.json HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\nHost: evil.example\r\n\r\n"
    assert b" 200 " not in client.raw(lines.encode()).split(b"\r\n")[0]
    assert_answers(client)


def test_a_whole_address_in_the_first_line_is_refused(client: Client) -> None:
    lines = (
        f"GET http://evil.example{client.path}slides.json HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n\r\n"
    )
    assert b" 200 " not in client.raw(lines.encode()).split(b"\r\n")[0]


def test_pages_of_others_neither_read_nor_write(client: Client, seen_results: Path) -> None:
    before = state(seen_results)
    entry = {"revision": 0, "entry": {"what": "add", "x": 1, "y": 1, "class": "Positive"}}
    for name in ("slides.json", "slide/0/cells.bin", "slide/0/tiles/9/0_0.jpg", "page/main.js"):
        answer = client.ask(
            name, Origin="http://evil.example", Sec_Fetch_Site="cross-site", Sec_Fetch_Mode="cors"
        )
        assert answer.status == 403
        assert client.ask(name, Sec_Fetch_Site="same-site", Sec_Fetch_Mode="no-cors").status == 403
    for headers in (
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Content_Type": "text/plain"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": f"evil.example:{client.port}", "Origin": f"http://evil.example:{client.port}"},
    ):
        assert client.post("slide/0/corrections", entry, **headers).status in (403, 415)
    assert state(seen_results) == before


def test_a_preflight_is_not_granted(client: Client) -> None:
    answer = client.ask(
        "slide/0/corrections",
        method="OPTIONS",
        Origin="http://evil.example",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="content-type",
    )
    assert answer.status == 403
    assert not any(name.lower().startswith("access-control") for name in answer.headers)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND", "POST", "HEAD"])
def test_other_methods_change_nothing(client: Client, seen_results: Path, method: str) -> None:
    before = state(seen_results)
    for name in (
        "",
        "slides.json",
        "slide/0/corrections.json",
        "slide/0/cells.bin",
        "slide/0/tiles/9/0_0.jpg",
    ):
        own = {"Origin": client.origin, "Content_Type": "application/json"}
        assert client.ask(name, method=method, body=b"{}", **own).status in (400, 403, 404, 405)
    assert state(seen_results) == before
    assert_answers(client)


@pytest.mark.parametrize(
    "name", ["", "slides.json", "slide/0/tiles/9/0_0.jpg", "page/main.js", "nothing", "slide/7/info.json"]
)
def test_each_answer_carries_the_policy(client: Client, name: str) -> None:
    """Errors too: what is shown of them is a page."""
    headers = client.ask(name).headers
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert (
        policy["default-src"]
        == policy["frame-ancestors"]
        == policy["base-uri"]
        == policy["form-action"]
        == "'none'"
    )
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert "Server" not in headers and not any(name.lower().startswith("access-control") for name in headers)


def test_a_slides_name_is_data_and_never_markup(client: Client) -> None:
    answer = client.ask("slides.json")
    assert answer.headers["Content-Type"] == "application/json"
    assert b"deep/b <i>.png" in answer.body
    assert b"<i>" not in client.ask().body


@pytest.mark.parametrize(
    "sent",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 200,  # a browser that tries https
        b"\x00" * 4096,
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost\r\n\r\n",
        b"GET / HTTP/1.1\r\n: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nxx",
        b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n\r\n",
        b"GET /%ff%fe%00 HTTP/1.1\r\nHost: a\r\n\r\n",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: \xff\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"a" * 200_000 + b"\r\n\r\n",
        b"GET /" + b"a" * 200_000 + b" HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\n" + b"X: a\r\n" * 20_000 + b"\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_broken_requests_are_no_harm(client: Client, sent: bytes) -> None:
    notes = len(client.notes)
    answer = client.raw(sent)
    assert b" 200 " not in answer.split(b"\r\n")[0] and b"Traceback" not in answer
    assert_answers(client)
    assert len(client.notes) == notes


def test_a_huge_body_from_a_stranger_is_not_taken(client: Client) -> None:
    """The answer comes before the body: 60 MB that nobody may send would fill the memory."""
    head = (
        "POST /x/slide/0/corrections HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 60000000\r\n\r\n"
    )
    with socket.create_connection((client.host, client.port), timeout=10) as connection:
        connection.sendall(head.format(port=client.port).encode())
        assert b"404" in connection.recv(4096).split(b"\r\n")[0]


def test_a_body_beyond_all_measure_is_refused(client: Client) -> None:
    own = {"Origin": client.origin, "Content_Type": "application/json", "Content_Length": str(10**12)}
    head = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in own.items())
    for path in (f"{client.path}slide/0/corrections", f"{client.path}slides.json"):
        answer = client.raw(f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n{head}\r\n".encode())
        assert b" 200 " not in answer.split(b"\r\n")[0]
    chunks = b"fffffff\r\n" + b"a" * 100_000
    head = head.replace("Content-Length: 1000000000000", "Transfer-Encoding: chunked")
    line = f"POST {client.path}slides.json HTTP/1.1\r\nHost: 127.0.0.1:{client.port}\r\n{head}\r\n"
    assert b" 200 " not in client.raw(line.encode() + chunks).split(b"\r\n")[0]
    assert_answers(client)


def test_many_at_once_are_all_answered(client: Client) -> None:
    names = [
        "slide/0/tiles/10/0_0.jpg",
        "slide/1/cells.bin",
        "slide/0/info.json",
        "slides.json",
        "nothing",
    ] * 40
    with ThreadPoolExecutor(50) as threads:
        answers = list(threads.map(client.ask, names))
    assert [answer.status for answer in answers] == [200, 200, 200, 200, 404] * 40
    for first in range(5):
        assert len({answers[k].body for k in range(first, 200, 5)}) == 1


def test_of_many_corrections_at_once_each_is_stored_or_refused(own_results: Path) -> None:
    with viewing(own_results) as client, ThreadPoolExecutor(20) as threads:

        def correct(x: int) -> int:
            entry = {"what": "add", "x": x, "y": 1, "class": "Positive"}
            for _ in range(2000):
                seen = client.ask("slide/0/corrections.json").json["revision"]
                if client.post("slide/0/corrections", {"revision": seen, "entry": entry}).status == 200:
                    return x
            raise AssertionError("never its turn")

        assert list(threads.map(correct, range(20))) == list(range(20))
    kept = json.loads((own_results / "a.png/corrections.json").read_text())
    assert sorted(entry["x"] for entry in kept["entries"]) == list(range(20))


def test_silent_connections_stop_nobody(client: Client) -> None:
    silent = [socket.create_connection((client.host, client.port), timeout=5) for _ in range(100)]
    try:
        for one in silent[::2]:
            one.sendall(b"GET / HTTP/1.1\r\nHost: ")
        began = time.monotonic()
        assert_answers(client)
        assert time.monotonic() - began < 10  # it answers at all
    finally:
        for one in silent:
            one.close()


def test_looking_writes_nothing(client: Client, seen_results: Path) -> None:
    before = state(seen_results)
    for name in ("", "slides.json", "slide/0/info.json", "slide/0/cells.bin", "slide/0/corrections.json"):
        assert client.ask(name).status == 200
    assert state(seen_results) == before


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "pathology.example"])
def test_others_are_let_in_by_a_stated_token_alone(host: str) -> None:
    with pytest.raises(UsageError, match="--token-file"):
        ViewOptions(host=host)
    assert ViewOptions(host=host, token="x" * 16)


def test_another_machines_address_cant_be_listened_on(seen_results: Path) -> None:
    with pytest.raises(UsageError, match=r"can't listen on 192\.0\.2\.1"):
        Viewer(seen_results, ViewOptions(host="192.0.2.1", token="x" * 16), note=print)


def test_a_port_in_use_is_one_sentence(client: Client, seen_results: Path) -> None:
    with pytest.raises(UsageError, match=f"can't listen on 127.0.0.1:{client.port}"):
        Viewer(seen_results, ViewOptions(port=client.port), note=print)


def test_everywhere_is_asked_by_number_and_own_name_alone(seen_results: Path) -> None:
    token = "stated-secret-of-a-person"
    with viewing(seen_results, ViewOptions(host="0.0.0.0", token=token)) as client:
        path = f"/{token}/slides.json"
        client.host = "127.0.0.1"
        for host, wanted in (
            ("127.0.0.1", 200),
            ("localhost", 200),
            ("192.0.2.1", 200),
            ("evil.example", 403),
        ):
            assert client.ask(path=path, Host=f"{host}:{client.port}").status == wanted
