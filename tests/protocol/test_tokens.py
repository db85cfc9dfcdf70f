"""Tokens by the documented formula, what a call will cost before it is made, and the bill afterwards."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.aws.environment import price_settings
from pagewise.model import TaskOptions, Usage
from pagewise.qwen.models import model_of
from pagewise.qwen.tokens import Price, estimate, image_tokens, scaled_size
from pagewise.tasks import Task


def documented(height: int, width: int, min_pixels: int, max_pixels: int, patch: int) -> tuple[int, int]:
    """The page's `smart_resize`, with the size of a patch as a parameter."""
    h_bar, w_bar = round(height / patch) * patch, round(width / patch) * patch
    if h_bar * w_bar > max_pixels:
        beta = math.sqrt((height * width) / max_pixels)
        h_bar, w_bar = math.floor(height / beta / patch) * patch, math.floor(width / beta / patch) * patch
    elif h_bar * w_bar < min_pixels:
        beta = math.sqrt(min_pixels / (height * width))
        h_bar, w_bar = math.ceil(height * beta / patch) * patch, math.ceil(width * beta / patch) * patch
    return h_bar, w_bar


sides = st.integers(1, 20_000)
limits = st.tuples(st.integers(3_072, 100_000), st.integers(100_000, 30_720_000))


@given(sides, sides, limits, st.sampled_from([32, 28]))
def test_it_is_the_documented_formula_wherever_that_gives_an_edge(
    width: int, height: int, bounds: tuple[int, int], patch: int
) -> None:
    expected_height, expected_width = documented(height, width, *bounds, patch)
    scaled = scaled_size(width, height, *bounds, patch)
    assert scaled == (max(expected_width, patch), max(expected_height, patch))
    tokens = image_tokens(width, height, *bounds, patch)
    assert tokens == scaled[0] * scaled[1] // patch**2 + 2
    assert tokens >= 3


@given(sides, sides, limits)
def test_a_scaled_image_is_whole_patches_within_the_limits(width: int, height: int, bounds: tuple[int, int]) -> None:
    scaled = scaled_size(width, height, *bounds)
    assert all(side % 32 == 0 and side >= 32 for side in scaled)
    if min(scaled) > 32:  # an edge of one patch is guarded, and may exceed
        assert scaled[0] * scaled[1] <= max(bounds[1], 4 * bounds[0])


@pytest.mark.parametrize(
    ("width", "height", "tokens"),
    [
        (689, 487, 332),  # live
        (2400, 12, 27),  # live: an edge that rounds to zero takes the branch that enlarges, and shrinks
        (800, 600, 477),
        (32, 32, 6),
        (48, 80, 6),  # half to even: 64 × 64
        (6000, 3000, 8194),  # the documentation's sample of multi_lan
    ],
)
def test_known_counts(width: int, height: int, tokens: int) -> None:
    assert image_tokens(width, height) == tokens


def test_an_edge_never_vanishes() -> None:
    assert documented(40, 2200, 3_072, 3_072, 32)[0] == 0
    assert scaled_size(2200, 40, max_pixels=3_072) == (384, 32)


def test_current_models_count_32_pixels_and_others_28() -> None:
    assert model_of("qwen-vl-ocr").patch == model_of("qwen-vl-ocr-2025-11-20").patch == 32
    assert model_of("qwen-vl-ocr-2024-10-28").patch == 28
    assert image_tokens(689, 487, patch=28) == 427


@pytest.mark.parametrize("task", Task)
def test_an_estimate_holds_the_image_the_prompt_and_the_largest_output(task: Task) -> None:
    made = estimate([(1700, 2200)], task)
    image = image_tokens(1700, 2200)
    assert image + 33 < made.likely.input_tokens == made.most.input_tokens <= image + 400
    assert 0 < made.likely.output_tokens <= made.most.output_tokens == 8_192
    assert Price().amount(made.likely) < Price().amount(made.most)


def test_a_schema_is_part_of_the_estimate() -> None:
    plain = estimate([(1700, 2200)], Task.KEY_INFORMATION_EXTRACTION)
    fields = {f"Field {number}": "what it is" for number in range(100)}
    full = estimate([(1700, 2200)], Task.KEY_INFORMATION_EXTRACTION, TaskOptions(fields))
    assert full.likely.input_tokens > plain.likely.input_tokens + 500


def test_an_engine_that_bills_nothing_costs_nothing_and_what_the_service_would_have_cost_is_said() -> None:
    price = Price(billed=False)
    usage = Usage(1_000_000, 500_000)
    assert (price.amount(usage), price.units(usage)) == (0, 0)
    assert price.cost(usage) | {"amount": 0, "billed": False, "would_cost": 0.15} == price.cost(usage)


def test_the_bill_is_tokens_by_price_with_region_and_date() -> None:
    variables = {
        "INPUT_PRICE_PER_MILLION": "0.043",
        "OUTPUT_PRICE_PER_MILLION": "0.072",
        "PRICE_CURRENCY": "USD",
        "PRICE_REGION": "mainland",
        "PRICES_AS_OF": "2026-11-22",
        "ENGINE_BILLS": "true",
    }
    cost = price_settings(variables).cost(Usage(1_000_000, 500_000))
    assert cost == {
        "amount": 0.079,
        "billed": True,
        "would_cost": 0.079,
        "currency": "USD",
        "input_per_million": 0.043,
        "output_per_million": 0.072,
        "region": "mainland",
        "prices_as_of": "2026-11-22",
    }
