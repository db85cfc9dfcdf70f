"""From a page job to the engine's question, and from its answer to the job's result, in whichever lane."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pagewise.geometry import Size
from pagewise.model import Group, JobStatus, PageJob, Result, ResultSource, digest_of
from pagewise.qwen.fitting import Inline, Sent
from pagewise.qwen.models import DEFAULT_MIN_PIXELS, model_of
from pagewise.qwen.parsing import reading
from pagewise.qwen.prompts import asked
from pagewise.qwen.question import Answer, Question
from pagewise.qwen.settings import EngineSettings


@dataclass(frozen=True, slots=True)
class Asked:
    """How the images of a call went along, and the SHA-256 of each as it is stored."""

    sent: tuple[Sent, ...]
    digests: tuple[str, ...]

    def group(self, job: PageJob) -> Group | None:
        if not job.others:
            return None
        return Group(tuple(member.page for member in job.members), job.page, digest_of(self.digests))


def question_of(job: PageJob, images: Sequence[Inline | str], settings: EngineSettings) -> Question:
    """What to ask about the images of the job's pages."""
    question = in_words(job, settings) if needs_words(job, settings) else by_task(job, settings)
    return replace(question, image=images[0], further_images=tuple(images[1:]))


def needs_words(job: PageJob, settings: EngineSettings) -> bool:
    """Whether the task cannot be named: an own prompt takes its place, or the model has no tasks built in."""
    return job.task in job.options.prompts or not model_of(settings.model).built_in_tasks


def by_task(job: PageJob, settings: EngineSettings) -> Question:
    options = job.options
    logprobs = {"logprobs": True} if options.logprobs else {}
    return Question(
        model=settings.model,
        image="",
        task=job.task,
        result_schema=options.schema_of(job.task),
        min_pixels=options.min_pixels or DEFAULT_MIN_PIXELS,
        max_pixels=options.max_pixels or settings.max_pixels,
        enable_rotate=options.enable_rotate,
        parameters={**settings.parameters, **logprobs},
    )


def in_words(job: PageJob, settings: EngineSettings) -> Question:
    """As the vendor's page asks by a prompt: without a task, and without enable_rotate unless it is wanted."""
    prompt = asked(job.task, job.options.schema_of(job.task), job.options.prompts.get(job.task))
    rotate = job.options.enable_rotate or None
    return replace(by_task(job, settings), task=None, result_schema=None, prompt=prompt, enable_rotate=rotate)


def result_of(
    job: PageJob, answer: Answer, about: Asked, *, model: str, attempts: int, seconds: float, ended: str
) -> Result:
    """What the answer comes to, recognized or failed, with its bill. Raises nothing: the answer was paid for."""
    sent, look = about.sent[0], job.image.look
    found = reading(
        job.task,
        answer,
        Size(sent.width, sent.height),
        Size(job.image.width, job.image.height),
        blank=all(member.image.look.blank for member in job.members),
        prompted=job.task in job.options.prompts,
    )
    return Result(
        document_id=job.document_id,
        page=job.page,
        task=job.task,
        status=JobStatus.FAILED if found.unusable else JobStatus.RECOGNIZED,
        reason=found.unusable.reason if found.unusable else None,
        message=found.unusable.message if found.unusable else None,
        attempts=attempts,
        ended=ended,
        image_width=job.image.width,
        image_height=job.image.height,
        image_sha256=about.digests[0],
        source=ResultSource.ENGINE,
        engine=answer.engine,
        model=answer.model or model,
        output=found.output,
        finish_reason=answer.finish_reason,
        usage=answer.usage,
        request_id=answer.request_id,
        seconds=seconds,
        sent=sent.shown(),
        run=job.run,
        look=look,
        warnings=(*look.warnings, *(code for code in found.warnings if code not in look.warnings)),
        group=about.group(job),
    )
