"""A program's way through the API: submit, wait, results, outputs, review; and what it meets on it."""

from __future__ import annotations

import inspect
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pagewise.review.corrections import Person
from pagewise.use_cases.show import Filter
from pagewise_client import AsyncPagewise, DocumentStatus, Pagewise, Patience, Progress, ReviewState, errors
from tests.client.conftest import Opened
from tests.client.serving import DROPPED, Served
from tests.fakes import text_answer
from tests.pictures import tiff

FIELDS = "key_information_extraction"
UNREADABLE = text_answer(finish_reason="length")
UNKNOWN = "a" * 32


def gateway(status: int, said: Any = None, **headers: str) -> dict[str, Any]:
    """An answer of API Gateway's own."""
    body = json.dumps(said if said is not None else {"message": "Service Unavailable"})
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return {"statusCode": status, "headers": {"Content-Type": "application/json", **named}, "body": body}


def submitted(client: Pagewise, pages: int = 1, **options: Any) -> str:
    return client.submit(tiff(pages), name="scan.tif", **options)


def test_five_lines_from_a_file_to_its_outputs(client: Pagewise, served: Served, tmp_path: Path) -> None:
    scan = tmp_path / "scan.tif"
    scan.write_bytes(tiff(3))
    document = client.submit(scan, outputs="text", tag="mine")
    seen: list[Progress] = []
    ended = client.wait(document, seen.append)
    paths = client.download(document, tmp_path / "out")
    assert (ended.document.id, ended.document.name, ended.document.tag) == (document, "scan.tif", "mine")
    assert (ended.document.status, ended.document.page_jobs.recognized) == (DocumentStatus.COMPLETE, 3)
    assert [progress.pages_closed for progress in seen] == sorted(progress.pages_closed for progress in seen)
    assert str(seen[-1]) == "scan.tif: complete, pages 3/3"
    assert client.page(document, 1).text == "text"
    assert paths == [tmp_path / "out/document.text"]
    assert paths[0].read_text() == "1\ntext\ntext\ntext"
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["document.text"]


def test_progress_is_followed_step_by_step_and_every_page_is_read(client: Pagewise) -> None:
    document = submitted(client, 3)
    followed = list(client.follow(document))
    assert [progress.pages_closed for progress in followed] == [1, 2, 3]
    assert [page.page for page in client.pages(document)] == [1, 2, 3]


def test_options_are_those_of_an_upload(client: Pagewise, served: Served) -> None:
    document = submitted(client, tasks=[FIELDS], enable_rotate=True, max_pixels=9216, result_schema={"Total": ""})
    ((_, metadata),) = served.uploads.objects.values()
    assert metadata == {
        "ocr-tasks": FIELDS,
        "ocr-enable-rotate": "true",
        "ocr-max-pixels": "9216",
        "ocr-result-schema": '{"Total": ""}',
    }
    assert list(client.document(document).document.tasks) == [FIELDS]


def test_a_receipt_is_fetched_once_there_is_one(client: Pagewise, served: Served) -> None:
    served.works = False
    document = submitted(client)
    with pytest.raises(errors.InProgress, match="has not ended"):
        client.receipt(document)
    served.works = True
    client.wait(document)
    assert client.receipt(document)["document_id"] == document


def test_documents_are_listed_over_all_pages_of_the_list(client: Pagewise, served: Served) -> None:
    documents = [submitted(client) for _ in range(3)]
    served.answers = [gateway(200, served.show.documents(Filter(), 1, None, Person("1", "Ana")))]
    assert [one.id for one in client.documents()] == documents[::-1]
    newest = client.document(documents[-1]).document
    assert [one.id for one in client.documents(after=newest.started)] == [documents[-1]]
    assert [one.id for one in client.documents(before=newest.started)] == documents[1::-1]
    assert list(client.documents(status="rejected")) == []


