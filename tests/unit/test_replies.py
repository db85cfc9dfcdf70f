"""After the engine has answered there is one call and one result, whatever it answered: replies with arbitrary JSON at
every place, through the real client and the real use case, on ports that refuse what AWS refuses."""

from __future__ import annotations

import copy
import gzip
import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pagewise.errors import StorageBusy, StorageRefused
from pagewise.model import JobStatus, Result, Usage, WarningCode
from pagewise.qwen.question import Again, Answer, Question
from pagewise.strict_json import dumped
from pagewise.table import Change
from pagewise.tasks import Task
from tests.fakes import MemoryTable
from tests.pictures import tiff
from tests.protocol.conftest import Pieces, engine_client
from tests.unit.conftest import Pagewise
from tests.unit.test_strict_json import NODE, read_by_node

WORDS = [{"text": "Total", "location": [1, 2, 30, 2, 30, 9, 1, 9], "rotate_rect": [15, 5, 30, 7, 0]}]
FIELDS = {"Total": "1.00", "Lines": [{"Price": 1}]}
OCR_RESULT = {Task.ADVANCED_RECOGNITION: {"words_info": WORDS}, Task.KEY_INFORMATION_EXTRACTION: {"kv_result": FIELDS}}
TEXTS = {
    Task.ADVANCED_RECOGNITION: '```json\n[{"pos_list": [{"rotate_rect": [50, 50, 30, 7, 0], "text": "Total"}]}]\n```',
    Task.KEY_INFORMATION_EXTRACTION: "```json\n" + json.dumps(FIELDS) + "\n```",
    Task.TABLE_PARSING: "```html\n<table><tr><td>Total</td></tr></table>\n```",
    Task.DOCUMENT_PARSING: "```latex\n\\section{Total}\n```",
    Task.TEXT_RECOGNITION: "Total 1.00",
}
RULES = {"type": "object", "required": ["Total"], "properties": {"Total": {"type": "string", "pattern": "^\\d"}}}


def native(task: Task) -> dict[str, Any]:
    content = {"text": TEXTS[task], "ocr_result": OCR_RESULT.get(task)}
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": [content]}}
    usage = {"input_tokens": 100, "output_tokens": 10, "total_tokens": 110}
    return {"output": {"choices": [choice]}, "usage": usage, "request_id": "r-1"}


def compatible(task: Task) -> dict[str, Any]:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": TEXTS[task]}}
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110}
    return {"id": "chatcmpl-1", "object": "chat.completion", "choices": [choice], "usage": usage}


REPLIES = {"native": native, "compatible": compatible}


@dataclass
class WholeEngine:
    """The engine's port as it is deployed: the real client, to a service that answers all by one body."""

    protocol: str
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    calls: int = 0

    async def recognize(self, question: Question, seconds: float, again: Again) -> Answer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(self.reply)) as http:
            return await engine_client(http, "http://engine", self.protocol).recognize(question, seconds, again)

    def reply(self, _: httpx.Request) -> httpx.Response:
        self.calls += 1
        headers = {"content-type": "application/json", **self.headers}
        return httpx.Response(200, headers=headers, stream=Pieces([self.body]))


PICTURE = tiff(1)
# Of all replies of this module: how many, how many calls they took, how many results they left.
TALLY: Counter[str] = Counter()


@cache
def accepted(task: Task) -> Pagewise:
    """A document of one page, split and waiting for its answer."""
    pagewise = Pagewise()
    pagewise.profiles.stored["p"] = json.dumps({"validation": RULES})
    pagewise.split.upload(pagewise.uploads.put(PICTURE, "uploads/p/page.tiff", ocr_tasks=task))
    return pagewise


