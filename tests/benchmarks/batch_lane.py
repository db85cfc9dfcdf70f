"""Seconds and memory of the collector and the follower, for the most lines, or the most bytes, that a batch may have.

    python -m tests.benchmarks.batch_lane [lines [bytes of a reply]]

The table, buckets and bus are in memory and forget what is only written; replies come over HTTP from another process.
Memory is what each step adds at its peak. The times are those of one core without the waits for AWS.
"""

from __future__ import annotations

import json
import math
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from typing import Any

import httpx

from pagewise.account.closing import Accounting
from pagewise.account.ledger import Ledger
from pagewise.account.lots import LotLimits, Lots, custom_id
from pagewise.events import Event
from pagewise.model import Document, DocumentId, DocumentStatus, Lane, PageJob, Source, StoredImage
from pagewise.qwen.batch_client import BatchClient
from pagewise.qwen.batches import RemoteBatch, RemoteFile
from pagewise.qwen.settings import EngineSettings
from pagewise.table import Change
from pagewise.tasks import Task
from pagewise.use_cases.collect import Collect
from pagewise.use_cases.follow import Follow, FollowSettings
from pagewise.use_cases.settle import Settle
from tests.fakes import MemoryClock, MemoryPages, MemoryPublisher, MemoryQueues, MemoryTable
from tests.pictures import picture

SETTINGS = EngineSettings("http://engine", "qwen-vl-ocr")
DOCUMENT_PAGES = 1_000
# Of an invocation of the collector.
TOGETHER = 49
# A lot that 64,000 bytes of words a line, at most, do not close.
LIMITS = LotLimits(bytes=10**12)


class ForgetfulTable(MemoryTable):
    """Results and pages are written and not kept."""

    def make(self, change: Change) -> None:
        if not change.key.record.startswith(("result#", "page#")):
            super().make(change)


class OnePage(MemoryPages):
    content: bytes = b""

    def image(self, _image: StoredImage) -> bytes:
        return self.content

    def put_json(self, key: str, value: Mapping[str, Any]) -> None:
        pass


class NobodyListens(MemoryPublisher):
    def publish(self, events: Sequence[Event]) -> None:
        pass


class Service:
    """What the follower sends is measured and dropped; what it reads comes over HTTP."""

    def __init__(self, client: BatchClient) -> None:
        self.client = client
        self.bytes = self.lines_sent = 0

    def upload(self, _name: str, file: Path) -> str:
        self.bytes = file.stat().st_size
        with file.open("rb") as lines:
            self.lines_sent = sum(1 for _ in lines)
        return "file-in"

    def create(self, _file_id: str, name: str, _window_hours: int) -> RemoteBatch:
        return RemoteBatch("batch", "in_progress", name)

    def find(self, _name: str) -> None:
        return None

    def batch(self, batch_id: str) -> RemoteBatch:
        return RemoteBatch(batch_id, "completed", output_file_id="file-out")

    def lines(self, file_id: str) -> Iterator[bytes]:
        return self.client.lines(file_id)

    def delete(self, file_id: str) -> None:
        pass

    def files(self) -> list[RemoteFile]:
        return []


def main(lines: int = 50_000, reply_bytes: int = 10_000) -> None:
    with replies(lines, reply_bytes) as address:
        service = Service(BatchClient(httpx.Client(timeout=60), address, lambda: "sk-any"))
        table, pages, clock = ForgetfulTable(), OnePage(), MemoryClock()
        pages.content = picture()
        ledger = Ledger(table, pages)
        lots = Lots(table, LIMITS)
        accounting = Accounting(ledger, pages, NobodyListens(), clock)
        jobs = [page_job(number, len(pages.content)) for number in range(lines)]
        for document in {job.document_id for job in jobs}:
            ledger.open(document_of(document))
        collect = Collect(lots, ledger, MemoryQueues(), clock, SETTINGS)
        settle = Settle(lots, ledger, MemoryQueues(), accounting, clock, SETTINGS)
        with tempfile.TemporaryDirectory() as folder:
            follow = Follow(service, lots, pages, settle, FollowSettings(), disk=Path(folder))
            show("collector", lines, lambda: gathered(collect, jobs))
            later(clock, 1_900)
            show("follower: lines written", lines, lambda: follow.visit(math.inf))
            later(clock, 700)
            show("follower: replies stored", lines, lambda: follow.visit(math.inf))
        (lot,) = lots.all()
        told = {"sent": [service.lines_sent, service.bytes], "answered": lot.answered, "state": lot.state}
        sys.stdout.write(json.dumps(told | {"reply_bytes": lines * reply_bytes}) + "\n")


def gathered(collect: Collect, jobs: list[PageJob]) -> None:
    for start in range(0, len(jobs), TOGETHER):
        collect.page_jobs(jobs[start : start + TOGETHER])


def later(clock: MemoryClock, seconds: int) -> None:
    clock.milliseconds += 1000 * seconds


def page_job(number: int, size: int) -> PageJob:
    document = DocumentId(f"document{number // DOCUMENT_PAGES:024}")
    page = number % DOCUMENT_PAGES + 1
    image = StoredImage(f"documents/{document}/pages/{page:05}.png", "image/png", 200, 100, size)
    return PageJob(document, page, Task.TEXT_RECOGNITION, 1, image, lane=Lane.BATCH)


def document_of(document_id: DocumentId) -> Document:
    moment = "2026-01-01T00:00:00.000Z"
    return Document(
        id=document_id,
        source=Source("uploads", "uploads/a.pdf", "v", None, 1),
        status=DocumentStatus.IN_PROGRESS,
        tasks=(Task.TEXT_RECOGNITION,),
        pages=DOCUMENT_PAGES + 1,  # it does not end
        started=moment,
        due="2999-01-01T00:00:00.000Z",
        lane=Lane.BATCH,
    )


def show(name: str, lines: int, act: Callable[[], object]) -> None:
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    before, began, worked = memory("VmRSS"), time.monotonic(), time.process_time()
    act()
    seconds, cpu = time.monotonic() - began, time.process_time() - worked
    figures = f"{seconds:7.1f} s {cpu:7.1f} s of CPU {1000 * cpu / lines:6.2f} ms a line"
    sys.stdout.write(f"{name:26} {figures} {memory('VmHWM') - before:6.0f} MB more at the peak\n")
    sys.stdout.flush()


def memory(name: str) -> float:
    status = Path("/proc/self/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


@contextmanager
def replies(lines: int, size: int) -> Iterator[str]:
    ports: Queue[int] = Queue()
    server = Process(target=serve, args=(ports, lines, size), daemon=True)
    server.start()
    try:
        yield f"http://127.0.0.1:{ports.get()}"
    finally:
        server.terminate()


def serve(ports: Queue[int], lines: int, size: int) -> None:
    words = " ".join(f"word{number}" for number in range(size))

    class Replies(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            for number in reversed(range(lines)):
                self.wfile.write(reply(custom_id(page_job(number, 1)), words, size))

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Replies)
    ports.put(server.server_address[1])
    server.serve_forever()


def reply(name: str, words: str, size: int) -> bytes:
    message = {"role": "assistant", "content": words[: max(0, size - 330)]}
    body = {
        "id": "chatcmpl-1",
        "model": "qwen-vl-ocr",
        "choices": [{"index": 0, "finish_reason": "stop", "message": message}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10},
    }
    line = {"custom_id": name, "response": {"status_code": 200, "request_id": "r", "body": body}, "error": None}
    return json.dumps(line).encode() + b"\n"


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
