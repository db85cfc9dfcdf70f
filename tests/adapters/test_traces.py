"""One trace from upload to page, without a library: botocore tells every AWS service of the invocation's trace."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from pagewise.aws import wiring
from pagewise.aws.queues import SqsQueues
from pagewise.model import DocumentId, PageRange

TRACE = "Root=1-5e1b4151-5ac6c58f5b5daa5b0d5b5daa;Parent=53995c3f42cd8ad8;Sampled=1"


@pytest.fixture
def traces(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str | None]]:
    """The trace headers that a queue's endpoint has seen."""
    seen: list[str | None] = []

    class Queue(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            seen.append(self.headers["X-Amzn-Trace-Id"])
            self.rfile.read(int(self.headers["content-length"]))
            content = b'{"Successful": [], "Failed": []}'
            self.send_response(200)
            self.send_header("content-type", "application/x-amz-json-1.0")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Queue) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        variables = {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.server_port}",
            "AWS_DEFAULT_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_LAMBDA_FUNCTION_NAME": "function",
            "_X_AMZN_TRACE_ID": TRACE,
        }
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        wiring.session.cache_clear()
        wiring.client.cache_clear()
        yield seen
        wiring.session.cache_clear()
        wiring.client.cache_clear()
        server.shutdown()


def test_a_queue_is_told_of_the_trace_that_its_message_belongs_to(
    traces: list[str | None], monkeypatch: pytest.MonkeyPatch
) -> None:
    queues = SqsQueues(wiring.client("sqs"), "http://127.0.0.1/jobs-", "http://127.0.0.1/split")
    queues.send_ranges(DocumentId("d"), [PageRange(1, 20)])
    another = TRACE.replace("Sampled=1", "Sampled=0")
    monkeypatch.setenv("_X_AMZN_TRACE_ID", another)  # awslambdaric sets it for every invocation
    queues.send_ranges(DocumentId("d"), [PageRange(21, 40)])
    assert traces == [TRACE, another]
