"""Every invocation is traced, as it may be on AWS: no page job ends otherwise for it, and no engine is told."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

from tests.handlers.conftest import SUCCESS
from tests.pictures import tiff
from tests.running import running

PAGES = 10
ENGINE_SECONDS = 0.5  # so that all page jobs of the batch wait at the same time
TRACE_HEADERS = {"x-amzn-trace-id", "traceparent", "tracestate", "baggage", "b3"}


@dataclass
class RecordingEngine:
    url: str = ""
    headers: list[set[str]] = field(default_factory=list)


@contextmanager
def recording_engine() -> Iterator[RecordingEngine]:
    engine = RecordingEngine()

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            engine.headers.append({name.lower() for name in self.headers})
            self.rfile.read(int(self.headers["content-length"]))
            time.sleep(ENGINE_SECONDS)
            content = json.dumps(SUCCESS).encode()
            self.send_response(200)
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        engine.url = f"http://127.0.0.1:{server.server_port}/api/v1"
        yield engine
        server.shutdown()


def test_ten_traced_page_jobs_at_once_are_each_paid_for_once(tmp_path: Path) -> None:
    parameters = {"OcrBatchSize": str(PAGES), "OcrConcurrency": "2"}
    with (
        recording_engine() as engine,
        running(tmp_path, parameters={**parameters, "QwenBaseUrl": engine.url}, visibility_timeout=5) as pagewise,
    ):
        key = pagewise.upload("traced.tif", tiff(PAGES))
        receipt = pagewise.until_ended(key)[key]
    assert [job["attempts"] for job in receipt["page_jobs"]] == [1] * PAGES
    assert len(engine.headers) == PAGES
    assert not [names & TRACE_HEADERS for names in engine.headers if names & TRACE_HEADERS]
