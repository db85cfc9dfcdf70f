"""The uploader's wishes: the object's metadata, read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pagewise.errors import DocumentRejected, Permanent, Rejection
from pagewise.model import Step, TaskOptions, TextLayer, WarningCode
from pagewise.options.asking import (
    LEAST_DPI,
    MOST_DPI,
    Ability,
    check_asking,
    names_tasks,
    prompts_by_task,
    sound_number,
    sound_prompt,
)
from pagewise.options.profiles import MOST_PAGES_PER_CALL, PROFILE, Profile
from pagewise.options.spelling import did_you_mean
from pagewise.outputs.wanted import WantedOutput, parse_outputs, tasks_for
from pagewise.pages.preprocessing import NONE, listed_steps
from pagewise.qwen.question import check_schema
from pagewise.review.policy import NEVER, WORDS, parse_review
from pagewise.strict_json import given
from pagewise.tasks import OVER_PAGES, Task, parse_tasks

TASKS = "ocr-tasks"
TAG = "ocr-tag"
RESULT_SCHEMA = "ocr-result-schema"
ENABLE_ROTATE = "ocr-enable-rotate"
PAGES_PER_CALL = "ocr-pages-per-call"
PREPROCESSING = "ocr-preprocessing"
OUTPUTS = "ocr-outputs"
TEXT_LAYER = "ocr-text-layer"
PROMPT = "ocr-prompt"
MIN_PIXELS = "ocr-min-pixels"
MAX_PIXELS = "ocr-max-pixels"
DPI = "ocr-dpi"
LOGPROBS = "ocr-logprobs"
REVIEW = "ocr-review"
PASSWORD = "ocr-password"  # noqa: S105  the metadata's name, not a password

OPTIONS = (
    TASKS, TAG, PROMPT, RESULT_SCHEMA, ENABLE_ROTATE, PAGES_PER_CALL, MIN_PIXELS, MAX_PIXELS, DPI, LOGPROBS,
    PREPROCESSING, TEXT_LAYER, OUTPUTS, REVIEW, PASSWORD, PROFILE,
)  # fmt: skip
# The beginnings of our names, and of misspelt ones.
MARKS = ("ocr-", "ocr_")

MAX_TAG_CHARACTERS = 256
TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"", "0", "false", "no", "off"})


@dataclass(frozen=True, slots=True)
class DocumentOptions:
    """The wishes for a document.

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
    outputs: tuple[WantedOutput, ...] = ()
    tasks_for_outputs: tuple[Task, ...] = ()
    review: str = NEVER
    profile: str | None = None


