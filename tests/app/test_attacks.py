"""What somebody may try who is not the page: refused, for little memory, and nobody else is disturbed."""

from __future__ import annotations

import base64
import json
import os
import random
import socket
import struct
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from attacked_app import MB, PATIENCE, Served, served
from conftest import _on_path
from ganstrata.app.server.security import HEADERS
from ganstrata.app.server.web import MOST_UPLOADS
from hostile_messages import WRONG
from hostile_pictures import encoded
from websockets.exceptions import InvalidStatus

ROUTES = ("/", "/static/main.js", "/token", "/upload", "/file/abc", "/socket", "/nowhere")
FRAME: dict[str, Any] = {"edit": {"picture": {"seed": 1}}}


def refused(app: Served, **given: Any) -> int:
    """Try to open a tab, and return the status with which it is refused."""
    with pytest.raises(InvalidStatus) as error:
        app.tab(**given)
    return error.value.response.status_code


# Who may speak


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "method", ["GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE", "BREW"]
)
def test_every_answer_has_the_headers_of_the_policy(app: Served, method: str, path: str) -> None:
    status, headers, content = app.ask(
        method, path, body=b"x" if method in ("POST", "PUT", "PATCH") else None
    )
    assert (status == 200) == (
        (path, method) in {(p, m) for p in ROUTES[:2] for m in ("GET", "HEAD")} | {("/token", "POST")}
    )
    for name, value in HEADERS.items():
        assert headers[name.decode()] == value.decode(), name
    assert "server" not in headers
    assert "set-cookie" not in headers
    assert b"Traceback" not in content


@pytest.mark.parametrize(
    "host", ["evil.example", "evil.example:{port}", "127.0.0.1", "localhost:1", "", None, "[::1", "x" * 5000]
)
def test_names_that_somebody_points_here_open_nothing(app: Served, host: str | None) -> None:
    name = None if host is None else host.format(port=app.port)
    for path in ROUTES:
        status, _, content = app.ask("GET", path, Host=name, Origin=None)
        assert status in (400, 403), path
        assert b"<html" not in content
    if name is not None and "." in name:
        assert refused(app, host=name, origin=f"http://{name}") == 403


@pytest.mark.parametrize(
    "origin", [None, "null", "http://evil.example", "http://localhost:{port}", "https://127.0.0.1:{port}"]
)
def test_pages_of_others_open_no_socket_and_send_no_picture(app: Served, origin: str | None) -> None:
    given = None if origin is None else origin.format(port=app.port)
    assert refused(app, origin=given) == 403
    tab = app.tab()
    session = tab.ask("hello")["ok"]["session"]
    assert app.ask("PUT", f"/upload?session={session}", b"x", Origin=given)[0] == 403
    assert app.ask("POST", "/token", b"x", Origin=given)[0] == 403


def test_elsewhere_than_on_this_machine_a_token_is_needed(site: Path, finished: Any) -> None:
    with _on_path(site), served(Path(finished.path), "--host", "0.0.0.0") as app:
        assert len(app.token) >= 32
        for host in ("127.0.0.1", "evil.example"):
            name = f"{host}:{app.port}"
            page = f"http://{name}"
            assert app.ask("GET", "/", Host=name)[0] == 200
            assert app.ask("GET", "/file/abc", Host=name)[0] == 403
            assert app.ask("PUT", "/upload", b"x", Host=name, Origin=page)[0] == 403
            assert refused(app, origin=page, host=name) == 403
            assert app.ask("POST", "/token", b"", Host=name, Origin=page)[2] == b'{"needed":true}'
            for wrong in ("x", app.token[:-1], app.token + "x", "\0"):
                assert app.ask("POST", "/token", wrong.encode(), Host=name, Origin=page)[0] == 403
                if wrong != "\0":
                    assert (
                        refused(app, origin=page, host=name, headers={"Cookie": f"ganstrata-token={wrong}"})
                        == 403
                    )
        status, headers, _ = app.ask("POST", "/token", app.token.encode())
        assert status == 200
        assert "HttpOnly" in headers["set-cookie"]
        assert "SameSite=strict" in headers["set-cookie"]
        cookie = headers["set-cookie"].split(";")[0]
        tab = app.tab(headers={"Cookie": cookie})
        assert tab.ask("hello")["ok"]["run"]["name"] == "run"
        assert app.token not in json.dumps(tab.ask("hello"))
        assert refused(app, origin="http://evil.example", headers={"Cookie": cookie}) == 403


