"""Groups: consecutive pages that one call asks about. One result and one bill, shown in the account of each page.

A group is a page job that carries others. Its results are recorded together: that of the first page that has not ended
holds the answer and the bill, those of the others point to it. A page that has ended in the meantime (or is redriven)
keeps its result.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pagewise.model import GroupPage, JobStatus, PageJob, Result, Usage
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MODEL, model_of
from pagewise.qwen.parsing import nothing_found
from pagewise.qwen.tokens import estimate


@dataclass(frozen=True, slots=True)
class CallLimits:
    """The bounds of one call: images of so many tokens in all, by the model's measure and with its prompt. None: as
    many as the model takes."""

    model: str = DEFAULT_MODEL
    max_pixels: int = DEFAULT_MAX_PIXELS
    input_tokens: int | None = None


def group_number(page: int, pages_per_call: int) -> int:
    """The group's number, by the page's number alone, so that every split of a document, from any page, divides it in
    the same way."""
    return (page - 1) // pages_per_call


def grouped(jobs: Iterable[PageJob], limits: CallLimits) -> list[PageJob]:
    """The same page jobs in order of their pages, those of a group in one message. Pages that exceed the model's input
    together are more than one group."""
    groups: dict[tuple[str, int, int], list[PageJob]] = {}
    for job in sorted(jobs, key=lambda job: job.page):
        groups.setdefault(group_of(job), []).append(job)
    together = [message for members in groups.values() for message in within(members, limits)]
    return sorted(together, key=lambda job: job.page)


def group_of(job: PageJob) -> tuple[str, int, int]:
    pages = job.options.pages_together(job.task)
    return job.task, pages, group_number(job.page, pages)


def within(members: Sequence[PageJob], limits: CallLimits) -> Iterator[PageJob]:
    """As few messages as the limit allows, each with as many pages as fit after those before."""
    waiting: list[PageJob] = []
    for job in members:
        if waiting and not fits([*waiting, job], limits):
            yield joined(waiting)
            waiting = []
        waiting.append(job)
    yield joined(waiting)


def joined(jobs: Sequence[PageJob]) -> PageJob:
    return replace(jobs[0], others=tuple(GroupPage(job.page, job.image, job.run) for job in jobs[1:]))


def fits(jobs: Sequence[PageJob], limits: CallLimits) -> bool:
    sizes = [(job.image.width, job.image.height) for job in jobs]
    tokens = estimate(sizes, jobs[0].task, jobs[0].options, model=limits.model, max_pixels=limits.max_pixels)
    room = model_of(limits.model).max_input_tokens if limits.input_tokens is None else limits.input_tokens
    return tokens.most.input_tokens <= room


# ── results ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def shared(answer: Result, job: PageJob, sent: Mapping[int, Mapping[str, Any]]) -> list[Result]:
    """The results of all pages of a group: the first page's is the answer. `sent`: how each page went, where it did."""
    nothing = nothing_found(job.task, prompted=job.task in job.options.prompts)
    return [answer, *(pointing(answer, member, sent.get(member.page), nothing) for member in job.members[1:])]


def pointing(answer: Result, member: GroupPage, sent: Mapping[str, Any] | None, nothing: Mapping[str, Any]) -> Result:
    """The result of a page that points to the answer of another."""
    return replace(
        answer,
        page=member.page,
        image_width=member.image.width,
        image_height=member.image.height,
        image_sha256=member.image.sha256,
        output=nothing if answer.status is JobStatus.RECOGNIZED else {},
        usage=Usage(),
        sent=sent,
        run=member.run,
        validation=None,
        look=member.image.look,
        warnings=member.image.look.warnings,
    )


def held_by(results: Sequence[Result], pages: Sequence[int]) -> list[Result]:
    """The results of these pages. The first of them holds the answer from now on, also if another one did before."""
    chosen = [result for result in results if result.page in pages]
    first, answer = chosen[0], results[0]
    if first is not answer:
        own = [code for code in first.warnings if code not in answer.warnings]
        chosen[0] = replace(
            answer,
            page=first.page,
            image_width=first.image_width,
            image_height=first.image_height,
            image_sha256=first.image_sha256,
            sent=first.sent,
            run=first.run,
            look=first.look,
            warnings=(*own, *answer.warnings),
        )
    return [
        replace(result, group=replace(result.group, holder=first.page)) if result.group else result for result in chosen
    ]
