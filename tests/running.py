"""Pagewise running on this machine: its functions in their own processes, its engine under test control."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.children import Children
from local.embedded_mode import ENGINE_PYTHON, NO_RATE_BUDGET, TEMPLATE, store_api_key
from local.emulator.process import free_port
from local.emulator.published_events import PublishedEvent, PublishedEvents
from local.functions.environments import DEFAULT_CONCURRENCY
from local.functions.event_sources import Faults
from local.stack import ROOT, Stack


@dataclass(frozen=True)
class EngineUnderTest:
    """The embedded engine with canned answers, told by a test how to behave, counting what it is asked."""

    base: str

    @property
    def url(self) -> str:
        return f"{self.base}/api/v1"

    def requests(self) -> dict[str, Any]:
        return dict(self.call("GET", "/requests"))

    def behave(self, *behaviours: Mapping[str, Any]) -> None:
        self.call("POST", "/behaviour", list(behaviours))

    def call(self, method: str, path: str, body: Any = None) -> Any:
        request = urllib.request.Request(  # noqa: S310  our own server
            self.base + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=10) as reply:  # noqa: S310
            return json.loads(reply.read() or b"null")


@dataclass
class Running:
    stack: Stack
    engine: EngineUnderTest
    published: PublishedEvents
    events: list[PublishedEvent]

    def upload(self, name: str, content: bytes, **metadata: str) -> str:
        """Upload as any S3 client would; the key."""
        key = f"uploads/{name}"
        self.stack.client("s3").put_object(
            Bucket=self.stack.deployment.outputs["UploadsBucket"],
            Key=key,
            Body=content,
            Metadata={option.replace("_", "-"): value for option, value in metadata.items()},
        )
        return key

    def until_ended(self, *keys: str, seconds: float = 180) -> dict[str, dict[str, Any]]:
        """Wait until these documents have ended; their receipts by key."""
        deadline = time.monotonic() + seconds
        while missing := set(keys) - set(self.ends()):
            assert time.monotonic() < deadline, f"not ended: {sorted(missing)}"
            self.events += self.published.receive(wait=1)
        return {key: self.receipt(self.ends()[key]["receipt"]) for key in keys}

    def until_event(self, name: str, seconds: float = 120) -> PublishedEvent:
        deadline = time.monotonic() + seconds
        while not (found := [event for event in self.events if event.name == name]):
            assert time.monotonic() < deadline, f"no {name}"
            self.events += self.published.receive(wait=1)
        return found[-1]

    def ends(self) -> dict[str, dict[str, Any]]:
        ends = ("DocumentCompleted", "DocumentRejected")
        return {event.detail["document"]["key"]: event.detail for event in self.events if event.name in ends}

    def receipt(self, pointer: Mapping[str, str]) -> dict[str, Any]:
        body = self.stack.client("s3").get_object(Bucket=pointer["bucket"], Key=pointer["key"])["Body"]
        return dict(json.loads(body.read()))

    def invocations(self) -> list[dict[str, Any]]:
        path = self.stack.logs / "invocations.jsonl"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@contextmanager
def running(
    logs: Path,
    *,
    parameters: Mapping[str, str] | None = None,
    delay: float = 0.0,
    requests_per_minute: int = 0,
    concurrency: int = DEFAULT_CONCURRENCY,
    account_concurrency: int = 10,
    faults: Faults | None = None,
    visibility_timeout: int | None = None,
    enforce_permissions: bool = False,
    template: Path = TEMPLATE,
    recognizes: bool = False,
    hurried: Mapping[str, float] | None = None,
) -> Iterator[Running]:
    """`delay`: seconds that the engine takes for an answer; `requests_per_minute`: how many it takes, 0 for all.
    `recognizes`: it reads the pages, which takes seconds for each, and cans no answers. `hurried`: seconds between two
    invocations by a schedule, by a part of the function's name."""
    with Children() as children:
        engine = start_engine(children, logs, delay, requests_per_minute, recognizes=recognizes)
        stack = Stack(
            children,
            template,
            logs=logs,
            parameters={"QwenBaseUrl": engine.url, **NO_RATE_BUDGET, **(parameters or {})},
            faults=faults,
            visibility_timeout=visibility_timeout,
            enforce_permissions=enforce_permissions,
            concurrency=concurrency,
            account_concurrency=account_concurrency,
            hurried=hurried,
        )
        with stack:
            store_api_key(stack)
            yield Running(stack, engine, PublishedEvents(stack.emulator, stack.deployment.outputs["EventBus"]), [])


def start_engine(
    children: Children, logs: Path, delay: float, requests_per_minute: int = 0, *, recognizes: bool = False
) -> EngineUnderTest:
    port = free_port()
    engine = EngineUnderTest(f"http://127.0.0.1:{port}")
    options = ["--test-controls", "--delay", str(delay), "--requests-per-minute", str(requests_per_minute)]
    if not recognizes:
        options.append("--canned")
    child = children.start(
        [str(ENGINE_PYTHON), "-m", "local.engine", "--port", str(port), *options],
        variables={},
        log=logs / "engine.log",
        folder=ROOT,
    )
    until_healthy(engine, child)
    return engine


def until_healthy(engine: EngineUnderTest, child: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            engine.call("GET", "/health")
        except OSError:
            assert child.poll() is None, "the engine ended"
            assert time.monotonic() < deadline, "the engine did not start"
            time.sleep(0.05)
        else:
            return
