"""The split queue and the page job queues."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pagewise import messages
from pagewise.aws.failures import translated
from pagewise.errors import StorageBusy
from pagewise.model import DocumentId, Lane, PageJob, PageRange, Upload

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_sqs.type_defs import SendMessageBatchRequestEntryTypeDef

BATCH_JOBS = "batch-jobs"
ENTRIES_PER_REQUEST = 10
LONGEST_DELAY = 900


@dataclass(frozen=True, slots=True)
class SqsQueues:
    """`job_queue_prefix` + a task's name is the URL of the task's queue, and + BATCH_JOBS that of the batch lane's.

    The document's id is the message group: SQS fair queues keep one large document from starving the small ones.
    """

    client: SQSClient
    job_queue_prefix: str
    split_queue_url: str = ""  # OCR functions send no ranges

    def send_ranges(self, document_id: DocumentId, ranges: Sequence[PageRange]) -> None:
        bodies = [messages.dump_range(document_id, pages) for pages in ranges]
        self.send(self.split_queue_url, document_id, bodies)

    def send_jobs(self, jobs: Sequence[PageJob]) -> None:
        by_queue: dict[str, list[PageJob]] = {}
        for job in jobs:
            by_queue.setdefault(BATCH_JOBS if job.lane is Lane.BATCH else job.task, []).append(job)
        for queue, its_jobs in by_queue.items():
            self.send(
                self.job_queue_prefix + queue, its_jobs[0].document_id, [messages.dump_job(job) for job in its_jobs]
            )

    def defer(self, job: PageJob, seconds: float) -> None:
        delay = max(1, min(LONGEST_DELAY, round(seconds)))
        self.send(self.job_queue_prefix + job.task, job.document_id, [messages.dump_job(job)], delay)

    def defer_upload(self, upload: Upload, seconds: float) -> None:
        delay = max(1, min(LONGEST_DELAY, round(seconds)))
        self.send(self.split_queue_url, upload.document_id, [messages.dump_upload(upload)], delay)

    def defer_range(self, document_id: DocumentId, pages: PageRange, seconds: float) -> None:
        delay = max(1, min(LONGEST_DELAY, round(seconds)))
        self.send(self.split_queue_url, document_id, [messages.dump_range(document_id, pages)], delay)

    def send(self, url: str, document_id: DocumentId, bodies: Sequence[str], delay: int = 0) -> None:
        for entries in batches(document_id, bodies, delay):
            with translated("A queue"):
                reply = self.client.send_message_batch(QueueUrl=url, Entries=entries)
            # Entries fail one by one, with HTTP 200.
            if failed := reply.get("Failed"):
                raise StorageBusy(
                    f"A queue did not take {len(failed)} of {len(entries)} messages: {failed[0]['Code']}."
                )


def batches(
    document_id: DocumentId, bodies: Sequence[str], delay: int
) -> Iterator[list[SendMessageBatchRequestEntryTypeDef]]:
    for start in range(0, len(bodies), ENTRIES_PER_REQUEST):
        yield [
            {"Id": str(number), "MessageBody": body, "MessageGroupId": document_id, "DelaySeconds": delay}
            for number, body in enumerate(bodies[start : start + ENTRIES_PER_REQUEST])
        ]
