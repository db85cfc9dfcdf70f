"""Makes servers on this machine's loopback reachable for containers, without opening them to the network.

One port serves both: a connection that begins with a request to the Qwen-OCR API goes to the engine, any other to the
emulator. Clients keep connections of their own for each of the two, so the first request decides.
"""

import contextlib
import socket
import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

PEEKED_BYTES = 4096
CHUNK_BYTES = 65536


class Forwarder:
    """`routes`: the start of a request's path → (host, port); "" is for all others."""

    def __init__(self, address: str, routes: Mapping[str, tuple[str, int]]) -> None:
        self._routes = sorted(routes.items(), key=lambda route: -len(route[0]))
        self._listener = socket.create_server((address, 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, name="forwarder", daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._forward, args=(client,), daemon=True).start()

    def _forward(self, client: socket.socket) -> None:
        with contextlib.suppress(OSError), client:
            path = client.recv(PEEKED_BYTES, socket.MSG_PEEK).partition(b" ")[2]
            target = next(target for start, target in self._routes if path.startswith(start.encode()))
            with socket.create_connection(target) as server:
                back = threading.Thread(target=copy, args=(server, client), daemon=True)
                back.start()
                copy(client, server)
                back.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while chunk := source.recv(CHUNK_BYTES):
            target.sendall(chunk)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_WR)
