"""AWS's Runtime API, spoken by awslambdaric: one server for each execution environment.

https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html
"""

import json
import secrets
import select
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

VERSION = "/2018-06-01/runtime"
LARGEST_RESPONSE = 6 * 1024 * 1024 + 100  # bytes; Lambda's limit of 6 MB for a synchronous response


@dataclass(frozen=True)
class Invocation:
    request_id: str
    function_arn: str
    timeout: float
    payload: bytes
    lineage: str = ""  # the field of the trace header


@dataclass(frozen=True)
class Ready:
    """The first call for an invocation ends the initialization."""


@dataclass(frozen=True)
class Taken:
    request_id: str


@dataclass(frozen=True)
class Succeeded:
    request_id: str
    payload: bytes


@dataclass(frozen=True)
class Failed:
    request_id: str
    payload: bytes


@dataclass(frozen=True)
class InitializationFailed:
    payload: bytes


@dataclass(frozen=True)
class Exited:
    code: int


Report = Ready | Taken | Succeeded | Failed | InitializationFailed | Exited


class RuntimeApi:
    def __init__(self) -> None:
        self.reports: SimpleQueue[Report] = SimpleQueue()
        self._invocations: SimpleQueue[Invocation | None] = SimpleQueue()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        self._ready = False
        threading.Thread(target=self._server.serve_forever, name="runtime-api", daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._server.server_address[1]}"

    def offer(self, invocation: Invocation) -> None:
        self._invocations.put(invocation)

    def close(self) -> None:
        self._invocations.put(None)
        # On a thread: it takes half a second, the server's polling interval, and no caller needs to wait.
        threading.Thread(target=self._close_server, name="runtime-api-close", daemon=True).start()

    def _close_server(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> Invocation | None:
        if not self._ready:
            self._ready = True
            self.reports.put(Ready())
        return self._invocations.get()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    api: RuntimeApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A killed environment breaks its connection; the thread that waits for its exit reports it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # headers and body in one packet, else a delayed acknowledgement costs 40 ms
    server: _Server

    def do_GET(self) -> None:
        if self.path != f"{VERSION}/invocation/next":
            return self._answer(404)
        invocation = self.server.api.next_invocation()
        if invocation is None or has_hung_up(self.connection):
            self.close_connection = True
            return None
        self.server.api.reports.put(Taken(invocation.request_id))
        return self._answer(200, invocation.payload, invocation_headers(invocation))

    def do_POST(self) -> None:
        payload = self._body()
        reports = self.server.api.reports
        match self.path.removeprefix(VERSION).strip("/").split("/"):
            case ["init", "error"]:
                reports.put(InitializationFailed(payload))
            case ["invocation", request_id, "response"] if len(payload) > LARGEST_RESPONSE:
                reports.put(Failed(request_id, too_large(len(payload))))
                return self._answer(413)
            case ["invocation", request_id, "response"]:
                reports.put(Succeeded(request_id, payload))
            case ["invocation", request_id, "error"]:
                reports.put(Failed(request_id, payload))
            case _:
                return self._answer(404)
        return self._answer(202)

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        chunks = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            chunks.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(chunks)

    def _answer(self, status: int, payload: bytes = b"", headers: Mapping[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)
        self.wfile.flush()

    def log_message(self, *_: Any) -> None:
        """Nothing: every invocation is recorded by the function service."""


def has_hung_up(connection: socket.socket) -> bool:
    """True if the asking process has died meanwhile; an invocation that is not sent then is not lost."""
    readable, _, _ = select.select([connection], [], [], 0)
    try:
        return bool(readable) and not connection.recv(1, socket.MSG_PEEK)
    except OSError:
        return True


def invocation_headers(invocation: Invocation) -> dict[str, str]:
    root = f"1-{int(time.time()):08x}-{secrets.token_hex(12)}"
    return {
        "Lambda-Runtime-Aws-Request-Id": invocation.request_id,
        "Lambda-Runtime-Deadline-Ms": str(int((time.time() + invocation.timeout) * 1000)),
        "Lambda-Runtime-Invoked-Function-Arn": invocation.function_arn,
        "Lambda-Runtime-Trace-Id": f"Root={root};Parent={secrets.token_hex(8)};Sampled=1{invocation.lineage}",
    }


def too_large(size: int) -> bytes:
    message = f"Response payload size ({size} bytes) exceeded maximum allowed payload size (6291556 bytes)."
    return json.dumps({"errorType": "Function.ResponseSizeTooLarge", "errorMessage": message}).encode()