def test_a_rejected_upload_ends_and_has_no_outputs(client: Pagewise, tmp_path: Path) -> None:
    document = client.submit(b"no picture", name="scan.tif", outputs="text")
    ended = client.wait(document).document
    assert (ended.status, ended.message is not None) == (DocumentStatus.REJECTED, True)
    with pytest.raises(errors.Rejected, match=r"scan\.tif was rejected"):
        client.download(document, tmp_path)


def test_cancel_delete_and_redrive(client: Pagewise, served: Served) -> None:
    served.engine.script = [UNREADABLE]
    served.works = False
    document = submitted(client, 2)
    served.run_job(served.queues.jobs.pop())
    assert client.cancel(document).status == DocumentStatus.CANCELLED
    assert client.cancel(document).page_jobs.failed == 2
    redriven = client.redrive(document, reason="truncated")
    assert (redriven.run, redriven.page_jobs, len(served.queues.jobs)) == (2, 1, 2)
    deletion = client.delete(document)
    assert (deletion.id, deletion.objects > 0) == (document, True)
    with pytest.raises(errors.Deleted) as gone:
        client.document(document)
    assert gone.value.deletion is not None
    assert gone.value.deletion.id == document


def test_a_review_by_a_program(client: Pagewise, served: Served) -> None:
    served.engine.script = [UNREADABLE]
    document = submitted(client, review="doubtful")
    client.wait(document)
    assert [one.id for one in client.reviews()] == [document]
    assert (client.claim(document).mine, client.release(document).state) == (True, ReviewState.WAITING)
    field = client.page(document, 1).fields[0]
    checked = client.correct(document, 1, 0, [(field.task, field.pointer, "seen")], check=True)
    assert (checked.review.corrections[0].value, client.page(document, 1).review.version) == ("seen", 0)
    saved = client.correct(document, 1, 0, [(field.task, field.pointer, "read")])
    assert saved.review.version == 1
    with pytest.raises(errors.Conflict) as conflict:
        client.correct(document, 1, 0, [(field.task, field.pointer, "other")])
    assert (conflict.value.version, conflict.value.corrections[0].value) == (1, "read")
    assert client.finish_review(document).state == ReviewState.DONE
    assert client.config().stack == "pagewise"


def test_another_s_claim_is_told_with_its_holder(client: Pagewise, served: Served) -> None:
    document = submitted(client)
    client.wait(document)
    until = "2027-01-01T00:00:00.000Z"
    said = {"error": "claimed", "message": "Ben is reviewing this document.", "by": "Ben", "until": until}
    served.answers = [gateway(409, said)]
    with pytest.raises(errors.Claimed, match="Ben is reviewing") as claimed:
        client.claim(document)
    assert (claimed.value.by, claimed.value.until) == ("Ben", datetime(2027, 1, 1, tzinfo=UTC))


# ── what is tried again ──────────────────────────────────────────────────────────────────────────────────────────────


def test_a_passing_refusal_is_waited_out(client: Pagewise, served: Served) -> None:
    for status in (429, 502, 503, 504):
        served.asked.clear()
        served.answers = [gateway(status, retry_after="0"), gateway(status)]
        assert list(client.documents()) == []
        assert served.asked == ["GET /documents"] * 3


def test_a_server_that_stays_busy_is_told_of_after_all_tries(client: Pagewise, served: Served) -> None:
    served.answers = [gateway(503) for _ in range(9)]
    with pytest.raises(errors.Busy, match="Ask again"):
        list(client.documents())
    assert len(served.asked) == 4


def test_a_long_wait_is_the_caller_s_to_decide(client: Pagewise, served: Served) -> None:
    served.answers = [gateway(429, retry_after="3600")]
    with pytest.raises(errors.Busy) as busy:
        list(client.documents())
    assert (busy.value.retry_after, busy.value.status, len(served.asked)) == (3600.0, 429, 1)


def test_what_may_cost_twice_is_not_repeated(client: Pagewise, served: Served) -> None:
    for ask in (lambda: client.redrive(UNKNOWN), lambda: client.correct(UNKNOWN, 1, 0, [])):
        served.asked.clear()
        served.answers = [gateway(503, retry_after="0")]
        with pytest.raises(errors.Busy):
            ask()
        assert len(served.asked) == 1


