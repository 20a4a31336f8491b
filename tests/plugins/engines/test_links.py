"""Connections of workers: a stranger is not listened to, and who is silent disturbs nobody."""

from __future__ import annotations

import errno
import os
import pickle
import queue
import socket
import struct
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from multiprocessing import AuthenticationError
from multiprocessing.connection import Client, Connection
from pathlib import Path

import pytest
from ganstrata.core.plugins.engine import Job, JobOutcome
from ganstrata.plugins.engines.links import SILENCE, Event, Invitation, Links
from processes import until


@pytest.fixture
def links() -> Iterator[Links]:
    listening = Links(here=True)
    yield listening
    listening.close()


def linked(invitation: Invitation) -> Connection:
    """Connect as a worker does."""
    connection = Client((invitation.host, invitation.port), authkey=invitation.secret)
    connection.send(invitation.number)
    return connection


def none(*_: object) -> None:
    return None


def test_jobs_go_to_a_worker_and_what_it_says_comes_back(links: Links) -> None:
    with linked(links.invitation(7)) as worker:
        worker.send(None)
        assert links.events.get(timeout=60.0) == Event(7)
        assert links.has(7)
        links.send(7, Job(3, none, "task"))
        assert worker.recv() == Job(3, none, "task")
        worker.send(JobOutcome(3, value=1))
        assert links.events.get(timeout=60.0) == Event(7, JobOutcome(3, value=1))
    assert links.events.get(timeout=60.0) == Event(7, lost="its connection ended")
    assert not links.has(7)
    links.send(7, Job(4, none, None))  # it is gone, which was said
    links.cut(7)


def test_a_machine_that_is_gone_is_noticed(links: Links) -> None:
    with linked(links.invitation(1)):
        until(lambda: links.has(1))
        client = links._linked[1][0]
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        for name, value in SILENCE.items():
            assert client.getsockopt(socket.IPPROTO_TCP, getattr(socket, name)) == value


def test_what_cannot_be_read_ends_the_connection_with_the_reason(links: Links) -> None:
    with linked(links.invitation(1)) as worker:
        worker.send_bytes(b"no pickle")
        event = links.events.get(timeout=60.0)
        assert event.lost.startswith("UnpicklingError: ")
        with pytest.raises(EOFError):
            worker.recv()


