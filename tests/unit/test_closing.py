"""Pages and documents close with their last page job, and say so once."""

from __future__ import annotations

from pagewise.errors import Permanent
from pagewise.model import DocumentStatus
from tests.unit.conftest import Pagewise
from tests.unit.test_recognize import split


def test_events_tell_the_story_in_order(pagewise: Pagewise) -> None:
    split(pagewise, pages=2)
    pagewise.run_queues()
    assert [event.name for event in pagewise.publisher.events] == [
        "DocumentAccepted",
        "PageRecognized",
        "PageCompleted",
        "PageRecognized",
        "PageCompleted",
        "DocumentCompleted",
    ]
    assert len({event.id for event in pagewise.publisher.events}) == 6


def test_a_document_of_failed_pages_only_has_failed(pagewise: Pagewise) -> None:
    pagewise.engine.script = [Permanent("x", "y")]
    document = split(pagewise)
    pagewise.run_queues()
    assert pagewise.stored(document).status is DocumentStatus.FAILED
