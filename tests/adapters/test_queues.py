"""Page jobs and page ranges in their queues, against the emulator's own endpoints."""

from __future__ import annotations

from dataclasses import replace

from pagewise import messages
from pagewise.aws.queues import SqsQueues
from pagewise.model import DocumentId, PageJob, PageRange, StoredImage
from pagewise.tasks import Task
from tests.deployed import Deployed

JOB = PageJob(
    DocumentId("d"), 7, Task.MULTI_LAN, 2, StoredImage("documents/d/pages/00007.png", "image/png", 10, 20, 30)
)


def queues(deployed: Deployed) -> SqsQueues:
    return SqsQueues(deployed.client("sqs"), deployed.outputs["PageJobQueues"], deployed.outputs["SplitQueue"])


def received(deployed: Deployed, url: str, count: int) -> list[dict[str, object]]:
    """So many messages of a queue, taken off it."""
    sqs = deployed.client("sqs")
    found: list[dict[str, object]] = []
    while len(found) < count:
        reply = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=5, AttributeNames=["All"])
        if not reply.get("Messages"):
            break
        for message in reply["Messages"]:
            found.append(message)
            sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_page_jobs_go_to_their_tasks_queues_with_the_document_as_group(deployed: Deployed) -> None:
    jobs = [
        replace(JOB, page=page, task=task) for page in range(1, 13) for task in (Task.MULTI_LAN, Task.TABLE_PARSING)
    ]
    queues(deployed).send_jobs(jobs)
    for task in (Task.MULTI_LAN, Task.TABLE_PARSING):
        found = received(deployed, deployed.outputs["PageJobQueues"] + task, 12)
        bodies = [messages.load_job(str(message["Body"])) for message in found]
        assert sorted(bodies, key=lambda job: job.page) == [job for job in jobs if job.task is task]
        assert {message["Attributes"]["MessageGroupId"] for message in found} == {"d"}  # type: ignore[index]


def test_page_ranges_go_to_the_split_queue(deployed: Deployed) -> None:
    deployed.empty_queues()  # of the event with which S3 tries a notification's queue
    ranges = [PageRange(first, first + 19) for first in range(1, 500, 20)]
    queues(deployed).send_ranges(DocumentId("d"), ranges)
    found = received(deployed, deployed.outputs["SplitQueue"], len(ranges))
    assert (
        sorted((messages.load_range(str(message["Body"]))[1] for message in found), key=lambda pages: pages.first)
        == ranges
    )


def test_a_job_put_off_is_not_seen_before_its_time(deployed: Deployed) -> None:
    queues(deployed).defer(replace(JOB, task=Task.FORMULA_RECOGNITION), seconds=2)
    url = deployed.outputs["PageJobQueues"] + Task.FORMULA_RECOGNITION
    assert not deployed.client("sqs").receive_message(QueueUrl=url).get("Messages")
    assert len(received(deployed, url, 1)) == 1
