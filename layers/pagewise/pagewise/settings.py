"""The functions' settings, read from a mapping of strings such as an environment. Names and defaults: template.yaml."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from pagewise.engine import DEFAULT_MAX_PIXELS
from pagewise.errors import Configuration
from pagewise.rendering import Renderer
from pagewise.tasks import Task, parse_tasks


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """What the splitter needs to know."""

    deployed_tasks: tuple[Task, ...] = tuple(Task)
    default_tasks: tuple[Task, ...] = (Task.TEXT_RECOGNITION,)
    pages_per_range: int = 20
    max_pages: int = 10_000
    overdue_seconds: int = 6 * 3600
    renderer: Renderer = field(default_factory=Renderer)


@dataclass(frozen=True, slots=True)
class EngineSettings:
    """What an OCR function needs to know of its engine."""

    base_url: str
    model: str
    api_style: str = "dashscope"
    workspace: str | None = None
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_attempts: int = 5


def split_settings(variables: Mapping[str, str]) -> SplitSettings:
    """Raises Configuration for a variable that is missing or malformed."""
    return SplitSettings(
        deployed_tasks=tasks(variables, "DEPLOYED_TASKS"),
        default_tasks=tasks(variables, "DEFAULT_TASKS"),
        pages_per_range=whole(variables, "PAGES_PER_RANGE"),
        max_pages=whole(variables, "MAX_PAGES"),
        overdue_seconds=60 * whole(variables, "OVERDUE_MINUTES"),
        renderer=Renderer(dpi=whole(variables, "RENDER_DPI"), max_pixels=whole(variables, "MAX_PIXELS")),
    )


def engine_settings(variables: Mapping[str, str]) -> EngineSettings:
    """Raises Configuration for a variable that is missing or malformed."""
    return EngineSettings(
        base_url=text(variables, "QWEN_BASE_URL").rstrip("/"),
        model=text(variables, "QWEN_MODEL"),
        api_style=text(variables, "QWEN_API_STYLE"),
        max_pixels=whole(variables, "MAX_PIXELS"),
        max_attempts=whole(variables, "MAX_ATTEMPTS"),
    )


def text(variables: Mapping[str, str], name: str) -> str:
    if not (value := variables.get(name, "").strip()):
        raise Configuration("setting_missing", f"The environment variable {name} is not set.")
    return value


def whole(variables: Mapping[str, str], name: str) -> int:
    value = text(variables, name)
    if not value.isdecimal() or int(value) < 1:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} is {value!r}, not a whole number over 0."
        )
    return int(value)


def tasks(variables: Mapping[str, str], name: str) -> tuple[Task, ...]:
    try:
        chosen = parse_tasks(text(variables, name).split(","))
    except ValueError as unknown:
        raise Configuration(
            "setting_invalid", f"The environment variable {name} names {unknown}, which is no task."
        ) from None
    return chosen
