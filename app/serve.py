"""Serve the app: choose the address, print it, and run until the user ends it."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass

import uvicorn

from ..core.errors import UserError
from .handlers import Handlers
from .server.bounds import Bounded
from .server.idle_timeout import IdleTimeout
from .server.security import Access
from .server.web import Site
from .views import (
    annotate,
    comparing,
    directions,
    explore,
    paint,
    photograph,
    places,
    ranges,
    shell,
    study,
    take_home,
)
from .workspace import Workspace

LOCAL = "127.0.0.1"
HANDLERS: Handlers = {
    **shell.HANDLERS,
    **explore.HANDLERS,
    **paint.HANDLERS,
    **annotate.HANDLERS,
    **study.HANDLERS,
    **photograph.HANDLERS,
    **directions.HANDLERS,
    **comparing.HANDLERS,
    **places.HANDLERS,
    **ranges.HANDLERS,
    **take_home.HANDLERS,
}
MESSAGE_BYTES = 4 << 20
CONNECTIONS = 512
BACKLOG = 128  # connections that wait to be accepted


@dataclass(frozen=True)
class Address:
    """Hold where the server listens, and the token that is needed there; none on this machine alone."""

    host: str
    port: int
    token: str | None

    @property
    def access(self) -> Access:
        """Who may speak to the server."""
        return Access.local(self.port) if self.token is None else Access(None, self.token)

    @property
    def everywhere(self) -> bool:
        """Whether it is every address of this machine, which other machines cannot open by that name."""
        return self.host in ("0.0.0.0", "::")

    @property
    def url(self) -> str:
        """The address to open, with the token where one is needed; a browser does not send what follows #."""
        shown = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{shown}:{self.port}/" + (f"#token={self.token}" if self.token else "")


def bound(host: str, port: int) -> tuple[socket.socket, Address]:
    """Bind a socket and listen, so that the address is known and nobody else has it.

    Who connects before there is a server waits for it. Without listening, two programs could bind the same
    port, and the second would learn of it only once its run is opened.

    Args:
        host: where to listen. Other machines reach the server at another than 127.0.0.1, and need a token.
        port: 0 for any that is free.

    Raises:
        UserError: the address cannot be used.
    """
    if not host:
        raise UserError(
            "--host is empty; give an address, such as 127.0.0.1, or 0.0.0.0 for all of this machine"
        )
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener: socket.socket | None = None
    try:
        listener = socket.socket(family, socket.SOCK_STREAM)  # a machine may have no addresses of IPv6
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except (OSError, UnicodeError) as error:  # a name with a part of over 63 characters is a UnicodeError
        if listener is not None:
            listener.close()
        raise UserError(
            f"nothing can listen at {host}, port {port}: {getattr(error, 'strerror', None) or error}; "
            "give another --host or --port; port 0 is any that is free"
        ) from None
    token = None if host in (LOCAL, "localhost", "::1") else secrets.token_urlsafe(24)
    return listener, Address(host, listener.getsockname()[1], token)


def serve(workspace: Workspace, listener: socket.socket, address: Address, ready: Callable[[], None]) -> None:
    """Serve until the user ends it with Ctrl-C.

    Args:
        workspace: the opened run.
        listener: the bound socket.
        address: where it is bound.
        ready: called once pages can be loaded.
    """
    server_of(workspace, address, ready).run(sockets=[listener])


def server_of(workspace: Workspace, address: Address, ready: Callable[[], None]) -> Server:
    """Return the server of a workspace; see `serve`."""
    site = Site(workspace, HANDLERS, address.access)
    config = uvicorn.Config(
        site.app(),
        http=IdleTimeout,
        ws=Bounded,
        ws_per_message_deflate=False,  # pictures are packed already, and nobody sends much to unpack
        ws_max_size=MESSAGE_BYTES,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=2,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
    )
    return Server(config, ready)


class Server(uvicorn.Server):
    """Represent the server of uvicorn, which says when it is ready."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start as uvicorn does, and say so."""
        await super().startup(sockets)
        if self.started:
            self._ready()
