"""The checks that decide whether an upload is accepted, and its cost: the same for the splitter and an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pagewise.errors import DocumentRejected, Rejection
from pagewise.geometry import Size
from pagewise.model import Step, TaskOptions, TextLayer, WarningCode
from pagewise.options import metadata, profiles
from pagewise.options.asking import Ability
from pagewise.options.metadata import DocumentOptions
from pagewise.options.profiles import Profiles
from pagewise.pages.rendering import Contents, Renderer, inspect
from pagewise.qwen.models import model_of
from pagewise.qwen.tokens import Estimate
from pagewise.tasks import ANSWERED_BY_TEXT_LAYER, Task
from pagewise.use_cases.settings import SplitSettings


def wishes(settings: SplitSettings, known: Profiles, key: str, said: Mapping[str, str]) -> DocumentOptions:
    """The uploader's wishes for the object under this key. Raises DocumentRejected."""
    profile = profiles.chosen(known, key, said, settings.deployed_tasks)
    return metadata.document_options(
        said,
        settings.default_tasks,
        settings.deployed_tasks,
        profile,
        rotates=settings.rotates,
        default_outputs=settings.default_outputs,
        default_review=settings.default_review,
        engine=Ability(model_of(settings.model), settings.renderer.max_pixels, settings.bounds_pixels),
    )


def check_bytes(settings: SplitSettings, size: int) -> None:
    """A file without room on the function's disk would fail three times, and then without a useful reason."""
    most = settings.max_megabytes
    if size > most * 1_000_000:
        raise DocumentRejected(
            Rejection.TOO_LARGE,
            f"The document has {size // 1_000_000:,} MB, over {most:,} (MaxUploadMegabytes). Upload it in parts.",
        )


def acceptable(settings: SplitSettings, path: Path, password: str | None) -> Contents:
    contents = inspect(path, password)
    if contents.pages > settings.max_pages:
        raise DocumentRejected(
            Rejection.TOO_MANY_PAGES,
            f"The document has {contents.pages:,} pages, over {settings.max_pages:,}. Upload it in parts.",
        )
    return contents


def sizes(settings: SplitSettings, path: Path, contents: Contents, wanted: DocumentOptions) -> list[Size | None]:
    """The largest page image that each page can become; None where the file does not say."""
    own = renderer(settings, wanted.tasks, wanted.options, wanted.preprocessing, wanted.text_layer)
    return own.sizes(path, contents, wanted.password)


def renderer(
    settings: SplitSettings,
    tasks: Sequence[Task],
    options: TaskOptions,
    preprocessing: tuple[Step, ...] | None,
    layer: TextLayer | None,
) -> Renderer:
    """The stack's, with the document's own options. Pages' own text is looked for where it can answer: for one of
    its tasks, without a prompt."""
    stack = settings.renderer
    chosen = layer or stack.text_layer
    answered = ANSWERED_BY_TEXT_LAYER.intersection(tasks).difference(options.prompts)
    return replace(
        stack,
        dpi=options.dpi or stack.dpi,
        max_pixels=options.max_pixels or stack.max_pixels,
        preprocessing=stack.preprocessing if preprocessing is None else preprocessing,
        text_layer=chosen if answered else TextLayer.IGNORE,
    )


@dataclass(frozen=True, slots=True)
class Forecast:
    """A document's pages, usage and cost, were it uploaded. `most`, in the price's units, is the amount that the caps
    hold against it; `over` one of them it would be rejected."""

    pages: int
    by_task: Mapping[Task, Estimate]
    most: int
    over: DocumentRejected | None = None
    warnings: Sequence[WarningCode] = ()


def forecast(settings: SplitSettings, known: Profiles, key: str, said: Mapping[str, str], path: Path) -> Forecast:
    """Nothing is rendered and no engine is asked. Raises DocumentRejected where the splitter would, but for a page that
    turns out unreadable. The rest of the day's cap is not looked up."""
    check_bytes(settings, path.stat().st_size)
    wanted = wishes(settings, known, key, said)
    contents = acceptable(settings, path, wanted.password)
    pages = sizes(settings, path, contents, wanted)
    by_task = settings.spending.by_task(pages, wanted.tasks, wanted.options)
    most = settings.spending.most(pages, wanted.tasks, wanted.options)
    try:
        settings.spending.check(most)
    except DocumentRejected as over:
        return Forecast(contents.pages, by_task, most, over, wanted.warnings)
    return Forecast(contents.pages, by_task, most, None, wanted.warnings)
