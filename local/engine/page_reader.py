"""Reads each image once, however many tasks and callers ask for it at the same time or later."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from local.engine import images

if TYPE_CHECKING:
    from local.engine.recognition.page import Page
    from local.engine.tables import Table

SIDE_BY_SIDE = 2
"""Pages read at the same time: recognition keeps about one core busy for most of a page."""
KEPT = 128
"""Pages kept: their lines only (some 50 KB each), never their pixels."""


@dataclass(frozen=True, slots=True)
class ReadImage:
    """A page as read, and the size of the image that was sent."""

    page: Page
    scale: float
    """Pixels of the sent image to one of the page."""


class PageReader:
    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(SIDE_BY_SIDE, thread_name_prefix="page")
        self._kept: OrderedDict[Hashable, Any] = OrderedDict()
        self._under_way: dict[Hashable, asyncio.Task[Any]] = {}
        self.ready = False

    async def warm_up(self) -> None:
        def load() -> None:
            from local.engine.recognition import rapid, tesseract

            rapid.warm_up()
            tesseract.languages()

        await asyncio.get_running_loop().run_in_executor(self._threads, load)
        self.ready = True

    async def read(self, image: images.SentImage, max_pixels: int) -> ReadImage:
        read: ReadImage = await self._once(("page", image.digest, max_pixels), lambda: _read(image, max_pixels))
        return read

    async def tables(self, image: images.SentImage, max_pixels: int) -> list[Table]:
        read = await self.read(image, max_pixels)
        key = ("tables", image.digest, max_pixels)
        tables: list[Table] = await self._once(key, lambda: _tables(image, max_pixels, read.page))
        return tables

    async def _once(self, key: Hashable, work: Callable[[], Any]) -> Any:
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        if key not in self._under_way:
            self._under_way[key] = asyncio.create_task(self._do(key, work))
        # Shielded: a caller that hangs up must not take the page from the others.
        return await asyncio.shield(self._under_way[key])

    async def _do(self, key: Hashable, work: Callable[[], Any]) -> Any:
        try:
            outcome = await asyncio.get_running_loop().run_in_executor(self._threads, work)
            self._kept[key] = outcome
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
            return outcome
        finally:
            del self._under_way[key]

    def close(self) -> None:
        from local.engine.recognition import tesseract

        self._threads.shutdown(wait=False, cancel_futures=True)
        tesseract.stop_all()


def _read(image: images.SentImage, max_pixels: int) -> ReadImage:
    from local.engine.recognition.reading import read_page

    picture = images.picture(image, max_pixels)
    page = read_page(picture)
    return ReadImage(page, image.width / picture.shape[1])


def _tables(image: images.SentImage, max_pixels: int, page: Page) -> list[Table]:
    import numpy as np

    from local.engine.tables import find_tables

    picture = images.picture(image, max_pixels)
    return find_tables(np.ascontiguousarray(np.rot90(picture, page.turns)), page)
