"""The API of openapi.yaml over documents in memory, and the page's files, over real HTTP.

It refuses what the API refuses: requests without a token, claims of what another has, saves of another version. Values,
doubts and rules are the core's own.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from hashlib import sha256
from http import HTTPStatus
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import RLock, Thread
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from pagewise.aws.api import security_headers
from pagewise.model import DocumentId, Result
from pagewise.options.rules import judged
from pagewise.results import dump_result
from pagewise.review.corrections import Correction, PageCorrections, corrected, machines
from pagewise.review.doubts import Doubt, counted, of_page
from pagewise.review.pointers import NoSuchPlace
from pagewise.review.values import of_page_values
from pagewise.tasks import Task

if TYPE_CHECKING:
    from tests.review_page.issuing import Issuer

WEB = Path(__file__).parents[2] / "functions/review/web"
CLAIM = timedelta(minutes=15)
MEDIA_TYPES = {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
HELD = re.compile(r"/documents/([a-z2-7]{32})/(?:pages/(\d+)(/corrections)?|review/(claim|release|done))")


class Refused(Exception):
    def __init__(self, status: HTTPStatus, error: str, message: str, **details: Any) -> None:
        super().__init__(message)
        self.status = status
        self.shown = {"error": error, "message": message, **details}


@dataclass(frozen=True)
class Picture:
    content: bytes
    media_type: str
    width: int
    height: int


@dataclass
class Page:
    results: Mapping[Task, Result]
    picture: Picture | None = None
    said: PageCorrections = field(default_factory=PageCorrections)


@dataclass
class Held:
    """A document that waits for review, and who has it."""

    name: str
    pages: Sequence[Page]
    profile: str | None = None
    rules: Mapping[str, Any] | None = None
    schema: Mapping[str, Any] | None = None
    state: str = "waiting"
    ended: str = "2026-11-25T08:00:00.000Z"
    claimed_by: str | None = None
    claimed_until: datetime | None = None
    reviewed_by: str | None = None

    @cached_property
    def doubts(self) -> list[tuple[int, Doubt]]:
        return [(number, doubt) for number, page in enumerate(self.pages, 1) for doubt in of_page(page.results)]

    @property
    def id(self) -> DocumentId:
        return DocumentId(base64.b32encode(sha256(self.name.encode()).digest()[:20]).decode().lower())


@dataclass(frozen=True)
class Request:
    method: str
    path: str
    person: str


class Desk:
    """All documents, and the requests that were made about them."""

    def __init__(self, *documents: Held) -> None:
        self.documents = {document.id: document for document in documents}
        self.requests: list[Request] = []
        self.lock = RLock()
        self.lateness = timedelta()
        self.links_end = False
        self.issuer: Issuer | None = None

    def headers(self) -> dict[str, str]:
        """As the review function answers; here page images are of the same origin."""
        return security_headers(images="", connects=self.issuer.address if self.issuer else "")

    def now(self) -> datetime:
        return datetime.now(UTC) + self.lateness

    def asked(self, method: str, ends: str = "") -> list[Request]:
        return [one for one in self.requests if one.method == method and one.path.split("?")[0].endswith(ends)]

    # ── What is shown ──

    def reviews(self, person: str) -> Any:
        waiting = sorted((one for one in self.documents.values() if one.state != "done"), key=lambda one: one.ended)
        return {"reviews": [self.summary(one, person) for one in waiting], "next": None}

    def summary(self, of: Held, person: str) -> Any:
        return {
            "id": of.id, "name": of.name, "key": f"uploads/{of.name}", "profile": of.profile, "tag": None,
            "status": "complete", "reason": None, "message": None, "started": of.ended, "ended": of.ended, "run": 1,
            "pages": len(of.pages), "pages_closed": len(of.pages), "tasks": sorted(of.pages[0].results),
            "page_jobs": {"expected": 1, "recognized": 1, "failed": 0}, "review": self.review(of, person),
        }  # fmt: skip

    def review(self, of: Held, person: str) -> Any:
        claimed = of.claimed_until is not None and of.claimed_until > self.now()
        return {
            "state": "claimed" if claimed and of.state == "waiting" else of.state,
            "reasons": [one.shown() for one in counted(doubt for _, doubt in of.doubts)],
            "pages": sorted({number for number, _ in of.doubts}),
            "claimed_by": of.claimed_by if claimed else None,
            "claimed_until": moment(of.claimed_until) if claimed and of.claimed_until else None,
            "mine": claimed and of.claimed_by == person,
            "reviewed": of.ended if of.state == "done" else None,
            "reviewed_by": of.reviewed_by,
            "corrections": sum(page.said.changed for page in of.pages),
        }

    def page(self, of: Held, number: int, person: str) -> Any:
        page = self.page_of(of, number)
        return {
            "document_id": of.id,
            "name": of.name,
            "page": number,
            "pages": len(of.pages),
            "status": "complete",
            "image": self.link(of, number, page.picture) if page.picture else None,
            "results": {task: dump_result(one) for task, one in page.results.items()},
            "document_review": self.review(of, person),
            **self.values(of, page, page.said),
        }

    def link(self, of: Held, number: int, picture: Picture) -> Any:
        url = f"/images/{of.id}/{number}?until={time.time_ns()}"
        return {"url": url, "expires": moment(self.now()), "width": picture.width, "height": picture.height}

    def values(self, of: Held, page: Page, said: PageCorrections) -> Any:
        after = {task: judged(corrected(one, said.of(task)), of.rules) for task, one in page.results.items()}
        shown = of_page_values(page.results, after, said, of.schema)
        return {
            "review": said.shown(),
            "fields": [value.shown() for value in shown.values],
            "reasons": [doubt.shown() for doubt in shown.doubts],
        }

    def page_of(self, of: Held, number: int) -> Page:
        if not 1 <= number <= len(of.pages):
            raise Refused(HTTPStatus.NOT_FOUND, "not_found", "The document has no such page.")
        return of.pages[number - 1]

    # ── What is done ──

    def claim(self, of: Held, person: str) -> Any:
        if of.claimed_until and of.claimed_until > self.now() and of.claimed_by != person:
            message = "Another has this document: try again later."
            until = moment(of.claimed_until)
            raise Refused(HTTPStatus.CONFLICT, "claimed", message, by=of.claimed_by, until=until)
        of.claimed_by, of.claimed_until, of.state = person, self.now() + CLAIM, "waiting"
        return self.review(of, person)

    def release(self, of: Held, person: str) -> Any:
        if of.claimed_by == person:
            of.claimed_by = of.claimed_until = None
        return self.review(of, person)

    def done(self, of: Held, person: str) -> Any:
        self.claim(of, person)
        of.state, of.reviewed_by, of.claimed_by, of.claimed_until = "done", person, None, None
        return self.review(of, person)

    def save(self, of: Held, number: int, body: Any, person: str, *, check: bool) -> Any:
        page = self.page_of(of, number)
        if not check:
            self.claim(of, person)
        if body["version"] != page.said.version:
            stored = [one.shown() for one in page.said.corrections]
            message = "Another has saved this page since it was read."
            details = {"by": page.said.by, "version": page.said.version, "corrections": stored}
            raise Refused(HTTPStatus.CONFLICT, "conflict", message, **details)
        said = self.said(page, body["corrections"], person)
        if not check:
            page.said = said
        return self.values(of, page, said)

    def said(self, page: Page, corrections: Sequence[Any], person: str) -> PageCorrections:
        at = moment(self.now())
        before = {(one.task, one.pointer): one for one in page.said.corrections}
        after = []
        for one in corrections:
            task, place, value = Task(one["task"]), one["pointer"], one["value"]
            try:
                machine = machines(page.results.get(task), place)
            except NoSuchPlace:
                raise Refused(HTTPStatus.BAD_REQUEST, "invalid", f"The page has no {place}.") from None
            known = before.get((task, place))
            new = Correction(task, place, machine, value, person, at)
            after.append(known if known and known.value == value else new)
        return replace(page.said, version=page.said.version + 1, corrections=tuple(after), saved=at, by=person)


def moment(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%S}.{at.microsecond // 1000:03}Z"


class Answering(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    desk: Desk

    def do_GET(self) -> None:
        self.answer()

    do_POST = do_PUT = do_GET  # noqa: N815  # the base class's names

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        """Nothing: a test's own output is enough."""

    def answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        asked = urlsplit(self.path)
        try:
            if asked.path == "/" and "token" in parse_qs(asked.query):
                self.let_in(parse_qs(asked.query)["token"][0])
            elif asked.path == "/" or asked.path.startswith("/web/"):
                self.file(WEB / (asked.path.removeprefix("/web/").strip("/") or "index.html"))
            elif asked.path == "/config":
                self.send(
                    HTTPStatus.OK, {"stack": "pagewise", "sign_in": self.desk.issuer and self.desk.issuer.sign_in}
                )
            else:
                self.route(asked.path, parse_qs(asked.query), json.loads(body) if body else None)
        except Refused as refusal:
            self.send(refusal.status, refusal.shown)

    def route(self, path: str, query: Mapping[str, list[str]], body: Any) -> None:
        person = self.person()
        with self.desk.lock:
            self.desk.requests.append(Request(self.command, self.path, person))
            if path.startswith("/images/"):
                return self.picture(path)
            if path == "/reviews":
                return self.send(HTTPStatus.OK, self.desk.reviews(person))
            found = HELD.fullmatch(path)
            if found is None or found[1] not in self.desk.documents:
                raise Refused(HTTPStatus.NOT_FOUND, "not_found", "There is no such document.")
            of = self.desk.documents[DocumentId(found[1])]
            if found[4]:
                return self.send(HTTPStatus.OK, getattr(self.desk, found[4])(of, person))
            if found[3]:
                check = query.get("check") == ["true"]
                return self.send(HTTPStatus.OK, self.desk.save(of, int(found[2]), body, person, check=check))
            return self.send(HTTPStatus.OK, self.desk.page(of, int(found[2]), person))

    def person(self) -> str:
        if self.desk.issuer:
            return self.bearer(self.desk.issuer)
        cookie = SimpleCookie(self.headers.get("cookie", ""))
        if "pagewise" not in cookie:
            raise Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", "Open the address that `./pagewise local` printed.")
        return cookie["pagewise"].value

    def bearer(self, issuer: Issuer) -> str:
        person = issuer.tokens.get(self.headers.get("authorization", "").removeprefix("Bearer "))
        if person is None:
            raise Refused(HTTPStatus.UNAUTHORIZED, "unauthorized", "Sign in again.")
        return person

    def let_in(self, person: str) -> None:
        cookie = f"pagewise={person}; HttpOnly; SameSite=Strict; Path=/"
        self.file(WEB / "index.html", {"Set-Cookie": cookie})

    def file(self, path: Path, headers: Mapping[str, str] | None = None) -> None:
        if not path.is_file() or path.parent != WEB:
            raise Refused(HTTPStatus.NOT_FOUND, "not_found", "There is no such file.")
        self.write(HTTPStatus.OK, path.read_bytes(), MEDIA_TYPES[path.suffix], headers)

    def picture(self, path: str) -> None:
        _, _, document, number = path.split("/")
        picture = self.desk.documents[DocumentId(document)].pages[int(number) - 1].picture
        if picture is None or self.desk.links_end:
            raise Refused(HTTPStatus.FORBIDDEN, "forbidden", "The link has ended.")
        self.write(HTTPStatus.OK, picture.content, picture.media_type, {"Cache-Control": "max-age=900"})

    def send(self, status: HTTPStatus, shown: Any) -> None:
        self.write(status, json.dumps(shown).encode(), "application/json")

    def write(
        self, status: HTTPStatus, content: bytes, media_type: str, headers: Mapping[str, str] | None = None
    ) -> None:
        self.send_response(status)
        for name, value in {**self.desk.headers(), **(headers or {})}.items():
            self.send_header(name, value)
        self.send_header("Content-Type", media_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


class Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that is closed breaks its connections off."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


@contextmanager
def served(desk: Desk) -> Iterator[str]:
    """The address of this desk."""

    class OfDesk(Answering):
        pass

    OfDesk.desk = desk
    with Server(("127.0.0.1", 0), OfDesk) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
