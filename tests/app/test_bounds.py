"""Empty fragments and pings without end: the tab is cut off, and messages in many pieces arrive."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import nullcontext, suppress
from typing import Any

import pytest
import uvicorn
from attacked_app import Served
from ganstrata.app.server.bounds import MOST_FRAGMENTS, Bounded
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

KB = 1 << 10
PATIENCE = 20.0


def framed(opcode: int, content: bytes = b"", *, final: bool = True) -> bytes:
    """A masked frame with a key of zeros, which changes nothing."""
    return struct.pack("!BBI", (0x80 if final else 0) | opcode, 0x80 | len(content), 0) + content


@pytest.mark.skipif(
    "self.frames" not in inspect.getsource(WebSocketsSansIOProtocol.__init__),
    reason="this uvicorn joins fragments as they come: empty ones cost nothing",
)
def test_empty_fragments_without_end_are_cut_off(app: Served) -> None:
    before = app.memory()
    tab = app.tab()
    with suppress(OSError):  # once it is cut off
        tab.line.socket.sendall(framed(1, b"x", final=False))
        for _ in range(400):
            tab.line.socket.sendall(framed(0, final=False) * 1000)
    assert tab.closed() == 1006
    assert app.memory() - before < 32


def test_a_message_in_many_pieces_is_answered(app: Served) -> None:
    tab = app.tab()
    text = json.dumps({"n": 3, "do": "layers", "text": "0-1"}).encode()
    tab.line.socket.sendall(framed(1, text[:1], final=False))
    tab.line.socket.sendall(framed(0, final=False) * (MOST_FRAGMENTS // 2))
    tab.line.socket.sendall(framed(0, text[1:]))
    assert tab.wait(3) == {"n": 3, "ok": {"layers": [0, 1]}}
    tab.line.socket.sendall(framed(1, text[:1], final=False))  # the pieces of before are not counted again
    tab.line.socket.sendall(framed(0, final=False) * (MOST_FRAGMENTS * 3 // 4))
    tab.line.socket.sendall(framed(0, text[1:]))
    assert "ok" in tab.wait(3)


class Small(Bounded):
    unread = 256 * KB


async def silent(scope: Any, receive: Any, send: Any) -> None:
    """Accept, and say nothing."""
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


def spoken(conversation: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Hold a conversation over an open WebSocket of a server with a small limit."""

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(silent, ws=Small, lifespan="off", log_level="critical")
        server = uvicorn.Server(config)
        server.capture_signals = nullcontext
        running = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.getsockname(), limit=KB)
        head = (
            "GET / HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
        )
        writer.write(head.encode())
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101")
        try:
            await asyncio.wait_for(conversation(reader, writer), PATIENCE)
        finally:
            writer.transport.abort()
            server.should_exit = True
            await running

    asyncio.run(main())


def test_pings_whose_answers_nobody_reads_are_cut_off() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async def flood() -> None:
            for _ in range(2000):  # 25 MB, more than the system holds between the two
                writer.write(framed(9, bytes(120)) * 100)
                await writer.drain()

        with pytest.raises(ConnectionError):
            await flood()

    spoken(conversation)


def test_pings_whose_answers_are_read_go_on() -> None:
    async def conversation(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        for _ in range(100):
            writer.write(framed(9, bytes(120)) * 100)  # 1.2 MB of answers in all
            await reader.readexactly(122 * 100)

    spoken(conversation)
