"""From an engine's answer to a task's result.

| task | the result's own field | from |
| --- | --- | --- |
| advanced_recognition | lines | `words_info`; else the rectangles in the text |
| key_information_extraction | fields | `kv_result`; else the JSON in the text |
| table_parsing | html | the text without its fence |
| document_parsing, formula_recognition | latex | the text without its fence |
| text_recognition, multi_lan | text | the text without its fence |

The answer to an own prompt is text, of key_information_extraction fields. `layouts` stand beside either where the model
gives them; that is [I]nference, seen of qwen3.5-ocr alone.

`repaired` is true where JSON was broken and a library mended it. An answer that is no result keeps its text, marked by
the warning `text_kept`, and has a reason:

| reason | |
| --- | --- |
| truncated | the output limit cut it |
| degenerate | it repeats itself (repetition.py) |
| content_filter | the service's filter stopped it |
| refusal | the model says that it cannot read, or will not (refusals.py) |
| unclear | it consists of marks such as [unclear] |
| malformed | it is not in the task's form, or the reply not in the protocol's |
| oversized | the reply is larger than any honest one |
| unforeseen | reading it failed in a way that no other reason covers |
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pagewise import geometry, strict_json
from pagewise.errors import ResultUnusable
from pagewise.geometry import Scaling, Size
from pagewise.model import WarningCode
from pagewise.qwen.confidence import with_confidence
from pagewise.qwen.question import Answer
from pagewise.qwen.refusals import is_refusal, is_unclear_throughout, says_no_text, unclear_places
from pagewise.qwen.repetition import FENCE, MARKUP, Repetition, repetition
from pagewise.strict_json import REPLACEMENT, TooDeep
from pagewise.tasks import Output, Task, output_field

# The language may stand before the text on one line where the model forgot to break it, but only before JSON or HTML.
OPENING = re.compile(r"\A\s*```[\w+-]*[ \t]*(?:\r?\n|\Z|(?=[\[{<\\$]))")
# The service's own is not documented; these are those of servers that speak its protocols.
FILTERED = frozenset({"content_filter", "sensitive", "safety", "data_inspection_failed"})
# The position of a block: four corners of two numbers, or fewer.
MOST_NUMBERS = 8
# The possible beginnings of JSON amidst prose; and the longest text with broken JSON that is mended: no answer of 8,192
# tokens is longer, and the library takes quadratic time.
MOST_BEGINNINGS = 50
LONGEST_MENDED = 200_000

UNUSABLE = {
    "truncated": "The text is longer than the model may write for one page. Upload the page in parts.",
    "degenerate": "The model repeated itself instead of reading on. Upload the page in parts, or a better scan.",
    "content_filter": "The service's content filter stopped the answer. Nothing but another page helps.",
    "refusal": "The model answered that it cannot read the page. Upload a better scan, or the page in parts.",
    "unclear": "The model could make out nothing on the page. Upload a better scan.",
    "malformed": "The engine's reply has not the form of its protocol. Redrive the page, or check the base URL.",
    "oversized": "The engine's reply is larger than any page's can be. Check the server at the base URL.",
    "unforeseen": "The engine's answer could not be read, for a reason that is unknown. Report it with its text.",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """An answer, read: the result's `output`, sound JSON, and the error if it is no result."""

    output: dict[str, Any]
    warnings: tuple[WarningCode, ...] = ()
    unusable: ResultUnusable | None = None


def reading(
    task: Task, answer: Answer, sent: Size, page: Size, *, blank: bool = False, prompted: bool = False
) -> Reading:
    """Raises nothing: the answer was paid for, and an error would have it asked for again.

    `blank`: the page has no text, as far as was seen. `prompted`: an own prompt was asked in the task's place.
    """
    try:
        output = strict_json.sound(output_of(task, answer, sent, page, prompted=prompted))
        found = warnings_of(output_field(task, prompted=prompted), output, blank=blank)
        return Reading(with_confidence(output, answer), found)
    except ResultUnusable as error:
        return kept(answer, error)
    except Exception:  # noqa: BLE001 - the last line: no error may become a second call
        return kept(answer, unusable("unforeseen"))


def kept(answer: Answer, error: ResultUnusable) -> Reading:
    """The text of an answer that is no result; without a text, the reply's other content."""
    text = strict_json.fit(answer.text)
    if not text.strip():
        instead = next((given for given in (answer.words, answer.fields) if given), None)
        text = strict_json.as_text(instead)
    if not text:
        return Reading({}, unusable=error)
    return Reading({"text": text}, (WarningCode.TEXT_KEPT,), error)


