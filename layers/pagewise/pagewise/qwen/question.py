"""The question to an engine and its answer, in either protocol."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pagewise.errors import Permanent
from pagewise.model import Usage
from pagewise.qwen.fitting import Inline
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS
from pagewise.tasks import Task

# "Information extraction": "The template supports up to three nested layers."
MAX_SCHEMA_LAYERS = 3


# Whether a failed call may be made once more, when the account's rate has a slot for it. It may take seconds.
Again = Callable[[], Awaitable[bool]]


class Engine(Protocol):
    async def recognize(self, question: Question, seconds: float, again: Again) -> Answer:
        """Ask the engine, retrying inside so many seconds, if the rate has room for it `again`.

        Raises Throttled, Transient, Permanent, Configuration.
        """


async def unlimited() -> bool:
    return True


@dataclass(frozen=True, slots=True)
class Question:
    """One image, or several of one document, and the task or prompt for it.

    `image` is the image itself or an http(s) URL of it, `further_images` those after it. With a `task` the engine
    follows that task's own prompt; with a `prompt` it follows that one; with neither it reads all text ("Call built-in
    tasks", "Getting started"). There is no system message and no earlier turn: the service knows neither ("Model
    limits").
    `parameters` are sampling parameters such as temperature or max_tokens.
    """

    model: str
    image: Inline | str
    task: Task | None = None
    prompt: str | None = None
    result_schema: Mapping[str, Any] | None = None
    min_pixels: int | None = DEFAULT_MIN_PIXELS
    max_pixels: int | None = DEFAULT_MAX_PIXELS
    enable_rotate: bool | None = False
    parameters: Mapping[str, Any] | None = None
    further_images: tuple[Inline | str, ...] = ()

    @property
    def images(self) -> tuple[Inline | str, ...]:
        return (self.image, *self.further_images)


@dataclass(frozen=True, slots=True)
class Answer:
    """The reply, before it is read as a task's result.

    `text` is the service's `processed_text` where it sent one, else its `text`. `words` are in pixels of the image that
    was sent; None where the protocol or the reply has none, and the text must do.
    `finish_reason` "length" means truncated. `engine` and `model` are the names that the reply gives; None without.
    `layouts` are the blocks of a page where the model gives them. `logprobs`: pairs of a token's text and the logarithm
    of its probability, in the order of the text, where they were asked for and came.
    `problem`: why the reply is not in the protocol's form, `malformed` or `oversized`; `text` is then the reply itself,
    or its beginning. It was paid for all the same.
    """

    text: str
    words: Sequence[Mapping[str, Any]] | None
    fields: Any
    finish_reason: str | None
    usage: Usage
    request_id: str | None
    requests: int = 1
    problem: str | None = None
    engine: str | None = None
    model: str | None = None
    layouts: Any = None
    logprobs: Sequence[tuple[str, float]] = ()


def check_schema(schema: Any) -> None:
    """Raise Permanent `invalid_schema` unless it is a JSON object of at most three nested layers."""
    if not isinstance(schema, Mapping) or not schema:
        raise Permanent("invalid_schema", "A result schema is a JSON object with at least one field.")
    try:
        deep = layers(schema)
    except RecursionError:
        raise Permanent("invalid_schema", f"The result schema nests more than {MAX_SCHEMA_LAYERS} layers.") from None
    if deep > MAX_SCHEMA_LAYERS:
        raise Permanent(
            "invalid_schema",
            f"The result schema nests {deep} layers; at most {MAX_SCHEMA_LAYERS} pass. Flatten it.",
        )


def layers(value: Any) -> int:
    """The depth of nested objects; a list counts as its members."""
    if isinstance(value, Mapping):
        return 1 + max((layers(member) for member in value.values()), default=0)
    if isinstance(value, list | tuple):
        return max((layers(member) for member in value), default=0)
    return 0
