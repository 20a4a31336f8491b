"""One tab: requests are answered by number, frames wait for the page, what nobody reads is not kept."""

from __future__ import annotations

import asyncio
import errno
import json
import threading
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from ganstrata.app import serve
from ganstrata.app.compute import Compute, Stopped
from ganstrata.app.handlers import FRAME, JOB, Handler, Request
from ganstrata.app.server.socket import (
    BAD_DATA,
    MOST_BAD,
    MOST_BYTES,
    MOST_FIELDS,
    MOST_FRAMES,
    MOST_WAITING,
    TRY_LATER,
    Link,
    work_of,
)
from ganstrata.app.sessions import Session
from ganstrata.app.workspace import Workspace
from ganstrata.core.errors import UserError
from served_app import served
from starlette.websockets import WebSocketState
from websockets.sync.client import connect

PATIENCE = 20.0


class Ask(Request):
    """A request with one field."""

    size: int = 0


class Socket:
    """A page without a browser."""

    def __init__(self) -> None:
        self.incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.received: asyncio.Queue[Any] = asyncio.Queue()
        self.client_state = WebSocketState.CONNECTED
        self.code: int | None = None
        self.reads = asyncio.Event()
        self.reads.set()

    async def receive(self) -> dict[str, Any]:
        return await self.incoming.get()

    async def send_text(self, text: str) -> None:
        await self.reads.wait()
        await self.received.put(json.loads(text))

    async def send_bytes(self, content: bytes) -> None:
        await self.reads.wait()
        await self.received.put(content)

    async def close(self, code: int) -> None:
        self.code = code
        self.client_state = WebSocketState.DISCONNECTED

    async def say(self, message: Any) -> None:
        text = message if isinstance(message, str) else json.dumps(message)
        await self.incoming.put({"type": "websocket.receive", "text": text})

    async def hear(self) -> Any:
        return await asyncio.wait_for(self.received.get(), PATIENCE)


@pytest.fixture
def faults() -> list[BaseException]:
    return []


@pytest.fixture
def compute(faults: list[BaseException]) -> Iterator[Compute]:
    thread = Compute(on_fault=faults.append)
    thread.start()
    yield thread
    thread.end(PATIENCE)


def talk(
    workspace: Workspace,
    compute: Compute,
    handlers: dict[str, Handler],
    conversation: Callable[[Socket, Session], Awaitable[None]],
) -> Socket:
    """Hold a conversation with a link, and return the socket after it."""

    async def main() -> Socket:
        socket, session = Socket(), Session("tab")
        link = Link(socket, session, workspace, compute, handlers)  # type: ignore[arg-type]
        session.send = link.send
        running = asyncio.create_task(link.run())
        await asyncio.wait_for(conversation(socket, session), 3 * PATIENCE)
        await socket.incoming.put({"type": "websocket.disconnect"})
        await asyncio.wait_for(running, PATIENCE)
        return socket

    return asyncio.run(main())


def handler(perform: Callable[..., dict[str, Any]], **fields: Any) -> Handler:
    return Handler(Ask, perform, **{"priority": FRAME, **fields})


def test_answers_have_the_number_of_their_request(workspace: Workspace, compute: Compute) -> None:
    def double(_: Any, __: Any, request: Ask, answer: Any) -> dict[str, Any]:
        answer.picture(b"pixels", "image/png", (2, 1))
        return {"doubled": 2 * request.size}

    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 5, "do": "double", "size": 21})
        picture = await socket.hear()
        assert picture[4:-6] == b'{"n": 5, "type": "image/png", "width": 2, "height": 1}'
        assert int.from_bytes(picture[:4], "big") == len(picture[4:-6])
        assert picture.endswith(b"pixels")
        assert await socket.hear() == {"n": 5, "ok": {"doubled": 42}}

    talk(workspace, compute, {"double": handler(double)}, conversation)


