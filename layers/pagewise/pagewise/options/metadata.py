"""What an uploader can say with an upload: the object's metadata, read as wishes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pagewise.errors import DocumentRejected, Permanent, Rejection
from pagewise.model import Step, TaskOptions, TextLayer, WarningCode
from pagewise.options.profiles import PROFILE, Profile
from pagewise.options.spelling import did_you_mean
from pagewise.pages.preprocessing import NONE, listed_steps
from pagewise.qwen.question import check_schema
from pagewise.strict_json import given
from pagewise.tasks import Task, parse_tasks

TASKS = "ocr-tasks"
TAG = "ocr-tag"
RESULT_SCHEMA = "ocr-result-schema"
ENABLE_ROTATE = "ocr-enable-rotate"
PREPROCESSING = "ocr-preprocessing"
TEXT_LAYER = "ocr-text-layer"
PASSWORD = "ocr-password"  # noqa: S105  the metadata's name, not a password

OPTIONS = (TASKS, TAG, RESULT_SCHEMA, ENABLE_ROTATE, PREPROCESSING, TEXT_LAYER, PASSWORD, PROFILE)
# A name of ours, or one that was meant to be.
MARKS = ("ocr-", "ocr_")

MAX_TAG_CHARACTERS = 256
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """What is wanted of a document.

    `preprocessing` and `text_layer` are None where the stack's own holds. `password` opens an encrypted PDF and is
    never stored or logged. `warnings` tell of a profile's wishes that come to nothing; those of the upload itself are
    refused.
    """

    tasks: tuple[Task, ...]
    tag: str | None
    options: TaskOptions
    preprocessing: tuple[Step, ...] | None = None
    rules: Mapping[str, Any] | None = None
    text_layer: TextLayer | None = None
    password: str | None = None
    warnings: tuple[WarningCode, ...] = ()


def document_options(
    metadata: Mapping[str, str],
    default_tasks: Iterable[Task],
    deployed_tasks: Iterable[Task],
    profile: Profile | None = None,
    *,
    rotates: bool = True,
) -> DocumentOptions:
    """Read an object's metadata; the profile says what they leave open. `rotates`: whether the engine can be asked to.

    Raises DocumentRejected: `unknown_task`, `undeployed_task`, `invalid_option`.
    """
    profile = profile or Profile()
    check_names(metadata)
    tasks = chosen_tasks(metadata.get(TASKS, ""), profile.tasks or tuple(default_tasks), tuple(deployed_tasks))
    schema = chosen_schema(metadata.get(RESULT_SCHEMA), tasks)
    rotate = chosen_rotation(metadata.get(ENABLE_ROTATE), rotates=rotates)
    steps = chosen_steps(metadata.get(PREPROCESSING, ""))
    return DocumentOptions(
        tasks=tasks,
        tag=chosen_tag(metadata.get(TAG)),
        options=TaskOptions(
            result_schema=profile.result_schema if schema is None else schema,
            enable_rotate=profile.enable_rotate if rotate is None else rotate,
        ),
        preprocessing=profile.preprocessing if steps is None else steps,
        rules=profile.validation,
        text_layer=chosen_text_layer(metadata.get(TEXT_LAYER, "")) or profile.text_layer,
        password=metadata.get(PASSWORD),
        warnings=tuple(unmet(profile, tasks, schema, rotate, rotates=rotates)),
    )


def check_names(metadata: Mapping[str, str]) -> None:
    """A misspelt option would be a wish that passes in silence."""
    for name in sorted(metadata):
        if name.lower().startswith(MARKS) and name not in OPTIONS:
            raise DocumentRejected(
                Rejection.INVALID_OPTION,
                f"{name[:100]!r} is no option.{did_you_mean(name, OPTIONS)} The options are: {', '.join(OPTIONS)}.",
            )


def unmet(
    profile: Profile, tasks: tuple[Task, ...], schema: Mapping[str, Any] | None, rotate: bool | None, *, rotates: bool
) -> Iterator[WarningCode]:
    """What the profile asks for and nobody will do. It is made for many uploads, so that it cannot be refused."""
    extracts = Task.KEY_INFORMATION_EXTRACTION in tasks
    if profile.result_schema is not None and schema is None and not extracts:
        yield WarningCode.RESULT_SCHEMA_UNUSED
    if profile.validation is not None and not extracts:
        yield WarningCode.VALIDATION_UNUSED
    if profile.enable_rotate and rotate is None and not rotates:
        yield WarningCode.ROTATION_UNAVAILABLE


def chosen_tasks(names: str, default: tuple[Task, ...], deployed: tuple[Task, ...]) -> tuple[Task, ...]:
    try:
        tasks = parse_tasks(names.split(","), deployed) or default
    except ValueError as unknown:
        name = str(unknown)[:100]
        raise DocumentRejected(
            Rejection.UNKNOWN_TASK,
            f"{name!r} is no task.{did_you_mean(name, Task)} The tasks are: {', '.join(Task)}.",
        ) from None
    if names.strip() and not names.replace(",", "").strip():
        raise DocumentRejected(Rejection.INVALID_OPTION, f"{TASKS} names no task. Name one, or leave it out.")
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
        name = str(unknown)[:100]
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{PREPROCESSING} names {name!r}; there are: {NONE}, {', '.join(Step)}.{did_you_mean(name, (NONE, *Step))}",
        ) from None


def chosen_text_layer(word: str) -> TextLayer | None:
    name = word.strip().lower()
    if not name:
        return None
    if name not in set(TextLayer):
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{TEXT_LAYER} is {word[:100]!r}; there are: {', '.join(TextLayer)}.{did_you_mean(name, TextLayer)}",
        )
    return TextLayer(name)


def chosen_rotation(text: str | None, *, rotates: bool) -> bool | None:
    if text is None:
        return None
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{ENABLE_ROTATE} is {text[:100]!r}, neither true nor false.{did_you_mean(word, ('true', 'false'))}",
        )
    if word in TRUE and not rotates:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{ENABLE_ROTATE} is of the native protocol alone, and the stack speaks the compatible one "
            "(QwenApiStyle). Leave it out, and upload pages that are upright.",
        )
    return word in TRUE


def chosen_schema(text: str | None, tasks: tuple[Task, ...]) -> dict[str, Any] | None:
    if text is None:
        return None
    try:
        schema = given(text)
    except ValueError:
        raise DocumentRejected(
            Rejection.INVALID_OPTION, f"{RESULT_SCHEMA} is not JSON, or nests too deep. Check it with a JSON validator."
        ) from None
    try:
        check_schema(schema)
    except Permanent as error:
        raise DocumentRejected(Rejection.INVALID_OPTION, error.message) from None
    if Task.KEY_INFORMATION_EXTRACTION not in tasks:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{RESULT_SCHEMA} is for {Task.KEY_INFORMATION_EXTRACTION}, which is not among the tasks "
            f"({', '.join(tasks)}). Add it to {TASKS}, or leave the schema out.",
        )
    return dict(schema)