def unusable(reason: str) -> ResultUnusable:
    return ResultUnusable(reason, UNUSABLE[reason])


def output_of(
    task: Task, answer: Answer, sent: Size, page: Size | None = None, *, prompted: bool = False
) -> dict[str, Any]:
    """The result's stored fields: `text` always, and the task's own field. Raises ResultUnusable.

    Parameters
    ----------
    sent: the size of the image that the engine saw.
    page: that of the stored page; coordinates come out in its pixels. The same where it is left out.
    """
    check_whole(answer)
    output = own_output(output_field(task, prompted=prompted), answer, sent, page or sent)
    layouts = layouts_of(answer.layouts)
    return {**output, "layouts": layouts} if layouts else output


def own_output(field: Output, answer: Answer, sent: Size, page: Size) -> dict[str, Any]:
    """`text` and the task's own field."""
    if not (answer.words or answer.fields):
        check_spoken(answer.text)
    if field is Output.LINES:
        return lines_output(answer, sent, Scaling.between(sent, page))
    text = unfenced(answer.text)
    if field is Output.FIELDS:
        return fields_output(answer, text)
    if field in (Output.HTML, Output.LATEX):
        text = unfenced_blocks(answer.text)
        return {"text": text, field.value: text}
    return {"text": text}


def layouts_of(found: Any) -> list[dict[str, Any]]:
    """`ocr_result.layouts` as they were seen: [{"pageNum", "type", "text", "pos"}]. `position` stays as the model says
    it, since no source tells its unit."""
    return [
        {
            "type": strict_json.as_text(block.get("type")),
            "text": strict_json.as_text(block.get("text")),
            "position": block.get("pos") if is_position(block.get("pos")) else None,
        }
        for block in (found if isinstance(found, list) else ())
        if isinstance(block, Mapping)
    ]


def is_position(value: Any) -> bool:
    """Numbers, or points of numbers."""
    if not isinstance(value, list) or len(value) > MOST_NUMBERS:
        return False
    numbers = [member for point in value for member in (point if isinstance(point, list) else [point])]
    return len(numbers) <= MOST_NUMBERS and all(isinstance(number, int | float) for number in numbers)


def nothing_found(task: Task, *, prompted: bool = False) -> dict[str, Any]:
    """The stored fields of the result of a page without text."""
    field = output_field(task, prompted=prompted)
    empty: dict[Output, Any] = {Output.LINES: [], Output.FIELDS: {}, Output.HTML: "", Output.LATEX: ""}
    return {"text": "", field.value: empty[field]} if field in empty else {"text": ""}


def check_whole(answer: Answer) -> None:
    if answer.problem:
        raise unusable(answer.problem)
    if (answer.finish_reason or "").lower() in FILTERED:
        raise unusable("content_filter")
    cut = answer.finish_reason == "length"
    if repetition(answer.text, cut=cut) is Repetition.LOOP:
        raise unusable("degenerate")
    if cut:
        raise unusable("truncated")


def check_spoken(text: str) -> None:
    """Check that the model reads, instead of speaking of its trouble with the page."""
    if is_refusal(text):
        raise unusable("refusal")
    if is_unclear_throughout(text):
        raise unusable("unclear")


def warnings_of(field: Output, output: Mapping[str, Any], *, blank: bool) -> tuple[WarningCode, ...]:
    """Reasons to doubt a result all the same."""
    text = str(output["text"])
    told = {
        WarningCode.EMPTY_TEXT: not blank and is_empty(field, output),
        WarningCode.EMPTY_FIELDS: field is Output.FIELDS and not has_values(output["fields"]),
        WarningCode.NO_TEXT_IN_LINES: bool(output.get("lines")) and not text,
        WarningCode.LINES_WITHOUT_PLACE: any(line["location"] is None for line in output.get("lines", ())),
        WarningCode.NO_TEXT_CLAIMED: says_no_text(text),
        WarningCode.UNCLEAR_TEXT: unclear_places(text) > 0,
        WarningCode.REPEATED_TEXT: repetition(text, cut=False) is not Repetition.NONE,
        WarningCode.REPLACED_CHARACTERS: REPLACEMENT in strict_json.dumped(output),
        WarningCode.REPAIRED: "repaired" in output,
    }
    return tuple(code for code, holds in told.items() if holds)


def is_empty(field: Output, output: Mapping[str, Any]) -> bool:
    if field is Output.LINES:
        return not output["lines"]
    if field is Output.FIELDS:
        return False
    text = str(output["text"])
    return not (MARKUP.sub("", text) if field is Output.HTML else text).strip()


