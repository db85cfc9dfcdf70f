"""Every function does its work with its own role's permissions, and needs them. The whole table: its `__main__`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.permissions.uses import World, enforced
from tests.pictures import tiff
from tests.running import running

# Every use makes its clients anew and drops the former ones, whose connections nobody closes.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
# A sample: the whole table takes minutes.
SAMPLE = {
    ("SplitterFunction", "s3:GetObjectVersion"),
    ("text_recognition", "secretsmanager:GetSecretValue"),
    ("SweeperFunction", "events:PutEvents"),
    ("ReviewFunction", "s3:GetObject"),
    ("FollowerFunction", "s3:GetObject"),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    before = dict(os.environ)
    with enforced(tmp_path_factory.mktemp("permissions")) as started:
        yield started
    os.environ.clear()
    os.environ |= before
    boto3.DEFAULT_SESSION = None


def test_the_whole_job_is_done_with_the_functions_own_permissions(tmp_path: Path) -> None:
    with running(tmp_path, parameters={"PagesPerRange": "2"}, enforce_permissions=True) as pagewise:
        keys = [
            pagewise.upload("long.tif", tiff(5), ocr_tasks="all", ocr_outputs="all"),
            pagewise.upload("bad.pdf", b"no document"),
        ]
        receipts = pagewise.until_ended(*keys)
        assembled = pagewise.until_event("DocumentAssembled").detail
        assert {"text", "markdown", "html", "latex", "pdf", "boxes"} <= set(assembled["outputs"])
        # The canned engine has no formula in it, and says so.
        failed = {job["task"] for job in receipts[keys[0]]["page_jobs"] if job["status"] == "failed"}
        assert failed <= {"formula_recognition"}
        assert receipts[keys[1]]["reason"] == "unsupported_type"
        assert {line["outcome"] for line in pagewise.invocations()} == {"success"}
        assert not [log.name for log in (tmp_path / "functions").glob("*.log") if "denied" in log.read_text().lower()]


@pytest.mark.filterwarnings("ignore:No application metrics")  # where an invocation fails before it counts anything
@pytest.mark.parametrize(("kind", "action"), sorted(SAMPLE))
def test_a_permission_that_is_taken_away_is_missed(world: World, kind: str, action: str) -> None:
    function = world.function(kind)
    assert world.use(function) == []
    permissions = [
        permission
        for permission in world.permissions()
        if (permission.function, permission.action) == (function, action)
    ]
    assert permissions
    for permission in permissions:
        with world.without(permission):
            assert world.use(function) != []


def test_the_buckets_refuse_what_does_not_come_over_tls(world: World) -> None:
    """The emulator speaks plain HTTP, so the policies as deployed refuse even those who may read."""
    world.emulator.client("s3").put_bucket_policy(
        Bucket=world.deployment.outputs["PagesBucket"], Policy=world.policies["PagesBucket"]
    )
    document, job = world.document()
    world.become(world.function("text_recognition"))
    with pytest.raises(ClientError, match="AccessDenied"):
        boto3.client("s3").get_object(Bucket=world.deployment.outputs["PagesBucket"], Key=job.image.key)
    world.emulator.client("s3").delete_bucket_policy(Bucket=world.deployment.outputs["PagesBucket"])
    world.become(world.function("text_recognition"))
    assert boto3.client("s3").get_object(Bucket=world.deployment.outputs["PagesBucket"], Key=job.image.key)["Body"]
    assert world.ledger.document(document.id)