def document_options(
    metadata: Mapping[str, str],
    default_tasks: Iterable[Task],
    deployed_tasks: Iterable[Task],
    profile: Profile | None = None,
    *,
    rotates: bool = True,
    default_outputs: tuple[WantedOutput, ...] = (),
    default_review: str = NEVER,
    engine: Ability | None = None,
) -> DocumentOptions:
    """Read an object's metadata; the profile gives the options that they leave open. `rotates`: whether the engine can
    be asked to.

    A prompt of the upload takes the place of the profile's schema as well: it names the wanted fields itself.

    Raises DocumentRejected: `unknown_task`, `undeployed_task`, `invalid_option`.
    """
    profile, engine = profile or Profile(), engine or Ability()
    check_names(metadata)
    deployed = tuple(deployed_tasks)
    asked = chosen_tasks(metadata.get(TASKS, ""), profile.tasks or tuple(default_tasks), deployed)
    outputs = chosen_outputs(metadata.get(OUTPUTS), default_outputs if profile.outputs is None else profile.outputs)
    added = tasks_of_outputs(outputs, asked, deployed)
    tasks = (*asked, *added)
    schema = chosen_schema(metadata.get(RESULT_SCHEMA), tasks)
    rotate = chosen_rotation(metadata.get(ENABLE_ROTATE), rotates=rotates)
    pages_per_call = chosen_pages_per_call(metadata.get(PAGES_PER_CALL))
    steps = chosen_steps(metadata.get(PREPROCESSING, ""))
    prompts = chosen_prompts(metadata.get(PROMPT), asked, tasks)
    replaced = Task.KEY_INFORMATION_EXTRACTION in prompts and schema is None
    logprobs = chosen_logprobs(metadata.get(LOGPROBS), engine)
    options = TaskOptions(
        result_schema=(None if replaced else profile.result_schema) if schema is None else schema,
        enable_rotate=profile.enable_rotate if rotate is None else rotate,
        pages_per_call=profile.pages_per_call if pages_per_call is None else pages_per_call,
        prompts={task: prompt for task, prompt in {**profile.prompts, **prompts}.items() if task in tasks},
        min_pixels=chosen_pixels(metadata, MIN_PIXELS, engine) or profile_pixels(profile.min_pixels, engine),
        max_pixels=chosen_pixels(metadata, MAX_PIXELS, engine) or profile_pixels(profile.max_pixels, engine),
        dpi=chosen_number(metadata, DPI, LEAST_DPI, MOST_DPI) or profile.dpi,
        logprobs=(profile.logprobs and engine.model.logprobs) if logprobs is None else logprobs,
    )
    check_together(pages_per_call, options, tasks)
    with refused():
        check_asking(options, tasks, engine)
    return DocumentOptions(
        tasks=tasks,
        tag=chosen_tag(metadata.get(TAG)),
        options=options,
        preprocessing=profile.preprocessing if steps is None else steps,
        rules=profile.validation,
        text_layer=chosen_text_layer(metadata.get(TEXT_LAYER, "")) or profile.text_layer,
        password=metadata.get(PASSWORD),
        warnings=(
            *unmet(profile, tasks, options, rotate, pages_per_call, rotates=rotates),
            *(
                [WarningCode.LOGPROBS_UNAVAILABLE]
                if profile.logprobs and logprobs is None and not options.logprobs
                else []
            ),
            *([WarningCode.MODEL_TOO_OLD] if any(map(engine.model.is_too_old_for, tasks)) else []),
        ),
        outputs=outputs,
        tasks_for_outputs=added,
        review=chosen_review(metadata.get(REVIEW, "")) or profile.review or default_review,
        profile=profile.name,
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
    profile: Profile,
    tasks: tuple[Task, ...],
    options: TaskOptions,
    rotate: bool | None,
    pages_per_call: int | None,
    *,
    rotates: bool,
) -> Iterator[WarningCode]:
    """The profile's wishes that come to nothing. A profile is made for many uploads, so that it cannot be refused."""
    extracts = Task.KEY_INFORMATION_EXTRACTION in tasks
    if profile.result_schema is not None and (options.result_schema is None or not extracts):
        yield WarningCode.RESULT_SCHEMA_UNUSED
    if profile.prompts and not options.prompts:
        yield WarningCode.PROMPT_UNUSED
    if profile.pages_per_call > 1 and pages_per_call is None and not together(options, tasks):
        yield WarningCode.PAGES_PER_CALL_UNUSED
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


def chosen_outputs(names: str | None, default: tuple[WantedOutput, ...]) -> tuple[WantedOutput, ...]:
    """`none` is none of them; an empty or missing value leaves the choice to profile and stack."""
    if names is None or not names.strip():
        return default
    try:
        return listed_outputs(names)
    except ValueError as unknown:
        raise unknown_name(OUTPUTS, unknown, WantedOutput) from None


def listed_outputs(names: str) -> tuple[WantedOutput, ...]:
    """Comma-separated outputs; `none` alone, or nothing, is none. Raises ValueError with the name that is none."""
    words = names.split(",")
    return () if [word.strip().lower() for word in words] == [NONE] else parse_outputs(words)


def tasks_of_outputs(
    outputs: tuple[WantedOutput, ...], asked: tuple[Task, ...], deployed: tuple[Task, ...]
) -> tuple[Task, ...]:
    """The outputs' further tasks, beyond those that were asked for; of several that would do, one that is deployed."""
    added: list[Task] = []
    for output in outputs:
        for task in tasks_for([output], (*asked, *added), deployed):
            if task not in deployed:
                raise DocumentRejected(
                    Rejection.UNDEPLOYED_TASK,
                    f"The output {output} needs {task}, which the stack does not run. It runs: {', '.join(deployed)}.",
                )
            added.append(task)
    return tuple(added)


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
        raise unknown_name(PREPROCESSING, unknown, Step) from None


def unknown_name(option: str, unknown: ValueError, known: Iterable[str]) -> DocumentRejected:
    """`unknown` has the name in a list that is none of the known ones."""
    name, names = str(unknown)[:100], (NONE, *known)
    return DocumentRejected(
        Rejection.INVALID_OPTION, f"{option} names {name!r}; there are: {', '.join(names)}.{did_you_mean(name, names)}"
    )


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


