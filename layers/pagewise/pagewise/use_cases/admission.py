"""What decides whether an upload is accepted, and what it can cost: the same for the splitter and for an estimate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pagewise.errors import DocumentRejected, Rejection
from pagewise.geometry import Size
from pagewise.model import WarningCode
from pagewise.options import metadata, profiles
from pagewise.options.metadata import DocumentOptions
from pagewise.options.profiles import Profiles
from pagewise.pages.rendering import Contents, inspect
from pagewise.qwen.tokens import Estimate
from pagewise.tasks import Task
from pagewise.use_cases.settings import SplitSettings


def wishes(settings: SplitSettings, known: Profiles, key: str, said: Mapping[str, str]) -> DocumentOptions:
    """What an uploader wants of the object under this key. Raises DocumentRejected."""
    profile = profiles.chosen(known, key, said, settings.deployed_tasks)
    return metadata.document_options(
        said, settings.default_tasks, settings.deployed_tasks, profile, rotates=settings.rotates
    )


def check_bytes(settings: SplitSettings, size: int) -> None:
    """What has no room on the function's disk would fail three times, and then without a reason of use."""
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
    """Of every page the largest page image that it can become; None where the file does not say."""
    return settings.renderer.sizes(path, contents, wanted.password)


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a document would be, were it uploaded. `most` is in the price's units: what the caps hold against it; `over`
    one of them it would be rejected."""

    pages: int
    by_task: Mapping[Task, Estimate]
    most: int
    over: DocumentRejected | None = None
    warnings: Sequence[WarningCode] = ()


def forecast(settings: SplitSettings, known: Profiles, key: str, said: Mapping[str, str], path: Path) -> Forecast:
    """Nothing is rendered and nobody is asked. Raises DocumentRejected where the splitter would, but for a page that
    turns out unreadable. What is left of the day's cap is not looked up."""
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
