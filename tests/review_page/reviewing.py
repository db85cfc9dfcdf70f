"""A person at the review page, by mouse, keyboard and eye."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from playwright.sync_api import Browser, BrowserContext, Locator, Page, expect

from tests.review_page.serving import Held

WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}
# Chromium's options: without a graphics card the drawing by its rules takes a processor more.
SPARING = ["--disable-gpu", "--disable-software-rasterizer"]


@dataclass
class Person:
    """`faults`: what the browser complains of, scripts that its policy refuses among it."""

    page: Page
    context: BrowserContext
    address: str
    faults: list[str] = field(default_factory=list)

    def opens(self, document: Held, number: int = 1) -> None:
        """From its address, as a bookmark does."""
        self.page.goto(f"{self.address}/#/d/{document.id}/{number}")
        expect(self.page.get_by_role("heading", level=1)).to_have_text(document.name)
        with suppress(AssertionError):  # of a document that another has, no value gets the focus
            expect(self.page.locator(":focus:is(input, textarea, [contenteditable])")).to_be_visible(timeout=3_000)

    def value(self, name: str) -> Locator:
        return self.page.get_by_role("textbox", name=name, exact=True)

    def card(self, name: str) -> Locator:
        return self.page.locator(".value", has=self.value(name))

    @property
    def focused(self) -> str:
        """What a screen reader would call the element in focus."""
        name = self.page.evaluate("document.activeElement.ariaLabel || document.activeElement.textContent")
        return str(name)

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def writes(self, text: str) -> None:
        """In place of all that stands in the value in focus; a page at its beginning may have none yet."""
        expect(self.page.locator(":focus:is(input, textarea, [contenteditable])")).to_be_visible()
        self.press("Control+a")
        self.page.keyboard.type(text)

    def waits_until_saved(self) -> None:
        expect(self.page.locator(".saved")).to_have_text(re.compile("^Saved"))

    def hears(self, text: str) -> None:
        expect(self.page.get_by_role("status")).to_contain_text(text)

    def is_told(self, text: str) -> None:
        expect(self.page.get_by_role("alert").filter(has_text=text)).to_be_visible()

    @property
    def lit(self) -> str:
        return self.page.locator("path.lit").get_attribute("d") or ""


@contextmanager
def person(browser: Browser, address: str, name: str = "ana", **how: Any) -> Iterator[Person]:
    """In a browser profile of their own."""
    context = browser.new_context(**{"viewport": WIDE} | how)
    try:
        page = context.new_page()
        page.set_default_timeout(30_000)
        who = Person(page, context, address)
        page.on("pageerror", lambda error: who.faults.append(str(error)))
        page.on("console", lambda message: who.faults.extend([message.text] if message.type == "error" else []))
        page.goto(f"{address}/?token={name}")
        expect(page.get_by_role("heading", name="Review")).to_be_visible()
        yield who
    finally:
        context.close()