def has_values(fields: Any) -> bool:
    if isinstance(fields, dict | list):
        return any(map(has_values, fields.values() if isinstance(fields, dict) else fields))
    return fields is not None and bool(str(fields).strip())


def unfenced(text: str) -> str:
    """The text without its outer code fence, should it have one; an inner one is the page's own."""
    opening = OPENING.match(text)
    if not opening:
        return text
    inside = text[opening.end() :].rstrip()
    if not inside.endswith(FENCE):
        return text if closes_before_the_end(inside) else inside.strip("\r\n")
    inside = inside.removesuffix(FENCE)
    return text if closes_before_the_end(inside) else inside.strip("\r\n")


def closes_before_the_end(inside: str) -> bool:
    """Whether a fence opened before `inside` is closed in the midst of it: then it is not an outer one."""
    depth = 1
    for line in inside.splitlines():
        mark = line.strip()
        if mark == FENCE:
            depth -= 1
        elif mark.startswith(FENCE) and not mark.endswith(FENCE):
            depth += 1
        if depth == 0:
            return True
    return False


BLOCK = re.compile(r"```[\w+-]*[ \t]*\r?\n(.*?)\r?\n?```[ \t]*(?:\r?\n|\Z)", re.DOTALL)
# Looking for the end of a block takes time for each beginning.
MOST_FENCES, LONGEST_FENCED = 100, 400_000
# A last block that is not closed.
OPEN_BLOCK = re.compile(
    r"(?:\A|\n)[ \t]*```(?:html|latex|tex|json|xml)[ \t]*\r?\n(?P<inside>(?:(?!```).)*)\Z", re.DOTALL
)
# Signs that a text outside of fences is the page's own: a table, a command, a formula.
SOURCE = re.compile(r"</?[a-zA-Z]|\\[a-zA-Z(\[]|\$")


def unfenced_blocks(text: str) -> str:
    """The text as by `unfenced`, and of fenced blocks amidst prose, such as one for each table, their insides.

    Prose holds no HTML and no LaTeX. A text that does outside of its fences stays as it is.
    """
    whole = text.strip()
    blocks = blocks_of(whole)
    rest = BLOCK.sub("", whole) if blocks else whole
    if last := OPEN_BLOCK.search(rest):
        blocks.append(last["inside"])
        rest = rest[: last.start()]
    if blocks and FENCE not in rest and not SOURCE.search(rest) and (len(blocks) > 1 or rest.strip()):
        return "\n".join(block.strip("\r\n").rstrip() for block in blocks)
    return unfenced(text)


def blocks_of(text: str) -> list[str]:
    """The insides of fenced blocks."""
    return BLOCK.findall(text) if len(text) <= LONGEST_FENCED and text.count(FENCE) <= MOST_FENCES else []


def lines_output(answer: Answer, sent: Size, scaling: Scaling) -> dict[str, Any]:
    """Lines from `words_info`, in pixels of the image that was sent; without it, from the rectangles in the text."""
    repaired = False
    if isinstance(answer.words, list):
        words = [word for word in answer.words if isinstance(word, Mapping)]
        if answer.words and not words:
            raise ResultUnusable("malformed", "The engine answered without the lines of the page.")
        lines = [geometry.located(word, scaling) for word in words]
    else:
        found, repaired = parsed(unfenced(answer.text))
        lines = [geometry.located(word, scaling, word["raw"]) for word in words_in(found, sent)]
    output: dict[str, Any] = {"text": "\n".join(line["text"] for line in lines if line["text"]), "lines": lines}
    return {**output, "repaired": True} if repaired else output


def words_in(found: Any, sent: Size) -> list[dict[str, Any]]:
    """The rectangles in the text of advanced_recognition as `words_info` would have them.

    Documented is [{"pos_list": [{"rotate_rect": [...]}]}]; the text of a line stands beside its rectangle, if at all.
    """
    entries = list(rectangles(found))
    if not entries and found not in ([], {}):
        raise ResultUnusable("malformed", "The engine answered without the lines of the page.")
    pixels = geometry.from_thousandths([entry["rotate_rect"] for entry in entries], sent)
    return [
        {"text": entry.get("text"), "rotate_rect": rect, "raw": {"rotate_rect": entry["rotate_rect"]}}
        for entry, rect in zip(entries, pixels, strict=True)
    ]


