"""What each function does with its permissions, done by the real handlers under the credentials of their own roles."""

from __future__ import annotations

import importlib
import json
import os
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import boto3

from commands.profiles import put_profile
from local.children import Children
from local.emulator.deployment import Deployment, deploy
from local.emulator.process import REGION, Emulator
from local.emulator.roles import Roles, actions_of
from local.stack import API_PARAMETERS, EMULATOR_PYTHON, ROOT
from pagewise import messages
from pagewise.account.ledger import INLINE_RESULT_BYTES, Ledger
from pagewise.account.lots import OPEN_KEY, Gathered, Lots, mark_key
from pagewise.account.records import document_key, result_key
from pagewise.aws import wiring
from pagewise.aws.buckets import S3Outputs, S3Pages, S3Uploads
from pagewise.aws.table import DynamoTable
from pagewise.errors import Transient
from pagewise.events import Event
from pagewise.model import (
    Document,
    DocumentId,
    DocumentStatus,
    JobStatus,
    Lane,
    PageJob,
    PageRange,
    Result,
    Source,
    StoredImage,
)
from pagewise.qwen.batches import MOST_LINE_BYTES
from pagewise.table import Delete, Update
from pagewise.tasks import Task
from pagewise.use_cases.assemble import Assemble
from tests.handlers.conftest import Context, s3_event, sqs_event
from tests.permissions.missing import forbidden_to_whoever_may_not_list
from tests.permissions.reviews import (
    REVIEW_USES,
    a_deletion_goes_on,
    the_sweeper_finds_a_large_result_gone,
    the_sweeper_looks_for_doubts_in_a_large_result,
)
from tests.pictures import picture, tiff
from tests.running import EngineUnderTest, start_engine


@dataclass(frozen=True)
class Permission:
    """One action of one statement of a function's role."""

    function: str
    statement: str
    action: str


