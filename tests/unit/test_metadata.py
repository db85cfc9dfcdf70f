"""What an upload's metadata ask for is done, or is refused by its name: none passes in silence."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.errors import DocumentRejected
from pagewise.model import DocumentStatus
from pagewise.options.metadata import OPTIONS, DocumentOptions, document_options
from pagewise.options.profiles import Profile, load_profile
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import picture
from tests.unit.conftest import Pagewise

EXTRACTION = "key_information_extraction"
SCHEMA = '{"Total": ""}'


def wished(*, rotates: bool = True, **metadata: str) -> DocumentOptions:
    named = {name.replace("_", "-"): value for name, value in metadata.items()}
    return document_options(named, (Task.TEXT_RECOGNITION,), tuple(Task), rotates=rotates)


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("ocr-task", "ocr-tasks"),
        ("ocr_tasks", "ocr-tasks"),
        ("ocr-result_schema", "ocr-result-schema"),
        ("ocr-schema", "ocr-result-schema"),
        ("ocr-rotate", "ocr-enable-rotate"),
        ("ocr-enable-rotation", "ocr-enable-rotate"),
        ("ocr-pasword", "ocr-password"),
        ("ocr-profil", "ocr-profile"),
        ("ocr-tags", "ocr-tag"),
        ("ocr-preprocess", "ocr-preprocessing"),
    ],
)
def test_a_misspelt_option_is_refused_with_the_nearest_right_one(name: str, meant: str) -> None:
    with pytest.raises(DocumentRejected, match=f"Did you mean {meant}\\?") as raised:
        document_options({name: "true"}, (Task.TEXT_RECOGNITION,), tuple(Task))
    assert raised.value.reason == "invalid_option"


def test_other_metadata_are_nobody_s_business_here() -> None:
    assert (
        document_options({"case": "7", "x-ocr": "1", "author": "me"}, (Task.TEXT_RECOGNITION,), tuple(Task)) == wished()
    )


@pytest.mark.parametrize(
    ("metadata", "says"),
    [
        ({"ocr_enable_rotate": "maybe"}, "neither true nor false"),
        ({"ocr_enable_rotate": "ture"}, "Did you mean true?"),
        ({"ocr_result_schema": SCHEMA}, "not among the tasks"),
        ({"ocr_result_schema": SCHEMA, "ocr_tasks": "table_parsing"}, "Add it to ocr-tasks"),
        ({"ocr_tasks": ","}, "names no task"),
        ({"ocr_tasks": " , ,"}, "names no task"),
        ({"ocr_preprocessing": "deskw"}, "Did you mean deskew?"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": "[" * 1_500}, "nests too deep"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"a":' * 300 + "1" + "}" * 300}, "nests"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"a": ' + "[" * 100 + "]" * 100 + "}"}, "nests too deep"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"a": NaN}'}, "is not JSON"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"a": 1e999}'}, "is not JSON"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"\\ud83d": ""}'}, "is not JSON"),
        ({"ocr_tasks": EXTRACTION, "ocr_result_schema": '{"a": ' + "9" * 5_000 + "}"}, "is not JSON"),
    ],
)
def test_a_wish_that_nobody_can_do_is_refused_and_says_why(metadata: dict[str, str], says: str) -> None:
    with pytest.raises(DocumentRejected) as raised:
        wished(rotates=True, **metadata)
    assert raised.value.reason == "invalid_option"
    assert says in raised.value.message


def test_an_unknown_task_is_refused_with_the_nearest_right_one() -> None:
    for name, meant in (("text-recognition", "text_recognition"), ("tables_parsing", "table_parsing")):
        with pytest.raises(DocumentRejected, match=f"Did you mean {meant}\\?") as raised:
            wished(ocr_tasks=name)
        assert raised.value.reason == "unknown_task"


@pytest.mark.parametrize(
    ("word", "wanted"), [("true", True), (" YES ", True), ("1", True), ("false", False), ("", False)]
)
def test_rotation_is_as_it_is_said(word: str, wanted: bool) -> None:
    assert wished(ocr_enable_rotate=word).options.enable_rotate is wanted


def test_rotation_over_a_protocol_that_has_none_is_refused() -> None:
    with pytest.raises(DocumentRejected, match="native protocol alone"):
        wished(rotates=False, ocr_enable_rotate="true")
    assert not wished(rotates=False, ocr_enable_rotate="false").options.enable_rotate


@pytest.mark.parametrize(
    ("profile", "metadata", "rotates", "warnings"),
    [
        ({"result_schema": {"Total": ""}}, {}, True, ["result_schema_unused"]),
        ({"result_schema": {"Total": ""}, "validation": {"required": ["Total"]}}, {}, True, None),
        ({"tasks": [EXTRACTION], "result_schema": {"Total": ""}}, {"ocr_tasks": "multi_lan"}, True, None),
        ({"result_schema": {"Total": ""}}, {"ocr_tasks": EXTRACTION}, True, []),
        ({"enable_rotate": True}, {}, False, ["rotation_unavailable"]),
        ({"enable_rotate": True}, {"ocr_enable_rotate": "false"}, False, []),
        ({"enable_rotate": True}, {}, True, []),
    ],
)
def test_a_profile_s_wish_that_comes_to_nothing_is_a_warning_in_the_receipt(
    profile: dict[str, Any], metadata: dict[str, str], rotates: bool, warnings: list[str] | None
) -> None:
    expected = warnings if warnings is not None else ["result_schema_unused"]
    expected = [*expected, *(["validation_unused"] if "validation" in profile else [])]
    pagewise = Pagewise(SplitSettings(rotates=rotates))
    pagewise.profiles.stored["p"] = json.dumps(profile)
    document = pagewise.split.upload(pagewise.uploads.put(picture(), key="uploads/p/a.png", **metadata))
    pagewise.run_queues()
    assert document.status is not DocumentStatus.REJECTED
    assert pagewise.receipt_of(document)["warnings"] == expected


def test_a_misspelt_key_of_a_profile_is_refused_with_the_nearest_right_one() -> None:
    for key, meant in (("task", "tasks"), ("resultSchema", "result_schema"), ("validate", "validation")):
        with pytest.raises(DocumentRejected, match=f"Did you mean {meant}\\?"):
            load_profile("p", json.dumps({key: []}))


@given(st.dictionaries(st.sampled_from(OPTIONS), st.text(max_size=50) | st.sampled_from(["[" * 1_500, "true"])))
def test_whatever_is_said_ends_in_wishes_or_in_a_rejection(metadata: dict[str, str]) -> None:
    try:
        found = document_options(metadata, (Task.TEXT_RECOGNITION,), tuple(Task))
    except DocumentRejected as rejected:
        assert rejected.reason in ("invalid_option", "unknown_task")  # noqa: PT017
        rejected.message.encode()
    else:
        assert found.tasks


@pytest.mark.parametrize(
    ("upload", "profile", "stack", "review"),
    [
        ("always", "doubtful", "sample 5%", "always"),
        (None, "doubtful", "always", "doubtful"),
        (None, None, "always", "always"),
        ("never", None, "always", "never"),
    ],
)
def test_the_upload_s_review_comes_first_then_the_profile_s_then_the_stack_s(
    upload: str | None, profile: str | None, stack: str, review: str
) -> None:
    metadata = {"ocr-review": upload} if upload else {}
    found = document_options(
        metadata, (Task.TEXT_RECOGNITION,), tuple(Task), Profile(review=profile), default_review=stack
    )
    assert found.review == review
