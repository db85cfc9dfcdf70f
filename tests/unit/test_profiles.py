"""A profile says what an upload's metadata leave open."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from pagewise.errors import DocumentRejected
from pagewise.model import DocumentStatus, Step
from pagewise.options.formats import FORMATS
from pagewise.options.profiles import load_profile
from pagewise.options.rules import KEYWORDS
from pagewise.pages.rendering import Renderer
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.pictures import picture, tiff
from tests.unit.conftest import Pagewise

FOLDER = Path(__file__).parents[2] / "profiles"
SCHEMA = json.loads((FOLDER / "schema.json").read_text())
EXAMPLES = sorted(path for path in FOLDER.glob("*.json") if path.stem != "schema")
INVALID: list[Any] = [
    [],
    {"tasks": "text_recognition"},
    {"tasks": ["translate"]},
    {"result_schema": {}},
    {"result_schema": []},
    {"enable_rotate": "yes"},
    {"dpi": 30},
    {"max_pixels": 3071},
    {"prompts": {"text_recognition": ""}},
    {"logprobs": 1},
    {"preprocessing": "median"},
    {"preprocessing": ["sharpen"]},
    {"preprocessing": ["none"]},
    {"preprocessing": [["median"]]},
    {"validation": []},
    {"validation": {"required": "Total"}},
    {"validation": {"requried": ["Total"]}},
    {"validation": {"$ref": "https://example.com/rules.json"}},
    {"validation": {"properties": {"Total": {"type": "money"}}}},
    {"validation": {"properties": {"Total": {"anyOf": [{"format": "money"}]}}}},
    {"validation": {"properties": {"Total": False}}},
]
# What a JSON Schema of profiles cannot say.
INVALID_BEYOND: list[Any] = [
    {"validation": {"properties": {"Total": {"pattern": "("}}}},
    {"result_schema": {"Total": ""}, "validation": {"required": ["Totl"]}},
    {"result_schema": {"Total": ""}, "validation": {"properties": {"Totl": {}}}},
]
TOO_DEEP = '{"result_schema": ' + '{"a":' * 680 + "1" + "}" * 681
NOT_JSON = ["{", "[" * 100_000]


@pytest.fixture
def receipts(pagewise: Pagewise) -> Pagewise:
    pagewise.profiles.stored["receipts"] = json.dumps(
        {"tasks": ["key_information_extraction"], "result_schema": {"Total": ""}, "enable_rotate": True}
    )
    return pagewise


@pytest.mark.parametrize(
    ("key", "metadata"),
    [
        ("uploads/receipts/a.png", {}),
        ("uploads/receipts/2026/a.png", {}),
        ("uploads/a.png", {"ocr_profile": "receipts"}),
        ("uploads/other/a.png", {"ocr_profile": "receipts"}),
    ],
)
def test_the_first_folder_or_the_metadata_choose_it(receipts: Pagewise, key: str, metadata: dict[str, str]) -> None:
    document = receipts.split.upload(receipts.uploads.put(picture(), key=key, **metadata))
    assert document.tasks == (Task.KEY_INFORMATION_EXTRACTION,)
    assert document.options.result_schema == {"Total": ""}
    assert document.options.enable_rotate


@pytest.mark.parametrize(
    "key", ["uploads/other/a.png", "uploads/receipts", "receipts/a.png", "uploads/2026/receipts/a"]
)
def test_a_folder_without_a_profile_is_none(receipts: Pagewise, key: str) -> None:
    assert receipts.split.upload(receipts.uploads.put(picture(), key=key)).tasks == (Task.TEXT_RECOGNITION,)


def test_metadata_come_before_the_profile(receipts: Pagewise) -> None:
    tasks = "multi_lan,key_information_extraction"
    wished = {"ocr_tasks": tasks, "ocr_result_schema": '{"Date": ""}', "ocr_enable_rotate": "false"}
    document = receipts.split.upload(receipts.uploads.put(picture(), key="uploads/receipts/a.png", **wished))
    assert document.tasks == (Task.MULTI_LAN, Task.KEY_INFORMATION_EXTRACTION)
    assert document.options.result_schema == {"Date": ""}
    assert not document.options.enable_rotate


@pytest.mark.parametrize("name", ["unknown", "../receipts", "x" * 65])
def test_an_unknown_profile_by_name_rejects_the_document(receipts: Pagewise, name: str) -> None:
    document = receipts.split.upload(receipts.uploads.put(picture(), ocr_profile=name))
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "invalid_profile")


@pytest.mark.parametrize("text", [*NOT_JSON, TOO_DEEP, *map(json.dumps, INVALID + INVALID_BEYOND)])
def test_an_invalid_profile_rejects_the_document(receipts: Pagewise, text: str) -> None:
    receipts.profiles.stored["receipts"] = text
    document = receipts.split.upload(receipts.uploads.put(picture(), key="uploads/receipts/a.png"))
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "invalid_profile")
    assert receipts.publisher.named("DocumentRejected")[0]["reason"] == "invalid_profile"


@pytest.mark.parametrize("metadata", [{"ocr_profile": "everything"}, {"ocr_tasks": "all"}, {"ocr_tasks": "ALL"}])
def test_all_tasks_are_those_that_are_deployed(metadata: dict[str, str]) -> None:
    deployed = (Task.TABLE_PARSING, Task.MULTI_LAN)
    pagewise = Pagewise(SplitSettings(deployed_tasks=deployed, default_tasks=deployed[:1]))
    pagewise.profiles.stored["everything"] = json.dumps({"tasks": ["all"]})
    document = pagewise.split.upload(pagewise.uploads.put(picture(), **metadata))
    assert (document.status, document.tasks) == (DocumentStatus.IN_PROGRESS, deployed)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_the_examples_are_profiles(path: Path) -> None:
    jsonschema.validate(json.loads(path.read_text()), SCHEMA)
    assert load_profile(path.stem, path.read_text()).tasks


@pytest.mark.parametrize("invalid", INVALID)
def test_schema_and_code_refuse_alike(invalid: Any) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(invalid, SCHEMA)
    with pytest.raises(DocumentRejected):
        load_profile("p", json.dumps(invalid))


def test_the_schema_names_tasks_steps_rules_and_formats() -> None:
    assert set(SCHEMA["properties"]["tasks"]["items"]["enum"]) == {"all", *Task}
    assert set(SCHEMA["properties"]["preprocessing"]["items"]["enum"]) == set(Step)
    rules = SCHEMA["$defs"]["rules"]["properties"]
    assert set(rules) == KEYWORDS
    assert set(rules["format"]["enum"]) == set(FORMATS)


# ── preprocessing ────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("profile", "metadata", "steps"),
    [
        ({}, {}, None),
        ({"preprocessing": []}, {}, ()),
        ({"preprocessing": ["deskew", "median"]}, {}, (Step.MEDIAN, Step.DESKEW)),
        ({"preprocessing": ["deskew"]}, {"ocr_preprocessing": " "}, (Step.DESKEW,)),
        ({"preprocessing": ["deskew"]}, {"ocr_preprocessing": "none"}, ()),
        ({"preprocessing": ["deskew"]}, {"ocr_preprocessing": "Mean, equalize"}, (Step.MEAN, Step.EQUALIZE)),
        ({}, {"ocr_preprocessing": "mean"}, (Step.MEAN,)),
    ],
)
def test_metadata_then_the_profile_then_the_stack_say_how_pages_are_prepared(
    pagewise: Pagewise, profile: Any, metadata: dict[str, str], steps: tuple[Step, ...] | None
) -> None:
    pagewise.profiles.stored["scans"] = json.dumps(profile)
    document = pagewise.split.upload(pagewise.uploads.put(picture(), key="uploads/scans/a", **metadata))
    assert pagewise.stored(document).preprocessing == steps


def test_a_step_that_there_is_not_rejects_the_document_and_names_those_that_there_are(pagewise: Pagewise) -> None:
    document = pagewise.split.upload(pagewise.upload(picture(), ocr_preprocessing="sharpen"))
    assert (document.status, document.reason) == (DocumentStatus.REJECTED, "invalid_option")
    pagewise.profiles.stored["scans"] = json.dumps({"preprocessing": ["sharpen"]})
    other = pagewise.split.upload(pagewise.uploads.put(picture(), key="uploads/scans/a"))
    assert (other.status, other.reason) == (DocumentStatus.REJECTED, "invalid_profile")
    for rejected in (document, other):
        assert rejected.message is not None
        assert "'sharpen'" in rejected.message
        assert "median, mean, equalize, deskew" in rejected.message


@pytest.mark.parametrize("of_stack", [(), (Step.MEAN,)])
@pytest.mark.parametrize("of_profile", [[], ["mean"]])
def test_every_page_range_is_prepared_as_the_document_says(of_stack: tuple[Step, ...], of_profile: list[str]) -> None:
    wanted = images(Pagewise(SplitSettings(renderer=Renderer(preprocessing=tuple(map(Step, of_profile))))), None)
    in_ranges = SplitSettings(renderer=Renderer(preprocessing=of_stack), pages_per_range=2)
    assert images(Pagewise(in_ranges), of_profile) == wanted
    assert images(Pagewise(SplitSettings(renderer=Renderer(preprocessing=of_stack))), of_profile) == wanted


def test_the_only_page_is_prepared_too(pagewise: Pagewise) -> None:
    plain = images(pagewise, None, pages=1)
    assert images(Pagewise(), ["mean"], pages=1) != plain


def images(pagewise: Pagewise, steps: list[str] | None, pages: int = 5) -> list[bytes]:
    pagewise.profiles.stored["scans"] = json.dumps({} if steps is None else {"preprocessing": steps})
    document = pagewise.split.upload(pagewise.uploads.put(tiff(pages), key="uploads/scans/a"))
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.COMPLETE
    return [content for _, content in sorted(pagewise.pages.objects.items())]
