"""Close connections on which no request comes in time: a few hundred of them would keep everybody out."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol

SECONDS = 10.0  # in which the head of a request must have come


class IdleTimeout(H11Protocol):
    """Represent a connection that is closed unless a whole head of a request comes in time.

    Attributes:
        seconds: how long it waits; a body may take longer, and what became a WebSocket is left alone.
    """

    seconds = SECONDS
    _watch: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait."""
        super().connection_made(transport)
        self._wait(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no longer."""
        if self._watch is not None:
            self._watch.cancel()
        super().connection_lost(exc)

    def _wait(self, answered: Any) -> None:
        self._watch = self.loop.call_later(self.seconds, self._look, answered)

    def _look(self, answered: Any) -> None:
        """Hang up if nothing was asked since the last look; `answered` is the request that it saw."""
        if self.transport.is_closing() or self.transport.get_protocol() is not self:
            return
        cycle = self.cycle
        is_idle = cycle is None or cycle.response_complete
        if is_idle and cycle is answered:
            self.transport.close()
        else:
            self._wait(cycle if is_idle else None)
