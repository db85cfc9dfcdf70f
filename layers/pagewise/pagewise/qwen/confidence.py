"""The model's confidence, from the logarithms of its tokens' probabilities: one number a line or field, 0 to 1.

The number is the geometric mean of the tokens' probabilities: a long line does not lower it by its length. It is
[I]nference throughout: `logprobs` are documented (qwen-vl-ocr-2025-04-13 and later), their form beside a task is not.
Where the tokens are not the text, there is no number; none is ever required.
"""

from __future__ import annotations

import json
import math
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from pagewise.qwen.question import Answer

DIGITS = 4
# A document of more fields than this is looked through no further.
MOST_FIELDS = 1_000


def with_confidence(output: Mapping[str, Any], answer: Answer) -> dict[str, Any]:
    """The output with `line_confidences` (one for each line of `text`) or `field_confidences` (by a field's path, its
    names and numbers joined by a slash), where the answer says how sure it is."""
    tokens = Tokens.of(answer)
    if tokens is None:
        return dict(output)
    if "fields" in output:
        return {**output, "field_confidences": dict(tokens.of_fields(output["fields"]))}
    if output.get("lines"):
        return {**output, "line_confidences": tokens.of_each([line["text"] or "" for line in output["lines"]])}
    return {**output, "line_confidences": tokens.of_each(str(output["text"]).splitlines())}


class Tokens:
    """The tokens of a text, each from one character to another."""

    def __init__(self, text: str, logprobs: Sequence[tuple[str, float]]) -> None:
        self._text = text
        self._ends = list(accumulate(len(token) for token, _ in logprobs))
        self._logprobs = [number for _, number in logprobs]

    @classmethod
    def of(cls, answer: Answer) -> Tokens | None:
        """None where the tokens don't say the answer's text: then nothing is known of where they belong."""
        spoken = "".join(token for token, _ in answer.logprobs)
        return cls(spoken, answer.logprobs) if spoken.strip() and spoken.strip() == answer.text.strip() else None

    def between(self, start: int, end: int) -> float | None:
        numbers = self._logprobs[bisect_right(self._ends, start) : bisect_left(self._ends, end) + 1]
        return round(math.exp(math.fsum(numbers) / len(numbers)), DIGITS) if numbers else None

    def of_each(self, texts: Sequence[str]) -> list[float | None]:
        """The confidences of texts that follow one another."""
        found: list[float | None] = []
        after = 0
        for text in texts:
            start = self._text.find(text, after) if text else -1
            found.append(self.between(start, start + len(text)) if start >= 0 else None)
            after = start + len(text) if start >= 0 else after
        return found

    def of_fields(self, fields: Any) -> Iterator[tuple[str, float]]:
        """The confidences of values at their places in the JSON, in its order."""
        after = 0
        for number, (path, value) in enumerate(leaves(fields)):
            if number == MOST_FIELDS:
                return
            written = json.dumps(value, ensure_ascii=False, allow_nan=False)
            bare = written[1:-1] if isinstance(value, str) else written
            start = self._text.find(bare, after) if bare and value is not None else -1
            if start < 0:
                continue
            after = start + len(bare)
            if (sure := self.between(start, after)) is not None:
                yield path, sure


def leaves(fields: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(fields, Mapping | list):
        for name, value in fields.items() if isinstance(fields, Mapping) else enumerate(fields):
            yield from leaves(value, f"{path}/{name}" if path else str(name))
    else:
        yield path, fields
