"""The functions' settings, read from a mapping of strings such as an environment. Names and defaults: template.yaml."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any, TypeVar

from pagewise.errors import Configuration
from pagewise.model import Step, TextLayer
from pagewise.options.metadata import listed_outputs
from pagewise.outputs.wanted import WantedOutput
from pagewise.pages.preprocessing import listed_steps
from pagewise.qwen.fitting import ImageTransport
from pagewise.qwen.models import model_of
from pagewise.qwen.settings import ApiStyle, BlankPages, EngineSettings, PixelLimits
from pagewise.qwen.tokens import Price
from pagewise.rate.budget import RateLimits
from pagewise.review.policy import NEVER, WORDS, parse_review
from pagewise.strict_json import given
from pagewise.tasks import Task, parse_tasks
from pagewise.use_cases.settings import SplitSettings

if TYPE_CHECKING:
    from pagewise.account.spending import Spending

# The service's own two protocols, side by side on each of its hosts.
SERVICE_HOSTS = "aliyuncs.com"
NATIVE_PATH = "/api/v1"
COMPATIBLE_PATH = "/compatible-mode/v1"
# In the place of a number: as the table of models has it (qwen/models.py).
AUTO = "auto"


def split_settings(variables: Mapping[str, str]) -> SplitSettings:
    """Raises Configuration for a variable that is missing or malformed."""
    from pagewise.pages.rendering import Renderer

    deployed = deployed_tasks(variables)
    return SplitSettings(
        deployed_tasks=deployed,
        default_tasks=tasks(variables, "DEFAULT_TASKS", deployed),
        pages_per_range=whole(variables, "PAGES_PER_RANGE"),
        max_pages=whole(variables, "MAX_PAGES"),
        max_megabytes=whole(variables, "MAX_UPLOAD_MEGABYTES"),
        overdue_seconds=60 * whole(variables, "OVERDUE_MINUTES"),
        renderer=Renderer(
            dpi=whole(variables, "RENDER_DPI"),
            max_pixels=whole(variables, "MAX_PIXELS"),
            preprocessing=steps(variables, "PREPROCESSING"),
            text_layer=one_of(TextLayer, variables, "TEXT_LAYER"),
        ),
        spending=spending(variables),
        rotates=(native := one_of(ApiStyle, variables, "QWEN_API_STYLE") is ApiStyle.DASHSCOPE),
        default_outputs=outputs(variables, "OUTPUTS"),
        default_review=review(variables, "REVIEW"),
        model=text(variables, "QWEN_MODEL"),
        bounds_pixels=native or one_of(PixelLimits, variables, "QWEN_PIXEL_LIMITS") is PixelLimits.SEND,
    )


def spending(variables: Mapping[str, str]) -> Spending:
    from pagewise.account.spending import Spending

    model = text(variables, "QWEN_MODEL")
    most = json_object(variables, "QWEN_PARAMETERS").get("max_tokens")
    return Spending(
        document_cap=number(variables, "MAX_DOCUMENT_COST"),
        day_cap=number(variables, "MAX_DAILY_COST"),
        price=price_settings(variables),
        model=model,
        max_pixels=whole(variables, "MAX_PIXELS"),
        max_output_tokens=most if isinstance(most, int) and most > 0 else model_of(model).max_output_tokens,
    )


def engine_settings(variables: Mapping[str, str]) -> EngineSettings:
    """Raises Configuration for a variable that is missing or malformed."""
    api_style = one_of(ApiStyle, variables, "QWEN_API_STYLE")
    return EngineSettings(
        base_url=base_url(text(variables, "QWEN_BASE_URL"), api_style),
        model=text(variables, "QWEN_MODEL"),
        api_style=api_style,
        workspace=variables.get("QWEN_WORKSPACE", "").strip() or None,
        pixel_limits=one_of(PixelLimits, variables, "QWEN_PIXEL_LIMITS"),
        image_transport=one_of(ImageTransport, variables, "IMAGE_TRANSPORT"),
        parameters=json_object(variables, "QWEN_PARAMETERS"),
        max_pixels=whole(variables, "MAX_PIXELS"),
        max_attempts=whole(variables, "MAX_ATTEMPTS"),
        blank_pages=one_of(BlankPages, variables, "BLANK_PAGES"),
    )


def base_url(url: str, api_style: ApiStyle) -> str:
    """The base URL as the protocol wants it: on the service's own hosts, one protocol's path becomes the other's."""
    url = url.rstrip("/")
    if SERVICE_HOSTS in url:
        path = NATIVE_PATH if api_style is ApiStyle.DASHSCOPE else COMPATIBLE_PATH
        for known in (NATIVE_PATH, COMPATIBLE_PATH):
            if url.endswith(known):
                return url.removesuffix(known) + path
    return url


