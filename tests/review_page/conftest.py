"""Debian's Chromium, driven by Playwright: one for each file's tests, a profile of its own for each person."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from tests.review_page.reviewing import SPARING, Person, person
from tests.review_page.serving import Desk, served

# Milliseconds: other tests share the cores.
expect.set_options(timeout=60_000)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Ended with its file: Playwright keeps an event loop running, and other tests in this process begin their own."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("Chromium is absent: local/setup.sh web")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=chromium, args=SPARING)
        yield launched
        launched.close()


@pytest.fixture
def comes(browser: Browser) -> Iterator[Callable[..., Person]]:
    """A person comes to a desk. At the end nothing may have gone wrong in a browser, but for lost connections."""
    with ExitStack() as stack:
        people: list[Person] = []
        addresses: dict[int, str] = {}

        def come(desk: Desk, name: str = "ana", **how: object) -> Person:
            if id(desk) not in addresses:
                addresses[id(desk)] = stack.enter_context(served(desk))
            people.append(stack.enter_context(person(browser, addresses[id(desk)], name, **how)))
            return people[-1]

        yield come
        assert [fault for who in people for fault in who.faults if "Failed to load resource" not in fault] == []
