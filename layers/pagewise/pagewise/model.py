"""The nouns of Pagewise: documents, pages, page jobs, results. Immutable values; no behaviour that needs a port."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, NewType

from pagewise.tasks import OVER_PAGES, Task

DocumentId = NewType("DocumentId", str)


class Step(StrEnum):
    MEDIAN = "median"
    MEAN = "mean"
    EQUALIZE = "equalize"
    DESKEW = "deskew"


class TextLayer(StrEnum):
    """The use of the text that a PDF page brings itself: a sound text answers in the engine's place, or every such text
    is ignored."""

    PREFER = "prefer"
    IGNORE = "ignore"


class Lane(StrEnum):
    """How page jobs reach the engine: each by a call of its own, or many in a file of the Batch API, at half the price
    and within a day or more."""

    LIVE = "live"
    BATCH = "batch"


class DocumentStatus(StrEnum):
    """A document is in progress until it has one of the others. Those are final."""

    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


class JobStatus(StrEnum):
    """The outcome of a page job."""

    RECOGNIZED = "recognized"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Upload:
    """An object as an S3 event names it, not read yet. `put_offs` counts the messages that were sent in its place
    because it had to wait."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str
    size: int
    put_offs: int = field(default=0, compare=False)

    @property
    def version(self) -> str:
        """The object's version. Where the bucket keeps none, ETag and sequencer stand in for it."""
        if self.version_id is None or self.version_id == "null":
            return f"{self.etag}:{self.sequencer}"
        return self.version_id

    @property
    def document_id(self) -> DocumentId:
        """Derived from bucket, key and version, so that the same event twice is the same document and
        two uploads under one name are two."""
        identity = json.dumps([self.bucket, self.key, self.version], ensure_ascii=False, allow_nan=False).encode()
        return DocumentId(base64.b32encode(hashlib.sha256(identity).digest()[:20]).decode().lower())


@dataclass(frozen=True, slots=True)
class Source:
    """The object that a document came from. `size` in bytes; `sha256` in hex, None if the object was never read."""

    bucket: str
    key: str
    version: str
    version_id: str | None
    size: int
    sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens that the engine billed; `batch_…` of them through the Batch API, at its price."""

    input_tokens: int = 0
    output_tokens: int = 0
    batch_input_tokens: int = 0
    batch_output_tokens: int = 0

    def __add__(self, other: Usage) -> Usage:
        return Usage(
            self.input_tokens + other.input_tokens,
            self.output_tokens + other.output_tokens,
            self.batch_input_tokens + other.batch_input_tokens,
            self.batch_output_tokens + other.batch_output_tokens,
        )

    def __mul__(self, times: int) -> Usage:
        batch = (self.batch_input_tokens * times, self.batch_output_tokens * times)
        return Usage(self.input_tokens * times, self.output_tokens * times, *batch)

    def within(self, most: int) -> Usage:
        """With an output of at most so many tokens, of a call."""
        return Usage(self.input_tokens, min(most, self.output_tokens))

    @property
    def of_batch(self) -> Usage:
        """The same tokens, all of them billed by the Batch API."""
        return Usage(self.input_tokens, self.output_tokens, self.input_tokens, self.output_tokens)


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """The uploader's wishes for the engine's calls beyond the task itself.

    `pages_per_call`: the most pages of the document that one call may ask about, by the tasks that can. `prompts` stand
    in the place of the tasks' own. `min_pixels` and `max_pixels` bound the image that the model sees. `dpi` is the
    rendering resolution of the pages; None: as the stack is set. `logprobs`: whether the engine shall give its
    confidence.
    """

    result_schema: Mapping[str, Any] | None = None
    enable_rotate: bool = False
    pages_per_call: int = 1
    prompts: Mapping[Task, str] = field(default_factory=dict)
    min_pixels: int | None = None
    max_pixels: int | None = None
    dpi: int | None = None
    logprobs: bool = False

    def of(self, task: Task) -> TaskOptions:
        """The options that a page job of this task carries: without the other tasks' prompts."""
        return replace(self, prompts={task: self.prompts[task]} if task in self.prompts else {})

    def schema_of(self, task: Task) -> Mapping[str, Any] | None:
        return self.result_schema if task is Task.KEY_INFORMATION_EXTRACTION else None

    def pages_together(self, task: Task) -> int:
        """The most pages in one call of this task. With an uploader's own prompt, every task can ask about several."""
        return self.pages_per_call if task in OVER_PAGES or task in self.prompts else 1


