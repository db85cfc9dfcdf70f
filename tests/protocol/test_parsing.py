"""Replies read as results: the documentation's own examples, what live services leave out or break, and properties."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.errors import ResultUnusable
from pagewise.geometry import Size
from pagewise.qwen.dashscope import answer
from pagewise.qwen.openai_compatible import OpenAICompatible
from pagewise.qwen.parsing import output_of, reading, unfenced, unfenced_blocks
from pagewise.qwen.question import Answer
from pagewise.tasks import Task
from tests.engine.asking import Engine
from tests.fakes import text_answer
from tests.protocol.conftest import address, asked, behave, question

PAGE = Size(1470, 1000)
FIELDS = Task.KEY_INFORMATION_EXTRACTION
LINES = Task.ADVANCED_RECOGNITION


def native(content: dict[str, Any], usage: dict[str, Any] | None = None) -> Answer:
    choice = {"finish_reason": "stop", "message": {"role": "assistant", "content": [content]}}
    return understood(answer({"output": {"choices": [choice]}, "usage": usage, "request_id": "r"}))


def compatible(text: str) -> Answer:
    choice = {"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": text}}
    return understood(OpenAICompatible().answer({"id": "chatcmpl-1", "choices": [choice]}))


def understood(found: Answer | None) -> Answer:
    assert found is not None
    return found


def reason(task: Task, said: Answer) -> str:
    with pytest.raises(ResultUnusable) as raised:
        output_of(task, said, PAGE)
    return raised.value.reason


DOCUMENTED_WORDS = {
    "text": '```json\n[{"pos_list": [{"rotate_rect": [740, 374, 599, 1459, 90]}]}```',
    "ocr_result": {
        "words_info": [
            {
                "rotate_rect": [150, 80, 49, 197, -89],
                "location": [52, 54, 250, 57, 249, 106, 52, 103],
                "text": "Audience",
            },
            {
                "rotate_rect": [724, 171, 34, 1346, -89],
                "location": [51, 146, 1397, 159, 1397, 194, 51, 181],
                "text": "If you are a system administrator",
            },
        ]
    },
}


def test_the_documented_lines_come_in_the_one_convention_and_as_they_were() -> None:
    output = output_of(LINES, native(DOCUMENTED_WORDS), PAGE)
    assert output["text"] == "Audience\nIf you are a system administrator"
    assert output["lines"][0] == {
        "text": "Audience",
        "location": [52, 54, 250, 57, 249, 106, 52, 103],
        "rotate_rect": [150, 80, 197, 49, 1],
        "raw": {"location": [52, 54, 250, 57, 249, 106, 52, 103], "rotate_rect": [150, 80, 49, 197, -89]},
    }
    assert output["lines"][1]["rotate_rect"] == [724, 171, 1346, 34, 1]
    assert "repaired" not in output  # the text that lacks a bracket is not asked where words_info is


def test_lines_of_a_page_that_was_sent_smaller_are_in_the_pages_own_pixels() -> None:
    output = output_of(LINES, native(DOCUMENTED_WORDS), Size(735, 500), PAGE)
    assert output["lines"][0]["location"] == [104, 108, 500, 114, 498, 212, 104, 206]
    assert output["lines"][0]["rotate_rect"] == [300, 160, 394, 98, 1]
    assert output["lines"][0]["raw"]["rotate_rect"] == [150, 80, 49, 197, -89]


@pytest.mark.parametrize(
    ("word", "location", "rect"),
    [
        ({"rotate_rect": [100, 50, 20, 60, -90]}, [70, 40, 130, 40, 130, 60, 70, 60], [100, 50, 60, 20, 0]),
        ({"location": [70, 40, 130, 40, 130, 60, 70, 60]}, [70, 40, 130, 40, 130, 60, 70, 60], [100, 50, 60, 20, 0]),
        # clockwise from the leftmost corner, partly beyond the page's edge
        ({"location": [-4, 20, 50, -2, 54, 8, 0, 30]}, [-4, 20, 50, -2, 54, 8, 0, 30], [25, 14, 58.3, 10.8, -22.2]),
        ({"location": None, "rotate_rect": [1, 2, 3]}, None, None),
        ({"location": "52,54", "rotate_rect": [1, 2, float("nan"), 4, 5]}, None, None),
        ({}, None, None),
    ],
)
def test_what_the_service_left_out_is_derived_or_stays_out(
    word: dict[str, Any], location: list[float] | None, rect: list[float] | None
) -> None:
    said = native({"text": "", "ocr_result": {"words_info": [{"text": "a", **word}]}})
    (line,) = output_of(LINES, said, PAGE)["lines"]
    assert (line["location"], line["rotate_rect"]) == (location, rect)


def test_the_documented_text_lacks_a_bracket_and_is_in_pixels() -> None:
    output = output_of(LINES, compatible(DOCUMENTED_WORDS["text"]), PAGE)  # type: ignore[arg-type]
    assert output["repaired"] is True
    assert output["lines"][0]["rotate_rect"] == [740, 374, 1459, 599, 0]


def test_an_empty_page_has_no_lines_and_prose_is_no_list_of_them() -> None:
    assert output_of(LINES, compatible("```json\n[]\n```"), PAGE) == {"text": "", "lines": []}
    assert reason(LINES, compatible("I see an invoice.")) == "malformed"
    assert reason(LINES, compatible('{"title": "Invoice"}')) == "malformed"


DOCUMENTED_FIELDS = {
    "ocr_result": {"kv_result": {"Ride Date": "2013-06-29", "Invoice Code": "null", "Items": [{"Name": "null"}]}},
    "text": '```json\n{\n    "Ride Date": "2013-06-29"\n}\n```',
}


def test_fields_come_from_kv_result_and_the_string_null_is_null() -> None:
    output = output_of(FIELDS, native(DOCUMENTED_FIELDS), PAGE)
    assert output["fields"] == {"Ride Date": "2013-06-29", "Invoice Code": None, "Items": [{"Name": None}]}
    assert output["text"] == '{\n    "Ride Date": "2013-06-29"\n}'


@pytest.mark.parametrize(
    ("text", "fields", "repaired"),
    [
        ('```json\n{"a": "null"}\n```', {"a": None}, False),
        ('```json\n{"a": 1}', {"a": 1}, False),
        ('{"a": "b", "c": [1, 2}', {"a": "b", "c": [1, 2]}, True),
        ('{"a": "b" "c": null}', {"a": "b", "c": None}, True),
        ("{'Invoice Number': 'xxx',}", {"Invoice Number": "xxx"}, True),
        ('Here it is:\n```json\n{"a": 1}\n```\nAnything else?', {"a": 1}, False),
        ('[{"a": 1}]', [{"a": 1}], False),
    ],
)
def test_fields_come_from_the_text_where_kv_result_is_absent(text: str, fields: Any, repaired: bool) -> None:
    for said in (native({"text": text}), compatible(text)):
        output = output_of(FIELDS, said, PAGE)
        assert output["fields"] == fields
        assert output.get("repaired", False) is repaired


@pytest.mark.parametrize("text", ["", "null", "There are no fields.", "42", '"a"', "{"])
def test_what_is_no_json_is_reported_and_never_guessed(text: str) -> None:
    assert reason(FIELDS, compatible(text)) == "malformed"


def test_fields_that_nest_too_deep_are_no_result() -> None:
    assert reason(FIELDS, compatible('{"a":' * 100 + "1" + "}" * 100)) == "malformed"


def test_the_services_own_cleaned_text_is_preferred() -> None:
    said = native({"text": "twice twice", "processed_text": "twice"})
    assert output_of(Task.TEXT_RECOGNITION, said, PAGE) == {"text": "twice"}


@pytest.mark.parametrize(
    ("task", "text", "expected"),
    [
        (Task.TABLE_PARSING, "```html\n<table>\n</table>\n```", {"html": "<table>\n</table>"}),
        (Task.TABLE_PARSING, "```html\n<table></table>", {"html": "<table></table>"}),
        (
            Task.TABLE_PARSING,
            "```html\n<table>1</table>\n```\n\n```html\n<table>2</table>\n```",
            {"html": "<table>1</table>\n<table>2</table>"},
        ),
        (Task.DOCUMENT_PARSING, "```latex\n\\title{A}\n```", {"latex": "\\title{A}"}),
        (Task.FORMULA_RECOGNITION, "$$\\tilde { Q } ( x )$$", {"latex": "$$\\tilde { Q } ( x )$$"}),
    ],
)
def test_html_and_latex_come_without_their_fences(task: Task, text: str, expected: dict[str, str]) -> None:
    (inside,) = expected.values()
    assert output_of(task, compatible(text), PAGE) == {"text": inside, **expected}


@pytest.mark.parametrize(
    ("task", "text", "inside"),
    [
        (Task.TABLE_PARSING, "Here is the table:\n```html\n<table>\n</table>\n```", "<table>\n</table>"),
        (Task.TABLE_PARSING, "Here is the table:\n\n```html\n<table></table>", "<table></table>"),
        (Task.TABLE_PARSING, "One:\n```html\n<p>1</p>\n```\nTwo:\n```html\n<p>2</p>\n```\nDone.", "<p>1</p>\n<p>2</p>"),
        (Task.DOCUMENT_PARSING, "The page in LaTeX:\n```latex\n\\title{A}\n```\nAnything else?", "\\title{A}"),
        (Task.FORMULA_RECOGNITION, "The formula is:\n```latex\nx^2\n```", "x^2"),
        # A text that is HTML or LaTeX itself keeps the fences that the page has.
        (Task.DOCUMENT_PARSING, "\\section{A}\n```\nls\n```\nmore", "\\section{A}\n```\nls\n```\nmore"),
        (Task.TABLE_PARSING, "<p>Code</p>\n```\nls\n```\n", "<p>Code</p>\n```\nls\n```\n"),
    ],
)
def test_prose_around_a_fence_goes(task: Task, text: str, inside: str) -> None:
    for said in (native({"text": text}), compatible(text)):
        output = output_of(task, said, PAGE)
        assert output["text"] == inside
        assert output.get("html", output.get("latex")) == inside


@pytest.mark.parametrize(
    ("text", "fields", "repaired"),
    [
        ('Here is the JSON: {"a": 1}', {"a": 1}, False),
        ('I found [2] fields:\n{"a": 1, "b": {"c": [2]}}\nAnything else {maybe}?', {"a": 1, "b": {"c": [2]}}, False),
        ('The lines: [{"a": 1}, {"a": 2}].', [{"a": 1}, {"a": 2}], False),
        ('Here it is: {"a": 007}', {"a": "007"}, True),
        (
            '{"a": 007, "b": -01, "c": 08:30, "d": 2024-01-02}',
            {"a": "007", "b": "-01", "c": "08:30", "d": "2024-01-02"},
            True,
        ),
        (
            '{"a": 1,234.50, "b": +49 170 12, "c": 10 %, "d": 1.5, "e": "007"}',
            {"a": "1,234.50", "b": "+49 170 12", "c": "10 %", "d": 1.5, "e": "007"},
            True,
        ),
        ('{"a": [01, 002, 3], "b": 0, "c": 0.5}', {"a": ["01", "002", 3], "b": 0, "c": 0.5}, True),
        ("{'a': 007, 'b': True}", {"a": "007", "b": True}, True),
        ('{"a": NaN, "b": Infinity}', {"a": None, "b": None}, False),
        ('{"a": "x", "a": "y"}', {"a": "x", "a (2)": "y"}, False),
        ('{"a": 12345678901234567890}', {"a": "12345678901234567890"}, False),
    ],
)
def test_nothing_that_a_field_says_is_lost(text: str, fields: Any, repaired: bool) -> None:
    for said in (native({"text": text}), compatible(text)):
        output = output_of(FIELDS, said, PAGE)
        assert output["fields"] == fields
        assert output.get("repaired", False) is repaired


@given(st.from_regex(r"0[0-9]{1,15}", fullmatch=True), st.sampled_from(["{}", "[{}]", '{{"deep": {}}}']))
def test_leading_zeros_stay_wherever_a_number_stands(number: str, around: str) -> None:
    text = around.format('{"b": ' + number + ', "c": [' + number + "]}")
    assert number in json.dumps(output_of(FIELDS, compatible(text), PAGE)["fields"]).replace('"', " ").split()


@pytest.mark.parametrize(
    ("size", "rect", "centre"),
    [
        (Size(2000, 1000), [500, 250, 40, 20, 0], [1000, 250]),  # thousandths
        (Size(2000, 1000), [1300, 250, 40, 20, 0], [1300, 250]),  # as thousandths it lies beside the page
        (Size(1400, 1400), [1200, 1300, 100, 20, 0], [1200, 1300]),  # all below 1,415
        (Size(1300, 1300), [650, 640, 1250, 1200, 0], [650, 640]),  # its corners do, though its centre does not
        (Size(2000, 1000), [1010, 250, 40, 20, 0], [2020, 250]),  # a little over the edge, as boxes are
        (Size(800, 600), [790, 590, 20, 20, 0], [632, 354]),  # a small page: cannot be told
    ],
)
def test_rectangles_are_thousandths_unless_they_would_leave_the_page(
    size: Size, rect: list[float], centre: list[float]
) -> None:
    text = json.dumps([{"pos_list": [{"rotate_rect": rect, "text": "a"}]}])
    (line,) = output_of(LINES, compatible(text), size)["lines"]
    assert line["rotate_rect"][:2] == centre
    together = json.dumps([{"rotate_rect": rect}, {"rotate_rect": [size.width * 0.9, size.height * 0.9, 10, 10, 0]}])
    first, last = output_of(LINES, compatible(together), size)["lines"]
    if size.width > 1_200 and size.height > 1_200:
        assert first["rotate_rect"][:2] == rect[:2]  # one rectangle decides for all
        assert last["rotate_rect"][0] == size.width * 0.9


def test_an_answer_at_the_output_limit_is_truncated_and_a_loop_degenerate() -> None:
    assert reason(Task.TEXT_RECOGNITION, text_answer("A page that goes on", finish_reason="length")) == "truncated"
    loop = "Introduction\n" + "and the same again\n" * 300
    for finish_reason in ("length", "stop"):
        assert reason(Task.TEXT_RECOGNITION, text_answer(loop, finish_reason=finish_reason)) == "degenerate"
    cut = loop + "and the sa"
    assert reason(Task.TEXT_RECOGNITION, text_answer(cut, finish_reason="length")) == "degenerate"
    table = "<table>\n" + "<tr><td>Total</td><td>0.00</td></tr>\n" * 500
    assert reason(Task.TABLE_PARSING, text_answer(table, finish_reason="length")) == "degenerate"


@pytest.mark.parametrize(
    "text",
    [
        "Contents\n" + "." * 3_000,
        "Signature\n" + "_ " * 2_000,
        "<table>" + "<tr><td></td><td></td></tr>\n" * 200 + "</table>",
        "Total\n" + "0.00\n" * 60,
        "x" * 20_000,
        "\n".join(f"Line {number}" for number in range(2_000)),
    ],
)
def test_rules_empty_cells_and_lists_are_no_loops(text: str) -> None:
    assert output_of(Task.TEXT_RECOGNITION, text_answer(text), PAGE)["text"] == text


@pytest.mark.parametrize("protocol", ["native", "compatible"])
@pytest.mark.parametrize(
    ("behaviour", "task", "expected"),
    [
        ("truncated", Task.TEXT_RECOGNITION, "truncated"),
        ("looping", Task.TEXT_RECOGNITION, "degenerate"),
        ("fenced", Task.TEXT_RECOGNITION, None),
        ("unterminated_fence", Task.TABLE_PARSING, None),
        ("broken_json", FIELDS, None),
        ("text_only", FIELDS, None),
        ("text_only", LINES, None),
        ("bare_usage", Task.TEXT_RECOGNITION, None),
    ],
)
def test_a_misbehaving_engines_answers(
    canned: Engine, protocol: str, behaviour: str, task: Task, expected: str | None
) -> None:
    good = output_of(task, asked(address(canned), question(task), protocol), PAGE)
    behave(canned, {"name": behaviour})
    said = asked(address(canned), question(task), protocol)
    if expected:
        assert reason(task, said) == expected
    elif (behaviour, task, protocol) != ("text_only", LINES, "native"):
        output = output_of(task, said, PAGE)
        output.pop("repaired", None)
        assert without_layout(output) == without_layout(good)


@pytest.mark.parametrize("protocol", ["native", "compatible"])
@pytest.mark.parametrize(
    ("behaviour", "task", "expected", "warnings"),
    [
        ("half_surrogate", Task.TEXT_RECOGNITION, None, ["replaced_characters"]),
        ("refusal", Task.TEXT_RECOGNITION, "refusal", ["text_kept"]),
        ("chinese_refusal", FIELDS, "refusal", ["text_kept"]),
        ("unclear", Task.TEXT_RECOGNITION, "unclear", ["text_kept"]),
        ("empty", Task.TEXT_RECOGNITION, None, ["empty_text"]),
        ("content_filter", Task.TEXT_RECOGNITION, "content_filter", ["text_kept"]),
        ("heading_loop", Task.TEXT_RECOGNITION, "degenerate", ["text_kept"]),
        ("prose", Task.TABLE_PARSING, None, []),
        ("prose", FIELDS, None, []),
        ("leading_zeros", FIELDS, None, ["repaired"]),
        ("huge", Task.TEXT_RECOGNITION, "oversized", ["text_kept"]),
    ],
)
def test_an_engine_that_misreads_is_asked_once_and_its_words_are_kept(
    canned: Engine, protocol: str, behaviour: str, task: Task, expected: str | None, warnings: list[str]
) -> None:
    behave(canned, {"name": behaviour})
    found = reading(task, asked(address(canned), question(task), protocol), PAGE, PAGE)
    assert (found.unusable.reason if found.unusable else None) == expected
    assert list(found.warnings) == warnings
    assert found.output["text"] or behaviour == "empty"
    assert canned.http.get("/requests").json()["total"] == 1


@pytest.mark.parametrize("behaviour", ["far_coordinate", "not_a_number"])
def test_places_that_are_none_leave_the_text(canned: Engine, behaviour: str) -> None:
    behave(canned, {"name": behaviour}, {"name": behaviour})
    found = reading(LINES, asked(address(canned), question(LINES)), PAGE, PAGE)
    assert (found.unusable, list(found.warnings)) == (None, ["lines_without_place"])
    assert "Canned answer" in found.output["text"]
    fields = reading(FIELDS, asked(address(canned), question(FIELDS)), PAGE, PAGE)
    if behaviour == "not_a_number":
        assert fields.output["fields"] == {"amount": None, "balance": None}
        assert list(fields.warnings) == ["empty_fields"]


def test_lines_without_any_text_say_so(canned: Engine) -> None:
    behave(canned, {"name": "no_line_text"})
    found = reading(LINES, asked(address(canned), question(LINES)), PAGE, PAGE)
    assert (found.unusable, list(found.warnings)) == (None, ["no_text_in_lines"])


def without_layout(output: dict[str, Any]) -> dict[str, Any]:
    """The broken JSON's text stays as it came; what was read from it is compared."""
    return {name: value for name, value in output.items() if name != "text" or "fields" not in output}


