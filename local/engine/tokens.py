"""Tokens, by the documented formula for images and by a rule of thumb for text."""

from __future__ import annotations

import math

EDGE = 32
"""Pixels of a token's edge, fixed for qwen-vl-ocr and qwen-vl-ocr-2025-11-20."""
DEFAULT_MIN_PIXELS = 3 * EDGE * EDGE
DEFAULT_MAX_PIXELS = 8192 * EDGE * EDGE
MOST_PIXELS = 30_720_000
MOST_INPUT_TOKENS = 30_000
MOST_OUTPUT_TOKENS = 8192


def scaled_size(height: int, width: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """`smart_resize` of the documentation, its floor to zero guarded."""
    scaled_height, scaled_width = round(height / EDGE) * EDGE, round(width / EDGE) * EDGE
    if scaled_height * scaled_width > max_pixels:
        shrink = math.sqrt(height * width / max_pixels)
        scaled_height = max(EDGE, math.floor(height / shrink / EDGE) * EDGE)
        scaled_width = max(EDGE, math.floor(width / shrink / EDGE) * EDGE)
    elif scaled_height * scaled_width < min_pixels:
        grow = math.sqrt(min_pixels / (height * width))
        scaled_height = math.ceil(height * grow / EDGE) * EDGE
        scaled_width = math.ceil(width * grow / EDGE) * EDGE
    return scaled_height, scaled_width


def image_tokens(height: int, width: int, min_pixels: int, max_pixels: int) -> int:
    scaled_height, scaled_width = scaled_size(height, width, min_pixels, max_pixels)
    # Plus the two visual markers.
    return scaled_height * scaled_width // (EDGE * EDGE) + 2


def text_tokens(text: str) -> int:
    """An estimate: four Latin letters, or one letter of another script, to a token."""
    latin = sum(letter < "\u0250" for letter in text)
    return math.ceil(latin / 4) + len(text) - latin


def cut_to_tokens(text: str, most: int) -> str:
    """The longest beginning of the text that fits."""
    if text_tokens(text) <= most:
        return text
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text_tokens(text[:middle]) <= most else (low, middle - 1)
    return text[:low]
