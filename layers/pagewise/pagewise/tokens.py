"""Image tokens and cost (Qwen-OCR documentation, "Availability"). Estimates; the bill is the answer's usage."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from pagewise.engine import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS
from pagewise.model import Usage

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

    The documentation's `smart_resize`. An edge never comes out below one patch: the sample code floors a thin
    image's edge to 0 under a small `max_pixels`.
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


@dataclass(frozen=True, slots=True)
class Price:
    """What a million tokens cost, where, and since when this is known."""

    input_per_million: float = 0.07
    output_per_million: float = 0.16
    currency: str = "USD"
    region: str = "international"
    as_of: str = "2026-11-22"

    def cost(self, usage: Usage) -> dict[str, Any]:
        """The cost of these tokens, as the receipt shows it."""
        amount = usage.input_tokens * self.input_per_million + usage.output_tokens * self.output_per_million
        return {
            "amount": round(amount / 1_000_000, 8),
            "currency": self.currency,
            "input_per_million": self.input_per_million,
            "output_per_million": self.output_per_million,
            "region": self.region,
            "prices_as_of": self.as_of,
        }
