"""Makes events/*.json, one for each trigger, with the package's own words: from the root of the checkout,

    PYTHONPATH=layers/pagewise .venvs/development/bin/python tests/samples/make_events.py

They fit the embedded stack (`make local`) once the samples are uploaded under their names: account and region are the
emulator's, eTags and sizes the samples' own. They carry no versionId, as from a bucket without versions, so that
document ids are the same everywhere. Shapes: `sam local generate-event s3 put`, `sqs receive-message`,
`cloudwatch scheduled-event`; MessageGroupId: SQS fair queues; the envelope of a failed asynchronous invocation:
https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html
"""

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from pagewise.messages import dump_job, dump_range
from pagewise.model import PageJob, PageRange, StoredImage, TaskOptions, Upload
from pagewise.pages.images import PageImage
from pagewise.pages.rendering import Renderer, inspect
from pagewise.tasks import Task

EVENTS = Path(__file__).parents[2] / "events"
ACCOUNT, REGION, STACK = "000000000000", "us-east-1", "pagewise"
TIME, MILLISECONDS = "2026-11-02T09:30:00.000Z", "1793611800000"

KINDS = {
    "pdf": "samples/report.pdf",
    "jpeg": "samples/receipt.jpg",
    "png": "samples/table.png",
    "tiff": "formats/scan.tiff",
    "bmp": "formats/table.bmp",
    "webp": "formats/receipt.webp",
    "heic": "formats/receipt.heic",
}
# The task, the sample and the page of it that suit each other. No sample has a formula.
PAGES = {
    Task.TEXT_RECOGNITION: ("samples/report.pdf", 1),
    Task.ADVANCED_RECOGNITION: ("samples/receipt.jpg", 1),
    Task.KEY_INFORMATION_EXTRACTION: ("samples/receipt.jpg", 1),
    Task.TABLE_PARSING: ("samples/table.png", 1),
    Task.DOCUMENT_PARSING: ("samples/report.pdf", 2),
    Task.FORMULA_RECOGNITION: ("samples/table.png", 1),
    Task.MULTI_LAN: ("samples/report.pdf", 2),
}
RESULT_SCHEMA = {"Shop": "", "Receipt number": "", "Date": "Date of purchase, YYYY-MM-DD", "Total": "", "VAT": ""}


def main() -> None:
    for kind, name in KINDS.items():
        write(f"s3-put-{kind}", put(name))
    report = upload("samples/report.pdf").document_id
    pages = dump_range(report, PageRange(1, 2))
    write("page-range", messages("split", [(report, pages)]))
    told = json.dumps(put("samples/table.png"), separators=(",", ":"))
    write("upload", messages("split", [(None, told)]))
    for task in PAGES:
        page_job = job(task)
        write(f"page-job.{task}", messages(task, [(page_job.document_id, dump_job(page_job))]))
    exhausted = job(Task.TEXT_RECOGNITION)
    write(
        "dead-letter",
        messages(
            "dead-letter",
            [
                (exhausted.document_id, dump_job(exhausted)),
                (report, pages),
                (None, json.dumps(failed_invocation(put("samples/table.png")), separators=(",", ":"))),
            ],
            receives=6,
        ),
    )
    write("schedule", schedule())


def write(name: str, event: dict[str, Any]) -> None:
    text = json.dumps(event, ensure_ascii=False, indent=2)
    (EVENTS / f"{name}.json").write_text(f"{text}\n", encoding="utf-8")


def upload(name: str) -> Upload:
    """A sample as the splitter will see it."""
    stored = put(name)["Records"][0]["s3"]
    return Upload(
        bucket=stored["bucket"]["name"],
        key=stored["object"]["key"],
        version_id=None,
        etag=stored["object"]["eTag"],
        sequencer=stored["object"]["sequencer"],
        size=stored["object"]["size"],
    )


def put(name: str) -> dict[str, Any]:
    content = (EVENTS / name).read_bytes()
    bucket = f"{STACK}-uploads-{ACCOUNT}-{REGION}"
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": REGION,
        "eventTime": TIME,
        "eventName": "ObjectCreated:Put",
        "userIdentity": {"principalId": "EXAMPLE"},
        "requestParameters": {"sourceIPAddress": "127.0.0.1"},
        "responseElements": {
            "x-amz-request-id": "EXAMPLE123456789",
            "x-amz-id-2": "EXAMPLE123/5678abcdefghijklambdaisawesome/mnopqrstuvwxyzABCDEFGH",
        },
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "Upload",
            "bucket": {
                "name": bucket,
                "ownerIdentity": {"principalId": "EXAMPLE"},
                "arn": f"arn:aws:s3:::{bucket}",
            },
            "object": {
                "key": f"uploads/default/{Path(name).name}",
                "size": len(content),
                "eTag": hashlib.md5(content, usedforsecurity=False).hexdigest(),
                "sequencer": "0A1B2C3D4E5F678901",
            },
        },
    }
    return {"Records": [record]}


def job(task: Task) -> PageJob:
    name, page = PAGES[task]
    document = upload(name).document_id
    contents = inspect(EVENTS / name)
    (image,) = Renderer().render(EVENTS / name, contents, PageRange(page, page), None)
    assert isinstance(image, PageImage)  # the samples are sound
    extension = "jpg" if image.media_type == "image/jpeg" else "png"
    key = f"documents/{document}/pages/{page:05}.{extension}"
    digest = hashlib.sha256(image.content).hexdigest()
    stored = StoredImage(key, image.media_type, image.width, image.height, len(image.content), digest)
    page_job = PageJob(document, page, task, page_tasks=1, image=stored)
    if task is Task.KEY_INFORMATION_EXTRACTION:
        return replace(page_job, options=TaskOptions(result_schema=RESULT_SCHEMA))
    return page_job


def messages(queue: str, bodies: list[tuple[str | None, str]], receives: int = 1) -> dict[str, Any]:
    """What a function receives from a queue: bodies, each with its message group."""
    return {
        "Records": [
            {
                "messageId": f"19dd0b57-b21e-4ac1-bd88-01bbb068cb{number:02}",
                "receiptHandle": "MessageReceiptHandle",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": MILLISECONDS,
                    "SenderId": ACCOUNT,
                    "ApproximateFirstReceiveTimestamp": MILLISECONDS,
                    **({"MessageGroupId": group} if group else {}),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-{queue}",
                "awsRegion": REGION,
            }
            for number, (group, body) in enumerate(bodies, start=1)
        ]
    }


def failed_invocation(event: dict[str, Any]) -> dict[str, Any]:
    """What Lambda sends to the on-failure destination when it gives up on an event."""
    return {
        "version": "1.0",
        "timestamp": TIME,
        "requestContext": {
            "requestId": "e4b46cbf-b738-4880-8a77-4f9b5eb9d0a3",
            "functionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-SplitterFunction:$LATEST",
            "condition": "RetriesExhausted",
            "approximateInvokeCount": 3,
        },
        "requestPayload": event,
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "RequestId: e4b46cbf-b738-4880-8a77-4f9b5eb9d0a3 Error: Runtime exited"},
    }


def schedule() -> dict[str, Any]:
    return {
        "version": "0",
        "id": "cdc73f9d-aea9-11e3-9d5a-835b769c0d9c",
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": ACCOUNT,
        "time": "2026-11-02T09:30:00Z",
        "region": REGION,
        "resources": [f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{STACK}-SweeperFunctionEveryFiveMinutes"],
        "detail": {},
    }


if __name__ == "__main__":
    main()