@pytest.mark.parametrize(
    ("message", "answer"),
    [
        ("no json", {"n": None, "error": "this message is not JSON"}),
        ("[" * 100_000, {"n": None, "error": "this message is not JSON"}),
        ([], {"n": None}),
        ({"do": "ask"}, {"n": None}),
        ({"n": 0, "do": "ask"}, {"n": None}),
        ({"n": 2**60, "do": "ask"}, {"n": None}),
        ({"n": True, "do": "ask"}, {"n": None}),
        ({"n": 1.0, "do": "ask"}, {"n": None}),
        ({"n": 3, "do": "nothing"}, {"n": 3, "error": "there is no request nothing"}),
        ({"n": 3, "do": ["ask"]}, {"n": 3}),
        ({"n": 3, "do": "ask", "size": "x"}, {"n": 3, "where": "size"}),
        ({"n": 3, "do": "ask", "other": 1}, {"n": 3, "where": "other"}),
    ],
)
def test_a_message_that_is_no_request_is_answered_in_words(
    workspace: Workspace, compute: Compute, message: Any, answer: dict[str, Any]
) -> None:
    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say(message)
        heard = await socket.hear()
        assert {**heard, **answer} == heard
        assert len(heard["error"]) < 400
        await socket.say({"n": 9, "do": "ask"})
        assert await socket.hear() == {"n": 9, "ok": {}}

    talk(workspace, compute, {"ask": handler(lambda *_: {})}, conversation)


def test_a_text_may_hold_as_many_fields_as_it_likes_and_a_message_may_not(
    workspace: Workspace, compute: Compute
) -> None:
    class Text(Request):
        text: str

    async def conversation(socket: Socket, _: Session) -> None:
        recipe = json.dumps({str(i): 1 for i in range(MOST_FIELDS + 1)})
        await socket.say({"n": 1, "do": "take", "text": recipe})
        assert await socket.hear() == {"n": 1, "ok": {"size": len(recipe)}}
        await socket.say({"n": 2, "do": "take", **{str(i): 1 for i in range(MOST_FIELDS)}})
        assert "far more fields" in (await socket.hear())["error"]

    take = Handler(Text, lambda _, __, request, ___: {"size": len(request.text)}, FRAME)
    talk(workspace, compute, {"take": take}, conversation)


def test_a_page_that_sends_nothing_but_nonsense_is_closed(workspace: Workspace, compute: Compute) -> None:
    async def conversation(socket: Socket, _: Session) -> None:
        for _ in range(MOST_BAD):
            await socket.say("nonsense")
        while socket.code is None:
            await asyncio.sleep(0.01)

    assert talk(workspace, compute, {}, conversation).code == BAD_DATA


def test_faults_are_told_apart(workspace: Workspace, compute: Compute, faults: list[BaseException]) -> None:
    def user(*_: Any) -> dict[str, Any]:
        raise UserError(f"{workspace.run.path}/samples.zarr is damaged")

    def inside(*_: Any) -> dict[str, Any]:
        raise ZeroDivisionError("secret")

    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 1, "do": "user"})
        assert await socket.hear() == {"n": 1, "error": f"{workspace.run.path.name}/samples.zarr is damaged"}
        await socket.say({"n": 2, "do": "inside"})
        heard = await socket.hear()
        assert heard["n"] == 2
        assert "secret" not in heard["error"]
        while not faults:  # it is told after the answer
            await asyncio.sleep(0.01)

    talk(workspace, compute, {"user": handler(user), "inside": handler(inside)}, conversation)
    assert [str(fault) for fault in faults] == ["secret"]


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "/a/b/c"), "cannot do this: c: No space left"),
        (OSError(errno.EIO, "Input/output error"), "cannot do this: Input/output error"),
        (MemoryError(), "the app runs, there is not enough memory"),
        (RuntimeError("can't start new thread"), "no more threads can be started"),
        (
            RuntimeError("DefaultCPUAllocator: can't allocate memory"),
            "the app runs, there is not enough memory",
        ),
    ],
)
def test_what_is_wrong_with_the_machine_is_said_and_is_no_fault(
    workspace: Workspace, compute: Compute, faults: list[BaseException], error: Exception, said: str
) -> None:
    def perform(*_: Any) -> dict[str, Any]:
        raise error

    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 1, "do": "it"})
        assert said in (await socket.hear())["error"]

    talk(workspace, compute, {"it": handler(perform)}, conversation)
    compute.end(PATIENCE)
    assert faults == []


