"""Every fact that differs by model, one row a model. Nothing else in the code knows a model by its name.

Sources: the vendor's page (read 2026-11-22) for both current models, "Call built-in tasks" and "High-precision
recognition"; its API reference and mirrors of it (read 2026-11-25) for the others. A fact of no source, or of two that
differ, is marked [I], an inference, and takes the value that promises less.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from pagewise.pages import limits
from pagewise.tasks import Task

# Qwen-OCR documentation, "Availability" and its smart_resize sample: 32 × 32 × 3 and 8192 × 32 × 32.
DEFAULT_MIN_PIXELS = 3_072
DEFAULT_MAX_PIXELS = 8_388_608
INTERNATIONAL, MAINLAND, GLOBAL = "international", "mainland", "global"


@dataclass(frozen=True, slots=True)
class Rate:
    """USD for a million tokens."""

    input_per_million: float
    output_per_million: float


OCR_PRICES: Mapping[str, Rate] = MappingProxyType(
    {INTERNATIONAL: Rate(0.07, 0.16), MAINLAND: Rate(0.043, 0.072), GLOBAL: Rate(0.043, 0.072)}
)


@dataclass(frozen=True, slots=True)
class Model:
    """The defaults are the assumptions about a model that no row names.

    Parameters
    ----------
    patch: the side, in pixels, of the square that makes one image token.
    max_input_tokens, max_output_tokens: of one call.
    min_pixels, max_pixels: bounds of a call's values of these names.
    max_url_bytes: of one image by URL. In the request the limit is the same for all, 10 MB of Base64 (limits.py).
    requests_per_minute: of the account.
    built_in_tasks: False where the model takes prompts alone.
    logprobs: whether it is documented to give its confidence in each token.
    released: the snapshot's day, from its name. None for an alias: it is the newest.
    batches: whether the Batch API takes it, in the mainland region.
    prices: by region; they were read on `prices_as_of`.
    assumed: no row names the model.
    """

    name: str
    patch: int = 28
    max_input_tokens: int = 30_000
    max_output_tokens: int = 8_192
    min_pixels: int = DEFAULT_MIN_PIXELS
    max_pixels: int = limits.MAX_PIXELS
    max_url_bytes: int = limits.MAX_URL_BYTES
    requests_per_minute: int = 600
    built_in_tasks: bool = True
    logprobs: bool = True
    batches: bool = False
    released: str | None = None
    prices: Mapping[str, Rate] = field(default_factory=lambda: OCR_PRICES)
    prices_as_of: str = "2026-11-22"
    assumed: bool = False

    def is_too_old_for(self, task: Task) -> bool:
        """Whether the vendor recommends a later version for the task."""
        least = LEAST_VERSIONS.get(task)
        return bool(least and self.released and self.released < least)

    def price(self, region: str) -> tuple[str, Rate]:
        """The price in the region; where the model has none there, the dearest that it has, with that one's region."""
        if region in self.prices:
            return region, self.prices[region]
        return max(self.prices.items(), key=lambda listed: listed[1].output_per_million)


# "We recommend qwen-vl-ocr-2025-08-28 or later versions for this task" ("High-precision recognition").
LEAST_VERSIONS: Mapping[Task, str] = MappingProxyType({Task.ADVANCED_RECOGNITION: "2025-08-28"})

ROWS = (
    # "Availability": 32 × 32 pixels a token for these two.
    Model("qwen-vl-ocr-2025-11-20", patch=32, requests_per_minute=1_200, released="2025-11-20"),
    Model("qwen-vl-ocr", patch=32, batches=True),
    # 28 × 28 for all others. An output over 4,096 tokens is granted on application to these: 8,192 is the most.
    Model("qwen-vl-ocr-latest", batches=True),
    Model("qwen-vl-ocr-2025-08-28", released="2025-08-28"),
    Model("qwen-vl-ocr-2025-04-13", released="2025-04-13"),
    # "the models (except for qwen-vl-ocr-2024-10-28) include several built-in tasks".
    Model("qwen-vl-ocr-2024-10-28", built_in_tasks=False, logprobs=False, released="2024-10-28"),
    # [I] throughout, from mirrors of the vendor's guide: context 65K by one page and 128K by another, images of 20 MB
    # by URL, offered in the mainland alone. Pixels a token, output limit and rate are those of its forerunner.
    Model(
        "qwen3.5-ocr",
        patch=32,
        max_input_tokens=65_536 - 8_192,
        max_url_bytes=20_000_000,
        prices=MappingProxyType({MAINLAND: Rate(0.069, 0.275)}),
        prices_as_of="2026-11-25",
    ),
)
MODELS: Mapping[str, Model] = MappingProxyType({model.name: model for model in ROWS})
DEFAULT_MODEL = ROWS[0].name
BATCH_MODELS = tuple(model.name for model in ROWS if model.batches)


def model_of(name: str) -> Model:
    """The model's row; of an unknown one, such as an own server's, the assumptions: the defaults of Model."""
    return MODELS.get(name) or replace(Model(name), assumed=True)