def price_settings(variables: Mapping[str, str]) -> Price:
    """The model's listed prices in the region, or the stack's own, with the day of their reading.

    Where the model is not sold in the region, the price's own region is named.
    """
    into, out = (text(variables, name) for name in ("INPUT_PRICE_PER_MILLION", "OUTPUT_PRICE_PER_MILLION"))
    own = Price(
        input_per_million=0.0 if into == AUTO else number(variables, "INPUT_PRICE_PER_MILLION"),
        output_per_million=0.0 if out == AUTO else number(variables, "OUTPUT_PRICE_PER_MILLION"),
        currency=text(variables, "PRICE_CURRENCY"),
        region=text(variables, "PRICE_REGION"),
        as_of=text(variables, "PRICES_AS_OF"),
        billed=flag(variables, "ENGINE_BILLS"),
    )
    if AUTO not in (into, out):
        return own
    model = model_of(text(variables, "QWEN_MODEL"))
    region, listed = model.price(own.region)
    return replace(
        own,
        input_per_million=listed.input_per_million if into == AUTO else own.input_per_million,
        output_per_million=listed.output_per_million if out == AUTO else own.output_per_million,
        currency="USD",
        region=region,
        as_of=model.prices_as_of,
    )


def rate_limits(variables: Mapping[str, str]) -> RateLimits:
    """The account's limits; `auto` requests a minute are those that the service gives the model."""
    requests = text(variables, "REQUESTS_PER_MINUTE")
    model = text(variables, "QWEN_MODEL")
    return RateLimits(
        requests_per_minute=model_of(model).requests_per_minute
        if requests == AUTO
        else whole(variables, "REQUESTS_PER_MINUTE", least=0),
        tokens_per_minute=whole(variables, "TOKENS_PER_MINUTE", least=0),
    )


Word = TypeVar("Word", bound=StrEnum)


def one_of(words: type[Word], variables: Mapping[str, str], name: str) -> Word:
    value = text(variables, name)
    try:
        return words(value)
    except ValueError:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} is {value!r}, none of: {', '.join(words)}."
        ) from None


def json_object(variables: Mapping[str, str], name: str) -> dict[str, Any]:
    try:
        value = given(text(variables, name))
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise Configuration("setting_invalid", f"The environment variable {name} is no JSON object.")
    return value


def number(variables: Mapping[str, str], name: str) -> float:
    value = text(variables, name)
    try:
        found = float(value)
    except ValueError:
        found = math.nan
    if not 0 <= found < math.inf:
        raise Configuration("setting_invalid", f"The environment variable {name} is {value!r}, no number from 0 up.")
    return found


def flag(variables: Mapping[str, str], name: str) -> bool:
    value = text(variables, name)
    if value not in ("true", "false"):
        raise Configuration("setting_invalid", f"The environment variable {name} is {value!r}, not true or false.")
    return value == "true"


def text(variables: Mapping[str, str], name: str) -> str:
    if not (value := variables.get(name, "").strip()):
        raise Configuration("setting_missing", f"The environment variable {name} is not set.")
    return value


def whole(variables: Mapping[str, str], name: str, least: int = 1) -> int:
    value = text(variables, name)
    if not value.isdecimal() or int(value) < least:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} is {value!r}, not a whole number from {least} up."
        )
    return int(value)


def steps(variables: Mapping[str, str], name: str) -> tuple[Step, ...]:
    try:
        return listed_steps(text(variables, name))
    except ValueError as unknown:
        raise Configuration(
            "setting_invalid",
            f"The environment variable {name} names {str(unknown)!r}; there are: none, {', '.join(Step)}.",
        ) from None


def deployed_tasks(variables: Mapping[str, str]) -> tuple[Task, ...]:
    """DEPLOYED_TASKS is the template's list, by its keys: logical ids have no underscores (TableParsing)."""
    tasks_by_key = {task.replace("_", ""): task for task in Task}
    keys = [key.strip() for key in text(variables, "DEPLOYED_TASKS").split(",")]
    if unknown := [key for key in keys if key.lower() not in tasks_by_key]:
        raise Configuration(
            "setting_invalid", f"The environment variable DEPLOYED_TASKS names {unknown[0]!r}, which is no task."
        )
    return tuple(tasks_by_key[key.lower()] for key in keys)


def outputs(variables: Mapping[str, str], name: str) -> tuple[WantedOutput, ...]:
    """Empty is a choice: no outputs."""
    try:
        return listed_outputs(variables.get(name, ""))
    except ValueError as unknown:
        raise Configuration(
            "setting_invalid",
            f"The environment variable {name} names {str(unknown)!r}; there are: {', '.join(WantedOutput)}.",
        ) from None


def review(variables: Mapping[str, str], name: str) -> str:
    try:
        return parse_review(variables.get(name, NEVER))
    except ValueError:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} is none of: {', '.join(WORDS)}."
        ) from None


def tasks(variables: Mapping[str, str], name: str, deployed: tuple[Task, ...] = tuple(Task)) -> tuple[Task, ...]:
    try:
        chosen = parse_tasks(text(variables, name).split(","), deployed)
    except ValueError as unknown:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} names {unknown}, which is no task."
        ) from None
    if not chosen:
        raise Configuration("setting_invalid", f"The environment variable {name} names no task.")
    return chosen
