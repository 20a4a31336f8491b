"""A server on this machine that answers as the Hugging Face hub does, and, over TLS, as any web server."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

COMMIT = "0123456789abcdef0123456789abcdef01234567"
CERTIFICATE = Path(__file__).parent / "data" / "localhost.pem"  # a key and a certificate made for these tests


class LocalServer(ThreadingHTTPServer):
    """Serve files by their paths, and count the requests.

    A path `/OWNER/NAME/resolve/REVISION/FILE` is answered with the headers of the hub.
    """

    daemon_threads = True

    def __init__(self, files: Mapping[str, bytes], *, tls: bool) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.requests = dict(files), 0
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(CERTIFICATE)
            self.socket = context.wrap_socket(self.socket, server_side=True)
        self.address = f"{'https' if tls else 'http'}://localhost:{self.server_address[1]}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing about clients that hang up."""


class _Handler(BaseHTTPRequestHandler):
    server: LocalServer

    def do_GET(self) -> None:
        self.server.requests += 1
        content = self.server.files.get(self.path)
        if content is None:
            self.send_response(404)
            self.send_header("X-Error-Code", "EntryNotFound")
            self.send_header("X-Repo-Commit", COMMIT)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(200)
        self.send_header("ETag", f'"{hashlib.sha256(content).hexdigest()}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    do_HEAD = do_GET

    def log_message(self, *arguments: object) -> None:
        """Write nothing to stderr."""


@contextmanager
def serving(files: Mapping[str, bytes], *, tls: bool = False) -> Iterator[LocalServer]:
    """Run a server in a thread while the context lasts."""
    server = LocalServer(files, tls=tls)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
