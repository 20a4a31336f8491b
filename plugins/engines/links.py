"""Link workers on other machines with the process that drives a run: TCP, with a secret that both know."""

from __future__ import annotations

import os
import queue
import secrets
import socket
import threading
import time
import traceback
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import AuthenticationError
from multiprocessing.connection import Connection, answer_challenge, deliver_challenge
from typing import Any

from ...core.plugins.engine import Job, JobOutcome, WorkerSetup
from ...core.plugins.failures import one_line

HERE = "127.0.0.1"
PATIENCE = 120.0  # seconds in which who connects must have shown to know the secret
PAUSE = 0.2  # seconds until the next try to accept a connection
SILENCE = {"TCP_KEEPIDLE": 30, "TCP_KEEPINTVL": 10, "TCP_KEEPCNT": 4}
"""After about a minute without an answer of the other machine a connection counts as broken, in seconds."""


@dataclass(frozen=True)
class Invitation:
    """Hold what a worker needs to reach the process that drives a run.

    Attributes:
        host, port: where that listens.
        secret: proves that both are of the same run.
        number: of the worker.
    """

    host: str
    port: int
    secret: bytes
    number: int


@dataclass(frozen=True)
class Event:
    """Hold what happened to a worker.

    Attributes:
        number: of the worker.
        outcome: of the job that it has done; None if it is only ready.
        lost: why its connection ended; empty while it is there.
    """

    number: int
    outcome: JobOutcome | None = None
    lost: str = ""


class Links:
    """Connections to workers, from the side of the process that drives a run.

    A pickle is read only from who has shown to know the secret, and nothing is sent to anybody else.

    Attributes:
        events: what happened to workers, in the order in which it was noticed.
        patience: seconds in which who connects must have shown to know the secret; many strangers that say
            nothing would else use up the open files of this process.
    """

    patience = PATIENCE

    def __init__(self, *, here: bool) -> None:
        """Listen at a port that is free.

        Args:
            here: whether all workers are on this machine; then no other one can connect.
        """
        self.events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        self._secret = secrets.token_bytes(32)
        self._server = socket.create_server((HERE if here else "", 0))
        self._host = HERE if here else socket.gethostname()
        self._clients: set[socket.socket] | None = set()  # all that have connected; None at the end
        self._linked: dict[int, tuple[socket.socket, Connection]] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._accept, daemon=True, name="links").start()

    def invitation(self, number: int, host: str | None = None) -> Invitation:
        """Return what a worker needs; `host` is the name of this machine, if it is not its host name."""
        return Invitation(host or self._host, self._server.getsockname()[1], self._secret, number)

    def has(self, number: int) -> bool:
        """Return whether a worker is connected."""
        return number in self._linked

    def send(self, number: int, job: Job) -> None:
        """Give a worker a job. If its connection has ended, an event says so."""
        with suppress(OSError, KeyError):
            self._linked[number][1].send(job)

    def cut(self, number: int) -> None:
        """End the connection to a worker, if there is one; the worker ends itself."""
        with self._lock:
            linked = self._linked.get(number)
        if linked is not None:
            _shut(linked[0])

    def close(self) -> None:
        """End all connections, and listen no more."""
        with self._lock:
            clients, self._clients = self._clients, None
        _shut(self._server)
        self._server.close()
        for client in clients or ():
            _shut(client)

    def _accept(self) -> None:
        while True:
            client: socket.socket | None = None
            try:
                client, _ = self._server.accept()
                # A thread each: who connects and says nothing must not keep the others waiting.
                threading.Thread(target=self._listen, args=(client,), daemon=True, name="link").start()
            except (OSError, RuntimeError):  # too many files are open, or no more threads can be started
                if client is not None:
                    client.close()
                if self._clients is None:
                    return
                time.sleep(PAUSE)  # others may end meanwhile; who was not accepted waits or tries again

    def _listen(self, client: socket.socket) -> None:
        """Receive from one worker until its connection ends."""
        with client:
            with self._lock:
                if self._clients is None:
                    return
                self._clients.add(client)
            try:
                with _connection(client) as connection:
                    self._talk(client, connection)
            finally:
                with self._lock:
                    if self._clients is not None:
                        self._clients.discard(client)

    def _talk(self, client: socket.socket, connection: Connection) -> None:
        """Note what a worker says."""
        impatient = threading.Timer(self.patience, _shut, [client])
        impatient.daemon = True
        try:
            impatient.start()
            deliver_challenge(connection, self._secret)
            answer_challenge(connection, self._secret)
            number = int(connection.recv())
        except (AuthenticationError, OSError, EOFError, RuntimeError):  # a stranger, or there are no threads
            return
        finally:
            impatient.cancel()
        with self._lock:
            if number in self._linked:
                return
            self._linked[number] = client, connection
        why = "its connection ended"
        try:
            while True:
                self.events.put(Event(number, connection.recv()))
        except (OSError, EOFError):
            pass
        except Exception as error:  # what it sent cannot be read
            why = one_line(error)
        with self._lock:
            del self._linked[number]
        self.events.put(Event(number, lost=why))


def work(setup: WorkerSetup, device: str, invitation: Invitation) -> None:
    """Be a worker: build the plugins, and do jobs until the connection ends, and this process with it."""
    client = socket.create_connection((invitation.host, invitation.port), 60.0)
    client.settimeout(None)
    connection = _connection(client)
    answer_challenge(connection, invitation.secret)
    deliver_challenge(connection, invitation.secret)
    connection.send(invitation.number)
    jobs: queue.SimpleQueue[Job] = queue.SimpleQueue()
    threading.Thread(target=_receive, args=(connection, jobs), daemon=True, name="jobs").start()
    worker = setup.build(device)
    connection.send(None)
    while True:
        connection.send(worker.run(jobs.get()))


def _receive(connection: Connection, jobs: queue.SimpleQueue[Job]) -> None:
    """Receive jobs. At the end of the connection the whole process ends, in the middle of a job too.

    A worker that went on would write into a run that is then continued.
    """
    while True:
        try:
            jobs.put(connection.recv())
        except (OSError, EOFError):
            os._exit(0)
        except BaseException:  # a job whose function cannot be imported here; the log of the worker says so
            traceback.print_exc()
            os._exit(1)


def _connection(client: socket.socket) -> Connection:
    """Return a connection that sends and receives objects through a socket, which stays the caller's."""
    client.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in SILENCE.items():
        if hasattr(socket, name):
            client.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)
    return Connection(os.dup(client.fileno()))


def _shut(one: Any) -> None:
    """End a socket, so that whoever waits for it is told."""
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