def outcome(task: Task, protocol: str, body: bytes, left: list[str] | None = None, **headers: str) -> Result:
    """The one result of a page job whose engine answers so. What leaves Pagewise is checked on its way, and `left`
    takes its texts."""
    waiting, pagewise = accepted(task), Pagewise()
    pagewise.table.stored.update(copy.deepcopy(waiting.table.stored))
    pagewise.pages.objects.update(waiting.pages.objects)
    engine = WholeEngine(protocol, body, {name.replace("_", "-"): value for name, value in headers.items()})
    pagewise.engine = engine  # type: ignore[assignment]
    job = waiting.queues.jobs[0]
    first = pagewise.run_job(job)
    assert first is not None
    assert pagewise.run_job(job, deliveries=2) == pagewise.ledger.result(job.document_id, 1, task)
    stored = [key for key in pagewise.table.stored if key.record.startswith("result#")]
    TALLY.update(replies=1, calls=engine.calls, results=len(stored))
    assert (engine.calls, len(stored)) == (1, 1)
    ended = [event for event in pagewise.publisher.events if event.name in ("PageRecognized", "PageFailed")]
    assert {event.id for event in ended} == {ended[0].id}
    (line,) = pagewise.pages.receipts[job.document_id]["page_jobs"]
    assert (line["status"], line["warnings"]) == (first.status, list(first.warnings))
    assert list(ended[0].detail["warnings"]) == list(first.warnings)
    (record,) = (pagewise.table.stored[key] for key in stored)
    texts = [dumped(shown) for shown in (pagewise.pages.receipts[job.document_id], *pagewise.pages.documents.values())]
    texts += [dumped(event.detail) for event in pagewise.publisher.events]
    texts += [record["result"]] if "result" in record else []
    assert all(is_sound(json.loads(text)) for text in texts)
    if left is not None:
        left += texts
    return first


def is_sound(value: Any) -> bool:
    """Whether it is what readers in all languages read alike."""
    match value:
        case str():
            return value.encode() != b"" or value == ""
        case bool() | None:
            return True
        case int():
            return abs(value) < 2**53
        case float():
            return math.isfinite(value)
        case list():
            return all(map(is_sound, value))
    return all(is_sound(name) and is_sound(member) for name, member in value.items())


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield from places(member, (*path, name))


def put(reply: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    changed = copy.deepcopy(reply)
    inner = changed
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return changed


surrogates = st.text(st.characters(codec=None, categories=("Cs", "Lu", "Nd", "Zs", "Cc")), max_size=8)
texts = st.one_of(
    st.text(max_size=20),
    surrogates,
    st.sampled_from(
        ["I can't read this image.", "[unclear]", "", "null", "length", "content_filter", "```json\n{", "{[" * 200]
    ),
)
scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**400, -(10**39), 2**53 + 1, 10**126]),
    st.floats(allow_nan=True, allow_infinity=True),
    texts,
)
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)
tasks = st.sampled_from(list(TEXTS))
protocols = st.sampled_from(list(REPLIES))


@settings(max_examples=300)
@given(tasks, protocols, json_values, st.data())
def test_arbitrary_json_at_any_place_of_a_reply_is_one_call_and_one_result(
    task: Task, protocol: str, value: Any, data: st.DataObject
) -> None:
    reply = REPLIES[protocol](task)
    place = data.draw(st.sampled_from(list(places(reply))))
    outcome(task, protocol, json.dumps(put(reply, place, value)).encode())


@settings(max_examples=200)
@given(tasks, protocols, st.binary(max_size=200), st.booleans())
def test_a_reply_that_is_damaged_on_its_way_is_one_call_and_one_result(
    task: Task, protocol: str, noise: bytes, packed: bool
) -> None:
    reply = json.dumps(REPLIES[protocol](task)).encode()
    middle = len(reply) // 2
    body = reply[:middle] + noise + reply[middle:]
    if packed:
        outcome(task, protocol, gzip.compress(body), content_encoding="gzip")
    else:
        outcome(task, protocol, body)


@settings(max_examples=200)
@given(tasks, json_values)
def test_arbitrary_json_as_the_text_of_the_compatible_protocol(task: Task, value: Any) -> None:
    reply = compatible(task)
    reply["choices"][0]["message"]["content"] = json.dumps(value)
    outcome(task, "compatible", json.dumps(reply).encode())


@pytest.mark.parametrize("protocol", REPLIES)
@pytest.mark.parametrize("task", TEXTS)
def test_every_place_takes_each_hostile_value(protocol: str, task: Task) -> None:
    """The values of the reports, at every place there is."""
    values: list[Any] = [
        None,
        0,
        "",
        [],
        {},
        "Caf\ud83d",
        {"\ud83d": "\udc00"},
        float("nan"),
        float("inf"),
        10**400,
        -(10**39),
    ]
    for place in places(REPLIES[protocol](task)):
        for value in values:
            outcome(task, protocol, json.dumps(put(REPLIES[protocol](task), place, value)).encode())


