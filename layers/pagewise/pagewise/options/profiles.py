"""Profiles: named configurations of a document, as JSON: {"description", "tasks", "result_schema", "enable_rotate",
"prompts", "min_pixels", "max_pixels", "dpi", "logprobs", "preprocessing", "text_layer", "validation", "outputs",
"review", "lane"}.

The object's metadata `ocr-profile` names one, or else the key's first folder below `uploads/` does, if there is one of
that name. The metadata's other options come before the profile's. profiles/schema.json is the form.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pagewise.errors import DocumentRejected, Permanent, Rejection
from pagewise.model import Lane, Step, TextLayer
from pagewise.options import comparisons
from pagewise.options.asking import LEAST_DPI, MOST_DPI, prompts_by_task, sound_number
from pagewise.options.rules import check_rules
from pagewise.options.spelling import did_you_mean
from pagewise.outputs.wanted import WantedOutput, parse_outputs
from pagewise.pages.limits import MAX_PIXELS
from pagewise.pages.preprocessing import parse_steps
from pagewise.qwen.models import DEFAULT_MIN_PIXELS
from pagewise.qwen.question import check_schema
from pagewise.review.policy import WORDS, parse_review
from pagewise.strict_json import given
from pagewise.tasks import Task, parse_tasks

PROFILE = "ocr-profile"
UPLOADS = "uploads/"
NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # Parameter Store's characters for a part of a name
KEYS = frozenset(
    {
        "$schema",
        "description",
        "tasks",
        "result_schema",
        "enable_rotate",
        "pages_per_call",
        "prompts",
        "min_pixels",
        "max_pixels",
        "dpi",
        "logprobs",
        "preprocessing",
        "text_layer",
        "validation",
        "outputs",
        "review",
        "lane",
    }
)
# One message carries the group, one transaction its results: of a hundred changes, two for each page.
MOST_PAGES_PER_CALL = 20


class Profiles(Protocol):
    def text(self, name: str, /) -> str | None:
        """The profile of this name as it is stored, or None if there is none."""


class NoProfiles:
    def text(self, _name: str, /) -> str | None:
        return None


@dataclass(frozen=True, slots=True)
class Profile:
    """The options where metadata leave them open. No tasks: the stack's default ones; `preprocessing`, `text_layer`,
    `outputs` or `lane` None: the stack's own, too."""

    tasks: tuple[Task, ...] = ()
    result_schema: Mapping[str, Any] | None = None
    enable_rotate: bool = False
    pages_per_call: int = 1
    preprocessing: tuple[Step, ...] | None = None
    text_layer: TextLayer | None = None
    validation: Mapping[str, Any] | None = None
    outputs: tuple[WantedOutput, ...] | None = None
    prompts: Mapping[Task, str] = field(default_factory=dict)
    min_pixels: int | None = None
    max_pixels: int | None = None
    dpi: int | None = None
    logprobs: bool = False
    review: str | None = None
    name: str | None = None
    lane: Lane | None = None


def chosen(
    profiles: Profiles, key: str, metadata: Mapping[str, str], deployed: tuple[Task, ...] = tuple(Task)
) -> Profile:
    """The profile of an upload, where `all` tasks are those that are deployed. Raises DocumentRejected
    `invalid_profile` for one that is named but unknown, or that is not in a profile's form."""
    if named := metadata.get(PROFILE, "").strip():
        text = profiles.text(named) if NAME.fullmatch(named) else None
        if text is None:
            raise invalid(f"There is no profile {named[:64]!r}. Put it with make profile, or leave {PROFILE} out.")
        return load_profile(named, text, deployed)
    folder, slash, _ = key.removeprefix(UPLOADS).partition("/")
    if not slash or not key.startswith(UPLOADS) or not NAME.fullmatch(folder):
        return Profile()
    text = profiles.text(folder)
    return Profile() if text is None else load_profile(folder, text, deployed)


def load_profile(name: str, text: str, deployed: tuple[Task, ...] = tuple(Task)) -> Profile:
    try:
        stored = given(text)
    except ValueError:
        raise invalid(f"The profile {name} is not JSON, or nests too deep.") from None
    if not isinstance(stored, dict):
        raise invalid(f"The profile {name} is no JSON object.")
    if unknown := sorted(set(stored) - KEYS):
        near = did_you_mean(unknown[0], KEYS)
        raise invalid(f"The profile {name} says {', '.join(unknown)[:100]}, which no profile can.{near}")
    result_schema = schema_of(name, stored.get("result_schema"))
    return Profile(
        tasks=tasks_of(name, stored.get("tasks", []), deployed),
        result_schema=result_schema,
        enable_rotate=flag_of(name, stored, "enable_rotate"),
        pages_per_call=pages_per_call_of(name, stored.get("pages_per_call", 1)),
        preprocessing=steps_of(name, stored.get("preprocessing")),
        text_layer=text_layer_of(name, stored.get("text_layer")),
        validation=rules_of(name, stored.get("validation"), result_schema),
        outputs=outputs_of(name, stored.get("outputs")),
        prompts=prompts_of(name, stored.get("prompts", {})),
        min_pixels=number_of(name, stored, "min_pixels", DEFAULT_MIN_PIXELS, MAX_PIXELS),
        max_pixels=number_of(name, stored, "max_pixels", DEFAULT_MIN_PIXELS, MAX_PIXELS),
        dpi=number_of(name, stored, "dpi", LEAST_DPI, MOST_DPI),
        logprobs=flag_of(name, stored, "logprobs"),
        review=review_of(name, stored.get("review")),
        name=name,
        lane=lane_of(name, stored.get("lane")),
    )


