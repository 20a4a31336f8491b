"""Cut off a tab that makes the server hold what no limit of a message counts: empty parts, unread pongs."""

from __future__ import annotations

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

MOST_FRAGMENTS = 10_000  # of one message; browsers send a message in one, or in some dozens
MOST_UNREAD = (
    64 << 20
)  # bytes that were written and that the tab does not take; more than any one message has


class Bounded(WebSocketsSansIOProtocol):
    """Represent a WebSocket that is cut off when what is held for it goes beyond a limit.

    The size of a message has a limit already, but each fragment costs memory, also an empty one. Each ping is
    answered at once, also when nobody reads the answers.

    Attributes:
        fragments: most of an unfinished message.
        unread: most bytes that wait to be sent.
    """

    fragments, unread = MOST_FRAGMENTS, MOST_UNREAD

    def data_received(self, data: bytes) -> None:
        """Take what came, then look at what is held."""
        super().data_received(data)
        # Older versions of uvicorn join fragments as they come, and have none to count.
        held = len(getattr(self, "frames", ()))
        if held > self.fragments or self.transport.get_write_buffer_size() > self.unread:
            self.transport.abort()
