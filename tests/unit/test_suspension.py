"""What the configuration stops is kept, told of, and blamed on nobody."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import pytest

from pagewise.errors import Configuration, StorageBusy
from pagewise.events import Event
from pagewise.messages import load_range, load_uploads
from pagewise.model import DocumentId, PageRange
from pagewise.use_cases.split import retry_seconds
from pagewise.use_cases.suspension import MOST_PUT_OFFS, WAIT_SECONDS
from tests.fakes import MemoryPublisher
from tests.pictures import tiff
from tests.unit.conftest import Pagewise

DENIED = Configuration("access_denied", "The upload: AccessDenied. Check the stack's policies and names.")


def test_an_upload_waits_as_s3_told_of_it(pagewise: Pagewise) -> None:
    upload = pagewise.upload(tiff(1))
    pagewise.suspension.upload(upload, DENIED)
    ((body, seconds),) = pagewise.queues.deferred_splits
    (waiting,) = load_uploads(json.loads(body))
    assert (waiting, waiting.put_offs, seconds) == (upload, 1, WAIT_SECONDS)
    assert waiting.document_id == upload.document_id
    (suspended,) = pagewise.publisher.named("SplittingSuspended")
    assert (suspended["reason"], suspended["document_id"]) == ("access_denied", upload.document_id)
    assert pagewise.ledger.document(upload.document_id) is None


def test_a_page_range_and_a_page_job_wait_likewise(pagewise: Pagewise) -> None:
    pagewise.suspension.page_range(DocumentId("document"), PageRange(3, 4, 2), DENIED)
    ((body, _),) = pagewise.queues.deferred_splits
    document_id, pages = load_range(body)
    assert (document_id, pages, pages.put_offs) == ("document", PageRange(3, 4, 2), 1)
    pagewise.split.upload(pagewise.upload(tiff(1)))
    pagewise.suspension.page_job(pagewise.queues.jobs[0], 2, DENIED)
    ((job, _),) = pagewise.queues.deferred
    assert (job.earlier_attempts, job.put_offs) == (2, 1)
    assert len(pagewise.publisher.named("RecognitionSuspended")) == 1


class FailingBus(MemoryPublisher):
    def publish(self, _events: Sequence[Event]) -> None:
        raise StorageBusy("The event bus did not take 1 events.")


def test_it_is_kept_also_while_the_bus_fails(pagewise: Pagewise) -> None:
    replace(pagewise.suspension, publisher=FailingBus()).upload(pagewise.upload(tiff(1)), DENIED)
    assert len(pagewise.queues.deferred_splits) == 1


def test_after_two_weeks_it_goes_to_the_dead_letters(pagewise: Pagewise) -> None:
    upload = replace(pagewise.upload(tiff(1)), put_offs=MOST_PUT_OFFS)
    with pytest.raises(Configuration):
        pagewise.suspension.upload(upload, DENIED)
    assert pagewise.queues.deferred_splits == []


def test_five_deliveries_outlast_an_outage_of_minutes() -> None:
    waits = [retry_seconds(deliveries) for deliveries in range(1, 5)]
    assert waits == [60.0, 180.0, 540.0, 900.0]
