"""From an engine's answer to a task's result.

| task | the result's own field | from |
| --- | --- | --- |
| advanced_recognition | lines | `words_info`; else the rectangles in the text |
| key_information_extraction | fields | `kv_result`; else the JSON in the text |
| table_parsing | html | the text without its fence |
| document_parsing, formula_recognition | latex | the text without its fence |
| text_recognition, multi_lan | text | the text without its fence |

`repaired` is true where JSON was broken and a library mended it. An answer that is no result raises ResultUnusable:
`truncated` (the output limit cut it), `degenerate` (it repeats itself), `malformed` (not in the task's form).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pagewise import geometry
from pagewise.engine import Answer
from pagewise.errors import ResultUnusable
from pagewise.geometry import Scaling, Size
from pagewise.tasks import OUTPUTS, Output, Task

FENCE = "```"
# The language may stand before the text on one line where the model forgot to break it, but only before JSON or HTML.
OPENING = re.compile(r"\A\s*```[\w+-]*[ \t]*(?:\r?\n|\Z|(?=[\[{<\\$]))")
# A loop: this many copies of a unit, and this many characters of them, at the end of an answer that the output limit
# cut, or of one that ended by itself. Equal lines are found on honest pages too, but not a hundred at the very end.
COPIES_IF_CUT, CHARACTERS_IF_CUT = 8, 40
COPIES_IF_ENDED, CHARACTERS_IF_ENDED = 100, 600
# A row of one letter that came to an end, such as xxxxx, was drawn so.
SHORTEST_UNIT_IF_ENDED = 4
LONGEST_UNIT = 2_000
TAIL = 24_000


def output_of(task: Task, answer: Answer, sent: Size, page: Size | None = None) -> dict[str, Any]:
    """What the result stores: `text` always, and the task's own field.

    Parameters
    ----------
    sent: the size of the image that the engine saw.
    page: that of the stored page, in whose pixels coordinates come out; the same where it is left out.
    """
    check_whole(answer)
    field = OUTPUTS[task]
    if field is Output.LINES:
        return lines_output(answer, sent, Scaling.between(sent, page or sent))
    text = unfenced(answer.text)
    if field is Output.FIELDS:
        return fields_output(answer, text)
    if field in (Output.HTML, Output.LATEX):
        text = unfenced_blocks(answer.text)
        return {"text": text, field.value: text}
    return {"text": text}


def nothing_found(task: Task) -> dict[str, Any]:
    """What the result of a page without text stores."""
    field = OUTPUTS[task]
    empty: dict[Output, Any] = {Output.LINES: [], Output.FIELDS: {}, Output.HTML: "", Output.LATEX: ""}
    return {"text": "", field.value: empty[field]} if field in empty else {"text": ""}


def check_whole(answer: Answer) -> None:
    cut = answer.finish_reason == "length"
    if cut:
        loops = repeated_unit(answer.text, COPIES_IF_CUT, CHARACTERS_IF_CUT)
    else:
        loops = repeated_unit(answer.text, COPIES_IF_ENDED, CHARACTERS_IF_ENDED)
        loops = loops if len(loops) >= SHORTEST_UNIT_IF_ENDED else ""
    if has_words(loops):
        raise ResultUnusable(
            "degenerate", "The model repeated itself instead of reading on. Upload the page in parts, or a better scan."
        )
    if cut:
        raise ResultUnusable(
            "truncated", "The text is longer than the model may write for one page. Upload the page in parts."
        )


def repeated_unit(text: str, copies: int, characters: int) -> str:
    """The shortest unit of which the text's end is so many copies and characters; empty if there is none."""
    tail = text[-TAIL:].removesuffix(FENCE).rstrip()
    for length in range(1, min(LONGEST_UNIT, len(tail) // copies) + 1):
        place = len(tail) - 1
        while place >= length and tail[place] == tail[place - length]:
            place -= 1
        run = len(tail) - 1 - place + length
        if run >= max(copies * length, characters):
            return tail[-length:]
    return ""


def has_words(unit: str) -> bool:
    """Whether a unit holds text of the page: rules, dots and empty cells repeat on honest pages."""
    return any(letter.isalnum() for letter in re.sub(r"<[^>]*>?|\\[a-zA-Z]+|&\w+;", "", unit))


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


def unfenced_blocks(text: str) -> str:
    """As `unfenced`, and for a text of fenced blocks only, such as one for each table, what is inside them."""
    blocks = BLOCK.findall(text.strip())
    if len(blocks) > 1 and not BLOCK.sub("", text.strip()).strip():
        return "\n".join(blocks)
    return unfenced(text)


def lines_output(answer: Answer, sent: Size, scaling: Scaling) -> dict[str, Any]:
    """Lines from `words_info`, in pixels of the image that was sent; without it, from the rectangles in the text."""
    words, repaired = answer.words, False
    if not isinstance(words, Sequence) or isinstance(words, str):
        found, repaired = parsed(unfenced(answer.text))
        words = words_in(found, sent)
    lines = [geometry.located(word, scaling) for word in words if isinstance(word, Mapping)]
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
        output = {"text": text, "fields": without_null_strings(found)}
    except RecursionError:
        raise ResultUnusable("malformed", "The engine's fields nest too deep to be any page's.") from None
    return {**output, "repaired": True} if repaired else output


def parsed(text: str) -> tuple[Any, bool]:
    """The JSON of a text, and whether a library had to mend it. Raises ResultUnusable `malformed`.

    A single fenced block amidst prose is what the prose introduces. Only what begins as an object or a list is mended:
    of prose the library would make JSON too.
    """
    text = text.strip()
    blocks = BLOCK.findall(text)
    text = blocks[0] if len(blocks) == 1 else text
    try:
        return json.loads(text), False
    except (ValueError, RecursionError):
        pass
    if text.startswith(("{", "[")):
        import json_repair

        try:
            mended = json_repair.loads(text)
        except (ValueError, RecursionError):
            mended = None
        if isinstance(mended, dict | list) and mended:
            return mended, True
    raise ResultUnusable("malformed", "The engine's JSON is broken beyond repair.")


def without_null_strings(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_null_strings(member) for name, member in value.items()}
    if isinstance(value, list):
        return [without_null_strings(member) for member in value]
    return None if value == "null" else value