def pictures(performed: list[int]) -> Handler:
    def frame(_: Any, __: Any, request: Ask, answer: Any) -> dict[str, Any]:
        performed.append(request.size)
        answer.picture(b"x", "image/png", (1, 1))
        return {}

    return handler(frame, channel="frame")


def test_frames_wait_until_the_page_has_shown_others_and_the_newest_wins(
    workspace: Workspace, compute: Compute
) -> None:
    performed: list[int] = []

    async def conversation(socket: Socket, _: Session) -> None:
        for n in range(1, MOST_FRAMES + 1):
            await socket.say({"n": n, "do": "frame", "size": n})
            assert isinstance(await socket.hear(), bytes)
            assert await socket.hear() == {"n": n, "ok": {}}
        await socket.say({"n": 10, "do": "frame", "size": 10})
        await socket.say({"n": 11, "do": "frame", "size": 11})
        assert await socket.hear() == {"n": 10, "dropped": True}
        await asyncio.sleep(0.05)
        assert performed == list(range(1, MOST_FRAMES + 1))
        await socket.say({"n": 1, "do": "shown"})
        assert isinstance(await socket.hear(), bytes)
        assert await socket.hear() == {"n": 11, "ok": {}}

    talk(workspace, compute, {"frame": pictures(performed)}, conversation)
    assert performed[-1] == 11


def test_a_frame_that_fails_holds_no_other(workspace: Workspace, compute: Compute) -> None:
    def broken(*_: Any) -> dict[str, Any]:
        raise UserError("no such picture")

    async def conversation(socket: Socket, _: Session) -> None:
        for n in range(1, MOST_FRAMES + 3):
            await socket.say({"n": n, "do": "frame"})
            assert await socket.hear() == {"n": n, "error": "no such picture"}

    talk(workspace, compute, {"frame": handler(broken, channel="frame")}, conversation)


