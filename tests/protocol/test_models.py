"""The table of models, and what follows from a row: the request, the caps, the rate, the price, warnings."""

from __future__ import annotations

from pathlib import Path

import pytest

from pagewise.aws.environment import price_settings, rate_limits, spending
from pagewise.errors import DocumentRejected, ImageRejected
from pagewise.model import WarningCode
from pagewise.options.asking import Ability
from pagewise.options.metadata import document_options
from pagewise.options.profiles import Profile
from pagewise.pages import limits
from pagewise.qwen.models import DEFAULT_MODEL, MODELS, model_of
from pagewise.qwen.prompts import PROMPTS
from pagewise.qwen.settings import EngineSettings
from pagewise.qwen.tokens import estimate
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings
from tests.adapters.test_environment import PRICES
from tests.fakes import text_answer
from tests.pictures import picture
from tests.unit.conftest import Pagewise

ROOT = Path(__file__).parents[2]


def test_no_other_module_knows_a_model_by_its_name() -> None:
    """What differs by model is in the table; the embedded engine has its own list, as a service of its own."""
    core = (ROOT / "layers/pagewise/pagewise").rglob("*.py")
    knowing = [path.name for path in core if '"qwen' in path.read_text(encoding="utf-8")]
    assert knowing == ["models.py"]


@pytest.mark.parametrize("name", MODELS)
def test_a_page_of_the_most_pixels_and_the_longest_specified_prompt_fit_each_model(name: str) -> None:
    model = model_of(name)
    most = estimate([(3_959, 3_959)], Task.KEY_INFORMATION_EXTRACTION, model=name, max_pixels=model.max_pixels).most
    assert most.input_tokens <= model.max_input_tokens
    assert most.output_tokens == model.max_output_tokens
    assert model.prices


def test_an_unknown_model_is_allowed_with_stated_assumptions() -> None:
    unknown = model_of("my-own-vl")
    assert unknown.assumed
    assert (unknown.patch, unknown.max_input_tokens, unknown.max_output_tokens) == (28, 30_000, 8_192)
    assert unknown.built_in_tasks
    assert unknown.requests_per_minute == 600
    pagewise = Pagewise(SplitSettings(model="my-own-vl"), engine_settings=EngineSettings("http://engine", "my-own-vl"))
    document = pagewise.split.upload(pagewise.upload(picture(), ocr_tasks="advanced_recognition"))
    assert document.warnings == ()


def test_a_model_without_built_in_tasks_is_asked_by_the_specified_prompts() -> None:
    name = "qwen-vl-ocr-2024-10-28"
    pagewise = Pagewise(
        SplitSettings(model=name),
        script=[text_answer("```html\n<table></table>\n```")],
        engine_settings=EngineSettings("http://engine", name),
    )
    document = pagewise.split.upload(pagewise.upload(picture(), ocr_tasks="table_parsing"))
    pagewise.run_queues()
    (question,) = pagewise.engine.questions
    assert (question.task, question.prompt) == (None, PROMPTS[Task.TABLE_PARSING])
    result = pagewise.ledger.result(document.id, 1, Task.TABLE_PARSING)
    assert result
    assert result.output["html"] == "<table></table>"


@pytest.mark.parametrize(
    ("model", "task", "warns"),
    [
        ("qwen-vl-ocr-2024-10-28", "advanced_recognition", True),
        ("qwen-vl-ocr-2025-04-13", "advanced_recognition", True),
        ("qwen-vl-ocr-2025-04-13", "text_recognition", False),
        ("qwen-vl-ocr-2025-08-28", "advanced_recognition", False),
        ("qwen-vl-ocr-2025-11-20", "advanced_recognition", False),
        ("qwen-vl-ocr", "advanced_recognition", False),
        ("qwen3.5-ocr", "advanced_recognition", False),
    ],
)
def test_a_version_older_than_recommended_is_a_warning_in_the_receipt(model: str, task: str, warns: bool) -> None:
    pagewise = Pagewise(SplitSettings(model=model), engine_settings=EngineSettings("http://engine", model))
    document = pagewise.split.upload(pagewise.upload(picture(), ocr_tasks=task))
    pagewise.run_queues()
    assert pagewise.receipt_of(document)["warnings"] == ([WarningCode.MODEL_TOO_OLD] if warns else [])


def test_logprobs_are_refused_of_a_model_that_has_none_and_of_a_profile_a_warning() -> None:
    silent = Ability(model_of("qwen-vl-ocr-2024-10-28"))
    tasks = (Task.TEXT_RECOGNITION,)
    with pytest.raises(DocumentRejected, match="how sure they are"):
        document_options({"ocr-logprobs": "true"}, tasks, tasks, engine=silent)
    wishes = document_options({}, tasks, tasks, Profile(logprobs=True), engine=silent)
    assert not wishes.options.logprobs
    assert wishes.warnings == (WarningCode.LOGPROBS_UNAVAILABLE,)
    assert document_options({}, tasks, tasks, Profile(logprobs=True)).options.logprobs


@pytest.mark.parametrize(
    ("model", "region", "price"),
    [
        (DEFAULT_MODEL, "international", (0.07, 0.16, "international")),
        (DEFAULT_MODEL, "mainland", (0.043, 0.072, "mainland")),
        ("qwen3.5-ocr", "international", (0.069, 0.275, "mainland")),
        ("my-own-vl", "nowhere", (0.07, 0.16, "international")),
    ],
)
def test_listed_prices_are_the_model_s_in_the_region(model: str, region: str, price: tuple[float, float, str]) -> None:
    variables = {"INPUT_PRICE_PER_MILLION": "auto", "OUTPUT_PRICE_PER_MILLION": "auto"}
    found = price_settings({**PRICES, **variables, "QWEN_MODEL": model, "PRICE_REGION": region})
    assert (found.input_per_million, found.output_per_million, found.region) == price
    assert found.as_of == model_of(model).prices_as_of


def test_a_rate_and_a_cap_are_the_model_s() -> None:
    variables = {"REQUESTS_PER_MINUTE": "auto", "TOKENS_PER_MINUTE": "0", "QWEN_MODEL": "qwen-vl-ocr-2025-11-20"}
    assert rate_limits(variables).requests_per_minute == 1_200
    assert rate_limits({**variables, "QWEN_MODEL": "my-own-vl"}).requests_per_minute == 600
    caps = {"MAX_DOCUMENT_COST": "0", "MAX_DAILY_COST": "0", "MAX_PIXELS": "3072", "QWEN_PARAMETERS": "{}"}
    assert spending({**PRICES, **caps, **variables}).max_output_tokens == 8_192


def test_a_file_by_url_may_be_as_large_as_the_model_says() -> None:
    size, larger = 15_000_000, model_of("qwen3.5-ocr").max_url_bytes
    limits.check(2_000, 2_000, "PNG", size, by_url=True, max_url_bytes=larger)
    with pytest.raises(ImageRejected, match="at most 10,000,000"):
        limits.check(2_000, 2_000, "PNG", size, by_url=True)