def rectangles(found: Any) -> Iterator[Mapping[str, Any]]:
    """Every object with a whole rectangle, in the order of the text."""
    if isinstance(found, Mapping):
        if geometry.numbers(found.get("rotate_rect"), 5):
            yield found
        for member in found.values():
            yield from rectangles(member)
    elif isinstance(found, list):
        for member in found:
            yield from rectangles(member)


def fields_output(answer: Answer, text: str) -> dict[str, Any]:
    """`kv_result`, or the same read from the text; the string "null" stands for null."""
    found, repaired = answer.fields, False
    if not isinstance(found, dict | list):
        found, repaired = parsed(found if isinstance(found, str) and found.strip() else text)
    if not isinstance(found, dict | list):
        raise ResultUnusable("malformed", "The engine answered without fields.")
    try:
        fields = without_null_strings(strict_json.sound(found))
    except TooDeep:
        raise ResultUnusable("malformed", "The engine's fields nest too deep to be any page's.") from None
    output = {"text": text, "fields": fields}
    return {**output, "repaired": True} if repaired else output


def parsed(text: str) -> tuple[Any, bool]:
    """The JSON of a text, and whether it had to be mended. Raises ResultUnusable `malformed`.

    A single fenced block amidst prose is the JSON; without a fence, it is the largest object or list of objects in the
    prose. Only a text that begins as an object or a list is mended: the library would make JSON of prose, too.
    """
    text = text.strip()
    blocks = blocks_of(text)
    text = blocks[0].strip() if len(blocks) == 1 else text
    try:
        return strict_json.loaded(text), False
    except ValueError:
        pass
    if not text.startswith(("{", "[")) and (amidst := json_amidst(text)) is not None:
        return amidst, False
    beginning = BEGINNING.search(text)
    if beginning and (mended := mended_json(text[beginning.start() :])) is not None:
        return mended, True
    raise ResultUnusable("malformed", "The engine's JSON is broken beyond repair.")


# A text that begins as JSON, or the first object that begins by a name.
BEGINNING = re.compile(r"\A[{\[]|\{\s{0,100}[\"']")


def json_amidst(text: str) -> Any:
    """The largest object or list of objects in a text of prose; None if there is none."""
    decoder = json.JSONDecoder()
    best, size, after = None, 0, 0
    for beginning in [match.start() for match in re.finditer(r"[{\[]", text)][:MOST_BEGINNINGS]:
        if beginning < after:
            continue
        try:
            _, after = decoder.raw_decode(text, beginning)
            found = strict_json.loaded(text[beginning:after])
        except (ValueError, RecursionError):
            continue
        if after - beginning > size and is_of_objects(found):
            best, size = found, after - beginning
    return best


def is_of_objects(found: Any) -> bool:
    members = found if isinstance(found, list) else [found]
    return bool(found) and all(isinstance(member, dict) for member in members)


def mended_json(text: str) -> Any:
    """A broken object or list, as a library mends it; None if it cannot."""
    if len(text) > LONGEST_MENDED:
        return None
    quoted = with_quoted_values(text)
    try:
        return strict_json.loaded(quoted)
    except ValueError:
        pass
    import json_repair

    try:
        mended = strict_json.sound(json_repair.loads(quoted))
    except (ValueError, RecursionError):
        return None
    return mended if isinstance(mended, dict | list) and mended else None


STRING = r'"(?:[^"\\]|\\.)*"'
LITERAL = re.compile(
    r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true|false|null|None|True|False|NaN|-?Infinity|undefined"
)
BARE_VALUE = re.compile(
    rf"{STRING}|(?<=:)(?P<gap>\s*)(?P<value>[+\-.\d][^\"'\[\]{{}}\n]{{0,100}}?)(?=\s*(?:,\s*(?:[\"'}}\]\n]|\Z)|[}}\]\n]|\Z))"
    r"|(?<=[\[,])(?P<space>\s*)(?P<member>[+-]?0\d[\d.]*)(?=\s*[,\]])",
    re.DOTALL,
)


def with_quoted_values(text: str) -> str:
    """A bare value that begins as a number and is none, such as 007, 08:30, +49 170 or 10 %, as the text that it is:
    the library would make a number of its beginning."""

    def quoted(match: re.Match[str]) -> str:
        value = match["value"] or match["member"]
        if value is None or LITERAL.fullmatch(value):
            return match[0]
        return (match["gap"] or match["space"] or "") + json.dumps(value, ensure_ascii=False, allow_nan=False)

    return BARE_VALUE.sub(quoted, text)


def without_null_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_null_strings(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_null_strings(member) for member in value]
    return None if value == "null" else value
