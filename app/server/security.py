"""Guard the server: which names and pages may speak to it, the token, and the headers of each answer.

A page of any web site may send requests to servers on the reader's own machine. What protects this one: the
Host header must be a name under which it listens (a name that somebody else points at 127.0.0.1 is refused:
DNS rebinding), the Origin of a WebSocket and of what changes anything must be its own page (cross-site
requests), and at another address than this machine's a token is needed.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "ganstrata-token"
LOCAL_NAMES = ("127.0.0.1", "localhost", "[::1]")
HEADERS: Mapping[bytes, bytes] = {
    b"content-security-policy": (
        b"default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; "
        b"connect-src 'self'; media-src blob:; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
    ),
    b"x-content-type-options": b"nosniff",
    b"referrer-policy": b"no-referrer",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
    b"cache-control": b"no-store",
}
SAFE_METHODS = ("GET", "HEAD")
OPEN_PATHS = ("/", "/token")  # and /static/...: nothing in them is private


@dataclass(frozen=True)
class Access:
    """Hold who may speak to the server.

    Attributes:
        names: values of the Host header that are allowed, with the port; None for any, with a token.
        token: the token; None where none is needed.
    """

    names: frozenset[str] | None
    token: str | None

    @staticmethod
    def local(port: int) -> Access:
        """Return the access to a server that this machine alone can reach."""
        names = {f"{name}:{port}" for name in LOCAL_NAMES}
        return Access(frozenset(names | (set(LOCAL_NAMES) if port == 80 else set())), None)

    def refusal(self, scope: Scope) -> str:
        """Return why a request is refused; empty if it is not."""
        headers = Headers(scope=scope)
        hosts = headers.getlist("host")
        if len(hosts) != 1 or not hosts[0] or (self.names is not None and hosts[0].lower() not in self.names):
            return "this name is not one of this server; open the address that `ganstrata app` printed"
        changes = scope["type"] == "websocket" or scope["method"] not in SAFE_METHODS
        origins = headers.getlist("origin")
        if changes and origins != [f"http://{hosts[0]}"]:
            return "only the page of this server may do this"
        if self.token is not None and not _is_open(scope["path"]) and not self.is_known(scope):
            return "the token is missing or wrong; open the whole address that `ganstrata app` printed"
        return ""

    def is_known(self, scope: Scope) -> bool:
        """Return whether a request has the cookie with the right token."""
        return self.knows(_cookie(Headers(scope=scope)))

    def knows(self, token: str) -> bool:
        """Return whether a token is the right one, in a time that does not depend on it."""
        return self.token is not None and hmac.compare_digest(token.encode(), self.token.encode())


def _is_open(path: str) -> bool:
    return path in OPEN_PATHS or path.startswith("/static/")


def _cookie(headers: Headers) -> str:
    """Return the token in the cookie of a request; empty if there is none."""
    cookies: SimpleCookie = SimpleCookie()
    try:
        cookies.load(headers.get("cookie", "")[:4096])
    except CookieError:
        return ""
    return cookies[COOKIE].value if COOKIE in cookies else ""


class Guard:
    """Refuse requests that are not allowed, and add the headers of HEADERS to each answer.

    Args:
        app: what is guarded.
        access: who may speak to it.
    """

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app, self._access = app, access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                own = {name.lower() for name, _ in message.get("headers", [])}
                extra = [(name, value) for name, value in HEADERS.items() if name not in own]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        refusal = self._access.refusal(scope)
        if not refusal:
            await self._app(scope, receive, send_with_headers)
        elif scope["type"] == "websocket":
            await receive()  # the attempt to connect; closing before it is accepted answers 403
            await send({"type": "websocket.close", "code": 1008, "reason": refusal[:120]})
        else:
            await PlainTextResponse(refusal + "\n", 403)(scope, receive, send_with_headers)