class Deed:
    """Is done by whoever reads its pickle."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[object, ...]:
        return os.mkdir, (str(self.file),)


def test_the_pickle_of_a_stranger_is_not_read(links: Links, tmp_path: Path) -> None:
    invitation = links.invitation(1)
    with pytest.raises(AuthenticationError):
        linked(replace(invitation, secret=b"guessed"))
    content = pickle.dumps(Deed(tmp_path / "done"))
    with socket.create_connection((invitation.host, invitation.port)) as stranger:
        stranger.sendall(struct.pack("!i", len(content)) + content)
        until(lambda: stranger.recv(4096) == b"")
    assert not (tmp_path / "done").exists()
    with pytest.raises(queue.Empty):
        links.events.get_nowait()


def test_who_says_nothing_keeps_nobody_waiting(links: Links) -> None:
    invitation = links.invitation(2)
    with socket.create_connection((invitation.host, invitation.port)), linked(invitation) as worker:
        worker.send(None)
        assert links.events.get(timeout=60.0) == Event(2)


def test_a_stranger_who_says_nothing_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Links, "patience", 0.05)
    links = Links(here=True)
    invitation = links.invitation(1)
    with socket.create_connection((invitation.host, invitation.port)) as stranger:
        until(lambda: stranger.recv(4096) == b"")
    monkeypatch.setattr(Links, "patience", 60.0)
    with linked(links.invitation(2)) as worker:
        worker.send(None)
        assert links.events.get(timeout=60.0) == Event(2)
    links.close()


class Short:
    """A listening socket of a process that has no more files or threads for a while."""

    def __init__(self, server: socket.socket) -> None:
        self.server, self.failures = server, [OSError(errno.EMFILE, "Too many open files"), RuntimeError()]

    def accept(self) -> tuple[socket.socket, object]:
        if self.failures:
            raise self.failures.pop()
        return self.server.accept()

    def __getattr__(self, name: str) -> object:
        return getattr(self.server, name)


def test_a_lack_that_passes_ends_no_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    create = socket.create_server
    monkeypatch.setattr(socket, "create_server", lambda *given: Short(create(*given)))
    links = Links(here=True)
    with linked(links.invitation(2)) as worker:
        worker.send(None)
        assert links.events.get(timeout=60.0) == Event(2)
    before = threading.active_count()
    links.close()
    until(lambda: threading.active_count() < before)


def test_a_number_is_taken_once(links: Links) -> None:
    with linked(links.invitation(1)) as first:
        first.send(None)
        assert links.events.get(timeout=60.0) == Event(1)  # so it is the first of the two
        with linked(links.invitation(1)) as second, pytest.raises((EOFError, ConnectionError)):
            second.recv()
        links.send(1, Job(1, none, None))
        assert first.recv().number == 1


def test_only_this_machine_can_connect_if_all_workers_are_here(links: Links) -> None:
    assert links.invitation(1).host == "127.0.0.1"
    assert links._server.getsockname()[0] == "127.0.0.1"
    everywhere = Links(here=False)
    try:
        assert everywhere._server.getsockname()[0] == "0.0.0.0"
        assert everywhere.invitation(1).host == socket.gethostname()
        assert everywhere.invitation(1, "head").host == "head"
        assert everywhere.invitation(1).secret != links.invitation(1).secret
    finally:
        everywhere.close()


def test_the_end_reaches_workers_and_stops_to_listen(links: Links) -> None:
    before = threading.active_count()
    invitation = links.invitation(1)
    with linked(invitation) as worker:
        until(lambda: links.has(1))
        links.cut(1)
        with pytest.raises((EOFError, ConnectionError)):
            worker.recv()
    with (
        socket.create_connection((invitation.host, invitation.port)),
        linked(replace(invitation, number=2)) as worker,
    ):
        until(lambda: links.has(2))
        links.close()
        with pytest.raises((EOFError, ConnectionError)):
            worker.recv()
        until(lambda: threading.active_count() < before)  # nobody waits for the silent one
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((invitation.host, invitation.port))


WORKER = """
import pickle, sys, time
from dataclasses import dataclass
from ganstrata.core.plugins.engine import JobOutcome
from ganstrata.plugins.engines.links import work
class Worker:
    def run(self, job):
        if job.task:
            time.sleep(job.task)
        return JobOutcome(job.number, value=2 * job.number)
class Setup:
    def build(self, device):
        assert device == "cpu"
        return Worker()
work(Setup(), "cpu", pickle.loads(bytes.fromhex(sys.argv[1])))
"""


@contextmanager
def started(links: Links, number: int) -> Iterator[subprocess.Popen[str]]:
    invitation = pickle.dumps(links.invitation(number)).hex()
    command = [sys.executable, "-c", WORKER, invitation]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert links.events.get(timeout=60.0) == Event(number)
            yield process
        finally:
            process.kill()


def test_a_worker_does_jobs_and_ends_in_the_middle_of_one_with_its_connection(links: Links) -> None:
    with started(links, 5) as process:
        for number in (1, 2):
            links.send(5, Job(number, abs, 0))
            assert links.events.get(timeout=60.0) == Event(5, JobOutcome(number, value=2 * number))
        links.send(5, Job(3, abs, 600))
        links.cut(5)
        assert process.wait(30.0) == 0
    assert links.events.get(timeout=60.0).lost


def test_a_worker_that_cannot_read_a_job_ends_and_says_why(links: Links) -> None:
    with started(links, 6) as process:
        links.send(6, Job(1, none, 0))  # of this module, which is not installed
        assert links.events.get(timeout=30.0).lost
        assert process.stderr is not None
        assert "No module named" in process.stderr.read()
