"""./pagewise run --review: the documents that wait, a browser that is opened, and the events that end the wait."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path, PurePath
from typing import Any

import pytest

from commands.console import console
from commands.documents import DocumentProgress
from commands.reviewing import OPENER, doubts, follow, implied, open_page, to_review
from commands.uploads import LocalDocument, RequestedOptions

ROOT = Path(__file__).parents[2]
ADDRESS = "http://127.0.0.1:9/?token=s3cret&name=a"


def account(name: str, **parts: Any) -> DocumentProgress:
    return DocumentProgress(LocalDocument(Path(name), PurePath(name)), **parts)


def receipt(state: str | None) -> dict[str, Any]:
    reasons = [{"code": "rule", "detail": "pattern", "count": 2}, {"code": "unclear", "detail": None, "count": 1}]
    return {"review": state and {"state": state, "reasons": reasons}}


@pytest.mark.parametrize(
    ("options", "review"),
    [
        (RequestedOptions(), "doubtful"),
        (RequestedOptions(review="always"), "always"),
        (RequestedOptions(profile="receipts", review="sample 5%"), "sample 5%"),
    ],
)
def test_a_run_that_opens_the_page_asks_for_what_is_doubtful(options: RequestedOptions, review: str) -> None:
    assert implied(options) == review


def test_what_waits_is_told_with_its_reasons() -> None:
    accounts = [account("a.pdf"), account("b.pdf"), account("c.pdf")]
    receipts = {id(one): receipt(state) for one, state in zip(accounts, ("waiting", "done", None), strict=True)}
    assert to_review(accounts, receipts) == accounts[:1]
    assert to_review(accounts, {}) == []
    assert doubts(accounts[0], receipts[id(accounts[0])]) == "a.pdf: to review: 2 × rule (pattern), 1 × unclear"


@pytest.mark.parametrize(
    "names", [("DocumentReviewed", "DocumentAssembled"), ("DocumentAssembled", "DocumentReviewed")]
)
def test_a_document_is_done_when_it_is_reviewed_and_its_outputs_know_it(names: tuple[str, str]) -> None:
    document = account("a.pdf", outputs={"files": []} | {"document_id": "d"})
    left, written = {"d": document}, []
    detail = {
        "document": {"id": "d"}, "by": "Ana", "corrections": 1, "receipt": {"key": "documents/d/receipt.json"},
        "reviews": 1,
    }  # fmt: skip
    for number, name in enumerate(names):
        assert len(left) == 1, number
        follow("DocumentAssembled", {**detail, "reviews": 0}, left, written.append, console())
        follow(name, {**detail, "document": {"id": "other"}}, left, written.append, console())
        follow(name, detail, left, written.append, console())
    assert (left, written, document.receipt) == ({}, [document], detail["receipt"])


def test_without_a_display_no_browser_is_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DISPLAY", "WAYLAND_DISPLAY"):
        monkeypatch.delenv(name, raising=False)
    if sys.platform == "linux":
        assert not open_page(ADDRESS, tmp_path)
        assert list(tmp_path.iterdir()) == []


def test_a_browser_is_told_the_token_by_a_file_of_this_user_s_alone(tmp_path: Path) -> None:
    browser = tmp_path / "browser"
    browser.write_text('#!/bin/sh\necho "$@" >"$TOLD"\n')
    browser.chmod(0o700)
    opened = (
        "from pathlib import Path; from commands.reviewing import open_page; import sys;"
        " print(open_page(sys.argv[1], Path(sys.argv[2])))"
    )
    told = tmp_path / "told"
    variables = {**os.environ, "DISPLAY": ":0", "BROWSER": str(browser), "TOLD": str(told)}
    ran = subprocess.run(
        [sys.executable, "-c", opened, ADDRESS, str(tmp_path)],
        cwd=ROOT, env=variables, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert ran.stdout == "True\n"
    assert told.read_text() == (tmp_path / OPENER).as_uri() + "\n"
    assert (tmp_path / OPENER).stat().st_mode & 0o777 == 0o600
    assert "token=s3cret&amp;name=a" in (tmp_path / OPENER).read_text()