def test_so_many_replies_were_as_many_calls_and_results() -> None:
    """After the tests above, whichever of them ran."""
    sys.stdout.write(f"{dict(TALLY)}\n")
    assert TALLY["replies"] == TALLY["calls"] == TALLY["results"]


def text_of(protocol: str, text: str, task: Task = Task.TEXT_RECOGNITION, **choice: Any) -> bytes:
    reply = REPLIES[protocol](task)
    chosen = reply["output"]["choices"][0] if protocol == "native" else reply["choices"][0]
    chosen.update(choice)
    chosen["message"]["content"] = [{"text": text}] if protocol == "native" else text
    return json.dumps(reply).encode()


both = pytest.mark.parametrize("protocol", REPLIES)


@both
def test_half_a_surrogate_pair_is_recognized_with_a_replacement(protocol: str) -> None:
    result = outcome(Task.TEXT_RECOGNITION, protocol, text_of(protocol, "Caf\ud83d"))
    assert (result.status, result.output["text"]) == (JobStatus.RECOGNIZED, "Caf\ufffd")
    assert result.warnings == (WarningCode.REPLACED_CHARACTERS,)
    assert result.usage == Usage(100, 10)


def test_a_coordinate_of_400_digits_leaves_its_line_without_a_place() -> None:
    reply = native(Task.ADVANCED_RECOGNITION)
    reply["output"]["choices"][0]["message"]["content"][0]["ocr_result"] = {
        "words_info": [{"text": "Total", "rotate_rect": [10**400, 5, 30, 7, 0]}]
    }
    result = outcome(Task.ADVANCED_RECOGNITION, "native", json.dumps(reply).encode())
    assert (result.status, result.output["text"]) == (JobStatus.RECOGNIZED, "Total")
    assert result.output["lines"][0]["location"] is None
    assert result.warnings == (WarningCode.LINES_WITHOUT_PLACE,)


@both
def test_a_reply_in_no_known_form_fails_with_its_tokens_and_its_text(protocol: str) -> None:
    reply = REPLIES[protocol](Task.TEXT_RECOGNITION)
    reply["output" if protocol == "native" else "choices"] = 5
    body = json.dumps(reply)
    for said in (body, body[:-1]):
        result = outcome(Task.TEXT_RECOGNITION, protocol, said.encode())
        assert (result.status, result.reason, result.usage) == (JobStatus.FAILED, "malformed", Usage(100, 10))
        assert result.output == {"text": said}
        assert result.warnings == (WarningCode.TEXT_KEPT,)


@both
@pytest.mark.parametrize(
    ("text", "finish_reason", "reason"),
    [
        ("A page that goes on", "length", "truncated"),
        ("Introduction\n" + "and the same again\n" * 300, "stop", "degenerate"),
        ("I'm sorry, but I can't read this image.", "stop", "refusal"),
        ("对不起，我无法识别这张图片。", "stop", "refusal"),
        ("[unclear] [unclear]\n[illegible]", "stop", "unclear"),
        ("The first half of", "content_filter", "content_filter"),
    ],
)
def test_text_that_was_paid_for_is_kept(protocol: str, text: str, finish_reason: str, reason: str) -> None:
    result = outcome(Task.TEXT_RECOGNITION, protocol, text_of(protocol, text, finish_reason=finish_reason))
    assert (result.status, result.reason) == (JobStatus.FAILED, reason)
    assert result.output == {"text": text}
    assert result.warnings == (WarningCode.TEXT_KEPT,)
    assert result.usage == Usage(100, 10)