@dataclass
class World:
    """The deployed template on an emulator that enforces permissions; `root` clients may do everything."""

    emulator: Emulator
    deployment: Deployment
    roles: Roles
    engine: EngineUnderTest
    policies: Mapping[str, str]

    def root(self, service: str) -> Any:
        return self.emulator.client(service)

    def function(self, kind: str) -> str:
        """The deployed name of a function."""
        return next(name for name in self.deployment.functions if kind in name)

    @property
    def ledger(self) -> Ledger:
        pages = S3Pages(self.root("s3"), self.deployment.outputs["PagesBucket"])
        return Ledger(DynamoTable(self.root("dynamodb"), self.deployment.outputs["ResultsTable"]), pages)

    def permissions(self) -> list[Permission]:
        """Every permission that template.yaml gives; the six other OCR functions have the same as the first."""
        kinds = [self.function(kind) for kind in USES]
        return [
            Permission(function, statement["Sid"], action)
            for function in kinds
            for document in self.roles.policies(function).values()
            for statement in document["Statement"]
            for action in actions_of(statement)
            if "Sid" in statement and action not in BESIDES and (statement["Sid"], action) not in DOCUMENTED
        ]

    @contextmanager
    def without(self, permission: Permission) -> Iterator[None]:
        before = self.roles.policies(permission.function)
        self.roles.put_policies(
            permission.function, {name: reduced(document, permission) for name, document in before.items()}
        )
        try:
            yield
        finally:
            self.roles.put_policies(permission.function, before)

    def use(self, function: str) -> list[str]:
        """Do all that the function is for, under its role; what did not work."""
        kind = next(kind for kind in USES if kind in function)
        failures = []
        for use in USES[kind]:
            self.become(function)
            try:
                use(self)
            except Exception as error:  # noqa: BLE001  whatever it is, the use did not work
                failures.append(f"{use.__name__}: {type(error).__name__}")
        return failures

    def become(self, function: str) -> None:
        """Let this process see what the function's environment sees, with new clients."""
        deployed = self.deployment.functions[function]
        os.environ |= {
            **deployed.variables,
            "AWS_ENDPOINT_URL": self.emulator.endpoint,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": function,
            **self.roles.variables(deployed),
        }
        boto3.setup_default_session()
        for kept in vars(wiring).values():
            if hasattr(kept, "cache_clear"):
                kept.cache_clear()
        forbidden_to_whoever_may_not_list(wiring.session())

    # ── what is there before ─────────────────────────────────────────────────────────────────────────────────────────

    def upload(self, content: bytes, folder: str = "") -> tuple[str, dict[str, Any]]:
        key = f"uploads/{folder}{uuid.uuid4().hex}"
        reply = self.root("s3").put_object(Bucket=self.deployment.outputs["UploadsBucket"], Key=key, Body=content)
        return key, reply

    def document(self, due: str = "2026-01-01T06:00:00.000Z") -> tuple[Document, PageJob]:
        """A document of one page that waits for its OCR; its upload is lost."""
        document = Document(
            id=DocumentId(uuid.uuid4().hex),
            source=Source(self.deployment.outputs["UploadsBucket"], "uploads/lost", "e:1", None, 1),
            status=DocumentStatus.IN_PROGRESS,
            tasks=(Task.TEXT_RECOGNITION,),
            pages=1,
            started="2026-01-01T00:00:00.000Z",
            due=due,
        )
        ledger = self.ledger
        ledger.open(document)
        content = picture()
        pages = S3Pages(self.root("s3"), self.deployment.outputs["PagesBucket"])
        key = pages.put_image(document.id, 1, content, "image/png")
        image = StoredImage(key, "image/png", 200, 100, len(content))
        return document, PageJob(document.id, 1, Task.TEXT_RECOGNITION, 1, image)

    def ended(self, source: Source | None = None) -> Document:
        """A document of one page that has ended with a large result, and wants outputs; its upload is lost, if none is
        given."""
        document = Document(
            id=DocumentId(uuid.uuid4().hex),
            source=source or Source(self.deployment.outputs["UploadsBucket"], "uploads/lost", "e:1", None, 1),
            status=DocumentStatus.IN_PROGRESS,
            tasks=(Task.ADVANCED_RECOGNITION,),
            pages=1,
            started="2026-01-01T00:00:00.000Z",
            due="2026-01-01T06:00:00.000Z",
            outputs=("text", "pdf"),
        )
        ledger = self.ledger
        ledger.open(document)
        text = "x" * (INLINE_RESULT_BYTES + 1)
        line = {"text": "page", "location": [10, 10, 90, 10, 90, 30, 10, 30], "rotate_rect": [50, 20, 80, 20, 0]}
        result = Result(
            document.id, 1, Task.ADVANCED_RECOGNITION, JobStatus.RECOGNIZED, 1, "2026-01-01T00:00:01.000Z",
            image_width=200, image_height=100, output={"text": text, "lines": [line]},
        )  # fmt: skip
        ledger.record(result, page_tasks=1)
        S3Pages(self.root("s3"), self.deployment.outputs["PagesBucket"]).put_image(
            document.id, 1, picture(), "image/png"
        )
        closed = ledger.close(document.id, "2026-01-01T00:00:02.000Z")
        assert closed
        ledger.announced(closed, "2999-01-01T00:00:00.000Z")
        return closed

    def is_assembled(self, document: Document) -> bool:
        stored = self.ledger.document(document.id)
        return stored is not None and stored.assembled == 1

    def unnoted(self, document: Document) -> None:
        self.ledger.table.change(Update(document_key(document.id), remove=("assembled",)))

    def recorded(self, job: PageJob) -> str:
        """The page job has a large result, by an invocation that went no further; its key."""
        output = {"text": "x" * (INLINE_RESULT_BYTES + 1)}
        result = Result(
            job.document_id, 1, job.task, JobStatus.RECOGNIZED, 1, "2026-01-01T00:00:01.000Z", output=output
        )
        self.ledger.record(result, page_tasks=1)
        stored = self.ledger.table.get(result_key(job.document_id, 1, job.task))
        assert stored
        return str(stored["result_key"])

    def lose(self, key: str) -> None:
        """As a lifecycle rule or an operator does."""
        self.root("s3").delete_object(Bucket=self.deployment.outputs["PagesBucket"], Key=key)

    def has_ended(self, document_id: DocumentId) -> Document:
        document = self.ledger.document(document_id)
        assert document is not None
        assert document.announced
        return document