def test_an_upload_is_repeated_only_if_the_bucket_took_nothing(client: Pagewise, served: Served) -> None:
    served.bucket_answers = [503, 503]
    submitted(client)
    assert len(served.uploads.objects) == 1
    served.bucket_answers = [DROPPED]
    with pytest.raises(errors.TransferFailed, match="may have arrived all the same") as broken:
        submitted(client)
    assert broken.value.key is not None
    assert (broken.value.key.endswith("/scan.tif"), len(served.uploads.objects)) == (True, 1)
    served.bucket_answers = [403]
    with pytest.raises(errors.TransferFailed, match="status 403"):
        submitted(client)


def test_a_download_goes_on_over_broken_links_and_connections(client: Pagewise, served: Served, tmp_path: Path) -> None:
    document = submitted(client, outputs="text")
    client.wait(document)
    client.wait_for_outputs(document)
    served.bucket_answers = [503, DROPPED, 403]
    (path,) = client.download(document, tmp_path)
    assert path.read_text() == "1\ntext"
    served.bucket_answers = [403, 403]
    with pytest.raises(errors.TransferFailed, match=r"document\.text was refused with status 403"):
        client.download(document, tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []


def test_a_damaged_download_leaves_nothing(client: Pagewise, served: Served, tmp_path: Path) -> None:
    document = submitted(client, outputs="text")
    client.wait(document)
    client.wait_for_outputs(document)
    for key, (edition, content) in list(served.outputs.stored.items()):
        if key[1] != "manifest.json":
            served.outputs.stored[key] = edition, content + b"x" * 1_000_000
    with pytest.raises(errors.TransferFailed, match="damaged"):
        client.download(document, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_leads_nowhere_is_told_of(client: Pagewise, served: Served, tmp_path: Path) -> None:
    document = submitted(client, outputs="text")
    client.wait(document)
    client.wait_for_outputs(document)
    for bucket in ("ftp://bucket.example", "http://bucket:port", "http://127.0.0.1:1"):
        served.bucket = bucket
        with pytest.raises(errors.NoAnswer, match="no answer"):
            client.download(document, tmp_path)


def test_names_of_outputs_are_told_where_one_is_not_there(client: Pagewise, tmp_path: Path) -> None:
    document = submitted(client, outputs="text")
    client.wait(document)
    with pytest.raises(errors.NotFound, match=r"no output document\.pdf\. There are: document\.text"):
        client.download(document, tmp_path, ["document.pdf"])


# ── what goes wrong ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_what_takes_too_long_is_told_with_its_progress(client: Pagewise, served: Served, tmp_path: Path) -> None:
    served.works = False
    document = submitted(client, 2, outputs="text")
    with pytest.raises(errors.OutOfTime, match=r"pages 0/2; not done within 0\.05 seconds") as late:
        client.wait(document, timeout=0.05)
    assert late.value.progress is not None
    with pytest.raises(errors.OutOfTime):
        client.download(document, tmp_path, timeout=0.05)


def test_an_upload_on_its_way_is_waited_for(client: Pagewise, served: Served) -> None:
    document = submitted(client)
    missing = gateway(404, {"error": "not_found", "message": "There is no such document."})
    served.answers = [missing, missing]
    seen: list[Progress] = []
    client.wait(document, seen.append)
    assert [progress.status for progress in seen] == [None, DocumentStatus.COMPLETE]
    assert str(seen[0]) == f"{document}: arriving"


def test_a_foreign_address_is_not_waited_at(client: Pagewise, served: Served) -> None:
    served.answers = [gateway(404, {"message": "Not Found"})]
    with pytest.raises(errors.NotFound, match="Look whether it is the API's"):
        client.wait(UNKNOWN)


def test_no_id_no_request(client: Pagewise, served: Served) -> None:
    for document in ("", "..", "documents", f"{UNKNOWN}/outputs", "A" * 32):
        with pytest.raises(errors.NotFound, match="no document's id"):
            client.document(document)
    assert served.asked == []


def test_the_api_s_own_sentences_are_the_errors(client: Pagewise) -> None:
    with pytest.raises(errors.NotFound, match="There is no such document"):
        client.page(UNKNOWN, 1)
    with pytest.raises(errors.Invalid, match="status is none of"):
        list(client.documents(status="lost"))


NOT_THE_API_S: list[tuple[Any, str]] = [
    (gateway(200, {"documents": []}), "/next is missing"),
    (gateway(200, {"documents": [{"id": 7}], "next": None}), "/documents/0/id is missing or of another kind"),
    ({"statusCode": 200, "body": "<html>"}, "no JSON"),
    (gateway(302, location="https://elsewhere.example/"), "sends this address elsewhere"),
    (gateway(418), "status 418"),
    (gateway(500), "Its log says why"),
    (gateway(403, {"message": "Forbidden"}), "may not do this"),
]


def test_answers_that_are_not_the_api_s(client: Pagewise, served: Served) -> None:
    for answer, message in NOT_THE_API_S:
        served.answers = [answer]
        with pytest.raises(errors.PagewiseError, match=message) as told:
            list(client.documents())
        assert not {name for name in vars(errors) if name[0].isupper()} & set(told.value.message.split())


def test_nobody_at_the_address(opened: Opened, served: Served) -> None:
    client = opened(served.address, patience=Patience(2, 0.01))
    assert served.api is not None
    served.api.stop()
    with pytest.raises(errors.NoAnswer, match="Look whether it runs"):
        list(client.documents())


# ── tokens ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_function_gives_a_fresh_token_to_every_request(opened: Opened, served: Served) -> None:
    assert served.api is not None
    tokens = iter(["expired", served.api.token])
    client = opened(served.api.origin, lambda: next(tokens))
    with pytest.raises(errors.Forbidden):
        list(client.documents())
    assert list(client.documents()) == []


def test_without_a_token_nothing_is_to_be_had(opened: Opened, served: Served) -> None:
    assert served.api is not None
    with pytest.raises(errors.Unauthorized):
        list(opened(served.api.origin).documents())


def test_the_token_is_in_no_address_and_the_client_says_its_name(client: Pagewise, served: Served) -> None:
    list(client.documents())
    (headers,) = served.headers
    assert headers["user-agent"].startswith("pagewise-client/")
    assert served.asked == ["GET /documents"]


@pytest.mark.parametrize(
    "address", ["", "pagewise", "ftp://127.0.0.1/", "http://api.example/", "https://u:p@api.example/", "http://["]
)
def test_an_address_that_would_lose_the_token_is_refused(address: str) -> None:
    with pytest.raises(errors.AddressError):
        Pagewise(address, "secret")


def test_documents_without_a_name_or_a_file(client: Pagewise, served: Served, tmp_path: Path) -> None:
    with pytest.raises(errors.InputError, match="Say the document's name"):
        client.submit(b"content")
    with pytest.raises(errors.InputError, match="There is no file"):
        client.submit(tmp_path / "absent.pdf")
    served.versions = False
    with pytest.raises(errors.TransferFailed, match="keeps no versions"):
        submitted(client)


def test_both_clients_have_the_same_methods() -> None:
    def methods(kind: type) -> dict[str, Any]:
        found = {name: method for name, method in vars(kind).items() if not name.startswith("_")}
        return {
            name: (method.__doc__, [str(parameter) for parameter in inspect.signature(method).parameters.values()])
            for name, method in found.items()
        }

    assert methods(Pagewise) == methods(AsyncPagewise)


def test_an_asynchronous_token(served: Served) -> None:
    import asyncio

    async def token() -> str:
        await asyncio.sleep(0)
        assert served.api is not None
        return served.api.token

    async def listed() -> list[Any]:
        assert served.api is not None
        async with AsyncPagewise(served.api.origin, token) as pagewise:
            return [one async for one in pagewise.documents()]

    assert asyncio.run(listed()) == []
