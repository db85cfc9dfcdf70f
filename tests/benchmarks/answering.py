"""Servers on the loopback that answer every request at once: what is measured is the client."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

PIECE_BYTES = 1 << 20


class Answering(BaseHTTPRequestHandler):
    """Reads a request to its end and answers by `content`, of `media_type`."""

    protocol_version = "HTTP/1.1"
    media_type = "application/json"

    def content(self) -> bytes:
        raise NotImplementedError

    def do_POST(self) -> None:
        left = int(self.headers["content-length"])
        while left:
            left -= len(self.rfile.read(min(left, PIECE_BYTES)))
        content = self.content()
        self.send_response(200)
        self.send_header("content-type", self.media_type)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def served(handler: type[Answering]) -> Iterator[str]:
    """The server's base URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
