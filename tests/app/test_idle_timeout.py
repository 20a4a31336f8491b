"""Connections that say nothing are closed; those that ask, send or listen are left alone."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from contextlib import nullcontext

import pytest
import uvicorn
from ganstrata.app.server.idle_timeout import IdleTimeout

PATIENCE = 20.0
SECONDS = 0.1


class Quick(IdleTimeout):
    seconds = SECONDS


async def slow(scope, receive, send) -> None:
    """Answer after many times the seconds, with as many bytes as were sent."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    await asyncio.sleep(5 * SECONDS)
    content = str(size).encode()
    headers = [(b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": content})


def spoken(conversation: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> None:
    """Hold a conversation with a server that waits for SECONDS."""

    async def main() -> None:
        listener = socket.create_server(("127.0.0.1", 0))
        config = uvicorn.Config(slow, http=Quick, lifespan="off", log_level="error", timeout_keep_alive=60)
        server = uvicorn.Server(config)
        server.capture_signals = nullcontext
        running = asyncio.create_task(server.serve([listener]))
        while not server.started:
            await asyncio.sleep(0.01)
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        try:
            await asyncio.wait_for(conversation(reader, writer), PATIENCE)
        finally:
            writer.close()
            server.should_exit = True
            await running

    asyncio.run(main())


@pytest.mark.parametrize("begun", [b"", b"GET / HTTP/1.1\r\nHost: x\r\n", b"PUT"])
def test_whoever_asks_for_nothing_is_hung_up_on(begun: bytes) -> None:
    async def conversation(reader, writer) -> None:
        writer.write(begun)
        assert await reader.read() == b""

    spoken(conversation)


def test_whoever_asks_has_time_for_the_body_and_the_answer_and_then_is_hung_up_on() -> None:
    async def conversation(reader, writer) -> None:
        writer.write(b"PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nab")
        await asyncio.sleep(4 * SECONDS)
        writer.write(b"cd")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
        assert await reader.readexactly(1) == b"4"
        assert await reader.read() == b""  # long before the time of an idle connection is over

    spoken(conversation)