@dataclass(frozen=True, slots=True)
class Document:
    """One uploaded object version and its account.

    `preprocessing` is that of every page, however many invocations render them; None: as the stack is set.
    `rules` are for its fields (options/rules.py); the engine does not get them. `text_layer` None: as the stack is set.
    `run` counts its openings: 1, and one more for every redrive. The earlier usage of redriven page jobs is counted in
    `superseded_usage` alone.
    `reserved` is the most that it can cost, in the price's units, claimed of its day's cap until its bill takes the
    place; None where there was no such cap. The day is that of its acceptance, or of a redrive: then `spend_day`, and
    `settled` is the part of its bill that earlier days hold.
    `swept` is the last page up to which the sweeper has ended overdue page jobs, in this run. `lane` is the first way
    of its page jobs to the engine.
    `outputs` are the names of its wanted outputs (outputs/wanted.py). `tasks_for_outputs` are those of its tasks that
    only the outputs need. `assembled` is the run whose outputs have been made; 0: of none.
    `profile` is the name of the profile that it was taken under. `review` tells when a person shall look at it
    (review/policy.py), `reviews` counts the reviews done, and `assembled_reviews` those that its outputs know.
    `cancelled` and `deleting` are the moments of these requests.
    """

    id: DocumentId
    source: Source
    status: DocumentStatus
    tasks: tuple[Task, ...]
    pages: int
    started: str
    due: str
    options: TaskOptions = TaskOptions()
    preprocessing: tuple[Step, ...] | None = None
    rules: Mapping[str, Any] | None = None
    text_layer: TextLayer | None = None
    tag: str | None = None
    warnings: tuple[WarningCode, ...] = ()
    reason: str | None = None
    message: str | None = None
    ended: str | None = None
    pages_closed: int = 0
    recognized: int = 0
    failed: int = 0
    usage: Usage = Usage()
    announced: bool = False
    run: int = 1
    superseded_jobs: int = 0
    superseded_usage: Usage = Usage()
    reserved: int | None = None
    spend_day: str | None = None
    settled: int = 0
    swept: int = 0
    outputs: tuple[str, ...] = ()
    tasks_for_outputs: tuple[Task, ...] = ()
    assembled: int = 0
    profile: str | None = None
    review: str = "never"
    reviews: int = 0
    assembled_reviews: int = 0
    cancelled: str | None = None
    deleting: str | None = None
    lane: Lane = Lane.LIVE

    @property
    def edition(self) -> Edition:
        """Of the outputs that it shall have."""
        return Edition(self.run, self.reviews)

    @property
    def day(self) -> str:
        """The day (UTC) whose cap the document counts for."""
        return self.spend_day or self.started[:10]

    @property
    def page_jobs(self) -> int:
        """The number of the document's page jobs: every page once for every task."""
        return self.pages * len(self.tasks)


@dataclass(frozen=True, slots=True, order=True)
class Edition:
    """Of a document's outputs: the run whose results they are made of, and how many reviews of it had been done."""

    run: int = 1
    reviews: int = 0


@dataclass(frozen=True, slots=True)
class PageRange:
    """Consecutive pages `first` to `last`, both included, that one invocation renders. They were queued in the
    document's `run`; the range does not know the page jobs of later runs. `put_offs` counts the messages that were sent
    in this one's place because the range had to wait."""

    first: int
    last: int
    run: int = 1
    put_offs: int = field(default=0, compare=False)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def numbers(self) -> range:
        return range(self.first, self.last + 1)


class WarningCode(StrEnum):
    """Reasons to doubt a recognized page job, and for a wish that was not granted: the codes of `warnings`."""

    DAMAGED_PAGE = "damaged_page"
    TEXT_KEPT = "text_kept"
    EMPTY_TEXT = "empty_text"
    EMPTY_FIELDS = "empty_fields"
    NO_TEXT_IN_LINES = "no_text_in_lines"
    NO_TEXT_CLAIMED = "no_text_claimed"
    LINES_WITHOUT_PLACE = "lines_without_place"
    UNCLEAR_TEXT = "unclear_text"
    REPEATED_TEXT = "repeated_text"
    REPLACED_CHARACTERS = "replaced_characters"
    REPAIRED = "repaired"
    PAGES_PER_CALL_UNUSED = "pages_per_call_unused"
    RESULT_SCHEMA_UNUSED = "result_schema_unused"
    PROMPT_UNUSED = "prompt_unused"
    LOGPROBS_UNAVAILABLE = "logprobs_unavailable"
    MODEL_TOO_OLD = "model_too_old"
    ROTATION_UNAVAILABLE = "rotation_unavailable"
    VALIDATION_UNUSED = "validation_unused"


