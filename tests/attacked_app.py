"""`ganstrata app` in a process of its own, and tabs that speak to it without a browser, well or badly."""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.client import ClientConnection, connect

PATIENCE = 60.0  # s, on a machine that other work shares
MB = 1 << 20


@dataclass
class Served:
    """A running app, and everything that it said.

    Attributes:
        process: it.
        host: where it listens.
        port: and on which port.
        token: the token that it printed; empty without one.
        secrets: names of folders of this machine, none of which it may ever name.
        heard: text of all answers and messages so far.
    """

    process: subprocess.Popen[str]
    host: str
    port: int
    token: str
    secrets: tuple[str, ...]
    heard: list[str] = field(default_factory=list)
    tabs: list[Tab] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address that it printed."""
        return f"http://{self.host}:{self.port}/" + (f"#token={self.token}" if self.token else "")

    def ask(
        self,
        method: str = "GET",
        path: str = "/",
        body: bytes | Iterator[bytes] | None = None,
        **headers: str | None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Send a request as its own page would, but for the headers that are given, and return the answer.

        Args:
            method: GET, say.
            path: with the query, as it is sent.
            body: what is sent; pieces go in chunks, without a length.
            headers: in place of those of a page; None leaves one out. `_` stands for `-`.
        """
        line = http.client.HTTPConnection(self.host, self.port, timeout=PATIENCE)
        own: dict[str, str | None] = {
            "Host": f"{self.host}:{self.port}",
            "Origin": f"http://{self.host}:{self.port}",
        }
        own |= {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            line.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
            for name, value in own.items():
                if value is not None:
                    line.putheader(name, value)
            if isinstance(body, bytes):
                line.putheader("Content-Length", str(len(body)))
                line.endheaders(body)
            elif body is not None:
                line.putheader("Transfer-Encoding", "chunked")
                line.endheaders()
                with suppress(BrokenPipeError, ConnectionResetError):  # it hangs up on what is too long
                    for piece in body:
                        line.send(b"%x\r\n%s\r\n" % (len(piece), piece))
                    line.send(b"0\r\n\r\n")
            else:
                line.endheaders()
            answer = line.getresponse()
            content = answer.read()
        finally:
            line.close()
        self.heard.append(f"{answer.headers}\n{content.decode('latin-1')}")
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}, content

    def raw(self, content: bytes, *, end: bool = False) -> bytes:
        """Send bytes over a new connection, and return all that comes until the server hangs up."""
        with socket.create_connection((self.host, self.port), timeout=PATIENCE) as line:
            line.sendall(content)
            if end:
                line.shutdown(socket.SHUT_WR)
            pieces = []
            with suppress(ConnectionResetError):
                while piece := line.recv(65536):
                    pieces.append(piece)
        answer = b"".join(pieces)
        self.heard.append(answer.decode("latin-1"))
        return answer

    def tab(self, session: str = "", **given: Any) -> Tab:
        """Open a tab; see Tab."""
        opened = Tab(self, session, **given)
        self.tabs.append(opened)
        return opened

    def memory(self) -> float:
        """Return the memory that the process has now, MB."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        except OSError:
            pytest.skip("reads the memory of a process from /proc")
        found = re.search(r"VmRSS:\s+(\d+) kB", status)
        assert found, "the process has ended"
        return int(found[1]) / 1024

    def close_tabs(self) -> None:
        """Close all tabs of a test."""
        for tab in self.tabs:
            tab.close()
        self.tabs.clear()

    def assert_well(self, within: float = 10.0) -> None:
        """Fail unless the server runs and answers a new tab in time, frames included."""
        assert self.process.poll() is None, "the server has ended"
        began = time.monotonic()
        status, _, _ = self.ask()
        assert status == 200
        tab = self.tab()
        tab.ask("hello")
        tab.ask("frame", edit={"picture": {"seed": 1}})
        tab.close()
        assert time.monotonic() - began < within

    def assert_discreet(self) -> None:
        """Fail if anything that was said names a folder of this machine."""
        for text in self.heard:
            for secret in self.secrets:
                assert secret not in text, f"the page was told of {secret}: {text[:2000]}"


class Tab:
    """A tab without a browser: its socket, and what came over it.

    Args:
        served: the server.
        session: the session to go on with.
        origin: in place of that of the page.
        host: name and port by which it calls the server, in place of the right ones.
        headers: further ones.
        buffer: bytes that the system takes for it at most, None for as many as usual.
    """

    def __init__(
        self,
        served: Served,
        session: str = "",
        *,
        origin: str | None = "own",
        host: str | None = None,
        headers: dict[str, str] | None = None,
        buffer: int | None = None,
    ) -> None:
        self.served, self.numbers = served, itertools.count(10)
        line = socket.create_connection((served.host, served.port), timeout=PATIENCE)
        if buffer is not None:
            line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        page = f"http://{served.host}:{served.port}"
        self._opened = connect(
            f"ws://{host or page.removeprefix('http://')}/socket?session={session}",
            sock=line,
            origin=page if origin == "own" else origin,  # type: ignore[arg-type]
            additional_headers=headers,
            compression=None,
            max_size=None,
            max_queue=None if buffer is None else 1,
            open_timeout=PATIENCE,
            close_timeout=5,
            ping_interval=None,
        )
        self.line: ClientConnection = self._opened.__enter__()
        self.pictures: dict[int, list[tuple[dict[str, Any], bytes]]] = {}
        self.answers: dict[int | None, dict[str, Any]] = {}
        self.progress: dict[int, list[dict[str, Any]]] = {}

    def say(self, do: str, **fields: Any) -> int:
        """Send a request, and return its number."""
        n = next(self.numbers)
        self.line.send(json.dumps({"n": n, "do": do, **fields}))
        return n

    def hear(self, timeout: float = PATIENCE) -> dict[str, Any] | bytes:
        """Wait for the next message, and sort it in."""
        message = self.line.recv(timeout)
        if isinstance(message, bytes):
            length = int.from_bytes(message[:4], "big")
            header = json.loads(message[4 : 4 + length])
            self.served.heard.append(json.dumps(header))
            self.pictures.setdefault(header["n"], []).append((header, message[4 + length :]))
            return message
        self.served.heard.append(message)
        data: dict[str, Any] = json.loads(message)
        if "progress" in data:
            self.progress.setdefault(data["n"], []).append(data["progress"])
        else:
            self.answers[data["n"]] = data
        return data

    def wait(self, n: int | None) -> dict[str, Any]:
        """Wait for the answer to a request, which is returned once."""
        while n not in self.answers:
            self.hear()
        return self.answers.pop(n)

    def ask(self, do: str, **fields: Any) -> dict[str, Any]:
        """Send a request, and return the last message about it."""
        n = self.say(do, **fields)
        answer = self.wait(n)
        if do in ("frame", "before"):
            self.line.send(json.dumps({"n": n, "do": "shown"}))
        return answer

    def closed(self) -> int | None:
        """Wait until the server closes the socket, and return the code."""
        with suppress(Exception):
            while True:
                self.hear()
        return self.line.close_code

    def drop(self) -> None:
        """Cut the line, as a machine does that loses its network."""
        with suppress(OSError):  # it is cut already
            self.line.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.line.socket.close()

    def close(self) -> None:
        """Close it."""
        with suppress(Exception):
            self._opened.__exit__(None, None, None)


def folders(*runs: Path) -> tuple[str, ...]:
    """Return the folders of this machine that a server could name."""
    code = Path(__file__).parents[1]
    found = [*(str(run.resolve().parent) for run in runs), str(code), sys.prefix, str(Path.home())]
    found += [tempfile.gettempdir(), os.getcwd()]
    return tuple(dict.fromkeys(f"{one.rstrip('/')}/" for one in found if len(one) > 1))


@contextmanager
def served(run: Path, *options: str, environment: dict[str, str] | None = None) -> Iterator[Served]:
    """Start the app on a run, at any port that is free, and end it.

    Args:
        run: the finished run.
        options: further ones of the command.
        environment: in place of that of this process.
    """
    command = [
        sys.executable,
        "-m",
        "ganstrata.cli.main",
        "app",
        str(run),
        "--port",
        "0",
        "--no-browser",
        *options,
    ]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if found := re.search(r"http://(\[?[^\s\]/]+\]?):(\d+)/(?:#token=(\S+))?", line):
                break
        else:
            pytest.fail("".join(lines))
        host = found[1].strip("[]")
        running = Served(
            process, "127.0.0.1" if host == "0.0.0.0" else host, int(found[2]), found[3] or "", folders(run)
        )
        yield running
        running.close_tabs()
        running.assert_discreet()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.communicate(timeout=20)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
