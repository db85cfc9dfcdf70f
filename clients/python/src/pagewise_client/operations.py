"""The API's operations, each as steps: openapi.yaml. Both clients do them; neither knows more."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus
from os import PathLike, fspath
from pathlib import Path
from typing import Any, TypeVar

from pagewise_client import errors
from pagewise_client.answers import (
    Config,
    Deletion,
    Document,
    DocumentList,
    DocumentStatus,
    DocumentSummary,
    OutputFile,
    Outputs,
    Page,
    Progress,
    Redriven,
    Review,
    ReviewList,
    SavedPage,
    Scalar,
    Submission,
    progress_of,
)
from pagewise_client.loading import loaded
from pagewise_client.patience import Pace
from pagewise_client.refusals import refusal_of
from pagewise_client.steps import Ask, Fetch, NoReply, Pause, Put, Reply, Steps, Tell

T = TypeVar("T")
Option = str | int | float | bool | Sequence[str] | Mapping[str, Any]
Content = str | PathLike[str] | bytes
# Task, pointer and value, as `Field` has the first two.
Said = tuple[str, str, Scalar]

ID = re.compile("[a-z2-7]{32}")
# An upload is taken up within seconds; a notification of S3 may take minutes.
ARRIVAL_SECONDS = 300.0
OUTPUTS_SECONDS = 900.0
WAIT_SECONDS = 3600.0


# ── one request ──────────────────────────────────────────────────────────────────────────────────────────────────────


def asked(kind: type[T], ask: Ask) -> Steps[T]:
    return loaded(kind, (yield from answered(ask)))


def answered(ask: Ask) -> Steps[Any]:
    """The JSON of a request that succeeds. Raises NoAnswer, UnexpectedAnswer and Refused."""
    reply = yield from reached(ask)
    if not 200 <= reply.status < 300:
        raise refusal_of(reply)
    return json_of(reply)


def reached(step: Ask | Fetch) -> Steps[Reply]:
    outcome: Reply | NoReply = yield step
    if isinstance(outcome, NoReply):
        raise errors.NoAnswer(f"The server gave no answer ({outcome.reason}). Look whether it runs, and try again.")
    return outcome


def json_of(reply: Reply) -> Any:
    try:
        return json.loads(reply.content)
    except ValueError:
        raise errors.UnexpectedAnswer(
            "The server's answer is no JSON. Look whether the address is a Pagewise API's."
        ) from None


def path_of(document_id: str, *parts: str | int) -> str:
    """Raises NotFound for what is no id: nothing of it goes into an address."""
    if not ID.fullmatch(document_id):
        raise errors.NotFound("This is no document's id, as submitting one returns it: 32 letters and digits.")
    return "/".join(("/documents", document_id, *map(str, parts)))


# ── submit ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def submit(content: Content, name: str | None, options: Mapping[str, Option]) -> Steps[str]:
    """The document's id. Raises InputError and TransferFailed."""
    file = content if isinstance(content, bytes) else Path(fspath(content))
    if isinstance(file, Path) and not file.is_file():
        raise errors.InputError(f"There is no file {file} that can be read.")
    name = name or (file.name if isinstance(file, Path) else None)
    if name is None:
        raise errors.InputError('Say the document\'s name, such as name="scan.pdf": its bytes have none.')
    wanted = {"name": name, "options": {option.replace("_", "-"): spelled(value) for option, value in options.items()}}
    place = (yield from asked(Submission, Ask("POST", "/documents", body=wanted))).upload
    reply = yield from uploaded(Put(place.url, place.headers, file), place.key)
    version = reply.headers.get("x-amz-version-id")
    if version is None:
        raise errors.TransferFailed("It is uploaded, but its bucket keeps no versions: find it by its key.", place.key)
    return id_of_upload(place.bucket, place.key, version)


def uploaded(put: Put, key: str) -> Steps[Reply]:
    outcome: Reply | NoReply = yield put
    if isinstance(outcome, NoReply):
        first = "Look for its key in the list of documents first: it may have arrived all the same. Then submit"
        begin = first if outcome.arrived else "Submit"
        raise errors.TransferFailed(f"The upload broke off ({outcome.reason}). {begin} it again.", key)
    if not 200 <= outcome.status < 300:
        raise errors.TransferFailed(f"The upload was refused with status {outcome.status}. Submit it again.", key)
    return outcome


