"""Handlers as the Lambda service calls them, with their own resolved settings, on the emulator."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest

from pagewise.aws import wiring
from tests.deployed import Deployed

Handler = Callable[[dict[str, Any], Any], Any]
SUCCESS = {
    "output": {
        "choices": [{"finish_reason": "stop", "message": {"role": "assistant", "content": [{"text": "recognized"}]}}]
    },
    "usage": {"input_tokens": 100, "output_tokens": 10},
    "request_id": "r-1",
}


@dataclass
class Context:
    """What awslambdaric hands to a handler."""

    seconds: float = 60.0
    function_name: str = "function"
    memory_limit_in_mb: int = 512
    invoked_function_arn: str = "arn:aws:lambda:us-east-1:000000000000:function:function"
    aws_request_id: str = "request"
    began: float = field(default_factory=time.monotonic)

    def get_remaining_time_in_millis(self) -> int:
        return round(1000 * (self.seconds - (time.monotonic() - self.began)))


@dataclass
class EngineStub:
    """An HTTP server that answers with the next of `replies`, the last for ever, and keeps what it was asked."""

    replies: list[tuple[int, dict[str, Any]]] = field(default_factory=lambda: [(200, SUCCESS)])
    requests: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""


@pytest.fixture
def engine() -> Iterator[EngineStub]:
    stub = EngineStub()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            stub.requests.append(json.loads(self.rfile.read(int(self.headers["content-length"]))))
            status, reply = stub.replies.pop(0) if len(stub.replies) > 1 else stub.replies[0]
            content = json.dumps(reply).encode()
            self.send_response(status)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    stub.url = f"http://127.0.0.1:{server.server_port}/api/v1"
    Thread(target=server.serve_forever, daemon=True).start()
    yield stub
    server.shutdown()
    server.server_close()


@pytest.fixture
def handler(deployed: Deployed, monkeypatch: pytest.MonkeyPatch, engine: EngineStub) -> Callable[..., Handler]:
    """The handler of a function by its logical id, in that function's environment."""
    deployed.empty_queues()
    secrets = deployed.client("secretsmanager")
    with suppress(secrets.exceptions.ResourceExistsException):
        secrets.create_secret(Name="pagewise/qwen-api-key", SecretString="key")

    def loaded(function: str, folder: str, **changes: str) -> Handler:
        variables = {
            **deployed.variables(function),
            "AWS_ENDPOINT_URL": deployed.emulator.endpoint,
            "AWS_REGION": "us-east-1",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_LAMBDA_FUNCTION_NAME": function,
            "QWEN_BASE_URL": engine.url,
            **changes,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        for kept in vars(wiring).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()
        handler: Handler = importlib.import_module(f"functions.{folder}.handler").handler
        return handler

    return loaded


def sqs_event(*bodies: str, deliveries: int = 1, handles: list[str] | None = None) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"m{number}",
                "receiptHandle": handles[number] if handles else f"h{number}",
                "body": body,
                "attributes": {"ApproximateReceiveCount": str(deliveries)},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:queue",
                "awsRegion": "us-east-1",
            }
            for number, body in enumerate(bodies)
        ]
    }


def s3_event(bucket: str, *objects: tuple[str, str]) -> dict[str, Any]:
    """An event for these keys and version ids."""
    return {
        "Records": [
            {
                "eventSource": "aws:s3",
                "eventName": "ObjectCreated:Put",
                "s3": {
                    "bucket": {"name": bucket},
                    "object": {"key": key, "versionId": version, "size": 1, "eTag": "e", "sequencer": "1"},
                },
            }
            for key, version in objects
        ]
    }