# Files


NAMES = (
    "../pyproject.toml", "..%2fserve.py", "%2e%2e/serve.py", "..\\serve.py", "..%5cserve.py",
    "....//serve.py",
    "%2fetc%2fpasswd", "/etc/passwd", "index.html/../../serve.py", "index.html%00.js", "%", "%zz", "%ff%fe",
    "C:%5cWindows%5cwin.ini", "file:%2f%2f%2fetc%2fpasswd", ".", "..", "", "a" * 8000, "~root",
    "main.js%20", "main.js/",
)  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_no_route_names_a_path(app: Served, name: str) -> None:
    for path in (
        f"/static/{name}",
        f"/file/{name}",
        f"/{name}",
        f"/socket/{name}",
        f"/file/x?session={name}",
    ):
        status, _, content = app.ask("GET", path)
        assert status in (400, 403, 404, 405, 414) or path in ("/", "/.", "/.."), path
        for inside in (b"root:", b"import uvicorn", b"[project]", b"[fonts]"):
            assert inside not in content
    answer = app.raw(
        f"GET http://evil.example/{name} HTTP/1.1\r\nHost: evil.example\r\n\r\n".encode(), end=True
    )
    assert answer.startswith(b"HTTP/1.1 4")


def test_files_to_take_home_are_of_one_session(app: Served) -> None:
    first, second = app.tab(), app.tab()
    mine, other = (tab.ask("hello")["ok"]["session"] for tab in (first, second))
    assert mine != other
    assert len(mine) >= 40
    for session in ("", mine[:-1], mine + "x", "%00", "x" * 70000):
        assert app.ask("GET", f"/file/x?session={session}")[0] in (400, 404, 414)
        assert app.ask("PUT", f"/upload?session={session}", b"x")[0] in (400, 404, 414)


# Uploads