def test_a_page_that_reads_nothing_is_closed_before_it_fills_the_memory(
    workspace: Workspace, compute: Compute
) -> None:
    piece = b"x" * (8 << 20)
    sent: list[int] = []

    def flood(_: Any, __: Any, ___: Any, answer: Any) -> dict[str, Any]:
        for i in range(MOST_BYTES // len(piece) + 4):
            answer.picture(piece, "image/png", (1, 1))
            sent.append(i)
        return {}

    async def conversation(socket: Socket, _: Session) -> None:
        socket.reads.clear()
        await socket.say({"n": 1, "do": "flood"})
        for _ in range(int(PATIENCE / 0.01)):
            if len(sent) == MOST_BYTES // len(piece) + 4:
                break
            await asyncio.sleep(0.01)
        await asyncio.sleep(0.05)
        socket.reads.set()

    assert talk(workspace, compute, {"flood": handler(flood)}, conversation).code == TRY_LATER


def test_a_page_that_reads_gets_as_much_as_it_asks_for(workspace: Workspace, compute: Compute) -> None:
    piece = b"x" * (8 << 20)

    def much(_: Any, __: Any, ___: Any, answer: Any) -> dict[str, Any]:
        answer.picture(piece, "image/png", (1, 1))
        return {}

    async def conversation(socket: Socket, _: Session) -> None:
        for n in range(1, MOST_BYTES // len(piece) + 3):
            await socket.say({"n": n, "do": "much"})
            assert len(await socket.hear()) > len(piece)
            assert await socket.hear() == {"n": n, "ok": {}}

    assert talk(workspace, compute, {"much": handler(much)}, conversation).code == 1000


def test_a_job_outlives_the_socket_and_speaks_to_the_next(workspace: Workspace, compute: Compute) -> None:
    begun, go = threading.Event(), threading.Event()

    def job(_: Any, __: Any, ___: Any, answer: Any) -> dict[str, Any]:
        begun.set()
        assert go.wait(PATIENCE)
        answer.step(1, 1)
        return {"done": True}

    handlers = {"job": handler(job, priority=JOB, channel="job")}
    heard: list[Any] = []

    async def main() -> None:
        session = Session("tab")
        for turn in range(2):
            socket = Socket()
            link = Link(socket, session, workspace, compute, handlers)  # type: ignore[arg-type]
            session.send = link.send
            running = asyncio.create_task(link.run())
            if turn == 0:
                await socket.say({"n": 4, "do": "job"})
                await asyncio.to_thread(begun.wait, PATIENCE)
            else:
                go.set()
                heard.extend([await socket.hear(), await socket.hear()])
            await socket.incoming.put({"type": "websocket.disconnect"})
            await running

    asyncio.run(main())
    assert heard == [{"n": 4, "progress": {"step": 1, "total": 1}}, {"n": 4, "ok": {"done": True}}]


def test_a_job_that_is_stopped_says_so(workspace: Workspace, compute: Compute) -> None:
    begun = threading.Event()

    def endless(_: Any, __: Any, ___: Any, answer: Any) -> dict[str, Any]:
        begun.set()
        while True:
            answer.breathe()

    async def conversation(socket: Socket, session: Session) -> None:
        await socket.say({"n": 4, "do": "endless"})
        await asyncio.to_thread(begun.wait, PATIENCE)
        compute.stop(session.id)
        assert await socket.hear() == {"n": 4, "dropped": True}

    talk(workspace, compute, {"endless": handler(endless, priority=JOB)}, conversation)
    assert issubclass(Stopped, Exception)


def test_a_stop_is_of_one_job_alone(workspace: Workspace, compute: Compute) -> None:
    begun, go = threading.Event(), threading.Event()

    def job(_: Any, __: Any, ___: Any, answer: Any) -> dict[str, Any]:
        begun.set()
        assert go.wait(PATIENCE)
        answer.breathe()
        return {"done": answer.n}

    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 1, "do": "job"})
        await asyncio.to_thread(begun.wait, PATIENCE)
        await socket.say({"n": 2, "do": "job"})
        await socket.say({"n": 3, "do": "stop", "job": 2})
        heard = [await socket.hear() for _ in range(2)]
        assert sorted(heard, key=lambda one: one["n"]) == [{"n": 2, "dropped": True}, {"n": 3, "ok": {}}]
        for fields in ({}, {"job": "1"}, {"job": True}, {"job": 1, "more": 1}):
            await socket.say({"n": 4, "do": "stop", **fields})
            assert "stop has a field job" in (await socket.hear())["error"]
        go.set()
        assert await socket.hear() == {"n": 1, "ok": {"done": 1}}

    talk(workspace, compute, {"job": handler(job, priority=JOB)}, conversation)


def test_a_tab_that_asks_without_end_is_told_to_wait(workspace: Workspace, compute: Compute) -> None:
    go, begun = threading.Event(), threading.Event()

    def held(*_: Any) -> dict[str, Any]:
        begun.set()
        assert go.wait(PATIENCE)
        return {}

    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 1, "do": "held"})
        await asyncio.to_thread(begun.wait, PATIENCE)
        for n in range(2, MOST_WAITING + 3):
            await socket.say({"n": n, "do": "held"})
        refused = await socket.hear()
        assert refused["n"] == MOST_WAITING + 2
        assert "wait for their answers" in refused["error"]
        go.set()
        for n in range(1, MOST_WAITING + 2):
            assert await socket.hear() == {"n": n, "ok": {}}

    talk(workspace, compute, {"held": handler(held)}, conversation)