# ── Properties ───────────────────────────────────────────────────────────────────────────────────────────────────────

plain = st.text().filter(lambda text: "```" not in text and text.strip())
languages = st.sampled_from(["", "json", "html", "latex", "markdown"])


@given(plain)
def test_a_text_without_a_fence_stays_as_it_is(text: str) -> None:
    assert unfenced(text) == unfenced_blocks(text) == text


@given(plain, languages, st.booleans(), st.sampled_from(["\n", ""]))
def test_an_outer_fence_goes_closed_or_not(text: str, language: str, closed: bool, before: str) -> None:
    inside = text.strip("\r\n").rstrip()
    fenced = f"```{language}\n{inside}" + (f"{before}```" if closed else "")
    assert unfenced(fenced) == inside.strip("\r\n")


@given(plain)
def test_an_inner_fence_is_the_pages_own(text: str) -> None:
    page = f"Read me\n```sh\n{text}\n```\nThe end"
    assert unfenced(page) == page
    first = f"```sh\nls\n```\n{text}"
    assert unfenced(first) == first
    assert unfenced(f"```markdown\n{page}\n```") == page


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_hostile_replies_are_results_or_typed_errors(value: Any) -> None:
    for task in (LINES, FIELDS, Task.TEXT_RECOGNITION):
        for said in (
            replace(text_answer(json.dumps(value)), words=value),
            replace(text_answer(json.dumps(value)), fields=value),
        ):
            try:
                output_of(task, said, PAGE)
            except ResultUnusable:
                continue