def chosen_review(text: str) -> str | None:
    if not text.strip():
        return None
    try:
        return parse_review(text)
    except ValueError:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{REVIEW} is {text[:100]!r}; there are: {', '.join(WORDS)}.{did_you_mean(text.lower(), WORDS)}",
        ) from None


def chosen_rotation(text: str | None, *, rotates: bool) -> bool | None:
    wanted = chosen_flag(ENABLE_ROTATE, text)
    if wanted and not rotates:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{ENABLE_ROTATE} is of the native protocol alone, and the stack speaks the compatible one "
            "(QwenApiStyle). Leave it out, and upload pages that are upright.",
        )
    return wanted


def chosen_flag(name: str, text: str | None) -> bool | None:
    if text is None:
        return None
    word = text.strip().lower()
    if word not in TRUE | FALSE:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{name} is {text[:100]!r}, neither true nor false.{did_you_mean(word, ('true', 'false'))}",
        )
    return word in TRUE


def chosen_pages_per_call(text: str | None) -> int | None:
    if text is None:
        return None
    number = int(text) if text.strip().isascii() and text.strip().isdecimal() and len(text.strip()) < 4 else 0
    if not 1 <= number <= MOST_PAGES_PER_CALL:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{PAGES_PER_CALL} is {text[:100]!r}, no whole number from 1 to {MOST_PAGES_PER_CALL}.",
        )
    return number


def together(options: TaskOptions, tasks: tuple[Task, ...]) -> bool:
    """Whether any of the tasks can be asked of several pages in one call."""
    return any(options.pages_together(task) > 1 for task in tasks)


def check_together(number: int | None, options: TaskOptions, tasks: tuple[Task, ...]) -> None:
    if number is not None and number > 1 and not together(options, tasks):
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{PAGES_PER_CALL} is for {' and '.join(sorted(OVER_PAGES))}, and for tasks with a prompt; none is among "
            f"the tasks ({', '.join(tasks)}). Add one to {TASKS}, or leave it out.",
        )


def chosen_logprobs(text: str | None, engine: Ability) -> bool | None:
    wanted = chosen_flag(LOGPROBS, text)
    if wanted and not engine.model.logprobs:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{LOGPROBS} is for models that say how sure they are, and {engine.model.name} does not. Leave it out.",
        )
    return wanted


def chosen_prompts(text: str | None, asked: tuple[Task, ...], tasks: tuple[Task, ...]) -> dict[Task, str]:
    """`ocr-prompt`: a text for each task that was asked for, or a JSON object with texts by task. A task that an output
    has added keeps its own prompt: the output needs its form."""
    if text is None:
        return {}
    try:
        by_task = given(text)
    except ValueError:
        by_task = None
    with refused(PROMPT):
        prompts = prompts_by_task(by_task) if names_tasks(by_task) else dict.fromkeys(asked, sound_prompt(text))
    if strangers := [task for task in prompts if task not in tasks]:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{PROMPT} is for {strangers[0]}, which is not among the tasks ({', '.join(tasks)}). Add it to {TASKS}, "
            "or leave the prompt out.",
        )
    return prompts


def chosen_pixels(metadata: Mapping[str, str], name: str, engine: Ability) -> int | None:
    number = chosen_number(metadata, name, engine.model.min_pixels, engine.model.max_pixels)
    if number is not None and name == MIN_PIXELS and not engine.bounds_pixels:
        raise DocumentRejected(
            Rejection.INVALID_OPTION,
            f"{name} comes to nothing: the stack's calls say no pixels (QwenPixelLimits). Leave it out.",
        )
    return number


def profile_pixels(number: int | None, engine: Ability) -> int | None:
    """A profile's number of pixels, bounded by this stack's model: a profile is made for many stacks."""
    return None if number is None else max(engine.model.min_pixels, min(engine.model.max_pixels, number))


def chosen_number(metadata: Mapping[str, str], name: str, least: int, most: int) -> int | None:
    if name not in metadata:
        return None
    text = metadata[name].strip()
    with refused(name):
        return sound_number(int(text) if text.isascii() and text.isdecimal() and len(text) < 10 else text, least, most)


@contextmanager
def refused(name: str = "") -> Iterator[None]:
    """An unsound wish rejects the document, by the option's name."""
    try:
        yield
    except ValueError as unsound:
        raise DocumentRejected(Rejection.INVALID_OPTION, f"{name} {unsound}".strip()) from None


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