@dataclass(frozen=True, slots=True)
class PageGeometry:
    """The position of a page image on its page of the uploaded file, so that a box can be drawn on the original.

    Parameters
    ----------
    width, height: of the part of the page that the image shows, in points of 1/72 inch (UserUnit counted), as it lies
        in the file: before any turn. None where the file states no size.
    left, bottom: the lower left corner of that part, in points, in the file's own coordinates (a PDF's crop box).
    turn: the image's turn against the file, in degrees clockwise: 0, 90, 180 or 270.
    unit: points to a unit of the file's own coordinates (a PDF's UserUnit), else 1.
    dpi: pixels of the page image an inch. None where the file states no size.
    """

    width: float | None = None
    height: float | None = None
    left: float = 0.0
    bottom: float = 0.0
    turn: int = 0
    unit: float = 1.0
    dpi: float | None = None


@dataclass(frozen=True, slots=True)
class Look:
    """The findings about a page from its rendering.

    `reader` drew it (poppler, pdfium, pillow). A `blank` page has no text, and the engine is not asked about it unless
    the stack says so. `text_layer` is the key of the page's own text, if it answers in the engine's place.
    """

    reader: str | None = None
    blank: bool = False
    geometry: PageGeometry | None = None
    warnings: tuple[WarningCode, ...] = ()
    text_layer: str | None = None


@dataclass(frozen=True, slots=True)
class StoredImage:
    """A page image in the pages bucket. `size` in bytes, `width` and `height` in pixels, `sha256` in hex."""

    key: str
    media_type: str
    width: int
    height: int
    size: int
    sha256: str | None = None
    look: Look = Look()


@dataclass(frozen=True, slots=True)
class Slot:
    """A call's place in the account's rate: `moment` (epoch seconds) is its start, `pace` the pace of the claim."""

    moment: float
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class GroupPage:
    """A page of a group: consecutive pages, each with a page job of its own, that one call asks about."""

    page: int
    image: StoredImage
    run: int = 1


@dataclass(frozen=True, slots=True)
class PageJob:
    """One page × one task: the message, and the unit of accounting.

    `page_tasks` counts all tasks of the page. `earlier_attempts` were made by messages that this one replaces.
    `run` is 1, or the document's at the page job's redrive: messages of earlier runs are worth nothing then.
    `slot` is kept for a job that was put off until then. `put_offs` counts the messages that were sent in this
    one's place because the job had to wait. `others`: the further pages of its group; their page jobs travel along.
    `spent` was billed for it before, in the batch lane, and brought no result. `departure` marks the message by which
    it left that lane.
    """

    document_id: DocumentId
    page: int
    task: Task
    page_tasks: int
    image: StoredImage
    options: TaskOptions = TaskOptions()
    earlier_attempts: int = 0
    run: int = 1
    slot: Slot | None = None
    put_offs: int = 0
    others: tuple[GroupPage, ...] = ()
    lane: Lane = Lane.LIVE
    spent: Usage = Usage()
    departure: str = ""

    @property
    def members(self) -> tuple[GroupPage, ...]:
        """Its page, and the others of its group, in order."""
        return (GroupPage(self.page, self.image, self.run), *self.others)

    def of(self, members: Sequence[GroupPage]) -> PageJob:
        """The same for these pages of the group, at least one."""
        first, *others = members
        return replace(self, page=first.page, image=first.image, run=first.run, others=tuple(others))


def digest_of(images: Sequence[str | None]) -> str | None:
    """SHA-256, in hex, of a call's images, made from their digests; of one image, its own. None: not known."""
    known = [image for image in images if image is not None]
    if len(known) < len(images):
        return None
    return known[0] if len(known) == 1 else hashlib.sha256("".join(known).encode()).hexdigest()


def jobs_of(document: Document, page: int, image: StoredImage, runs: Mapping[Task, int]) -> list[PageJob]:
    """A page's jobs, for these tasks in these runs."""
    return [
        PageJob(
            document.id, page, task, len(document.tasks), image, document.options.of(task), run=run, lane=document.lane
        )
        for task, run in runs.items()
    ]


@dataclass(frozen=True, slots=True)
class Original:
    """The page, of this or another document, whose result was used again."""

    document_id: DocumentId
    page: int