def tasks_of(name: str, tasks: Any, deployed: tuple[Task, ...]) -> tuple[Task, ...]:
    if not isinstance(tasks, list) or not all(isinstance(task, str) for task in tasks):
        raise invalid(f"The tasks of the profile {name} are no list of names.")
    try:
        return parse_tasks(tasks, deployed)
    except ValueError as unknown:
        near = did_you_mean(str(unknown), Task)
        raise invalid(f"The profile {name} names {str(unknown)[:100]!r}, which is no task.{near}") from None


def schema_of(name: str, schema: Any) -> Mapping[str, Any] | None:
    if schema is None:
        return None
    try:
        check_schema(schema)
    except Permanent as error:
        raise invalid(f"The profile {name}: {error.message}") from None
    return dict(schema)


def flag_of(name: str, stored: Mapping[str, Any], key: str) -> bool:
    flag = stored.get(key, False)
    if not isinstance(flag, bool):
        raise invalid(f"{key} of the profile {name} is neither true nor false.")
    return flag


def pages_per_call_of(name: str, number: Any) -> int:
    if isinstance(number, bool) or not isinstance(number, int) or not 1 <= number <= MOST_PAGES_PER_CALL:
        raise invalid(f"pages_per_call of the profile {name} is no whole number from 1 to {MOST_PAGES_PER_CALL}.")
    return number


def prompts_of(name: str, prompts: Any) -> dict[Task, str]:
    try:
        return prompts_by_task(prompts)
    except ValueError as unsound:
        raise invalid(f"prompts of the profile {name}: one {unsound}") from None


def number_of(name: str, stored: Mapping[str, Any], key: str, least: int, most: int) -> int | None:
    if stored.get(key) is None:
        return None
    try:
        return sound_number(stored[key], least, most)
    except ValueError as unsound:
        raise invalid(f"{key} of the profile {name} {unsound}") from None


def steps_of(name: str, steps: Any) -> tuple[Step, ...] | None:
    if steps is None:
        return None
    if not isinstance(steps, list) or not all(isinstance(step, str) for step in steps):
        raise invalid(f"The preprocessing of the profile {name} is no list of steps.")
    try:
        return parse_steps(steps)
    except ValueError as unknown:
        raise invalid(
            f"The profile {name} names {str(unknown)[:100]!r}, which is no step of preprocessing. "
            f"There are: {', '.join(Step)}.{did_you_mean(str(unknown), Step)}"
        ) from None


def outputs_of(name: str, outputs: Any) -> tuple[WantedOutput, ...] | None:
    if outputs is None:
        return None
    if not isinstance(outputs, list) or not all(isinstance(output, str) for output in outputs):
        raise invalid(f"The outputs of the profile {name} are no list of names.")
    try:
        return parse_outputs(outputs)
    except ValueError as unknown:
        raise invalid(
            f"The profile {name} names {str(unknown)[:100]!r}, which is no output. "
            f"There are: {', '.join(WantedOutput)}.{did_you_mean(str(unknown), WantedOutput)}"
        ) from None


def text_layer_of(name: str, word: Any) -> TextLayer | None:
    if word is None:
        return None
    if word not in list(TextLayer):
        raise invalid(f"text_layer of the profile {name} is none of: {', '.join(TextLayer)}.")
    return TextLayer(word)


def review_of(name: str, wish: Any) -> str | None:
    if wish is None:
        return None
    try:
        return parse_review(str(wish))
    except ValueError:
        raise invalid(
            f"review of the profile {name} is {str(wish)[:100]!r}; there are: {', '.join(WORDS)}."
            f"{did_you_mean(str(wish).lower(), WORDS)}"
        ) from None


def lane_of(name: str, word: Any) -> Lane | None:
    if word is None:
        return None
    if word not in list(Lane):
        raise invalid(f"lane of the profile {name} is none of: {', '.join(Lane)}.")
    return Lane(word)


def rules_of(name: str, rules: Any, result_schema: Mapping[str, Any] | None) -> Mapping[str, Any] | None:
    if rules is None:
        return None
    try:
        check_rules(rules)
    except Permanent as error:
        raise invalid(f"The profile {name}: {error.message}") from None
    wanted = {*rules.get("properties", ()), *rules.get("required", ())}
    compared = {path for path in comparisons.paths(rules) if not comparisons.at(result_schema, path)}
    if result_schema and (unknown := sorted(wanted.difference(result_schema) | compared)):
        raise invalid(
            f"The profile {name} has rules for {unknown[0][:100]!r}, which its result_schema does not ask for."
        )
    return dict(rules)


def invalid(message: str) -> DocumentRejected:
    return DocumentRejected(Rejection.INVALID_PROFILE, message)