def test_long_answers_count_as_what_they_are(workspace: Workspace, compute: Compute) -> None:
    text, done = "x" * (8 << 20), threading.Event()

    async def conversation(socket: Socket, _: Session) -> None:
        socket.reads.clear()
        for n in range(1, MOST_BYTES // len(text) + 4):
            await socket.say({"n": n, "do": "long"})
        await socket.say({"n": 100, "do": "last"})
        await asyncio.to_thread(done.wait, PATIENCE)
        await asyncio.sleep(0.05)
        socket.reads.set()

    handlers = {"long": handler(lambda *_: {"text": text}), "last": handler(lambda *_: done.set() or {})}
    assert talk(workspace, compute, handlers, conversation).code == TRY_LATER


def test_an_answer_that_is_no_number_is_a_fault_and_the_socket_stays(
    workspace: Workspace, compute: Compute, faults: list[BaseException]
) -> None:
    async def conversation(socket: Socket, _: Session) -> None:
        await socket.say({"n": 1, "do": "broken"})
        assert "this failed inside" in (await socket.hear())["error"]
        await socket.say({"n": 2, "do": "whole"})
        assert await socket.hear() == {"n": 2, "ok": {}}

    handlers = {"broken": handler(lambda *_: {"x": float("nan")}), "whole": handler(lambda *_: {})}
    talk(workspace, compute, handlers, conversation)
    assert len(faults) == 1


def test_a_socket_that_goes_while_something_is_sent_is_no_fault(
    workspace: Workspace, compute: Compute, faults: list[BaseException]
) -> None:
    class Leaving(Session):
        """A tab whose socket goes between two looks at it."""

        looks = 0

        @property
        def send(self) -> Any:
            self.looks += 1
            return self.heard.append if self.looks % 2 else None

        @send.setter
        def send(self, _: Any) -> None:
            self.heard: list[Any] = []

    session = Leaving("tab")
    done = threading.Event()

    async def main() -> None:
        link = Link(Socket(), session, workspace, compute, {"ask": handler(lambda *_: {})})  # type: ignore[arg-type]
        link._submit(1, "ask", handler(lambda *_: {}), Ask())

    asyncio.run(main())
    end = handler(lambda *_: done.set() or {}, priority=JOB)
    compute.submit(work_of(workspace, session, 2, "end", end, Ask(), lambda _: None))
    assert done.wait(PATIENCE)
    assert session.heard == [{"n": 1, "ok": {}}]
    assert faults == []


def test_a_job_goes_on_while_its_page_is_loaded_again(
    opened: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, left, go = threading.Event(), threading.Event(), threading.Event()

    def job(_: Any, session: Session, __: Any, answer: Any) -> dict[str, Any]:
        begun.set()
        while not go.wait(0.001):
            answer.breathe()
            if session.send is None:
                left.set()
        return {"done": True}

    monkeypatch.setitem(serve.HANDLERS, "job", handler(job, priority=JOB, channel="job"))  # type: ignore[arg-type]
    with served(opened) as app:
        page = app.address.url.rstrip("/")
        socket = f"{page.replace('http', 'ws')}/socket?session="
        with connect(socket, origin=page) as tab:  # type: ignore[arg-type]
            tab.send(json.dumps({"n": 1, "do": "hello"}))
            session = json.loads(tab.recv(PATIENCE))["ok"]["session"]
            tab.send(json.dumps({"n": 2, "do": "job"}))
            assert begun.wait(PATIENCE)
        assert left.wait(PATIENCE)
        with connect(socket + session, origin=page) as tab:  # type: ignore[arg-type]
            tab.send(json.dumps({"n": 3, "do": "hello"}))
            assert json.loads(tab.recv(PATIENCE))["ok"]["session"] == session
            go.set()
            assert json.loads(tab.recv(PATIENCE)) == {"n": 2, "ok": {"done": True}}
