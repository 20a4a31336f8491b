"""Define the routes of the server: the page, its parts, uploads, files to take home, and the socket."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from importlib.resources import files

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.types import ASGIApp
from starlette.websockets import WebSocket

from ...core.errors import UserError
from ..compute import Compute, Priority
from ..handlers import Handlers
from ..sessions import MOST_UPLOAD, Session, Sessions
from ..workspace import Workspace
from .security import COOKIE, Access, Guard
from .socket import REPLACED, TRY_LATER, Link

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}
MOST_UPLOADS = 4  # of one session, the oldest go
TOKEN_SECONDS, UPLOAD_SECONDS = 10.0, 600.0  # in which what is sent must have come
SESSION_KEY = 64  # characters of a session's id at most


def static_files() -> dict[str, tuple[str, bytes]]:
    """Return media type and content of each file of the page by name: no request ever names a path."""
    folder = files(__package__.rpartition(".")[0]) / "static"
    found = {}
    for file in folder.iterdir():
        ending = f".{file.name.rpartition('.')[2]}"
        if ending in TYPES:
            found[file.name] = (TYPES[ending], file.read_bytes())
    return found


class Site:
    """Represent the server of one workspace.

    Args:
        workspace: the opened run.
        handlers: by the name of a request.
        access: who may speak to it.
    """

    def __init__(self, workspace: Workspace, handlers: Handlers, access: Access) -> None:
        self.workspace, self.handlers, self.access = workspace, handlers, access
        self.sessions = Sessions()
        self.compute = Compute(on_fault=self._on_fault)
        self._links: dict[str, Link] = {}
        self._files: Mapping[str, tuple[str, bytes]] = static_files()

    def app(self) -> ASGIApp:
        """Return the application, guarded."""
        routes = [
            Route("/", self._page),
            Route("/static/{name}", self._static),
            Route("/token", self._token, methods=["POST"]),
            Route("/upload", self._upload, methods=["PUT"]),
            Route("/file/{key}", self._file),
            WebSocketRoute("/socket", self._socket),
        ]
        site = Starlette(routes=routes, lifespan=self._lifespan)
        site.router.redirect_slashes = False  # to a name that the request chose
        return Guard(site, self.access)

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        self.compute.start()
        try:
            yield
        finally:
            self.compute.end()

    def _on_fault(self, error: BaseException) -> None:
        import traceback

        traceback.print_exception(error)

    async def _page(self, _: Request) -> Response:
        return self._answer("index.html")

    async def _static(self, request: Request) -> Response:
        return self._answer(request.path_params["name"])

    def _answer(self, name: str) -> Response:
        if name not in self._files:
            return PlainTextResponse("there is no such file\n", 404)
        media_type, content = self._files[name]
        return Response(content, media_type=media_type)

    async def _token(self, request: Request) -> Response:
        """Exchange the token for a cookie that no script can read; without one, say whether it is needed."""
        body = await _body(request, 1024, TOKEN_SECONDS)
        if self.access.token is None:
            return JSONResponse({"needed": False})
        if body == b"":
            return JSONResponse({"needed": not self.access.is_known(request.scope)})
        if body is None or not self.access.knows(body.decode("utf-8", "replace")):
            return JSONResponse({"needed": True}, 403)
        answer = JSONResponse({"needed": False})
        answer.set_cookie(COOKIE, self.access.token, httponly=True, samesite="strict", path="/")
        return answer

    async def _upload(self, request: Request) -> Response:
        """Take a picture of the user, as it is: it is decoded where it is used."""
        session = self._session_of(request)
        if session is None:
            return JSONResponse({"error": "this tab is not known; load the page again"}, 404)
        body = await _body(request, MOST_UPLOAD, UPLOAD_SECONDS)
        if body is None:
            return JSONResponse({"error": f"a picture has at most {MOST_UPLOAD >> 20} MiB here"}, 413)
        if not body:
            return JSONResponse({"error": "the file is empty"}, 400)
        key = secrets.token_urlsafe(8)
        session.uploads[key] = body
        while len(session.uploads) > MOST_UPLOADS:
            session.uploads.popitem(last=False)
        return JSONResponse({"upload": key})

    async def _file(self, request: Request) -> Response:
        session = self._session_of(request)
        file = None if session is None else session.downloads.get(request.path_params["key"])
        if file is None:
            return PlainTextResponse("this file is not held any more; make it again\n", 404)
        name = json.dumps(file.name)  # quoted; names are made of letters, digits, - and . alone
        return Response(
            file.content,
            media_type=file.type,
            headers={"content-disposition": f"attachment; filename={name}"},
        )

    def _session_of(self, request: Request) -> Session | None:
        key = request.query_params.get("session", "")
        return self.sessions.find(key) if 0 < len(key) <= SESSION_KEY else None

    async def _socket(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            session, closed = self.sessions.find_or_open(socket.query_params.get("session", "")[:SESSION_KEY])
        except UserError as error:
            await socket.send_text(json.dumps({"n": None, "error": str(error)}))
            await socket.close(TRY_LATER)
            return
        for other in closed:
            self.compute.stop(other.id)
        link = Link(socket, session, self.workspace, self.compute, self.handlers)
        before = self._links.get(session.id)
        if before is not None:
            before.close(REPLACED)
        self._links[session.id], session.send = link, link.send
        try:
            await link.run()
        finally:
            if self._links.get(session.id) is link:
                del self._links[session.id]
                session.leave()
                # A tab that is reloaded goes on with its jobs.
                self.compute.stop(session.id, before=Priority.JOB)


async def _body(request: Request, most: int, seconds: float) -> bytes | None:
    """Return the body of a request; None if it is longer or slower than allowed, and then no more is kept."""
    try:
        if int(request.headers.get("content-length", "0")) > most:
            return None
    except ValueError:
        return None
    pieces, size = [], 0
    try:
        async with asyncio.timeout(seconds):
            async for piece in request.stream():
                size += len(piece)
                if size > most:
                    return None
                pieces.append(piece)
    except (ClientDisconnect, TimeoutError):
        return None
    return b"".join(pieces)
