"""Arithmetic of page ranges."""

from __future__ import annotations

from collections.abc import Iterator

from pagewise.model import PageRange

# Each range is a message; ten go in one request. A hundred ranges of twenty pages are 2,000 pages a level.
MAX_SUBRANGES = 100


def subranges(pages: PageRange, pages_per_range: int) -> list[PageRange]:
    """Cut a range into at most MAX_SUBRANGES consecutive smaller ones that together are exactly this range.

    Each has `pages_per_range` pages, or as many times that as are needed to stay within MAX_SUBRANGES; the receiver
    cuts those again. The last may be shorter.
    """
    pieces = -(-len(pages) // pages_per_range)
    step = pages_per_range * -(-pieces // MAX_SUBRANGES)
    return [
        PageRange(first, min(first + step - 1, pages.last), pages.run)
        for first in range(pages.first, pages.last + 1, step)
    ]


def stretches(pages: PageRange, length: int) -> Iterator[PageRange]:
    """The range in order, so many pages at a time."""
    for first in range(pages.first, pages.last + 1, length):
        yield PageRange(first, min(first + length - 1, pages.last), pages.run)
