"""What Pagewise talks about: documents, pages, page jobs, results. Immutable values; no behaviour that needs a port."""

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
    """What becomes of the text that a PDF page brings itself: where it is sound it answers in the engine's place, or it
    is taken no notice of."""

    PREFER = "prefer"
    IGNORE = "ignore"


class Lane(StrEnum):
    """How page jobs reach the engine: each by a call of its own, or many in a file of the Batch API, at half the price
    and within a day or more."""

    LIVE = "live"
    BATCH = "batch"


class DocumentStatus(StrEnum):
    """A document is in progress until one of the other four, which are final."""

    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    PARTIAL = "partial"
    FAILED = "failed"
    REJECTED = "rejected"


class JobStatus(StrEnum):
    """The outcome of a page job."""

    RECOGNIZED = "recognized"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Upload:
    """An object as an S3 event names it: nothing has been read yet. `put_offs` counts the messages that were sent in
    its place because it had to wait."""

    bucket: str
    key: str
    version_id: str | None
    etag: str
    sequencer: str
    size: int
    put_offs: int = field(default=0, compare=False)

    @property
    def version(self) -> str:
        """The object's version, or what stands in for it where the bucket keeps none: ETag and sequencer."""
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
    """Where a document came from. `size` in bytes; `sha256` in hex, None if the object was never read."""

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
    """What the uploader asked of the engine beyond the task itself.

    `pages_per_call`: the most pages of the document that one call may ask about, by the tasks that can. `prompts` stand
    in the place of the tasks' own. `min_pixels` and `max_pixels` bound the image that the model sees, `dpi` is the
    resolution at which pages are rendered; None: as the stack is set. `logprobs`: whether the engine shall say how sure
    it is.
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
        """As a page job of this task carries them: the other tasks' prompts are not its own."""
        return replace(self, prompts={task: self.prompts[task]} if task in self.prompts else {})

    def schema_of(self, task: Task) -> Mapping[str, Any] | None:
        return self.result_schema if task is Task.KEY_INFORMATION_EXTRACTION else None

    def pages_together(self, task: Task) -> int:
        """The most pages in one call of this task: a prompt of one's own can be about several, whatever the task."""
        return self.pages_per_call if task in OVER_PAGES or task in self.prompts else 1


@dataclass(frozen=True, slots=True)
class Document:
    """One uploaded object version and its account.

    `preprocessing` is what every page is prepared by, however many invocations render them; None: as the stack is set.
    `rules` are for its fields (options/rules.py), and nothing that the engine is asked. `text_layer` None: as the stack
    is set.
    `run` counts how often it was opened: 1, and one more for every redrive. What redriven page jobs had used before is
    in no counter but in `superseded_usage`.
    `reserved` is the most that it can cost, in the price's units, claimed of its day's cap until its bill takes the
    place; None where there was no such cap. The day is that of its acceptance, or of a redrive: then `spend_day`, and
    `settled` is the part of its bill that earlier days hold.
    `swept` is the last page up to which the sweeper has ended what was overdue, in this run.
    `lane` is how its page jobs go first.
    `outputs` are wanted of it, by their names (outputs/wanted.py); `tasks_for_outputs`, of its tasks, were asked for by
    them alone. `assembled` is the run whose outputs have been made; 0: of none.
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
    lane: Lane = Lane.LIVE

    @property
    def day(self) -> str:
        """The day (UTC) whose cap it counts for."""
        return self.spend_day or self.started[:10]

    @property
    def page_jobs(self) -> int:
        """How many page jobs the document has: every page once for every task."""
        return self.pages * len(self.tasks)


@dataclass(frozen=True, slots=True)
class PageRange:
    """Consecutive pages `first` to `last`, both included, that one invocation renders. `run` is the document's in which
    they were queued: of later runs' page jobs it knows nothing. `put_offs` counts the messages that were sent in this
    one's place because the range had to wait."""

    first: int
    last: int
    run: int = 1
    put_offs: int = field(default=0, compare=False)

    def __len__(self) -> int:
        return self.last - self.first + 1

    def numbers(self) -> range:
        return range(self.first, self.last + 1)


class WarningCode(StrEnum):
    """Why a page job, though recognized, may be wrong, or why a wish was not granted: the codes of `warnings`."""

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
    """Where a page image lies on its page of the uploaded file, so that a box can be drawn on the original.

    Parameters
    ----------
    width, height: of the part of the page that the image shows, in points of 1/72 inch (UserUnit counted), as it lies
        in the file: before any turn. None where the file states no size.
    left, bottom: the lower left corner of that part, in points, in the file's own coordinates (a PDF's crop box).
    turn: degrees clockwise by which the image is turned against the file: 0, 90, 180 or 270.
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
    """What was seen of a page when it was rendered.

    `reader` drew it (poppler, pdfium, pillow). A `blank` page has no text, and nothing is asked about it unless the
    stack says so. `text_layer` is where the page's own text is stored, if it answers in the engine's place.
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
    """A place in the account's rate: `moment` (epoch seconds) at which a call may start, claimed at this `pace`."""

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

    `page_tasks` is how many tasks the page has in all. `earlier_attempts` were made by messages that this one replaces.
    `run` is 1, or the document's in which the page job was redriven: messages of earlier runs are worth nothing then.
    `slot` is kept for this job, which was put off until then. `put_offs` counts the messages that were sent in this
    one's place because the job had to wait. `others`: the further pages of its group, whose page jobs travel along.
    `spent` was billed for it before, in the batch lane, and brought no result.
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

    @property
    def members(self) -> tuple[GroupPage, ...]:
        """Its page, and the others of its group, in order."""
        return (GroupPage(self.page, self.image, self.run), *self.others)

    def of(self, members: Sequence[GroupPage]) -> PageJob:
        """The same for these pages of the group, of which there is one at least."""
        first, *others = members
        return replace(self, page=first.page, image=first.image, run=first.run, others=tuple(others))


def digest_of(images: Sequence[str | None]) -> str | None:
    """SHA-256, in hex, of what a call asks about, by the digests of its images; one image's own. None: not known."""
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
    """What a document's rules say of a result."""

    problems: tuple[Problem, ...] = ()

    @property
    def valid(self) -> bool:
        return not self.problems


class ResultSource(StrEnum):
    """What a result was read by: the engine, or nobody, as the page's own text layer has it."""

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
    and `lines`, `fields`, `html` or `latex`. `sent` says how the page went to the engine, None if it never did.
    `engine` and `model` are what answered, by their own names. `validation` is None where there are no rules for it.
    `warnings` are the page's own and the answer's. `source` is None where nobody was asked, or answered. `lane` is the
    one that the answer came by.
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
    """A page job's line in the account: its result without what was recognized."""

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
