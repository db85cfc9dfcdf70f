"""Signing in at an issuer of another origin, and staying so."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import expect

from tests.review_page.documents import fields_of, page
from tests.review_page.issuing import Issuer, issuing
from tests.review_page.reviewing import Person
from tests.review_page.serving import Desk, Held


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    with issuing(issuer):
        yield issuer


def desk_of(issuer: Issuer) -> tuple[Desk, Held]:
    document = Held("a.pdf", [page([fields_of({"Name": "Ana?"})])])
    desk = Desk(document)
    desk.issuer = issuer
    return desk, document


def test_who_comes_is_sent_to_the_issuer_and_back(comes: Callable[..., Person], issuer: Issuer) -> None:
    desk, document = desk_of(issuer)
    ana = comes(desk)
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    assert ana.page.url == f"{ana.address}/"
    ana.press("Enter")
    expect(ana.value("Name")).to_be_focused()
    ana.press("Enter")
    ana.waits_until_saved()
    assert [one.by for one in document.pages[0].said.corrections] == ["ana"]
    ana.page.reload()
    expect(ana.value("Name")).to_be_visible()
    assert issuer.signed_in == 1


def test_a_token_that_ends_is_renewed(comes: Callable[..., Person], issuer: Issuer) -> None:
    issuer.lasts = 30
    desk, _ = desk_of(issuer)
    ana = comes(desk)
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    assert (issuer.signed_in, issuer.renewed) == (1, 1)


def test_a_token_that_is_refused_leads_back_to_the_same_page(comes: Callable[..., Person], issuer: Issuer) -> None:
    desk, document = desk_of(issuer)
    ana = comes(desk)
    ana.opens(document)
    expect(ana.value("Name")).to_be_focused()
    issuer.tokens.clear()
    ana.writes("Ana")
    ana.press("Enter")
    expect(ana.value("Name")).to_have_value("Ana")
    ana.waits_until_saved()
    assert issuer.signed_in == 2
    assert ana.page.url.endswith(f"/#/d/{document.id}/1")
    assert [one.value for one in document.pages[0].said.corrections] == ["Ana"]


def test_an_answer_that_this_browser_did_not_ask_for_is_not_taken(comes: Callable[..., Person], issuer: Issuer) -> None:
    desk, _ = desk_of(issuer)
    ana = comes(desk)
    ana.page.evaluate("sessionStorage.clear()")
    ana.page.goto(f"{ana.address}/?code=anothers&state=anothers")
    expect(ana.page.get_by_role("link", name="a.pdf")).to_be_focused()
    assert issuer.signed_in == 2
    assert ana.page.url == f"{ana.address}/"
