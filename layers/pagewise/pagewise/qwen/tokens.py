"""Image tokens and cost (Qwen-OCR documentation, "Availability"). Estimates; the bill is the answer's usage."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pagewise.model import TaskOptions, Usage
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS, DEFAULT_MODEL, model_of
from pagewise.qwen.prompts import asked
from pagewise.tasks import Task

DEFAULT_PATCH = model_of(DEFAULT_MODEL).patch
PLAIN = TaskOptions()


def scaled_size(
    width: int,
    height: int,
    min_pixels: int = DEFAULT_MIN_PIXELS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    patch: int = DEFAULT_PATCH,
) -> tuple[int, int]:
    """Width and height, in pixels, of an image as the model scales it before reading.

    The documentation's `smart_resize`, with Python's round, half to even: 48 → 64, 80 → 64. An edge of 16 or
    less rounds to 0 and takes the branch that enlarges, though it can shrink the other edge. An edge never comes
    out below one patch: the sample code floors a thin image's edge to 0 under a small `max_pixels`.
    """
    scaled_width = round(width / patch) * patch
    scaled_height = round(height / patch) * patch
    if scaled_width * scaled_height > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        scaled_width = math.floor(width / shrink / patch) * patch
        scaled_height = math.floor(height / shrink / patch) * patch
    elif scaled_width * scaled_height < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        scaled_width = math.ceil(width * grow / patch) * patch
        scaled_height = math.ceil(height * grow / patch) * patch
    return max(scaled_width, patch), max(scaled_height, patch)


def image_tokens(
    width: int,
    height: int,
    min_pixels: int = DEFAULT_MIN_PIXELS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    patch: int = DEFAULT_PATCH,
) -> int:
    """Tokens of an image: one for each patch, and one each for the marks of its begin and end."""
    scaled_width, scaled_height = scaled_size(width, height, min_pixels, max_pixels, patch)
    return scaled_width * scaled_height // (patch * patch) + 2


# The task's own text and the chat template came to 33–211 tokens in the documentation's samples, to 170–200 on the live
# service. The longest prompt has 850 characters.
PROMPT_TOKENS = 200
CHARACTERS_PER_TOKEN = 3
# Tokens written for one that is read, in the documentation's samples: 0.5 % (multi_lan) to 56 % (table_parsing). Their
# means; formulas and fields depend on the page less than on the task.
OUTPUT_SHARE = {
    Task.TEXT_RECOGNITION: 0.16,
    Task.MULTI_LAN: 0.16,
    Task.ADVANCED_RECOGNITION: 0.56,
    Task.TABLE_PARSING: 0.56,
    Task.DOCUMENT_PARSING: 0.25,
    Task.KEY_INFORMATION_EXTRACTION: 0.19,
    Task.FORMULA_RECOGNITION: 0.19,
}


@dataclass(frozen=True, slots=True)
class Estimate:
    """Tokens of a call before it is made. `likely` is for planning; `most` cannot be exceeded by the output."""

    likely: Usage
    most: Usage


def estimate(
    sizes: Sequence[tuple[int, int]],
    task: Task,
    options: TaskOptions = PLAIN,
    *,
    model: str = DEFAULT_MODEL,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Estimate:
    """Tokens of a call about images of these widths and heights: the prompt, and the largest output, count once.

    `max_pixels`: the stack's, for options that have none. advanced_recognition's counts fit no formula; the bill is the
    answer's usage.
    """
    known = model_of(model)
    least, most = options.min_pixels or DEFAULT_MIN_PIXELS, options.max_pixels or max_pixels
    image = sum(image_tokens(width, height, least, most, known.patch) for width, height in sizes)
    schema, prompt = options.schema_of(task), options.prompts.get(task)
    text = (prompt or "") if schema is None else asked(task, schema, prompt)
    into = image + PROMPT_TOKENS + text_tokens(text)
    likely = min(known.max_output_tokens, math.ceil(image * OUTPUT_SHARE[task]))
    return Estimate(Usage(into, likely), Usage(into, known.max_output_tokens))


def text_tokens(text: str) -> int:
    """At most: three letters of ASCII to a token, and one of any other script."""
    ascii_letters = sum(character < "\x80" for character in text)
    return -(-ascii_letters // CHARACTERS_PER_TOKEN) + len(text) - ascii_letters


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a million tokens, its region, and the day of its reading; and whether the engine bills them at all.

    "Billing": the input tokens by their price, plus the output tokens by theirs.
    """

    input_per_million: float = 0.07
    output_per_million: float = 0.16
    currency: str = "USD"
    region: str = "international"
    as_of: str = "2026-11-22"
    billed: bool = True

    # "Batch": half the price of the same tokens.
    batch_share: ClassVar[float] = 0.5
    # Amounts are counted in hundred-millionths: a token of the cheapest price listed costs 4.3 of them.
    units_of_one: ClassVar[int] = 100_000_000

    def units(self, usage: Usage) -> int:
        """The engine's bill for these tokens, as a whole number that can be summed without loss."""
        return self.list_units(usage) if self.billed else 0

    def list_units(self, usage: Usage) -> int:
        """The service's bill for these tokens."""
        saved = 1.0 - self.batch_share
        into = usage.input_tokens - saved * usage.batch_input_tokens
        out = usage.output_tokens - saved * usage.batch_output_tokens
        amount = into * self.input_per_million + out * self.output_per_million
        return round(amount * self.units_of_one / 1_000_000)

    def amount_of(self, units: int) -> float:
        return units / self.units_of_one

    def amount(self, usage: Usage) -> float:
        """The engine's bill for these tokens."""
        return self.amount_of(self.units(usage))

    def cost(self, usage: Usage) -> dict[str, Any]:
        """The cost of these tokens, as the receipt shows it: `would_cost` is by the prices, for every engine."""
        return {
            "amount": self.amount(usage),
            "billed": self.billed,
            "would_cost": self.amount_of(self.list_units(usage)),
            "currency": self.currency,
            "input_per_million": self.input_per_million,
            "output_per_million": self.output_per_million,
            "region": self.region,
            "prices_as_of": self.as_of,
        }