def spelled(value: Option) -> str:
    """As the metadata of an object have it."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case Mapping():
            return json.dumps(value)
        case _:
            return ",".join(value)


def id_of_upload(bucket: str, key: str, version: str) -> str:
    """As openapi.yaml has it, `submitDocument`."""
    identity = json.dumps([bucket, key, version], ensure_ascii=False).encode()
    return base64.b32encode(hashlib.sha256(identity).digest()[:20]).decode().lower()


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def document(document_id: str, first: int = 1, limit: int = 50) -> Steps[Document]:
    """Raises NotFound and Deleted."""
    value = yield from answered(Ask("GET", path_of(document_id), {"first": str(first), "limit": str(limit)}))
    if isinstance(value, dict) and "requested" in value:
        error = errors.Deleted("The document is deleted.", status=200, error="deleted")
        error.deletion = loaded(Deletion, value)
        raise error
    return loaded(Document, value)


def documents(
    status: str | None, review: str | None, after: datetime | str | None, before: datetime | str | None
) -> Steps[None]:
    """Tells each of them, the newest first."""
    wanted = {"status": status, "review": review, "after": moment(after), "before": moment(before)}
    query = {name: str(value) for name, value in wanted.items() if value is not None}
    while True:
        some = yield from asked(DocumentList, Ask("GET", "/documents", query))
        for one in some.documents:
            yield Tell(one)
        if some.next is None:
            return
        query = {**query, "next": some.next}


def moment(value: datetime | str | None) -> str | None:
    """A datetime without a zone is of this machine's."""
    if not isinstance(value, datetime):
        return value
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def follow(document_id: str, timeout: float | None, pace: Pace) -> Steps[Document]:
    """Tells the progress when it has changed; the document, once its end is published. Raises OutOfTime."""
    began, seen = time.monotonic(), None
    pauses = pace.pauses()
    while True:
        found = yield from arrived(document_id, time.monotonic() - began)
        now = progress_of(found.document) if found else Progress(document_id)
        if now != seen:
            yield Tell(now)
        seen = now
        if found and found.receipt and now.has_ended:
            return found
        yield from rested(next(pauses), began, timeout, now)


def arrived(document_id: str, waited: float) -> Steps[Document | None]:
    """None while an upload may still be on its way."""
    try:
        return (yield from document(document_id, limit=1))
    except errors.NotFound as error:
        if waited > ARRIVAL_SECONDS or error.error != "not_found":
            raise
        return None


def rested(seconds: float, began: float, timeout: float | None, now: Progress) -> Steps[None]:
    """Raises OutOfTime where the time would end within the pause."""
    if timeout is not None and time.monotonic() - began + seconds > timeout:
        raise errors.OutOfTime(f"{now}; not done within {timeout:g} seconds. Wait for it again.", now)
    yield Pause(seconds)


def receipt(document_id: str) -> Steps[dict[str, Any]]:
    """Raises InProgress and TransferFailed."""
    found = yield from document(document_id, limit=1)
    if found.receipt is None:
        raise errors.InProgress("The document has not ended, and has no receipt yet. Wait for it.", error="in_progress")
    reply = yield from reached(Fetch(found.receipt.url))
    if reply.status != HTTPStatus.OK:
        raise errors.TransferFailed(f"The receipt was refused with status {reply.status}. Ask again.")
    return dict(json_of(reply))


def page(document_id: str, number: int) -> Steps[Page]:
    return (yield from asked(Page, Ask("GET", path_of(document_id, "pages", number))))


def pages(document_id: str) -> Steps[None]:
    """Tells each page, in order."""
    found = yield from document(document_id, limit=1)
    for number in range(1, found.document.pages + 1):
        yield Tell((yield from page(document_id, number)))


def cancel(document_id: str) -> Steps[DocumentSummary]:
    return (yield from asked(DocumentSummary, Ask("POST", path_of(document_id, "cancel"))))


def delete(document_id: str) -> Steps[Deletion]:
    return (yield from asked(Deletion, Ask("DELETE", path_of(document_id))))