def reduced(document: Mapping[str, Any], permission: Permission) -> dict[str, Any]:
    statements = []
    for statement in document["Statement"]:
        left = list(actions_of(statement))
        if statement.get("Sid") == permission.statement:
            left = [action for action in left if action not in (permission.action, f"{permission.action}Batch")]
        if left:
            statements.append({**statement, "Action": left})
    # A policy needs a statement: one that is of no use.
    return {**document, "Statement": statements or [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "x"}]}


BATCH_LANE = {"BatchModel": "qwen-vl-ocr", "BatchWaitMinutes": "0", "BatchPollSeconds": "1"}
MOST_VISITS, VISIT_SECONDS = 4, 1.1
BESIDES = ("sqs:SendMessageBatch",)
# S3's documentation of DeleteObject asks for it with a version too; the emulator does not.
DOCUMENTED = (("DeleteUploads", "s3:DeleteObject"),)


# ── uses ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def handler(folder: str) -> Callable[[dict[str, Any], Context], Any]:
    found: Callable[[dict[str, Any], Context], Any] = importlib.import_module(f"functions.{folder}.handler").handler
    return found


def split(world: World, event: dict[str, Any]) -> None:
    """Split what an event tells of. What a permission stops would be put off, and wait."""
    url = world.deployment.outputs["SplitQueue"]
    world.root("sqs").purge_queue(QueueUrl=url)
    handler("splitter")(event, Context())
    counts = world.root("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "0"


def a_version_is_split(world: World) -> None:
    key, reply = world.upload(picture())
    bucket = world.deployment.outputs["UploadsBucket"]
    world.root("sqs").purge_queue(QueueUrl=world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION)
    split(world, s3_event(bucket, (key, reply["VersionId"])))
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    assert world.root("sqs").receive_message(QueueUrl=url).get("Messages")


def a_profile_is_read(world: World) -> None:
    put_profile(world.root("ssm"), world.deployment.stack, "receipts")
    key, reply = world.upload(picture(), "receipts/")
    handler("splitter")(s3_event(world.deployment.outputs["UploadsBucket"], (key, reply["VersionId"])), Context())


def an_object_without_version_is_split(world: World) -> None:
    key, reply = world.upload(picture())
    event = s3_event(world.deployment.outputs["UploadsBucket"], (key, "null"))
    event["Records"][0]["s3"]["object"]["eTag"] = reply["ETag"].strip('"')
    split(world, event)


def a_bad_upload_is_rejected(world: World) -> None:
    key, reply = world.upload(b"no document")
    split(world, s3_event(world.deployment.outputs["UploadsBucket"], (key, reply["VersionId"])))


def a_deleted_upload_is_gone(world: World) -> None:
    split(world, s3_event(world.deployment.outputs["UploadsBucket"], (f"uploads/{uuid.uuid4().hex}", "null")))


def page_ranges_are_taken(world: World) -> None:
    key, reply = world.upload(tiff(2))
    event = s3_event(world.deployment.outputs["UploadsBucket"], (key, reply["VersionId"]))
    os.environ["PAGES_PER_RANGE"] = "1"
    split(world, event)
    message = polled(world.deployment.outputs["SplitQueue"])
    assert handler("splitter")(sqs_event(message), Context()) == {"batchItemFailures": []}


def a_range_of_a_lost_upload_finds_a_large_result(world: World) -> None:
    document, job = world.document()
    world.recorded(job)
    range_of = messages.dump_range(document.id, PageRange(1, 1))
    assert handler("splitter")(sqs_event(range_of), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def a_range_of_a_lost_upload_finds_a_large_result_gone(world: World) -> None:
    document, job = world.document()
    world.lose(world.recorded(job))
    range_of = messages.dump_range(document.id, PageRange(1, 1))
    assert handler("splitter")(sqs_event(range_of), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def what_fails_for_now_waits_for_its_backoff(world: World) -> None:
    url = world.deployment.outputs["SplitQueue"]
    sent(world, url, "{}")
    received = world.root("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert wiring.back_off_split(received["ReceiptHandle"], 1) > 0


def polled(url: str) -> str:
    """As the Lambda service polls, on the role's behalf; the message's body."""
    sqs = boto3.client("sqs")
    sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])
    message = sqs.receive_message(QueueUrl=url)["Messages"][0]
    sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return str(message["Body"])


def sent(world: World, url: str, body: str) -> None:
    sqs = world.root("sqs")
    sqs.purge_queue(QueueUrl=url)
    sqs.send_message(QueueUrl=url, MessageBody=body)


def a_page_job_is_recognized(world: World) -> None:
    document, job = world.document()
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    sent(world, url, messages.dump_job(job))
    assert handler("ocr")(sqs_event(polled(url)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def a_page_job_whose_image_is_gone_fails_alone(world: World) -> None:
    document, job = world.document(due="2999-01-01T00:00:00.000Z")  # one that is overdue fails whatever S3 answers
    world.lose(job.image.key)
    assert handler("ocr")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).failed == 1


def a_large_result_is_published_again(world: World) -> None:
    document, job = world.document()
    world.recorded(job)
    assert handler("ocr")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def a_throttled_page_job_is_put_off(world: World) -> None:
    _, job = world.document(due="2999-01-01T00:00:00.000Z")  # what is overdue waits no longer
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    world.root("sqs").purge_queue(QueueUrl=url)
    world.engine.behave({"name": "rate_quota", "times": 1})
    try:
        assert handler("ocr")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    finally:
        world.engine.behave()
    counts = world.root("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    assert counts["ApproximateNumberOfMessagesDelayed"] == "1"


def a_failed_page_job_waits_for_its_backoff(world: World) -> None:
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    sent(world, url, "{}")
    received = world.root("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert wiring.back_off(received["ReceiptHandle"], Transient("x", "y"), 1) > 0


def a_dead_letter_fails_its_page_job(world: World) -> None:
    document, job = world.document()
    url = world.deployment.outputs["DeadLetterQueue"]
    sent(world, url, messages.dump_job(job))
    assert handler("dead_letter")(sqs_event(polled(url)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).failed == 1


def a_dead_letter_finds_a_large_result(world: World) -> None:
    document, job = world.document()
    world.recorded(job)
    assert handler("dead_letter")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def a_dead_letter_s_outputs_are_given_up(world: World) -> None:
    document = world.ended()
    assert handler("dead_letter")(sqs_event(end_of(document)), Context()) == {"batchItemFailures": []}
    assert world.is_assembled(document)


def a_dead_letter_finds_its_outputs_made(world: World) -> None:
    document = world.ended()
    outputs = S3Outputs(world.root("s3"), world.deployment.outputs["PagesBucket"])
    Assemble(world.ledger, S3Uploads(world.root("s3")), outputs, Untold()).give_up(document.id, 1)
    world.unnoted(document)
    assert handler("dead_letter")(sqs_event(end_of(document)), Context()) == {"batchItemFailures": []}
    assert world.is_assembled(document)


def a_dead_letter_finds_a_large_result_gone(world: World) -> None:
    document, job = world.document()
    world.lose(world.recorded(job))
    assert handler("dead_letter")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    assert world.has_ended(document.id).recognized == 1


def sweep() -> None:
    """Documents that uses of other roles have left open may fail; each use looks at its own."""
    with suppress(ExceptionGroup):
        handler("sweeper")({}, Context())


def an_overdue_document_is_ended(world: World) -> None:
    document, _ = world.document()
    sweep()
    assert world.has_ended(document.id).failed == 1


class Untold:
    def publish(self, events: Sequence[Event]) -> None:
        pass


def end_of(document: Document) -> str:
    return json.dumps({"detail": {"document": {"id": document.id}, "run": 1}})


def assembled(world: World, document: Document) -> dict[str, Any]:
    url = world.deployment.outputs["AssemblerQueue"]
    sent(world, url, end_of(document))
    assert handler("assembler")(sqs_event(polled(url)), Context(seconds=900.0)) == {"batchItemFailures": []}
    assert world.is_assembled(document)
    key = f"documents/{document.id}/outputs/manifest.json"
    stored = world.root("s3").get_object(Bucket=world.deployment.outputs["PagesBucket"], Key=key)["Body"].read()
    return dict(json.loads(stored))


def outputs_are_made(world: World) -> None:
    key, reply = world.upload(picture())
    source = Source(world.deployment.outputs["UploadsBucket"], key, reply["VersionId"], reply["VersionId"], 1)
    manifest = assembled(world, world.ended(source))
    assert {file["name"] for file in manifest["files"]} == {"document.txt", "document.pdf"}


def outputs_of_an_object_without_version_are_made(world: World) -> None:
    key, reply = world.upload(picture())
    etag = reply["ETag"].strip('"')
    manifest = assembled(
        world, world.ended(Source(world.deployment.outputs["UploadsBucket"], key, f"{etag}:1", None, 1))
    )
    assert {file["name"] for file in manifest["files"]} == {"document.txt", "document.pdf"}


def outputs_of_a_deleted_upload_are_made_as_far_as_they_can_be(world: World) -> None:
    manifest = assembled(world, world.ended())
    assert {file["name"] for file in manifest["files"]} == {"document.txt", "document.pdf"}  # of the page image


def outputs_that_fail_for_now_wait_for_their_backoff(world: World) -> None:
    url = world.deployment.outputs["AssemblerQueue"]
    sent(world, url, "{}")
    received = world.root("sqs").receive_message(QueueUrl=url)["Messages"][0]
    assert wiring.back_off_assembly(received["ReceiptHandle"], 1) > 0


def awaited(world: World) -> tuple[Document, PageJob]:
    document, job = world.document(due="2999-01-01T00:00:00.000Z")
    return document, replace(job, lane=Lane.BATCH)


def a_page_job_is_gathered(world: World) -> None:
    _, job = awaited(world)
    url = world.deployment.outputs["BatchQueue"]
    sent(world, url, messages.dump_job(job))
    assert handler("collector")(sqs_event(polled(url)), Context()) == {"batchItemFailures": []}
    assert world.ledger.table.get(mark_key(job))
    _, another = awaited(world)  # joins the lot that is there by now
    assert handler("collector")(sqs_event(messages.dump_job(another)), Context()) == {"batchItemFailures": []}


def what_no_line_carries_goes_live(world: World) -> None:
    _, job = awaited(world)
    large = replace(job, image=replace(job.image, size=MOST_LINE_BYTES))
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    world.root("sqs").purge_queue(QueueUrl=url)
    assert handler("collector")(sqs_event(messages.dump_job(large)), Context()) == {"batchItemFailures": []}
    assert world.root("sqs").receive_message(QueueUrl=url).get("Messages")


def a_full_lot_is_closed(world: World) -> None:
    """By the next page job, which has no room in it."""
    table = world.ledger.table
    table.change(Update(OPEN_KEY, set={"lot": uuid.uuid4().hex, "model": "m", "opened": "x", "jobs": 1, "bytes": 1}))
    _, job = awaited(world)
    assert handler("collector")(sqs_event(messages.dump_job(job)), Context()) == {"batchItemFailures": []}
    assert (table.get(OPEN_KEY) or {})["model"] != "m"
    table.change(Delete(OPEN_KEY))


def followed(world: World, job: PageJob, is_done: Callable[[], bool]) -> None:
    """The page job alone in a lot, and the follower's visits until that is through."""
    lots = Lots(world.ledger.table)
    lots.gather([Gathered(job, job.image.size)], "qwen-vl-ocr", "2026-01-01T00:00:00.000Z")
    for _ in range(MOST_VISITS):
        with suppress(ExceptionGroup):  # of lots that uses of other permissions have left
            handler("follower")({}, Context(seconds=900.0))
        if is_done():
            return
        time.sleep(VISIT_SECONDS)
    raise AssertionError("the lot is not through")


def a_lot_comes_back_as_results(world: World) -> None:
    document, job = awaited(world)

    def has_ended() -> bool:
        stored = world.ledger.document(document.id)
        return stored is not None and stored.announced

    followed(world, job, has_ended)
    assert world.has_ended(document.id).usage.batch_input_tokens > 0


def a_page_without_its_image_goes_live(world: World) -> None:
    _, job = awaited(world)
    world.lose(job.image.key)
    url = world.deployment.outputs["PageJobQueues"] + Task.TEXT_RECOGNITION
    world.root("sqs").purge_queue(QueueUrl=url)
    followed(world, job, lambda: bool(world.root("sqs").receive_message(QueueUrl=url).get("Messages")))


USES: dict[str, list[Callable[[World], None]]] = {
    "SplitterFunction": [
        a_version_is_split,
        a_profile_is_read,
        an_object_without_version_is_split,
        a_bad_upload_is_rejected,
        a_deleted_upload_is_gone,
        page_ranges_are_taken,
        a_range_of_a_lost_upload_finds_a_large_result,
        a_range_of_a_lost_upload_finds_a_large_result_gone,
        what_fails_for_now_waits_for_its_backoff,
    ],
    "text_recognition": [
        a_page_job_is_recognized,
        a_page_job_whose_image_is_gone_fails_alone,
        a_large_result_is_published_again,
        a_throttled_page_job_is_put_off,
        a_failed_page_job_waits_for_its_backoff,
    ],
    "DeadLetterFunction": [
        a_dead_letter_fails_its_page_job,
        a_dead_letter_finds_a_large_result,
        a_dead_letter_finds_a_large_result_gone,
        a_dead_letter_s_outputs_are_given_up,
        a_dead_letter_finds_its_outputs_made,
    ],
    "AssemblerFunction": [
        outputs_are_made,
        outputs_of_an_object_without_version_are_made,
        outputs_of_a_deleted_upload_are_made_as_far_as_they_can_be,
        outputs_that_fail_for_now_wait_for_their_backoff,
    ],
    "SweeperFunction": [
        an_overdue_document_is_ended,
        the_sweeper_looks_for_doubts_in_a_large_result,
        the_sweeper_finds_a_large_result_gone,
        a_deletion_goes_on,
    ],
    "ReviewFunction": REVIEW_USES,
    "CollectorFunction": [a_page_job_is_gathered, what_no_line_carries_goes_live, a_full_lot_is_closed],
    "FollowerFunction": [a_lot_comes_back_as_results, a_page_without_its_image_goes_live],
}


@contextmanager
def enforced(folder: Path) -> Iterator[World]:
    with Children() as children:
        emulator = Emulator(
            children, EMULATOR_PYTHON, folder / "state", folder / "emulator.log", enforce_permissions=True
        )
        engine = start_engine(children, folder, delay=0.0)
        emulator.wait_until_healthy()
        parameters = {"QwenBaseUrl": engine.url, **API_PARAMETERS, **BATCH_LANE}
        deployment = deploy(emulator, ROOT / "template.yaml", "pagewise", parameters)
        s3 = emulator.client("s3")
        policies = {}
        for output in ("UploadsBucket", "PagesBucket"):  # which deny what is not TLS, and so everything here
            policies[output] = s3.get_bucket_policy(Bucket=deployment.outputs[output])["Policy"]
            s3.delete_bucket_policy(Bucket=deployment.outputs[output])
        emulator.client("secretsmanager").create_secret(
            Name=deployment.outputs["ApiKeySecret"], SecretString=json.dumps("key")
        )
        yield World(emulator, deployment, Roles(emulator, deployment.functions), engine, policies)