def stream(size: int) -> Iterator[bytes]:
    piece = bytes(MB)
    for _ in range(size // MB):
        yield piece


def test_a_picture_of_a_gigabyte_is_refused_before_it_is_sent(app: Served) -> None:
    session, before = app.tab().ask("hello")["ok"]["session"], app.memory()
    with socket.create_connection((app.host, app.port), timeout=PATIENCE) as line:
        own = f"{app.host}:{app.port}"
        line.sendall(
            f"PUT /upload?session={session} HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n"
            f"Content-Length: {1 << 30}\r\n\r\n".encode()
        )
        assert line.recv(65536).startswith(b"HTTP/1.1 413")  # not a byte of it was sent
    assert app.memory() - before < 16


def test_a_gigabyte_without_a_length_is_refused_as_soon_as_it_is_too_long(app: Served) -> None:
    session, before, most = app.tab().ask("hello")["ok"]["session"], app.memory(), [0.0]

    def watched() -> Iterator[bytes]:
        for i, piece in enumerate(stream(1 << 30)):
            if i % 16 == 0:
                most[0] = max(most[0], app.memory())
            yield piece

    try:
        status = app.ask("PUT", f"/upload?session={session}", watched())[0]
    except (ConnectionError, OSError):
        status = 413  # it hung up before the answer was read
    assert status == 413
    assert most[0] - before < 128


def test_uploads_of_a_tab_are_few_and_the_oldest_go(app: Served) -> None:
    session, before = app.tab().ask("hello")["ok"]["session"], app.memory()
    for _ in range(12):
        assert app.ask("PUT", f"/upload?session={session}", os.urandom(24 * MB))[0] == 200
    assert app.memory() - before < 24 * 4 + 96


def test_of_small_uploads_too_the_newest_are_held(app: Served) -> None:
    tab = app.tab()
    session = tab.ask("hello")["ok"]["session"]
    picture = encoded("PNG")
    keys = [
        json.loads(app.ask("PUT", f"/upload?session={session}", picture)[2])["upload"]
        for _ in range(MOST_UPLOADS + 1)
    ]
    assert "not held any more" in tab.ask("look", upload=keys[0])["error"]
    for key in keys[1:]:
        assert "ok" in tab.ask("look", upload=key)
    status, _, content = app.ask("PUT", f"/upload?session={session}", b"")
    assert (status, json.loads(content)) == (400, {"error": "the file is empty"})


@pytest.mark.parametrize("length", ["-1", "x", "1e3", "99999999999999999999", "5, 6"])
def test_lengths_that_are_none_are_refused(app: Served, length: str) -> None:
    session = app.tab().ask("hello")["ok"]["session"]
    own = f"{app.host}:{app.port}"
    answer = app.raw(
        f"PUT /upload?session={session} HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\n"
        f"Content-Length: {length}\r\n\r\nxxxxx".encode(),
        end=True,
    )
    assert b" 200 " not in answer.split(b"\r\n")[0]


# The socket


@pytest.mark.parametrize("name", WRONG)
def test_messages_that_mean_nothing_are_answered_in_words(app: Served, name: str) -> None:
    tab = app.tab()
    tab.line.send(WRONG[name])
    before = time.monotonic()
    while "error" not in (heard := tab.hear()):
        pass
    assert isinstance(heard, dict)
    assert heard["n"] in (None, 1)
    assert 5 < len(heard["error"]) < 600
    assert "inside" not in heard["error"], "a fault of the program, not of the message"
    assert time.monotonic() - before < 5
    assert tab.ask("hello")["ok"]["run"]["name"] == "run"  # the tab goes on


def test_noise_is_no_message(app: Served) -> None:
    rng = random.Random(0)
    for _ in range(15):
        tab = app.tab()
        for _ in range(3):
            tab.line.send(rng.randbytes(rng.randrange(2000)))
        tab.line.socket.sendall(rng.randbytes(400))  # frames with reserved bits, unmasked, of any length
        tab.closed()
        tab.drop()


def frame_bytes(opcode: int, length: int, *, final: bool = True, content: bytes = b"") -> bytes:
    """The head of a masked frame that says its length, and what is sent of it."""
    return struct.pack("!BBQI", (0x80 if final else 0) | opcode, 0x80 | 127, length, 0) + content


def test_messages_that_are_too_long_are_cut_off_before_they_are_read(app: Served) -> None:
    before = app.memory()
    for length in (64 * MB, 1 << 40):
        tab = app.tab()
        tab.line.socket.sendall(frame_bytes(1, length))
        assert tab.closed() == 1009
    tab = app.tab()  # in pieces, none of which is long
    try:
        tab.line.socket.sendall(frame_bytes(1, MB, final=False, content=bytes(MB)))
        for _ in range(200):
            tab.line.socket.sendall(frame_bytes(0, MB, final=False, content=bytes(MB)))
    except OSError:
        pass
    assert tab.closed() in (1009, 1006)
    assert app.memory() - before < 48


def test_nothing_that_was_packed_is_unpacked(app: Served) -> None:
    own = f"{app.host}:{app.port}"
    key = base64.b64encode(bytes(16)).decode()
    head = (
        f"GET /socket HTTP/1.1\r\nHost: {own}\r\nOrigin: http://{own}\r\nUpgrade: websocket\r\n"
        f"Connection: Upgrade\r\nSec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Extensions: permessage-deflate\r\n\r\n"
    )
    with socket.create_connection((app.host, app.port), timeout=PATIENCE) as line:
        line.sendall(head.encode())
        answer = line.recv(65536)
    assert answer.startswith(b"HTTP/1.1 101")
    assert b"deflate" not in answer.lower()


# Tabs


def test_a_tab_that_reads_nothing_fills_no_memory_and_holds_up_nobody(app: Served) -> None:
    quick = app.tab()
    quick.ask("hello")
    before = app.memory()
    slow = app.tab(buffer=4096)
    most = 0.0
    for i in range(4000):
        try:
            slow.line.socket.settimeout(0.05)
            slow.line.send(json.dumps({"n": i + 1, "do": "hello"}))
        except Exception:
            break
        if i % 100 == 0:
            most = max(most, app.memory())
            quick.ask("frame", **FRAME)
    assert max(most, app.memory()) - before < 96
    slow.drop()


def test_a_tab_that_asks_without_end_holds_up_nobody(app: Served) -> None:
    quick, busy = app.tab(), app.tab()
    quick.ask("frame", **FRAME)
    refs = [{"seed": i} for i in range(120)]
    for i in range(1000):
        busy.say(
            "drawn" if i % 2 else "layers", **({"samples": list(range(32))} if i % 2 else {"text": "0-1"})
        )
    busy.say("grid", refs=refs)
    waited = []
    for i in range(5):
        began = time.monotonic()
        quick.ask("frame", edit={"picture": {"seed": 1}, "truncation": 0.5 + 0.01 * i})
        waited.append(time.monotonic() - began)
    assert sorted(waited)[2] < 1.0, waited
    before = app.memory()
    for _ in range(20_000):
        busy.say("drawn", samples=[1])
    assert app.memory() - before < 48


def test_ten_tabs_work_at_once_and_more_than_twelve_are_told(app: Served) -> None:
    tabs = [app.tab() for _ in range(12)]
    sessions = {tab.ask("hello")["ok"]["session"] for tab in tabs}
    assert len(sessions) == 12
    numbers = [tab.say("frame", edit={"picture": {"seed": i}}) for i, tab in enumerate(tabs)]
    pictures = set()
    for tab, n in zip(tabs, numbers, strict=True):
        assert "ok" in tab.wait(n)
        pictures.add(tab.pictures[n][-1][1])
    assert len(pictures) == 12  # nobody has seen the picture of another
    late = app.tab()
    assert "tabs are open already; close one" in late.wait(None)["error"]
    assert late.closed() == 1013
    tabs[3].close()
    deadline = time.monotonic() + PATIENCE
    while True:  # until the server has noticed
        again = app.tab()
        if "ok" in again.ask("hello"):
            break
        assert time.monotonic() < deadline


def test_tabs_that_are_cut_off_while_they_work_leave_nothing_behind(app: Served) -> None:
    before = app.memory()
    for i in range(40):
        tab = app.tab()
        tab.ask("hello")
        tab.say("grid", refs=[{"seed": 1000 * i + j} for j in range(120)])
        tab.say("search", concept="seen/red")
        tab.say("frame", **FRAME)
        tab.drop()
    assert app.memory() - before < 64


def test_the_second_tab_of_a_session_takes_it_over(app: Served) -> None:
    first = app.tab()
    session = first.ask("hello")["ok"]["session"]
    second = app.tab(session)
    assert second.ask("hello")["ok"]["session"] == session
    assert first.closed() == 4001
    assert "ok" in second.ask("frame", **FRAME)


def test_connections_that_say_nothing_keep_nobody_out(app: Served) -> None:
    lines = [socket.create_connection((app.host, app.port), timeout=PATIENCE) for _ in range(150)]
    try:
        for line in lines[::2]:
            line.sendall(b"GET / HTTP/1.1\r\nHost: ")
        app.assert_well()
    finally:
        for line in lines:
            line.close()


def test_one_tab_stops_nothing_of_another(app: Served) -> None:
    first, second = app.tab(), app.tab()
    n = first.say("grid", refs=[{"seed": 5000 + j} for j in range(120)], size=64)
    for job in range(1, 20):
        second.ask("stop", job=job)
    assert "ok" in first.wait(n)
    assert len(first.pictures[n]) == 120
