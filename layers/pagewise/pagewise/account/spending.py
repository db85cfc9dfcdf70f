"""The most that a document can cost, known before its first call, and the caps on it.

A cap on likely costs would be no cap: a page that makes the model repeat itself goes on to the last output
token. So a document is held against the most that it can cost; `max_tokens` among the sampling parameters lowers that.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

from pagewise.errors import DocumentRejected, Rejection
from pagewise.geometry import Size
from pagewise.model import Lane, TaskOptions, Usage
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MODEL, model_of
from pagewise.qwen.tokens import Estimate, Price, estimate
from pagewise.tasks import Task


@dataclass(frozen=True, slots=True)
class Spending:
    """Caps for one document, and for all that are accepted on a day (UTC), in the price's currency; 0: none."""

    document_cap: float = 0.0
    day_cap: float = 0.0
    price: Price = field(default_factory=Price)
    model: str = DEFAULT_MODEL
    max_pixels: int = DEFAULT_MAX_PIXELS
    max_output_tokens: int = model_of(DEFAULT_MODEL).max_output_tokens
    batch_model: str = DEFAULT_MODEL

    def __bool__(self) -> bool:
        return self.document_cap > 0 or self.day_cap > 0

    def in_lane(self, lane: Lane) -> Spending:
        return replace(self, model=self.batch_model) if lane is Lane.BATCH else self

    def most(
        self, pages: Iterable[Size | None], tasks: Sequence[Task], options: TaskOptions, lane: Lane = Lane.LIVE
    ) -> int:
        """The most that these pages can cost, in the price's units. A page of unknown size counts as the largest.

        In the batch lane both: an answer that is of no use is billed, and the page is asked about once more, live.
        """
        pages = list(pages)
        most = sum((tokens.most for tokens in self.by_task(pages, tasks, options).values()), Usage())
        if lane is Lane.BATCH:
            first = self.in_lane(lane).by_task(pages, tasks, options).values()
            most += sum((tokens.most for tokens in first), Usage()).of_batch
        return self.price.units(most)

    def by_task(
        self, pages: Iterable[Size | None], tasks: Sequence[Task], options: TaskOptions
    ) -> dict[Task, Estimate]:
        """These pages' likely and largest usage, by task."""
        side = math.isqrt(options.max_pixels or self.max_pixels)
        sizes = Counter(page or Size(side, side) for page in pages)
        found = {}
        for task in tasks:
            likely, most = Usage(), Usage()
            for size, number in sizes.items():
                tokens = self.of_page(size, task, options)
                likely += tokens.likely * number
                most += tokens.most * number
            found[task] = Estimate(likely, most)
        return found

    def of_page(self, size: Size, task: Task, options: TaskOptions) -> Estimate:
        sizes = [(size.width, size.height)]
        tokens = estimate(sizes, task, options, model=self.model, max_pixels=self.max_pixels)
        return Estimate(tokens.likely.within(self.max_output_tokens), tokens.most.within(self.max_output_tokens))

    def check(self, most: int) -> None:
        """Raise DocumentRejected `over_budget` if a document's cost could exceed a cap by itself."""
        for cap, name in ((self.document_cap, "MaxDocumentCost"), (self.day_cap, "MaxDailyCost")):
            if 0 < cap < self.price.amount_of(most):
                raise DocumentRejected(
                    Rejection.OVER_BUDGET,
                    f"The document can cost up to {self.shown(most)}, over the cap of {cap:g} ({name}). "
                    "Upload it in parts, ask for fewer tasks, or raise the cap.",
                )

    @property
    def day_cap_units(self) -> int:
        return math.floor(self.day_cap * self.price.units_of_one)

    def day_is_spent(self, most: int) -> DocumentRejected:
        return DocumentRejected(
            Rejection.OVER_BUDGET,
            f"The document can cost up to {self.shown(most)}, over the rest of the day's {self.day_cap:g} "
            "(MaxDailyCost). Upload it again tomorrow (UTC), or raise the cap.",
        )

    def shown(self, units: int) -> str:
        return f"{self.price.amount_of(units):.4f} {self.price.currency}"