def redrive(document_id: str, number: int | None, task: str | None, reason: str | None) -> Steps[Redriven]:
    """It may cost: it is not repeated by itself."""
    choice = {"page": number, "task": task, "reason": reason}
    body = {name: value for name, value in choice.items() if value is not None}
    return (yield from asked(Redriven, Ask("POST", path_of(document_id, "redrive"), body=body, repeatable=False)))


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def outputs(document_id: str) -> Steps[Outputs]:
    return (yield from asked(Outputs, Ask("GET", path_of(document_id, "outputs"))))


def made(document_id: str, timeout: float | None, pace: Pace) -> Steps[Outputs]:
    """The outputs once they are ready. Raises OutOfTime, and Rejected for a document without pages."""
    began, pauses = time.monotonic(), pace.pauses()
    while True:
        found = yield from outputs(document_id)
        if found.ready and found.wanted:
            return found
        known = (yield from document(document_id, limit=1)).document
        if known.status == DocumentStatus.REJECTED:
            message = known.message or "It has no pages."
            raise errors.Rejected(f"{known.name} was rejected and has no outputs: {message}", error="rejected")
        if found.ready:
            return found
        yield from rested(next(pauses), began, timeout, progress_of(known))


def download(
    document_id: str, folder: str | PathLike[str], names: Iterable[str] | None, timeout: float | None, pace: Pace
) -> Steps[list[Path]]:
    """Output files, by their names in the folder; all without `names`. Raises NotFound and TransferFailed."""
    found = yield from made(document_id, timeout, pace)
    wanted = None if names is None else set(names)
    if absent := (wanted or set()) - {file.name for file in found.files}:
        there = ", ".join(file.name for file in found.files) or "none"
        raise errors.NotFound(f"There is no output {min(absent)}. There are: {there}.")
    chosen = [file for file in found.files if wanted is None or file.name in wanted]
    places = [place_of(file.name, Path(fspath(folder))) for file in chosen]
    for file, to in zip(chosen, places, strict=True):
        yield from downloaded(document_id, file, to)
    return places


def place_of(name: str, folder: Path) -> Path:
    """Within the folder, whatever a server says. Raises UnexpectedAnswer."""
    parts = name.split("/")
    if not all(parts) or any(part in (".", "..") or "\\" in part or ":" in part or "\0" in part for part in parts):
        raise errors.UnexpectedAnswer(f"An output's name leads out of its folder: {name!r}.")
    return folder.joinpath(*parts)


def downloaded(document_id: str, file: OutputFile, to: Path) -> Steps[None]:
    """The file is there whole, or not at all. A link that has ended meanwhile is asked for anew, once."""
    to.parent.mkdir(parents=True, exist_ok=True)
    part = to.with_name(f"{to.name}.part")
    try:
        reply = yield from reached(Fetch(file.url, part, file.size))
        if reply.status == HTTPStatus.FORBIDDEN:
            again = {other.name: other for other in (yield from outputs(document_id)).files}
            file = again.get(file.name, file)
            reply = yield from reached(Fetch(file.url, part, file.size))
        if reply.status != HTTPStatus.OK:
            raise errors.TransferFailed(f"{file.name} was refused with status {reply.status}. Download it again.")
        if reply.sha256 != file.sha256:
            raise errors.TransferFailed(f"{file.name} arrived damaged, or was made anew. Download it again.")
        part.replace(to)
    finally:
        part.unlink(missing_ok=True)


# ── review ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def reviews() -> Steps[None]:
    """Tells each document that waits for review, the oldest first."""
    query: dict[str, str] = {}
    while True:
        some = yield from asked(ReviewList, Ask("GET", "/reviews", query))
        for one in some.reviews:
            yield Tell(one)
        if some.next is None:
            return
        query = {"next": some.next}


def turned(document_id: str, how: str) -> Steps[Review]:
    """`how`: claim, release or done."""
    return (yield from asked(Review, Ask("POST", path_of(document_id, "review", how))))


def correct(document_id: str, number: int, version: int, said: Iterable[Said], *, check: bool) -> Steps[SavedPage]:
    """Saving again meets the first save as another's: only a check is repeated by itself."""
    corrections = [{"task": str(task), "pointer": pointer, "value": value} for task, pointer, value in said]
    body = {"version": version, "corrections": corrections}
    path, query = path_of(document_id, "pages", number, "corrections"), {"check": spelled(check)}
    return (yield from asked(SavedPage, Ask("PUT", path, query, body, repeatable=check)))


def config() -> Steps[Config]:
    return (yield from asked(Config, Ask("GET", "/config")))
