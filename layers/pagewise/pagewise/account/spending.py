"""What a document can cost at most, known before anything of it is paid for, and caps on it.

A cap that likely costs keep would be no cap: a page that makes the model repeat itself goes on to the last output
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
from pagewise.qwen.models import DEFAULT_MAX_PIXELS, DEFAULT_MIN_PIXELS, DEFAULT_MODEL, model_of
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
        """What these pages are likely to use, and can use at most, by task."""
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
        tokens = estimate(
            size.width,
            size.height,
            task,
            model=self.model,
            result_schema=options.schema_of(task),
            prompt=options.prompts.get(task),
            min_pixels=options.min_pixels or DEFAULT_MIN_PIXELS,
            max_pixels=options.max_pixels or self.max_pixels,
        )
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
            f"The document can cost up to {self.shown(most)}, over what is left of the day's {self.day_cap:g} "
            "(MaxDailyCost). Upload it again tomorrow (UTC), or raise the cap.",
        )

    def shown(self, units: int) -> str:
        return f"{self.price.amount_of(units):.4f} {self.price.currency}"
