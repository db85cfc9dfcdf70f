"""The vendor's ticket sample, from an upload to fields: the whole Pagewise asks an engine that really reads."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from pagewise.errors import Permanent
from pagewise.model import JobStatus
from pagewise.qwen.client import timeouts
from pagewise.qwen.question import Again, Answer, Question
from pagewise.tasks import Task
from tests.engine.asking import Engine, drawn, encode
from tests.protocol import captures
from tests.protocol.conftest import address, asked, engine_client, question
from tests.unit.conftest import Pagewise

EXTRACTION = "key_information_extraction"
PRINTED = {
    "invoice number": "24329116804000",
    "train number": "G1948",
    "departure station": "Nanjing South",
    "destination station": "Zhengzhou East",
    "departure date and time": "2024-11-14 11:46",
    "seat number": "Car 04 Seat 12A",
    "seat type": "Second class",
    "ticket price": "337.50",
    "id card number": "4107281991",
    "passenger name": "Du Xiaoguang",
}


@dataclass
class Asking:
    """The real client, with a connection of its own for each call: in a test each call has its own event loop."""

    base: str
    protocol: str

    async def recognize(self, question: Question, seconds: float, again: Again) -> Answer:
        async with httpx.AsyncClient(timeout=timeouts()) as http:
            return await engine_client(http, self.base, self.protocol).recognize(question, seconds, again)


def uploaded(reading: Engine, protocol: str, **metadata: str) -> tuple[Any, dict[str, Any]]:
    lines = [f"{name.capitalize()}: {value}" for name, value in PRINTED.items()]
    pagewise = Pagewise()
    pagewise.engine = Asking(address(reading), protocol)  # type: ignore[assignment]
    ticket = encode(drawn(*lines, size=(1100, 800)))
    document = pagewise.split.upload(pagewise.upload(ticket, **metadata))
    pagewise.run_queues()
    return pagewise.ledger.result(document.id, 1, document.tasks[0]), dict(pagewise.receipt_of(document))


@pytest.mark.skipif(not captures.FOLDER.exists(), reason="../shared/wire-captures is not here")
@pytest.mark.parametrize(
    ("capture", "protocol"), [("dashscope-prompt-url", "native"), ("openai-ticket-prompt", "compatible")]
)
def test_the_ticket_sample_becomes_fields(reading: Engine, capture: str, protocol: str) -> None:
    (request,) = captures.capture(capture)["requests"]
    prompt = str(captures.question_of(capture, request).prompt)
    result, receipt = uploaded(reading, protocol, ocr_tasks=EXTRACTION, ocr_prompt=prompt)
    assert (receipt["status"], receipt["options"]) == ("complete", {"prompts": {EXTRACTION: prompt}})
    fields = {name.lower().replace("_", " "): value for name, value in result.output["fields"].items()}
    assert fields == PRINTED, json.dumps(fields)


@pytest.mark.parametrize("protocol", ["native", "compatible"])
def test_a_prompt_that_the_embedded_engine_cannot_follow_fails_its_page_job_and_says_so(
    reading: Engine, protocol: str
) -> None:
    result, receipt = uploaded(reading, protocol, ocr_prompt="What is the mood of this page?")
    assert result.status is JobStatus.FAILED
    assert "real Qwen-OCR endpoint" in result.message
    assert receipt["usage"] == {"input_tokens": 0, "output_tokens": 0}
    with pytest.raises(Permanent):
        asked(address(reading), question(None, prompt="What is the mood of this page?"), protocol)


@pytest.mark.parametrize("protocol", ["native", "compatible"])
def test_a_request_for_all_text_is_followed(reading: Engine, protocol: str) -> None:
    result, _ = uploaded(reading, protocol, ocr_tasks=Task.TABLE_PARSING, ocr_prompt="Extract all text from the image.")
    assert set(result.output) == {"text"}
    assert result.output["text"].startswith("Invoice number: 24329116804000")
