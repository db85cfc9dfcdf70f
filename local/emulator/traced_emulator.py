"""MiniStack with the one part of SQS that it leaves out: a sender's trace header stays with its messages.

Run by the emulator's own Python. Every AWS SDK sends the header X-Amzn-Trace-Id from inside a function, and SQS takes
it for the system attribute AWSTraceHeader:
https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-other-services.html
Lambda counts by it how often a message's chain has been through a function.
"""

from __future__ import annotations

from contextvars import ContextVar
from typing import Any
from urllib.parse import unquote

from ministack import app as emulator  # type: ignore[import-not-found]
from ministack.services import sqs  # type: ignore[import-not-found]

TRACE_HEADER = b"x-amzn-trace-id"
trace: ContextVar[str] = ContextVar("trace", default="")
answer = emulator.app
attributes_of = sqs._build_send_sys_attrs  # noqa: SLF001  there is no other place for it


async def traced(scope: Any, receive: Any, send: Any) -> None:
    headers = dict(scope.get("headers") or ())
    trace.set(unquote(headers.get(TRACE_HEADER, b"").decode("latin-1")))
    await answer(scope, receive, send)


def with_trace(now: float, given: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = attributes_of(now, given)
    return {"AWSTraceHeader": trace.get(), **kept} if trace.get() else kept


if __name__ == "__main__":
    emulator.app = traced
    sqs._build_send_sys_attrs = with_trace  # noqa: SLF001
    emulator.main()
