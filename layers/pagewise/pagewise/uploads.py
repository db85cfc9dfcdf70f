"""What an uploader can say with an upload: the object's metadata, read as wishes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.engine import check_schema
from pagewise.errors import DocumentRejected, Permanent, Rejection
from pagewise.model import TaskOptions
from pagewise.preprocessing import NONE, Step, listed_steps
from pagewise.profiles import Profile
from pagewise.strict_json import given
from pagewise.tasks import Task, parse_tasks

TASKS = "ocr-tasks"
TAG = "ocr-tag"
RESULT_SCHEMA = "ocr-result-schema"
ENABLE_ROTATE = "ocr-enable-rotate"
PREPROCESSING = "ocr-preprocessing"
PASSWORD = "ocr-password"  # noqa: S105  the metadata's name, not a password

MAX_TAG_CHARACTERS = 256


@dataclass(frozen=True, slots=True)
class Wishes:
    """What is wanted of a document.

    `preprocessing` is None where the stack's own is to be done. `password` opens an encrypted PDF and is never stored
    or logged.
    """

    tasks: tuple[Task, ...]
    tag: str | None
    options: TaskOptions
    preprocessing: tuple[Step, ...] | None = None
    rules: Mapping[str, Any] | None = None
    password: str | None = None


def wishes(
    metadata: Mapping[str, str],
    default_tasks: Iterable[Task],
    deployed_tasks: Iterable[Task],
    profile: Profile | None = None,
) -> Wishes:
    """Read an object's metadata; the profile says what they leave open.

    Raises DocumentRejected: `unknown_task`, `undeployed_task`, `invalid_option`.
    """
    profile = profile or Profile()
    schema = chosen_schema(metadata.get(RESULT_SCHEMA))
    rotate = metadata.get(ENABLE_ROTATE)
    steps = chosen_steps(metadata.get(PREPROCESSING, ""))
    return Wishes(
        tasks=chosen_tasks(metadata.get(TASKS, ""), profile.tasks or tuple(default_tasks), tuple(deployed_tasks)),
        tag=chosen_tag(metadata.get(TAG)),
        options=TaskOptions(
            result_schema=profile.result_schema if schema is None else schema,
            enable_rotate=profile.enable_rotate if rotate is None else rotate.strip().lower() in ("1", "true", "yes"),
        ),
        preprocessing=profile.preprocessing if steps is None else steps,
        rules=profile.validation,
        password=metadata.get(PASSWORD),
    )


def chosen_tasks(names: str, default: tuple[Task, ...], deployed: tuple[Task, ...]) -> tuple[Task, ...]:
    try:
        tasks = parse_tasks(names.split(","), deployed) or default
    except ValueError as unknown:
        raise DocumentRejected(
            Rejection.UNKNOWN_TASK, f"{str(unknown)[:100]!r} is no task. The tasks are: {', '.join(Task)}."
        ) from None
    if missing := [task for task in tasks if task not in deployed]:
        raise DocumentRejected(
            Rejection.UNDEPLOYED_TASK,
            f"The stack does not run {', '.join(missing)}. It runs: {', '.join(deployed)}.",
        )
    return tasks


def chosen_tag(tag: str | None) -> str | None:
    if tag is not None and len(tag) > MAX_TAG_CHARACTERS:
        raise DocumentRejected(
            Rejection.INVALID_OPTION, f"{TAG} has {len(tag)} characters; at most {MAX_TAG_CHARACTERS} pass."
        )
    return tag


def chosen_steps(names: str) -> tuple[Step, ...] | None:
    if not names.strip():
        return None
    try:
        return listed_steps(names)
    except ValueError as unknown:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{PREPROCESSING} names {str(unknown)[:100]!r}; there are: {NONE}, {', '.join(Step)}.",
        ) from None


def chosen_schema(text: str | None) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        schema = given(text)
    except ValueError:
        raise DocumentRejected(Rejection.INVALID_OPTION, f"{RESULT_SCHEMA} is not JSON.") from None
    try:
        check_schema(schema)
    except Permanent as error:
        raise DocumentRejected(Rejection.INVALID_OPTION, error.message) from None
    return dict(schema)
