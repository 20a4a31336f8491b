"""Speak to one tab: read its requests, have them computed, and send answers no faster than it takes them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from pydantic import ValidationError
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from ...core.errors import GanstrataError
from ...core.messages import visible
from ...core.shortage import shortage
from ..compute import Compute, Stopped, Work
from ..handlers import Answer, Handler, Handlers
from ..sessions import Session
from ..workspace import Workspace
from .redaction import redacted, without_paths

LOG = logging.getLogger("ganstrata.app")
MOST_BYTES = 48 << 20  # that wait for a tab that does not take them, until its socket is closed
MOST_FRAMES = 2  # sent, and not yet shown
MOST_NUMBER = 2**53  # of a request: what JavaScript counts exactly
MOST_WAITING = 200  # requests of one tab
MOST_FIELDS = 24_000  # of a message: each that is unknown takes time to be found so
MOST_BAD = 20  # messages that cannot be read, until the socket is closed
TRY_LATER, BAD_DATA, REPLACED = 1013, 1007, 4001


class Link:
    """Represent the socket of a session. All but `send` belongs to the thread of the server.

    Args:
        socket: the accepted socket.
        session: the session of the tab.
        workspace: what handlers work with.
        compute: does the work.
        handlers: by the name of a request.
    """

    def __init__(
        self, socket: WebSocket, session: Session, workspace: Workspace, compute: Compute, handlers: Handlers
    ) -> None:
        self._socket, self._session, self._workspace = socket, session, workspace
        self._compute, self._handlers = compute, handlers
        self._loop = asyncio.get_running_loop()
        self._outbox: deque[str | bytes] = deque()
        self._filled = asyncio.Event()
        self._bytes, self._bad = 0, 0
        self._unshown: deque[int] = deque()
        # Number and work of the newest frame, which waits until the page has shown others.
        self._held: tuple[int, Work] | None = None
        self._closed: int | None = None

    def send(self, message: dict[str, Any] | bytes) -> None:
        """Send a message; from any thread. After the socket is closed it is dropped."""
        content: str | bytes
        failed: int | None = None
        if isinstance(message, bytes):
            content = message
        else:
            content = json.dumps(message, allow_nan=False)
            failed = message["n"] if "dropped" in message or "error" in message else None
        try:
            self._loop.call_soon_threadsafe(self._enqueue, content, failed)
        except RuntimeError:  # the server has ended
            return

    def _tell(self, **message: Any) -> None:
        """Send a message; from the thread of the server."""
        self._enqueue(json.dumps(message), message["n"] if "error" in message else None)

    def _enqueue(self, content: str | bytes, failed: int | None) -> None:
        """Add what is sent; `failed` is the number of a request whose picture will never come."""
        if self._closed is not None:
            return
        self._shown(failed)
        self._outbox.append(content)
        self._bytes += len(content)
        if self._bytes > MOST_BYTES:
            self.close(TRY_LATER)
        self._filled.set()

    def close(self, code: int) -> None:
        """Close the socket as soon as possible; what waits is dropped."""
        self._closed = self._closed or code
        self._outbox.clear()
        self._filled.set()

    async def run(self) -> None:
        """Speak until the socket is closed."""
        writer = asyncio.create_task(self._write())
        reader = asyncio.create_task(self._read())
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (reader, writer):
                task.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            self._closed = self._closed or 1000
            self._drop_held()
            if self._socket.client_state is not WebSocketState.DISCONNECTED:
                try:
                    await asyncio.wait_for(self._socket.close(self._closed), 2.0)
                except (RuntimeError, WebSocketDisconnect, TimeoutError):
                    LOG.debug("the socket was gone before it was closed")

    async def _write(self) -> None:
        while True:
            await self._filled.wait()
            self._filled.clear()
            while self._outbox:
                content = self._outbox.popleft()
                self._bytes -= len(content)
                if isinstance(content, bytes):
                    await self._socket.send_bytes(content)
                else:
                    await self._socket.send_text(content)
            if self._closed is not None:
                return

    async def _read(self) -> None:
        while True:
            message = await self._socket.receive()
            if message["type"] == "websocket.disconnect":
                return
            text = message.get("text")
            if not isinstance(text, str) or not self._take(text):
                self._bad += 1
            if self._bad >= MOST_BAD:
                self.close(BAD_DATA)
                return

    def _take(self, text: str) -> bool:
        """Take a request, and return whether it could be read."""
        if text.count('":') - text.count('\\":') > MOST_FIELDS:  # those of a text in it are escaped
            self._tell(n=None, error="this message has far more fields than any request")
            return False
        try:
            data = json.loads(text)
        except (ValueError, RecursionError):
            self._tell(n=None, error="this message is not JSON")
            return False
        n = data.pop("n", None) if isinstance(data, dict) else None
        if not isinstance(n, int) or isinstance(n, bool) or not 0 < n < MOST_NUMBER:
            self._tell(n=None, error="a message is an object with n, a number from 1 on, and do")
            return False
        name = data.pop("do", None)
        if name == "shown":
            self._shown(n)
            return True
        if name == "stop":
            return self._stop(n, data)
        handler = self._handlers.get(name) if isinstance(name, str) else None
        if handler is None:
            self._tell(n=n, error=f"there is no request {visible(str(name)[:80])}")
            return False
        try:
            request = handler.fields.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False, include_input=False, include_context=False)[0]
            where = ".".join(str(part)[:80] for part in first["loc"][:6])
            self._tell(n=n, error=f"{where}: {first['msg']}"[:400], where=where)
            return False
        self._submit(n, name, handler, request)
        return True

    def _stop(self, n: int, data: dict[str, Any]) -> bool:
        """Stop what a request of this tab asked for; what was stopped says so itself."""
        job = data.pop("job", None)
        if type(job) is not int or data:
            self._tell(n=n, error="stop has a field job: the number of a request", where="job")
            return False
        self._compute.stop(self._session.id, number=job)
        self._tell(n=n, ok={})
        return True

    def _submit(self, n: int, name: str, handler: Handler, request: Any) -> None:
        if not handler.channel and self._compute.waiting(self._session.id) >= MOST_WAITING:
            self._tell(n=n, error=f"{MOST_WAITING} requests of this tab wait already; wait for their answers")
            return
        channel = handler.channel or f"{name} {n}"
        work = work_of(self._workspace, self._session, n, channel, handler, request, self._sent)
        if channel != "frame":
            self._compute.submit(work)
            return
        if len(self._unshown) < MOST_FRAMES:
            self._unshown.append(n)
            self._compute.submit(work)
            return
        self._drop_held()
        self._held = (n, work)

    def _drop_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            held[1].dropped()

    def _sent(self, message: dict[str, Any] | bytes) -> None:
        """Send to whichever socket the session has now: a tab that was reloaded goes on with its jobs."""
        send = self._session.send  # read once: the thread of the server may take it away meanwhile
        if send is not None:
            send(message)

    def _shown(self, n: int | None) -> None:
        """Note that the page has shown a frame, or that there is none, and begin the one that waits."""
        if n is not None and n in self._unshown:
            self._unshown.remove(n)
        if self._held is not None and len(self._unshown) < MOST_FRAMES:
            (held, work), self._held = self._held, None
            self._unshown.append(held)
            self._compute.submit(work)


def work_of(
    workspace: Workspace,
    session: Session,
    n: int,
    channel: str,
    handler: Handler,
    request: Any,
    send: Callable[[dict[str, Any] | bytes], None],
) -> Work:
    """Return the work that answers a request; whatever happens, its last message says how it ended."""

    def perform(breathe: Callable[[], None]) -> None:
        try:
            found = handler.perform(workspace, session, request, Answer(n, send, breathe))
            send({"n": n, "ok": redacted(found, workspace)})
        except GanstrataError as error:
            send({"n": n, "error": without_paths(str(error), workspace)})
        except Stopped:
            raise
        except Exception as error:
            reason = _circumstance(error)
            if reason:
                send({"n": n, "error": without_paths(reason, workspace)})
                return
            send({"n": n, "error": "this failed inside; the terminal in which the app runs says why"})
            raise

    return Work(
        session.id, channel, handler.priority, perform, lambda: send({"n": n, "dropped": True}), number=n
    )


def _circumstance(error: Exception) -> str:
    """Return what is wrong with the machine of the app; empty if an error is a fault of the program."""
    if lacking := shortage(error):
        return f"on the machine on which the app runs, {lacking}"
    if isinstance(error, OSError) and error.strerror:
        where = f"{visible(str(error.filename))}: " if error.filename is not None else ""
        return f"the machine on which the app runs cannot do this: {where}{error.strerror}"
    return ""
