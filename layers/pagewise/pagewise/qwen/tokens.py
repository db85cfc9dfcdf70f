"""Image tokens and cost (Qwen-OCR documentation, "Availability"). Estimates; the bill is the answer's usage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from pagewise.model import Usage
from pagewise.qwen.prompts import prompt_of
from pagewise.qwen.question import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS
from pagewise.tasks import Task

# Both current models take 32 × 32 pixels for a token, others 28 × 28.
CURRENT_PATCH = 32
OTHER_PATCH = 28
CURRENT_MODELS = frozenset({"qwen-vl-ocr", "qwen-vl-ocr-2025-11-20"})


def patch_of(model: str) -> int:
    """The side, in pixels, of the square that makes one token."""
    return CURRENT_PATCH if model in CURRENT_MODELS else OTHER_PATCH


def scaled_size(
    width: int,
    height: int,
    min_pixels: int = DEFAULT_MIN_PIXELS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
    patch: int = CURRENT_PATCH,
) -> tuple[int, int]:
    """Width and height, in pixels, to which the model scales an image before it reads it.

    The documentation's `smart_resize`, with Python's round, which goes half to even: 48 → 64, 80 → 64. An edge of 16 or
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
    patch: int = CURRENT_PATCH,
) -> int:
    """Tokens of an image: one for each patch, and one each for the marks of its begin and end."""
    scaled_width, scaled_height = scaled_size(width, height, min_pixels, max_pixels, patch)
    return scaled_width * scaled_height // (patch * patch) + 2


# The task's own text and the chat template came to 33–211 tokens in the documentation's samples, to 170–200 on the live
# service. The longest prompt has 850 characters.
PROMPT_TOKENS = 200
CHARACTERS_PER_TOKEN = 3
# "Availability": the largest input and output of both current models.
MAX_INPUT_TOKENS = 30_000
MAX_OUTPUT_TOKENS = 8_192
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
    width: int,
    height: int,
    task: Task,
    *,
    model: str = "qwen-vl-ocr-2025-11-20",
    result_schema: Mapping[str, Any] | None = None,
    min_pixels: int = DEFAULT_MIN_PIXELS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Estimate:
    """Tokens of one page job. An estimate: advanced_recognition's counts fit no formula, and the bill is the usage."""
    return estimate_call(
        [(width, height)],
        task,
        model=model,
        result_schema=result_schema,
        min_pixels=min_pixels,
        max_pixels=max_pixels,
    )


def estimate_call(
    sizes: Sequence[tuple[int, int]],
    task: Task,
    *,
    model: str = "qwen-vl-ocr-2025-11-20",
    result_schema: Mapping[str, Any] | None = None,
    min_pixels: int = DEFAULT_MIN_PIXELS,
    max_pixels: int = DEFAULT_MAX_PIXELS,
) -> Estimate:
    """Tokens of a call about images of these widths and heights: the prompt, and the largest output, count once."""
    image = sum(image_tokens(width, height, min_pixels, max_pixels, patch_of(model)) for width, height in sizes)
    schema_text = prompt_of(task, result_schema) if result_schema is not None else ""
    into = image + PROMPT_TOKENS + -(-len(schema_text) // CHARACTERS_PER_TOKEN)
    likely = min(MAX_OUTPUT_TOKENS, math.ceil(image * OUTPUT_SHARE[task]))
    return Estimate(Usage(into, likely), Usage(into, MAX_OUTPUT_TOKENS))


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, where, and since when this is known; and whether the engine bills them at all.

    "Billing": the input tokens by their price, plus the output tokens by theirs.
    """

    input_per_million: float = 0.07
    output_per_million: float = 0.16
    currency: str = "USD"
    region: str = "international"
    as_of: str = "2026-11-22"
    billed: bool = True

    # Amounts are counted in hundred-millionths: a token of the cheapest price listed costs 4.3 of them.
    units_of_one: ClassVar[int] = 100_000_000

    def units(self, usage: Usage) -> int:
        """What is billed for these tokens, as a whole number that can be summed without loss."""
        return self.list_units(usage) if self.billed else 0

    def list_units(self, usage: Usage) -> int:
        """What the service bills for these tokens."""
        amount = usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million
        return round(amount * self.units_of_one / 1_000_000)

    def amount_of(self, units: int) -> float:
        return units / self.units_of_one

    def amount(self, usage: Usage) -> float:
        """What is billed for these tokens."""
        return self.amount_of(self.units(usage))

    def cost(self, usage: Usage) -> dict[str, Any]:
        """The cost of these tokens, as the receipt shows it: `would_cost` is by the prices, whoever answered."""
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
