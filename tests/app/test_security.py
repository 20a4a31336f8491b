"""Who may speak to the server: names, origins and the token; and the headers of every answer."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from ganstrata.app.server.security import COOKIE, HEADERS, Access, Guard
from starlette.responses import PlainTextResponse

HOST, OWN = "127.0.0.1:8765", "http://127.0.0.1:8765"
TOKEN = "a-token-of-24-bytes-or-so"


def asked(
    access: Access, path: str = "/socket", method: str = "GET", kind: str = "http", **headers: str
) -> list[dict[str, Any]]:
    """Send a request through the guard; return the messages of the answer."""
    scope = {
        "type": kind,
        "method": method,
        "path": path,
        "headers": [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()],
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "websocket.connect" if kind == "websocket" else "http.request", "body": b""}

    async def send(message: Any) -> None:
        sent.append(message)

    async def inner(scope: Any, receive: Any, send: Any) -> None:
        if kind == "websocket":
            await send({"type": "websocket.accept"})
        else:
            await PlainTextResponse("inside")(scope, receive, send)

    asyncio.run(Guard(inner, access)(scope, receive, send))
    return sent


def outcome(*args: Any, **kwargs: Any) -> int | str:
    first = asked(*args, **kwargs)[0]
    return first["status"] if "status" in first else first["type"].rpartition(".")[2]


@pytest.mark.parametrize("name", ["127.0.0.1:8765", "localhost:8765", "LocalHost:8765", "[::1]:8765"])
def test_the_names_of_this_machine_are_let_in(name: str) -> None:
    assert outcome(Access.local(8765), host=name) == 200


@pytest.mark.parametrize(
    "name",
    ["evil.example:8765", "127.0.0.1", "127.0.0.1:80", "localhost.evil.example:8765", "", "127.0.0.1:8765."],
)
def test_other_names_are_refused_as_dns_rebinding_uses_them(name: str) -> None:
    access = Access.local(8765)
    assert outcome(access, host=name) == 403
    assert outcome(access, "/", host=name) == 403
    assert outcome(access, kind="websocket", host=name, origin=f"http://{name}") == "close"


def test_a_request_without_a_host_or_with_two_is_refused() -> None:
    access = Access.local(8765)
    assert outcome(access) == 403
    scope_headers = [(b"host", HOST.encode()), (b"host", b"evil.example")]
    scope = {"type": "http", "method": "GET", "path": "/", "headers": scope_headers}
    assert access.refusal(scope)


@pytest.mark.parametrize(
    "origin",
    [
        "http://evil.example",
        "https://127.0.0.1:8765",
        "http://127.0.0.1:9999",
        "http://localhost:8765",
        "null",
        "",
    ],
)
@pytest.mark.parametrize(("method", "kind"), [("PUT", "http"), ("POST", "http"), ("GET", "websocket")])
def test_pages_of_others_may_change_nothing(origin: str, method: str, kind: str) -> None:
    access = Access.local(8765)
    refused = "close" if kind == "websocket" else 403
    assert outcome(access, method=method, kind=kind, host=HOST, origin=origin) == refused
    assert outcome(access, method=method, kind=kind, host=HOST) == refused  # curl has no origin


@pytest.mark.parametrize(("method", "kind", "let_in"), [("PUT", "http", 200), ("GET", "websocket", "accept")])
def test_the_own_page_may(method: str, kind: str, let_in: int | str) -> None:
    assert outcome(Access.local(8765), method=method, kind=kind, host=HOST, origin=OWN) == let_in


def test_with_a_token_any_name_will_do_but_the_token_is_needed() -> None:
    access, name = Access(None, TOKEN), "studio.example:8765"
    origin = f"http://{name}"
    good = f"{COOKIE}={TOKEN}"
    for cookie in ("", f"{COOKIE}=wrong", f"{COOKIE}={TOKEN}x", f"other={TOKEN}", f'{COOKIE}="', "\xff=;;="):
        assert outcome(access, kind="websocket", host=name, origin=origin, cookie=cookie) == "close"
        assert outcome(access, "/file/abc", host=name, cookie=cookie) == 403
    assert outcome(access, kind="websocket", host=name, origin=origin, cookie=good) == "accept"
    assert outcome(access, kind="websocket", host=name, origin="http://evil.example", cookie=good) == "close"
    assert outcome(access, "/file/abc", host=name, cookie=f"a=b; {good}") == 200
    assert outcome(access, "/", host=name) == 200  # the page itself, which then shows the token
    assert outcome(access, "/static/main.js", host=name) == 200
    assert outcome(access, "/static/../socket", host=name) == 200  # routes know no such file
    for path in ("/static", "/static-files", "/tokens", "//"):
        assert outcome(access, path, host=name) == 403


def test_without_a_token_none_is_right() -> None:
    assert not Access.local(1).knows("")
    assert Access(None, TOKEN).knows(TOKEN)


@pytest.mark.parametrize("host", [HOST, "evil.example"])
def test_every_answer_has_the_headers(host: str) -> None:
    headers = dict(asked(Access.local(8765), "/", host=host)[0]["headers"])
    for name, value in HEADERS.items():
        assert headers[name] == value
    policy = headers[b"content-security-policy"].decode()
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "http:" not in policy
