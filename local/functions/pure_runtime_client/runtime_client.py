"""awslambdaric's module `runtime_client` in Python. Its own is compiled and exists for Linux only."""

import os
from functools import cache
from http.client import HTTPConnection

VERSION = "/2018-06-01/runtime"
DEADLINE = "Lambda-Runtime-Deadline-Ms"


def initialize_client(user_agent: str) -> None:
    """Nothing: the connection is made when it is first used."""


def next() -> tuple[bytes, dict[str, str | int]]:  # noqa: A001  awslambdaric's name for it
    event, headers = call("GET", "/invocation/next", b"", {})
    return event, {name: int(text) if name == DEADLINE else text for name, text in headers.items()}


def post_invocation_result(invoke_id: str, result: bytes, content_type: str, *_: object) -> None:
    call("POST", f"/invocation/{invoke_id}/response", result, {"Content-Type": content_type})


def post_error(invoke_id: str, error: str, *_: object) -> None:
    call("POST", f"/invocation/{invoke_id}/error", error.encode(), {"Content-Type": "application/json"})


def call(method: str, path: str, body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
    connection().request(method, VERSION + path, body, headers)
    answer = connection().getresponse()
    content = answer.read()
    if answer.status not in (200, 202):
        raise RuntimeError(f"The Runtime API answered {answer.status} to {method} {path}.")
    return content, dict(answer.getheaders())


@cache
def connection() -> HTTPConnection:
    return HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
