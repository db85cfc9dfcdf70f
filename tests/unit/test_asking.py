"""What an uploader asks of the engine beside the tasks, from the upload to the request, the result and the receipt."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from commands.uploads import DocumentError, RequestedOptions
from pagewise.account.reuse import fingerprint
from pagewise.account.spending import Spending
from pagewise.aws.buckets import readable
from pagewise.errors import DocumentRejected
from pagewise.geometry import Size
from pagewise.messages import dump_job, load_job
from pagewise.model import Document, DocumentId, DocumentStatus, PageJob, StoredImage, TaskOptions, TextLayer
from pagewise.options.asking import MOST_PROMPT_CHARACTERS, Ability
from pagewise.options.metadata import DocumentOptions, document_options
from pagewise.options.profiles import load_profile
from pagewise.qwen import dashscope
from pagewise.qwen.models import model_of
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.prompts import PLAIN_TEXT, SCHEMA_INTRODUCTION
from pagewise.qwen.question import Question
from pagewise.qwen.settings import EngineSettings
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.fakes import text_answer
from tests.pictures import picture
from tests.protocol import captures
from tests.unit.conftest import Pagewise

EXTRACTION = "key_information_extraction"
EVERY_TASK = tuple(Task)
FIELDS = {"invoice_number": "24329116804000", "train_number": "G1948"}
needs_captures = pytest.mark.skipif(not captures.FOLDER.exists(), reason="../shared/wire-captures is not here")


def wished(profile: dict[str, Any] | None = None, ability: Ability | None = None, **metadata: str) -> DocumentOptions:
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    stored = load_profile("p", json.dumps(profile)) if profile else None
    return document_options(named, (Task.TEXT_RECOGNITION,), EVERY_TASK, stored, engine=ability)


def recognized(pagewise: Pagewise, **metadata: str) -> tuple[Document, list[Question], dict[str, Any]]:
    document = pagewise.split.upload(pagewise.upload(picture(), **metadata))
    pagewise.run_queues()
    return document, pagewise.engine.questions, dict(pagewise.receipt_of(document))


# ── prompts ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@needs_captures
@pytest.mark.parametrize(
    ("name", "native"), [("dashscope-prompt-url", True), ("openai-ticket-prompt", False)], ids=["native", "compatible"]
)
def test_the_ticket_sample_goes_from_an_upload_to_fields_as_the_sdk_asks(name: str, native: bool) -> None:
    (request,) = captures.capture(name)["requests"]
    prompt = captures.question_of(name, request).prompt
    assert prompt
    pagewise = Pagewise(script=[text_answer(f"```json\n{json.dumps(FIELDS)}\n```")])
    # As it comes from the command line, through S3, to the splitter.
    header = RequestedOptions(tasks=EXTRACTION, prompt=prompt).metadata()["ocr-prompt"]
    document, (question,), receipt = recognized(pagewise, ocr_tasks=EXTRACTION, ocr_prompt=readable(header))
    sample = captures.question_of(name, request).image
    assert isinstance(sample, str)
    body = dashscope.body(question, sample) if native else OpenAICompatible().body(question, sample)
    assert body == request["body"]
    result = pagewise.ledger.result(document.id, 1, Task.KEY_INFORMATION_EXTRACTION)
    assert result
    assert result.output["fields"] == FIELDS
    assert receipt["options"] == {"prompts": {EXTRACTION: prompt}}


def test_the_answer_to_a_prompt_is_text_whatever_the_task() -> None:
    names = ("advanced_recognition", "table_parsing", "document_parsing", "text_recognition")
    pagewise = Pagewise(script=[text_answer("3 tables")])
    document, questions, _ = recognized(pagewise, ocr_tasks=",".join(names), ocr_prompt="How many tables are there?")
    assert {(question.task, question.prompt) for question in questions} == {(None, "How many tables are there?")}
    for name in names:
        result = pagewise.ledger.result(document.id, 1, Task(name))
        assert result
        assert result.output == {"text": "3 tables"}
        assert not result.warnings
    outputs = [event.detail["output"] for event in pagewise.publisher.events if event.name == "PageRecognized"]
    assert outputs == [{"text": "3 tables"}] * len(names)


def test_a_prompt_can_be_for_one_task_and_the_profile_s_hold_for_the_others() -> None:
    profile = {"prompts": {"text_recognition": "of the profile", "table_parsing": "tables", "multi_lan": "unasked"}}
    options = wished(
        profile, ocr_tasks="text_recognition,table_parsing", ocr_prompt='{"text_recognition": "of the upload"}'
    ).options
    assert options.prompts == {Task.TEXT_RECOGNITION: "of the upload", Task.TABLE_PARSING: "tables"}
    assert options.of(Task.TABLE_PARSING).prompts == {Task.TABLE_PARSING: "tables"}
    assert wished(profile, ocr_tasks="formula_recognition").warnings == ("prompt_unused",)


def test_a_prompt_that_is_json_and_names_no_task_is_a_prompt() -> None:
    prompt = '{"Total": "the sum"}'
    assert wished(ocr_prompt=prompt).options.prompts == {Task.TEXT_RECOGNITION: prompt}


def test_a_schema_ends_a_prompt_and_a_prompt_of_the_upload_replaces_the_profile_s_schema() -> None:
    both = {"tasks": [EXTRACTION], "prompts": {EXTRACTION: "Read."}, "result_schema": {"Total": ""}}
    pagewise = Pagewise(script=[text_answer('{"Total": "9"}')])
    pagewise.profiles.stored["p"] = json.dumps(both)
    _, (question,), receipt = recognized(pagewise, ocr_profile="p")
    assert str(question.prompt).startswith(f"Read.{SCHEMA_INTRODUCTION}{{")
    assert question.result_schema is None
    assert receipt["warnings"] == []
    replaced = wished(both, ocr_prompt="What is the total? Answer {'Total': 'xxx'}.")
    assert replaced.options.result_schema is None
    assert replaced.warnings == ("result_schema_unused",)


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"ocr_prompt": ""}, "says nothing"),
        ({"ocr_prompt": " \n"}, "says nothing"),
        ({"ocr_prompt": "a" * (MOST_PROMPT_CHARACTERS + 1)}, "at most 8,000"),
        ({"ocr_prompt": '{"text_recognition": ""}'}, "says nothing"),
        ({"ocr_prompt": '{"text_recognition": 7}'}, "a prompt is a text"),
        ({"ocr_prompt": '{"text_recognition": "a", "table_parsin": "b"}'}, "Did you mean table_parsing?"),
        ({"ocr_prompt": '{"table_parsing": "a"}'}, "not among the tasks"),
        ({"ocr_prompts": "a"}, "Did you mean ocr-prompt?"),
        ({"ocr_max_pixels": "15680001"}, "from 3,072 to 15,680,000"),
        ({"ocr_max_pixels": "3071"}, "from 3,072"),
        ({"ocr_min_pixels": "many"}, "ocr-min-pixels is many"),
        ({"ocr_min_pixels": ""}, "no whole number"),
        ({"ocr_min_pixels": "9000000"}, "Raise the most"),
        ({"ocr_dpi": "35"}, "from 36 to 1,200"),
        ({"ocr_dpi": "1e3"}, "no whole number"),
        ({"ocr_dpi": "9" * 5_000}, "no whole number"),
        ({"ocr_logprobs": "yes please"}, "neither true nor false"),
    ],
)
def test_an_unsound_wish_rejects_the_document_before_anything_is_spent(metadata: dict[str, str], says: str) -> None:
    pagewise = Pagewise()
    document = pagewise.split.upload(pagewise.upload(picture(), **metadata))
    pagewise.run_queues()
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "invalid_option")
    assert says in str(document.message)
    assert not pagewise.engine.questions


@pytest.mark.parametrize(
    ("profile", "says"),
    [
        ({"prompts": ["a"]}, "no JSON object"),
        ({"prompts": {"tables": "a"}}, "is no task"),
        ({"prompts": {"multi_lan": " "}}, "says nothing"),
        ({"max_pixels": "8388608"}, "no whole number"),
        ({"max_pixels": True}, "no whole number"),
        ({"dpi": 5000}, "from 36 to 1,200"),
        ({"logprobs": "true"}, "neither true nor false"),
    ],
)
def test_an_unsound_profile_is_refused(profile: dict[str, Any], says: str) -> None:
    with pytest.raises(DocumentRejected, match=says) as raised:
        load_profile("p", json.dumps(profile))
    assert raised.value.reason == "invalid_profile"


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=300))
def test_a_prompt_is_after_its_way_through_a_header_what_it_was(prompt: str) -> None:
    header = RequestedOptions(prompt=prompt).metadata()["ocr-prompt"]
    assert header.isascii()
    assert header.isprintable()
    assert readable(header.strip()) == prompt


def test_more_than_s3_takes_is_refused_before_the_upload_and_says_where_to_put_it() -> None:
    with pytest.raises(DocumentError, match="into a profile"):
        RequestedOptions(prompt="车票" * 500).metadata()
    assert RequestedOptions(prompt="a" * 1_900).metadata()


# ── pixels and resolution ────────────────────────────────────────────────────────────────────────────────────────────


def test_pixels_reach_the_call_and_the_page_image_and_the_receipt() -> None:
    pagewise = Pagewise(SplitSettings())
    asked = {"ocr_min_pixels": "100352", "ocr_max_pixels": "200000", "ocr_dpi": "300"}
    document = pagewise.split.upload(pagewise.upload(picture(1000, 1000), **asked))
    pagewise.run_queues()
    (question,) = pagewise.engine.questions
    assert (question.min_pixels, question.max_pixels) == (100_352, 200_000)
    result = pagewise.ledger.result(document.id, 1, Task.TEXT_RECOGNITION)
    assert result
    assert 190_000 < result.image_width * result.image_height <= 200_000
    expected = {"min_pixels": 100_352, "max_pixels": 200_000, "dpi": 300}
    assert pagewise.receipt_of(document)["options"] == expected


def test_dpi_and_pixels_of_a_document_are_the_renderer_s() -> None:
    split = Pagewise().split
    larger = DocumentOptions((Task.TEXT_RECOGNITION,), None, TaskOptions(dpi=400, max_pixels=15_000_000))
    wanted = split.renderer(larger)
    assert (wanted.dpi, wanted.max_pixels) == (400, 15_000_000)
    assert split.renderer(replace(larger, options=TaskOptions())) == split.settings.renderer


@pytest.mark.parametrize(("prompts", "layer"), [({}, "prefer"), ({Task.TEXT_RECOGNITION: "Where?"}, "ignore")])
def test_a_page_s_own_text_answers_no_prompt(prompts: dict[Task, str], layer: str) -> None:
    options = TaskOptions(prompts=prompts)
    wanted = DocumentOptions((Task.TEXT_RECOGNITION,), None, options, text_layer=TextLayer.PREFER)
    assert Pagewise().split.renderer(wanted).text_layer == layer


def test_a_profile_s_pixels_are_second_to_the_upload_s() -> None:
    profile = {"max_pixels": 12_000_000, "min_pixels": 4_000, "dpi": 300}
    options = wished(profile, ocr_max_pixels="9000000").options
    assert (options.min_pixels, options.max_pixels, options.dpi) == (4_000, 9_000_000, 300)


def test_more_pixels_count_against_the_caps() -> None:
    page, tasks = [Size(3900, 3900)], [Task.TEXT_RECOGNITION]
    more = Spending().most(page, tasks, TaskOptions(max_pixels=15_680_000))
    assert more > Spending().most(page, tasks, TaskOptions())
    pagewise = Pagewise(SplitSettings(spending=Spending(document_cap=0.00195)))
    assert pagewise.split.upload(pagewise.upload(picture(3500, 3500), key="uploads/a")).reason is None
    raised = pagewise.split.upload(pagewise.upload(picture(3500, 3500), key="uploads/b", ocr_max_pixels="15680000"))
    assert raised.reason == "over_budget"


def test_min_pixels_that_no_call_would_say_are_refused() -> None:
    with pytest.raises(DocumentRejected, match="QwenPixelLimits"):
        wished(ability=Ability(bounds_pixels=False), ocr_min_pixels="4000")
    assert wished(ability=Ability(bounds_pixels=False), ocr_max_pixels="4000").options.max_pixels == 4_000


def test_a_page_and_a_prompt_over_the_input_limit_are_refused() -> None:
    # 15.68 million pixels are 20,002 tokens of 784 pixels, and Chinese has a token for each character.
    ability = Ability(model_of("qwen-vl-ocr-2025-08-28"))
    with pytest.raises(DocumentRejected, match="takes 30,000"):
        wished(
            {"tasks": [EXTRACTION], "prompts": {EXTRACTION: "读" * 8_000}, "result_schema": {"合" * 2_500: ""}},
            ability,
            ocr_max_pixels="15680000",
        )


# ── reuse, messages ──────────────────────────────────────────────────────────────────────────────────────────────────


JOB = PageJob(DocumentId("d"), 1, Task.TEXT_RECOGNITION, 1, StoredImage("k", "image/png", 100, 100, 1000, "0" * 64))


@pytest.mark.parametrize(
    "options",
    [
        TaskOptions(prompts={Task.TEXT_RECOGNITION: "a"}),
        TaskOptions(prompts={Task.TEXT_RECOGNITION: PLAIN_TEXT}),
        TaskOptions(min_pixels=4_000),
        TaskOptions(max_pixels=4_000),
        TaskOptions(logprobs=True),
    ],
)
def test_another_question_is_not_answered_from_what_is_known(options: TaskOptions) -> None:
    settings = EngineSettings("http://engine", "qwen-vl-ocr-2025-11-20")
    other = PageJob(**{**{name: getattr(JOB, name) for name in JOB.__slots__}, "options": options})
    assert fingerprint(other, settings) != fingerprint(JOB, settings)
    assert load_job(dump_job(other)) == other


def test_another_model_is_another_question() -> None:
    one, other = (EngineSettings("http://engine", name) for name in ("qwen-vl-ocr", "qwen3.5-ocr"))
    assert fingerprint(JOB, one) != fingerprint(JOB, other)


def test_two_prompts_on_one_image_are_two_answers_and_the_same_is_one() -> None:
    pagewise = Pagewise(reuses=True)
    for number, prompt in enumerate(("one", "two", "one")):
        pagewise.split.upload(pagewise.upload(picture(), key=f"uploads/{number}", ocr_prompt=prompt))
        pagewise.run_queues()
    assert [question.prompt for question in pagewise.engine.questions] == ["one", "two"]


def test_the_schema_of_profiles_names_the_same_bounds() -> None:
    schema = json.loads((Path(__file__).parents[2] / "profiles/schema.json").read_text(encoding="utf-8"))["properties"]
    assert schema["prompts"]["additionalProperties"]["maxLength"] == MOST_PROMPT_CHARACTERS
    assert set(schema["prompts"]["propertyNames"]["enum"]) == set(Task)
    for name in ("min_pixels", "max_pixels", "dpi"):
        load_profile("p", json.dumps({name: schema[name]["maximum"]}))
        for beyond in (schema[name]["minimum"] - 1, schema[name]["maximum"] + 1):
            with pytest.raises(DocumentRejected):
                load_profile("p", json.dumps({name: beyond}))


def test_a_prompt_for_all_tasks_leaves_a_task_that_an_output_has_added_as_it_is() -> None:
    wished = document_options(
        {"ocr-prompt": "What is this?", "ocr-outputs": "boxes"}, (Task.TEXT_RECOGNITION,), tuple(Task)
    )
    assert wished.tasks == (Task.TEXT_RECOGNITION, Task.ADVANCED_RECOGNITION)
    assert set(wished.options.prompts) == {Task.TEXT_RECOGNITION}
