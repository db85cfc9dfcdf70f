"""Requests of the HTTP API → documents, their review, and the page that shows them. openapi.yaml is the contract."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.typing import LambdaContext

from pagewise.aws import api, wiring
from pagewise.aws.api import Answer
from pagewise.aws.observing import logger, metrics, unforeseen
from pagewise.errors import PagewiseError
from pagewise.review.corrections import Person
from pagewise.strict_json import dumped
from pagewise.use_cases.show import FILE, NotFound

WEB = Path(__file__).parent / "web"
MEDIA_TYPES = {".html": "text/html; charset=utf-8", ".js": "text/javascript; charset=utf-8",
               ".css": "text/css; charset=utf-8", ".svg": "image/svg+xml"}  # fmt: skip

app = APIGatewayHttpResolver(serializer=dumped)
paths = api.Paths()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    began = time.monotonic()
    deadline = began + context.get_remaining_time_in_millis() / 1000 - wiring.ANSWER_SECONDS
    app.append_context(deadline=deadline)  # type: ignore[no-untyped-call]
    answer = app.resolve(event, context)
    if metrics.metric_set:  # most requests count nothing, which Powertools would warn of each time
        metrics.flush_metrics()
    answer["headers"] = wiring.composition.get().desk().headers() | answer.get("headers", {})
    about = {"method": app.current_event.http_method, "status": answer["statusCode"]}
    logger.info("answered", extra={**about, "seconds": round(time.monotonic() - began, 3)})
    return answer


def route(method: str, path: str, *, compress: bool = False) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    paths.declare(method, path)
    return app.route(path, method=method, compress=compress)


def desk() -> wiring.Desk:
    return wiring.composition.get().desk()


def person() -> Person:
    return api.person_of(app.current_event.raw_event, desk().trusted)


def deadline() -> float:
    left: float = app.context["deadline"]
    return left


# ── the page ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@route("GET", "/")
def page() -> Response[Any]:
    return web_file("index.html")


@route("GET", "/web/<name>")
def file(name: str) -> Response[Any]:
    return web_file(name)


def web_file(name: str) -> Response[Any]:
    known = {path.name: path for path in WEB.iterdir() if path.suffix in MEDIA_TYPES}
    if name not in known:
        raise NotFound(FILE)
    headers = {"Cache-Control": "no-cache"}
    return Response(200, MEDIA_TYPES[known[name].suffix], known[name].read_text(encoding="utf-8"), headers)


@route("GET", "/config")
def config() -> Answer:
    return desk().config()


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


@route("GET", "/documents", compress=True)
def documents() -> Answer:
    caller = person()
    query = api.query_of(app.current_event.raw_event, "status", "review", "after", "before", "limit", "next")
    return desk().show.documents(query.filter(), query.limit(), query.cursor(), caller)


@route("POST", "/documents")
def submit() -> tuple[Answer, int]:
    person()
    name, options = api.upload_of(api.body_of(app.current_event.raw_event))
    return desk().show.place_to_upload(name, options, f"api-{uuid.uuid4()}"), 201


@route("GET", "/documents/<document_id>", compress=True)
def document(document_id: str) -> Answer:
    caller, known = person(), api.document_id(document_id)
    query = api.query_of(app.current_event.raw_event, "first", "limit")
    first = query.number("first", 1, api.MOST_PAGE)
    if receipt := desk().delete.deletions.receipt(known):
        return receipt.shown()
    return desk().show.document(known, first, query.limit(), caller)


@route("DELETE", "/documents/<document_id>")
def delete(document_id: str) -> tuple[Answer, int]:
    receipt = desk().delete.document(api.document_id(document_id), person().name, deadline())
    if receipt is None:
        raise NotFound
    return receipt.shown(), 202


@route("POST", "/documents/<document_id>/cancel")
def cancel(document_id: str) -> tuple[Answer, int]:
    caller = person()
    cancelled = desk().cancel.document(api.document_id(document_id), deadline())
    if cancelled is None:
        raise NotFound
    return desk().show.summary(cancelled, caller), 202


@route("POST", "/documents/<document_id>/redrive")
def redrive(document_id: str) -> tuple[Answer, int]:
    person()
    choice = api.selection_of(api.body_of(app.current_event.raw_event, required=False))
    done = desk().redrive.document(api.document_id(document_id), choice)
    return {"document_id": document_id, "run": done.run, "page_jobs": done.page_jobs,
            "pages_to_render": done.pages_to_render, "over_cap": done.over_cap}, 202  # fmt: skip


@route("GET", "/documents/<document_id>/outputs", compress=True)
def outputs(document_id: str) -> Answer:
    person()
    return desk().show.made(api.document_id(document_id))


@route("GET", "/documents/<document_id>/pages/<number>", compress=True)
def document_page(document_id: str, number: str) -> Answer:
    caller = person()
    return desk().review.page(api.document_id(document_id), api.page_number(number), caller)


# ── review ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@route("GET", "/reviews", compress=True)
def reviews() -> Answer:
    caller, query = person(), api.query_of(app.current_event.raw_event, "limit", "next")
    return desk().show.waiting(query.limit(), query.cursor(), caller)


@route("POST", "/documents/<document_id>/review/claim")
def claim(document_id: str) -> Answer:
    caller = person()
    return desk().review.claim(api.document_id(document_id), caller)


@route("POST", "/documents/<document_id>/review/release")
def release(document_id: str) -> Answer:
    caller = person()
    return desk().review.release(api.document_id(document_id), caller)


@route("POST", "/documents/<document_id>/review/done")
def done(document_id: str) -> Answer:
    caller = person()
    return desk().review.done(api.document_id(document_id), caller)


@route("PUT", "/documents/<document_id>/pages/<number>/corrections", compress=True)
def correct(document_id: str, number: str) -> Answer:
    caller, query = person(), api.query_of(app.current_event.raw_event, "check")
    known, page_number, check = api.document_id(document_id), api.page_number(number), query.flag("check")
    version, said = api.corrections_of(api.body_of(app.current_event.raw_event))
    save = desk().review.check if check else desk().review.save
    return save(known, page_number, version, said, caller)


# ── refusals ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@app.exception_handler(PagewiseError)  # type: ignore[untyped-decorator]
def refused(error: PagewiseError) -> Response[Any]:
    return answered(error)


def answered(error: PagewiseError) -> Response[Any]:
    logger.info("refused", extra={"reason": error.reason})
    headers = {"Allow": ", ".join(error.methods)} if isinstance(error, api.NotAllowed) else {}
    return Response(api.status_of(error), "application/json", dumped(api.refusal(error)), headers)


@app.exception_handler(Exception)  # type: ignore[untyped-decorator]
def broken(error: Exception) -> Response[Any]:
    logger.error("not answered", extra=unforeseen(error))
    return Response(500, "application/json", dumped(api.BROKEN))


@app.not_found
def not_found(_error: NotFoundError) -> Response[Any]:
    person()
    return answered(paths.refusal(app.current_event.path))