@dataclass(frozen=True, slots=True)
class Problem:
    """A rule that a field breaks: its keyword in JSON Schema. No field: the fields as a whole."""

    field: str | None
    rule: str


@dataclass(frozen=True, slots=True)
class Validation:
    """The verdict of a document's rules on a result."""

    problems: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.problems


class ResultSource(StrEnum):
    """The reader of a result: the engine, or none, as the page's own text layer holds the text."""

    ENGINE = "engine"
    TEXT_LAYER = "text_layer"


@dataclass(frozen=True, slots=True)
class Group:
    """The pages that one call asked about. The result of the page `holder` is the answer, with the bill; those of the
    others point to it. `images`: `digest_of` all that was sent; None where nothing was."""

    pages: tuple[int, ...]
    holder: int
    images: str | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """The stored outcome of one page job.

    `output` holds the task's own fields, as `results/<page>.<task>.json` shows them: `text` for every task,
    and `lines`, `fields`, `html` or `latex`. `sent` is the image as it went to the engine, None if it never did.
    `engine` and `model` are the own names of those that answered. `validation` is None where there are no rules for it.
    `warnings` are the page's own and the answer's. `source` is None where no engine was asked, or none answered. `lane`
    is that of the answer.
    """

    document_id: DocumentId
    page: int
    task: Task
    status: JobStatus
    attempts: int
    ended: str
    image_width: int = 0
    image_height: int = 0
    image_sha256: str | None = None
    engine: str | None = None
    model: str | None = None
    reason: str | None = None
    message: str | None = None
    output: Mapping[str, Any] = field(default_factory=dict)
    finish_reason: str | None = None
    usage: Usage = Usage()
    request_id: str | None = None
    seconds: float = 0.0
    sent: Mapping[str, Any] | None = None
    run: int = 1
    reused_from: Original | None = None
    validation: Validation | None = None
    look: Look = Look()
    warnings: tuple[WarningCode, ...] = ()
    source: ResultSource | None = None
    group: Group | None = None
    lane: Lane = Lane.LIVE

    @property
    def asked_about(self) -> str | None:
        """The digest of the image, or images, that the answer is about."""
        return self.group.images if self.group else self.image_sha256

    @property
    def valid(self) -> bool | None:
        """Whether it keeps its rules; None if there are none."""
        return self.validation.valid if self.validation else None


@dataclass(frozen=True, slots=True)
class JobAccount:
    """A page job's line in the account: its result without the recognized output."""

    task: Task
    status: JobStatus
    reason: str | None
    attempts: int
    usage: Usage
    message: str | None = None
    run: int = 1
    reused_from: Original | None = None
    valid: bool | None = None
    blank: bool = False
    warnings: tuple[WarningCode, ...] = ()
    group: Group | None = None
    source: ResultSource | None = None
    lane: Lane = Lane.LIVE


@dataclass(frozen=True, slots=True)
class PageAccount:
    """A page's line in the account: the jobs that have ended so far.

    Parameters
    ----------
    runs: of the page jobs that were redriven, the run that counts; the others' is 1.
    withdrawals: how often a result was taken out again.
    image: the stored page, where a page job has failed that had one.
    """

    document_id: DocumentId
    page: int
    jobs: tuple[JobAccount, ...]
    closed: bool
    runs: Mapping[Task, int] = field(default_factory=dict)
    withdrawals: int = 0
    image: StoredImage | None = None

    @property
    def run(self) -> int:
        """The latest run of any of its page jobs."""
        return max(self.runs.values(), default=1)

    def run_of(self, task: Task) -> int:
        return self.runs.get(task, 1)

    def with_jobs(self, jobs: Sequence[JobAccount], page_tasks: int) -> PageAccount:
        """The page when these jobs have ended as well, of so many."""
        ended = {job.task: job for job in (*self.jobs, *jobs)}
        in_order = tuple(ended[task] for task in Task if task in ended)
        return replace(self, jobs=in_order, closed=len(in_order) == page_tasks)

    @property
    def awaited(self) -> dict[Task, int]:
        """Redriven page jobs that have not ended again, and their runs."""
        ended = {job.task for job in self.jobs}
        return {task: run for task, run in self.runs.items() if task not in ended}

    @property
    def recognized(self) -> int:
        return sum(job.status is JobStatus.RECOGNIZED for job in self.jobs)

    @property
    def failed(self) -> int:
        return len(self.jobs) - self.recognized

    @property
    def usage(self) -> Usage:
        return sum((job.usage for job in self.jobs), Usage())