@both
@pytest.mark.parametrize(
    ("task", "text", "code"),
    [
        (Task.TEXT_RECOGNITION, "", WarningCode.EMPTY_TEXT),
        (Task.TABLE_PARSING, "```html\n<table></table>\n```", WarningCode.EMPTY_TEXT),
        (Task.ADVANCED_RECOGNITION, "[]", WarningCode.EMPTY_TEXT),
        (Task.KEY_INFORMATION_EXTRACTION, '{"Total": "null", "Lines": [{"Price": ""}]}', WarningCode.EMPTY_FIELDS),
        (Task.TEXT_RECOGNITION, "There is no text in this image.", WarningCode.NO_TEXT_CLAIMED),
        (Task.TEXT_RECOGNITION, "Name: [unclear] Smith", WarningCode.UNCLEAR_TEXT),
        (Task.ADVANCED_RECOGNITION, '[{"rotate_rect": [500, 500, 100, 20, 0]}]', WarningCode.NO_TEXT_IN_LINES),
        (Task.KEY_INFORMATION_EXTRACTION, '{"b": 007}', WarningCode.REPAIRED),
        (Task.TEXT_RECOGNITION, "ACME Ltd\n12 Main Street\n" * 6, WarningCode.REPEATED_TEXT),
    ],
)
def test_an_answer_that_may_be_wrong_says_so(protocol: str, task: Task, text: str, code: WarningCode) -> None:
    result = outcome(task, protocol, text_of(protocol, text, task))
    assert (result.status, result.warnings) == (JobStatus.RECOGNIZED, (code,))


@both
def test_an_honest_answer_has_no_warning(protocol: str) -> None:
    for task in TEXTS:
        result = outcome(task, protocol, json.dumps(REPLIES[protocol](task)).encode())
        assert (result.status, result.warnings, result.reason) == (JobStatus.RECOGNIZED, (), None)


@both
def test_leading_zeros_stay(protocol: str) -> None:
    result = outcome(
        Task.KEY_INFORMATION_EXTRACTION,
        protocol,
        text_of(protocol, '{"Invoice": 007, "Time": 08:30, "Total": 1}', Task.KEY_INFORMATION_EXTRACTION),
    )
    assert result.output["fields"] == {"Invoice": "007", "Time": "08:30", "Total": 1}


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_node_reads_all_that_hostile_replies_leave() -> None:
    """Results, receipts and events, as they are stored and published: the same values, in another language."""
    left: list[str] = []
    for protocol, reply_of in REPLIES.items():
        for task in TEXTS:
            reply = reply_of(task)
            for place in places(reply):
                for value in ({"\ud83d": [float("nan"), 10**400, 0.1, 2**60]}, "Caf\ud83d\uffff\u2028"):
                    outcome(task, protocol, json.dumps(put(reply, place, value)).encode(), left)
    assert len(left) > 1_000
    assert read_by_node(left) == [json.loads(text) for text in left]


# ── storage ──────────────────────────────────────────────────────────────────────────────────────────────────────────


class BusyFor(MemoryTable):
    """Busy for so many transactions, each time that a result comes."""

    def __init__(self, times: int, error: Exception | None = None) -> None:
        super().__init__()
        self.times = times
        self.error = error or StorageBusy("The results table: ThrottlingException.")

    def change(self, *changes: Change) -> None:
        if self.times and any(change.key.record.startswith("result#") for change in changes):
            self.times -= 1
            raise self.error
        super().change(*changes)


def on_a_table(table: MemoryTable) -> tuple[Pagewise, Result | None]:
    pagewise = Pagewise()
    pagewise.table.stored = table.stored
    object.__setattr__(pagewise.ledger, "table", table)
    pagewise.split.upload(pagewise.upload(PICTURE))
    return pagewise, pagewise.run_job(pagewise.queues.jobs[0])


def test_storage_that_is_busy_for_a_moment_does_not_cost_a_second_call() -> None:
    pagewise, result = on_a_table(BusyFor(3))
    assert result is not None
    assert result.status is JobStatus.RECOGNIZED
    assert len(pagewise.engine.questions) == 1


@pytest.mark.parametrize(
    "error",
    [StorageRefused("The results table: ValidationException."), UnicodeEncodeError("utf-8", "\ud83d", 0, 1, "no")],
)
def test_what_storage_never_takes_is_a_failed_result_with_its_tokens(error: Exception) -> None:
    pagewise, result = on_a_table(BusyFor(1, error))
    assert result is not None
    assert (result.status, result.reason, result.usage) == (JobStatus.FAILED, "unstorable", Usage(100, 10))
    assert len(pagewise.engine.questions) == 1
