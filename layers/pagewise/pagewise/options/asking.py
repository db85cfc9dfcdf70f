"""An uploader's requests to the engine beside the tasks: own prompts, pixels, resolution. Metadata and profiles spell
them differently; the checks are here once. They raise ValueError with a sentence for the uploader."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pagewise.model import Lane, TaskOptions
from pagewise.options.spelling import did_you_mean
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS, DEFAULT_MODEL, Model, model_of
from pagewise.qwen.prompts import asked
from pagewise.qwen.tokens import PROMPT_TOKENS, text_tokens
from pagewise.tasks import TASK_NAMES, Task

# The longest profile that Parameter Store keeps has 8 KB; all of an object's metadata together have 2 KB.
MOST_PROMPT_CHARACTERS = 8_000
# The bounds of RenderDpi in template.yaml.
LEAST_DPI, MOST_DPI = 36, 1_200


@dataclass(frozen=True, slots=True)
class Ability:
    """The abilities of the stack's engine: its `model`, the stack's own `max_pixels`, and whether calls say pixels.

    `batch_model` is the batch lane's; `no_batches` is the reason where there is no such lane.
    """

    model: Model = field(default_factory=lambda: model_of(DEFAULT_MODEL))
    max_pixels: int = DEFAULT_MAX_PIXELS
    bounds_pixels: bool = True
    batch_model: Model | None = None
    no_batches: str = "The stack has none (BatchModel)."

    def in_lane(self, lane: Lane) -> Ability:
        return replace(self, model=self.batch_model) if lane is Lane.BATCH and self.batch_model else self


def sound_prompt(prompt: Any) -> str:
    if not isinstance(prompt, str) or not prompt.strip():
        raise ValueError("says nothing: a prompt is a text. Write one, or leave it out.")
    if len(prompt) > MOST_PROMPT_CHARACTERS:
        raise ValueError(f"has {len(prompt):,} characters; at most {MOST_PROMPT_CHARACTERS:,} pass. Shorten it.")
    return prompt


def prompts_by_task(prompts: Any) -> dict[Task, str]:
    if not isinstance(prompts, Mapping):
        raise ValueError("is no JSON object of tasks and their prompts.")  # noqa: TRY004 - as all that is unsound
    if unknown := sorted(name for name in prompts if name not in TASK_NAMES):
        near = did_you_mean(unknown[0], Task)
        raise ValueError(f"names {unknown[0][:100]!r}, which is no task.{near}")
    return {Task(name): sound_prompt(prompt) for name, prompt in prompts.items()}


def names_tasks(value: Any) -> bool:
    """Whether a JSON value says prompts by task, and not a prompt that happens to be JSON."""
    return isinstance(value, Mapping) and any(name in TASK_NAMES for name in value)


def sound_number(number: Any, least: int, most: int) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not least <= number <= most:
        raise ValueError(f"is {str(number)[:100]}, no whole number from {least:,} to {most:,}.")
    return number


def check_asking(options: TaskOptions, tasks: Iterable[Task], ability: Ability) -> None:
    """Refuse wishes that are sound alone and not together. Raises ValueError."""
    least, most = options.min_pixels or DEFAULT_MIN_PIXELS, options.max_pixels or ability.max_pixels
    if least > most:
        raise ValueError(f"The page would need at least {least:,} pixels and at most {most:,}. Raise the most.")
    model = ability.model
    image = most // (model.patch * model.patch) + 2
    for task in tasks:
        words = text_tokens(asked(task, options.schema_of(task), options.prompts.get(task)))
        if (needed := image + PROMPT_TOKENS + words) > model.max_input_tokens:
            raise ValueError(
                f"A page of {most:,} pixels and the prompt of {task} can need {needed:,} tokens; {model.name} takes "
                f"{model.max_input_tokens:,}. Ask for fewer pixels, or shorten the prompt."
            )
