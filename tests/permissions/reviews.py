"""The review function's uses of its permissions: requests to its handler, on documents as recognition leaves them."""

from __future__ import annotations

import importlib
import json
import urllib.request
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from local.http_api import Caller, event_of
from pagewise.account.closing import Accounting
from pagewise.account.deletion import Deletions
from pagewise.account.ledger import INLINE_RESULT_BYTES
from pagewise.account.records import result_key
from pagewise.aws.buckets import S3Pages
from pagewise.aws.bus import EventBridgePublisher
from pagewise.aws.clock import UtcClock
from pagewise.errors import Transient
from pagewise.model import Document, JobStatus, Result, Source, StoredImage
from pagewise.tasks import Task
from tests.handlers.conftest import Context
from tests.pictures import picture
from tests.reviewed import STARTED, new_document, recognized

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.permissions.uses import World


def ask(method: str, path: str, body: Any = None) -> Any:
    """The answer's JSON, of a request that was answered."""
    handler: Any = importlib.import_module("functions.review.handler").handler
    path, _, query = path.partition("?")
    content = b"" if body is None else json.dumps(body).encode()
    caller = Caller("1", "Ana").claims()
    event = event_of(method, path, query, parse_qsl(query), [("content-type", "application/json")], content, caller)
    answer = handler(event, Context(seconds=29.0))
    assert answer["statusCode"] in (200, 201, 202), answer["body"]
    return json.loads(answer["body"])


def accounting(world: World) -> Accounting:
    """May do everything."""
    pages = S3Pages(world.root("s3"), world.deployment.outputs["PagesBucket"])
    publisher = EventBridgePublisher(world.root("events"), world.deployment.outputs["EventBus"])
    return Accounting(world.ledger, pages, publisher, UtcClock())


def stored(world: World, **options: Any) -> Document:
    return recognized(accounting(world), world.deployment.outputs["UploadsBucket"], pages=1, **options)


def documents_are_listed(world: World) -> None:
    document = stored(world)
    assert document.id in listed("/documents", "documents")


def what_waits_is_listed(world: World) -> None:
    document = stored(world)
    assert document.id in listed("/reviews", "reviews")


def listed(path: str, member: str) -> list[str]:
    """The ids of all its pages: uses of before have left documents."""
    answer = ask("GET", f"{path}?limit=200")
    ids = [one["id"] for one in answer[member]]
    while answer["next"]:
        answer = ask("GET", f"{path}?limit=200&next={answer['next']}")
        ids += [one["id"] for one in answer[member]]
    return ids


def an_image_is_seen_by_its_link(world: World) -> None:
    document = stored(world)
    link = ask("GET", f"/documents/{document.id}/pages/1")["image"]["url"]
    with urllib.request.urlopen(link) as image:  # noqa: S310  the emulator's
        assert image.read().startswith(b"\x89PNG")


def a_page_without_its_image_is_shown(world: World) -> None:
    document = stored(world)
    world.lose(f"documents/{document.id}/pages/00001.png")
    assert ask("GET", f"/documents/{document.id}/pages/1")["image"] is None


def a_large_result_is_shown(world: World) -> None:
    document = accounting(world).ledger.open(new_document(world.deployment.outputs["UploadsBucket"], 1))
    text = "x" * (INLINE_RESULT_BYTES + 1)
    result = Result(document.id, 1, document.tasks[0], JobStatus.RECOGNIZED, 1, STARTED,
                    output={"fields": {"Text": text}, "text": text})  # fmt: skip
    accounting(world).save(document, result)
    (shown,) = ask("GET", f"/documents/{document.id}/pages/1")["results"].values()
    assert shown["fields"]["Text"] == text


def a_document_is_corrected_and_reviewed(world: World) -> None:
    document = stored(world)
    said = {"task": document.tasks[0], "pointer": "/fields/Seller", "value": "Ana"}
    ask("POST", f"/documents/{document.id}/review/claim")
    ask("PUT", f"/documents/{document.id}/pages/1/corrections", {"version": 0, "corrections": [said]})
    assert ask("POST", f"/documents/{document.id}/review/done")["state"] == "done"


def a_document_is_cancelled(world: World) -> None:
    document = stored(world, ends=False)
    assert ask("POST", f"/documents/{document.id}/cancel")["status"] == "cancelled"


