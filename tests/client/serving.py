"""Pagewise in memory behind its HTTP API: the review function's own handler answers, a bucket beside it serves links.

The bucket refuses as S3 does: a token beside a signature, an upload without its length, an unknown key.
"""

from __future__ import annotations

import json
import logging
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Thread
from typing import Any, cast
from urllib.parse import unquote, urlsplit

from functions.review import handler as review
from local.functions.environments import InvocationOutcome
from local.http_api import HttpApi
from pagewise.account.records import UNASSEMBLED
from pagewise.aws import wiring
from pagewise.aws.observing import metrics
from pagewise.model import DocumentId
from pagewise.ports import UploadPlace
from pagewise.strict_json import dumped
from pagewise.use_cases.redrive import Redrive
from pagewise.use_cases.show import ShowDocuments
from tests.fakes import MemoryLinks
from tests.handlers.conftest import Context
from tests.unit.conftest import Pagewise

DROPPED = 0  # in place of a status: the connection breaks off


@dataclass
class Links(MemoryLinks):
    """Of the bucket that stands beside the API."""

    bucket: str

    def url(self, key: str, seconds: int) -> str:
        return f"{self.bucket}/pages/{key}?X-Amz-Expires={seconds}&X-Amz-Signature=s"

    def upload(self, key: str, metadata: Mapping[str, str], seconds: int) -> UploadPlace:
        place = super().upload(key, metadata, seconds)
        return replace(place, url=f"{self.bucket}/uploads/{key}?X-Amz-Expires={seconds}&X-Amz-Signature=s")


@dataclass
class Served(Pagewise):
    """One page job, or one document's outputs, is done whenever the API is asked anything: a client sees progress."""

    bucket: str = ""
    works: bool = True
    versions: bool = True
    answers: list[dict[str, Any]] = field(default_factory=list)  # API Gateway's own, in place of the function's
    bucket_answers: list[int] = field(default_factory=list)  # statuses, in place of the bucket's
    asked: list[str] = field(default_factory=list)
    headers: list[Mapping[str, str]] = field(default_factory=list)
    lock: Any = field(default_factory=Lock)
    api: HttpApi | None = None

    @property
    def show(self) -> ShowDocuments:
        return replace(super().show, links=Links(self.pages, self.bucket))

    def desk(self) -> wiring.Desk:
        redrive = Redrive(self.ledger, self.queues, self.accounting, self.clock)
        return wiring.Desk(self.show, self.review, self.cancel, self.delete, redrive, "pagewise")

    @property
    def address(self) -> str:
        assert self.api is not None
        return self.api.address

    def invoke(self, _function: str, payload: bytes, /, **_: Any) -> InvocationOutcome:
        """As FunctionService."""
        event = json.loads(payload)
        http = event["requestContext"]["http"]
        with self.lock:
            self.asked.append(f"{http['method']} {http['path']}")
            self.headers.append(event["headers"])
            if self.answers:
                return outcome(self.answers.pop(0))
            if self.works:
                self.work()
            composition = replace(wiring.composition.get(), desk=self.desk)
            wiring.composition.set(composition)
            try:
                return outcome(review.handler(event, cast(Any, Context(29.0))))
            finally:
                metrics.clear_metrics()

    def work(self) -> None:
        if self.queues.ranges:
            self.split.page_range(*self.queues.ranges.pop(0))
        elif self.queues.jobs:
            self.run_job(self.queues.jobs.pop(0))
        else:
            for document in list(self.table.listed(UNASSEMBLED)):
                stored = self.ledger.document(DocumentId(document))
                if stored and stored.announced:
                    self.assemble.document(stored.id, stored.run)

    # ── the bucket ───────────────────────────────────────────────────────────────────────────────────────────────────

    def put(self, key: str, content: bytes, metadata: Mapping[str, str]) -> dict[str, str]:
        version = f"v{len(self.uploads.objects) + 1}"
        upload = self.uploads.put(content, key, version)
        self.uploads.objects["uploads", key, version] = content, dict(metadata)
        self.split.upload(upload)
        return {"x-amz-version-id": version} if self.versions else {}

    def object(self, key: str) -> bytes | None:
        _, document, _, *name = [*key.split("/"), ""]
        kept = self.outputs.stored.get((DocumentId(document), "/".join(name).rstrip("/")))
        if kept:
            return kept[1]
        if key.endswith("/receipt.json") and DocumentId(document) in self.pages.receipts:
            return dumped(self.pages.receipts[DocumentId(document)]).encode()
        return self.pages.objects.get(key)


def outcome(answer: Any) -> InvocationOutcome:
    return InvocationOutcome("request", "success", json.dumps(answer).encode())


class Bucket(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    served: Served

    def do_PUT(self) -> None:
        if "Content-Length" not in self.headers:
            return self.answer(411)
        content = self.rfile.read(int(self.headers["Content-Length"]))
        if status := self.refused():
            return self.answer(status)
        prefix = "x-amz-meta-"
        metadata = {
            name.lower().removeprefix(prefix): value
            for name, value in self.headers.items()
            if name.lower().startswith(prefix)
        }
        with self.served.lock:
            return self.answer(200, self.served.put(self.key("/uploads/"), content, metadata))

    def do_GET(self) -> None:
        if status := self.refused():
            return self.answer(status)
        content = self.served.object(self.key("/pages/"))
        return self.answer(404) if content is None else self.answer(200, content=content)

    def refused(self) -> int | None:
        if self.headers.get("Authorization") or self.headers.get("Cookie"):
            return 400
        if not self.served.bucket_answers:
            return None
        return self.served.bucket_answers.pop(0) or -1

    def key(self, bucket: str) -> str:
        return unquote(urlsplit(self.path).path).removeprefix(bucket)

    def answer(self, status: int, headers: Mapping[str, str] | None = None, content: bytes = b"") -> None:
        if status < 0:
            self.close_connection = True
            return
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        pass


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that has read enough breaks its connection off."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def serving(**changes: Any) -> Iterator[Served]:
    served = Served(**changes)

    class OfThis(Bucket):
        pass

    OfThis.served = served
    bucket = Server(("127.0.0.1", 0), OfThis)
    Thread(target=bucket.serve_forever, args=(0.01,), daemon=True).start()
    served.bucket = f"http://127.0.0.1:{bucket.server_port}"
    served.api = HttpApi(served, "review")
    served.api.start()
    logging.disable()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "No application metrics to publish")
            yield served
    finally:
        logging.disable(logging.NOTSET)
        served.api.stop()
        bucket.shutdown()
        bucket.server_close()
