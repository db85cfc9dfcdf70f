"""Use case: keep messages that the configuration stops. Each waits as a fresh message, at no attempt, until an operator
has acted; a metric with its alarm, and an event, tell of it.

The use case needs neither settings nor table: the fault may be theirs.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace

from pagewise import events
from pagewise.account.metering import Meter
from pagewise.errors import Configuration, PagewiseError
from pagewise.events import Event
from pagewise.model import DocumentId, PageJob, PageRange, Upload
from pagewise.ports import Clock, Publisher, Queues

# SQS delays by 900 s at most.
WAIT_SECONDS = 300.0
# Two weeks: as long as a queue keeps a message. After them the error counts as one, and ends in the dead letters.
MOST_PUT_OFFS = 4_000


@dataclass(frozen=True, slots=True)
class Suspension:
    queues: Queues
    publisher: Publisher
    meter: Meter
    clock: Clock

    def upload(self, upload: Upload, error: Configuration) -> None:
        """Raises the error if the upload has waited too often."""
        check(upload.put_offs, error)
        self.meter.split_put_off()
        self.tell(events.splitting_suspended(upload.document_id, error.reason, error.message, self.clock.now()))
        self.queues.defer_upload(replace(upload, put_offs=upload.put_offs + 1), WAIT_SECONDS)

    def page_range(self, document_id: DocumentId, pages: PageRange, error: Configuration) -> None:
        """Raises the error if the range has waited too often."""
        check(pages.put_offs, error)
        self.meter.split_put_off()
        self.tell(events.splitting_suspended(document_id, error.reason, error.message, self.clock.now()))
        self.queues.defer_range(document_id, replace(pages, put_offs=pages.put_offs + 1), WAIT_SECONDS)

    def page_job(self, job: PageJob, attempts: int, error: Configuration) -> None:
        """Keep a page job that the error stops before or after its call, with so many attempts made. Raises the error
        if the job has waited too often."""
        check(job.put_offs, error)
        self.meter.put_off(error)
        moment = self.clock.now()
        self.tell(events.recognition_suspended(job.document_id, job.task, error.reason, error.message, moment))
        waiting = replace(job, slot=None, earlier_attempts=attempts, put_offs=job.put_offs + 1)
        self.queues.defer(waiting, WAIT_SECONDS)

    def tell(self, event: Event) -> None:
        """Publish as far as the bus takes it: no step that may fail comes after the message."""
        with suppress(PagewiseError):
            self.publisher.publish([event])


def check(put_offs: int, error: Configuration) -> None:
    if put_offs >= MOST_PUT_OFFS:
        raise error