def a_document_is_deleted(world: World) -> None:
    key, reply = world.upload(picture())
    bucket = world.deployment.outputs["UploadsBucket"]
    document = stored(world, source=Source(bucket, key, reply["VersionId"], reply["VersionId"], 1))
    assert ask("DELETE", f"/documents/{document.id}")["objects"] >= 3
    assert not world.root("s3").list_object_versions(Bucket=bucket, Prefix=key).get("Versions")


def a_document_whose_upload_is_lost_is_deleted(world: World) -> None:
    document = stored(world)
    assert ask("DELETE", f"/documents/{document.id}")["objects"] >= 2


def a_deletion_goes_on(world: World) -> None:
    """By the sweeper."""
    key, reply = world.upload(picture())
    bucket = world.deployment.outputs["UploadsBucket"]
    document = stored(world, source=Source(bucket, key, reply["VersionId"], reply["VersionId"], 1))
    lost = stored(world)
    deletions = Deletions(world.ledger)
    for one in (document, lost):
        deletions.ask(one.id, "Ana", STARTED)
    sweep()
    for one, objects in ((document, 3), (lost, 2)):
        receipt = deletions.receipt(one.id)
        assert receipt
        assert receipt.shown()["objects"] >= objects
        assert receipt.shown()["records"] > 0


def the_sweeper_looks_for_doubts_in_a_large_result(world: World) -> None:
    document = half_recognized(world)
    sweep()
    assert world.has_ended(document.id).recognized == 1


def the_sweeper_finds_a_large_result_gone(world: World) -> None:
    document = half_recognized(world)
    stored = world.ledger.table.get(result_key(document.id, 1, document.tasks[0]))
    assert stored
    world.lose(str(stored["result_key"]))
    sweep()
    assert world.has_ended(document.id).recognized == 1


def half_recognized(world: World) -> Document:
    """An overdue document, of which one page has a large result that may be doubtful."""
    bucket = world.deployment.outputs["UploadsBucket"]
    document = accounting(world).ledger.open(new_document(bucket, 2, review="doubtful"))
    text = "x" * (INLINE_RESULT_BYTES + 1)
    result = Result(document.id, 1, document.tasks[0], JobStatus.RECOGNIZED, 1, STARTED,
                    output={"fields": {"Text": text}, "text": text})  # fmt: skip
    accounting(world).save(document, result)
    return document


def sweep() -> None:
    handler: Any = importlib.import_module("functions.sweeper.handler").handler
    with suppress(ExceptionGroup):  # of documents that other uses have left
        handler({}, Context())


def failed_page_jobs_are_queued_again(world: World) -> None:
    url = world.deployment.outputs["PageJobQueues"] + Task.KEY_INFORMATION_EXTRACTION
    world.root("sqs").purge_queue(QueueUrl=url)
    document = failed(world, image=StoredImage("documents/x/pages/00001.png", "image/png", 200, 100, 1))
    assert ask("POST", f"/documents/{document.id}/redrive")["page_jobs"] == 1
    assert world.root("sqs").receive_message(QueueUrl=url).get("Messages")


def failed_pages_are_rendered_again(world: World) -> None:
    url = world.deployment.outputs["SplitQueue"]
    world.root("sqs").purge_queue(QueueUrl=url)
    assert ask("POST", f"/documents/{failed(world).id}/redrive")["pages_to_render"] == 1
    assert world.root("sqs").receive_message(QueueUrl=url).get("Messages")


def failed(world: World, image: StoredImage | None = None) -> Document:
    of = accounting(world)
    document = of.ledger.open(new_document(world.deployment.outputs["UploadsBucket"], 1))
    of.fail(document, 1, document.tasks[0], Transient("busy", "The engine is busy."), 3, image=image)
    return document


def a_document_goes_up_by_its_link(world: World) -> None:
    place = ask("POST", "/documents", {"name": "a.png"})["upload"]
    request = urllib.request.Request(  # noqa: S310  the emulator's
        place["url"], method="PUT", data=picture(), headers=place["headers"]
    )
    with urllib.request.urlopen(request) as answer:  # noqa: S310
        assert answer.status == 200


REVIEW_USES: list[Callable[[World], None]] = [
    documents_are_listed,
    what_waits_is_listed,
    an_image_is_seen_by_its_link,
    a_page_without_its_image_is_shown,
    a_large_result_is_shown,
    a_document_is_corrected_and_reviewed,
    a_document_is_cancelled,
    a_document_is_deleted,
    a_document_whose_upload_is_lost_is_deleted,
    failed_page_jobs_are_queued_again,
    failed_pages_are_rendered_again,
    a_document_goes_up_by_its_link,
]
