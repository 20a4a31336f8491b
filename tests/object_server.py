"""A real object-store server on this machine, for tests of arrays at a URL."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from processes import until

BUCKET = "tests"
SECRET = "sesame-of-the-tests"


def settings(address: str) -> dict[str, str]:
    """Environment with which the server is used."""
    return {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "tester",
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_REGION": "us-east-1",
    }


@contextmanager
def object_server() -> Iterator[str]:
    """Start a server that speaks the language of S3, and yield its address; skip where moto is missing."""
    pytest.importorskip("obstore", reason="needs ganstrata[remote]")
    pytest.importorskip("moto", reason="the object-store server is moto, of ganstrata[test]")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    address = f"http://127.0.0.1:{port}"
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            until(lambda: process.poll() is not None or _answers(port))
            assert process.poll() is None, "the server ended"
            urllib.request.urlopen(urllib.request.Request(f"{address}/{BUCKET}", method="PUT")).close()
            yield address
        finally:
            process.kill()


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0
