"""The splitter's settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pagewise.outputs.wanted import WantedOutput
from pagewise.qwen.models import DEFAULT_MODEL
from pagewise.review.policy import NEVER
from pagewise.tasks import Task

if TYPE_CHECKING:
    from pagewise.account.spending import Spending
    from pagewise.pages.rendering import Renderer


def default_renderer() -> Renderer:
    from pagewise.pages.rendering import Renderer

    return Renderer()


def no_caps() -> Spending:
    from pagewise.account.spending import Spending

    return Spending()


@dataclass(frozen=True, slots=True)
class SplitSettings:
    """The splitter's settings. `rotates`: whether the engine's protocol has `enable_rotate`.
    `bounds_pixels`: whether calls say `min_pixels` and `max_pixels`."""

    deployed_tasks: tuple[Task, ...] = tuple(Task)
    default_tasks: tuple[Task, ...] = (Task.TEXT_RECOGNITION,)
    pages_per_range: int = 20
    max_pages: int = 10_000
    max_megabytes: int = 2_000
    overdue_seconds: int = 6 * 3600
    renderer: Renderer = field(default_factory=default_renderer)
    spending: Spending = field(default_factory=no_caps)
    rotates: bool = True
    default_outputs: tuple[WantedOutput, ...] = ()
    default_review: str = NEVER
    model: str = DEFAULT_MODEL
    bounds_pixels: bool = True
