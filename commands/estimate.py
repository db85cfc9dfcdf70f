"""`./pagewise estimate`: documents' cost before they are uploaded. Nothing is rendered, and no engine is asked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich import box
from rich.markup import escape
from rich.table import Table

from commands.console import Console, printable, tell
from commands.deployed import deployed_stack
from commands.profiles import profile_files, profile_text
from commands.template import ParameterError, splitter_variables
from commands.uploads import NO_OPTIONS, LocalDocument, RequestedOptions, find_all
from local.embedded_mode import engine_parameters
from pagewise.aws.environment import split_settings
from pagewise.aws.wiring import OfStack
from pagewise.errors import Configuration, DocumentRejected
from pagewise.model import Usage
from pagewise.options.profiles import Profiles
from pagewise.qwen.tokens import Estimate, Price
from pagewise.use_cases.admission import Forecast, forecast
from pagewise.use_cases.settings import SplitSettings

ALL_ACCEPTED, REJECTED = 0, 2


@dataclass(frozen=True)
class Inquiry:
    """`stack` None: as template.yaml would be deployed, with these parameters and the variables QWEN_…"""

    documents: Sequence[Path]
    options: RequestedOptions = NO_OPTIONS
    parameters: Mapping[str, str] = field(default_factory=dict)
    stack: str | None = None
    endpoint: str | None = None
    as_json: bool = False


@dataclass(frozen=True)
class Answer:
    """For one document: its forecast, or the rejection; over a cap, both."""

    document: LocalDocument
    forecast: Forecast | None = None
    rejection: DocumentRejected | None = None


class OwnProfiles:
    """The profiles of profiles/*.json, as `./pagewise run` puts them into its stack."""

    def text(self, name: str) -> str | None:
        return profile_text(name) if name in profile_files() else None


def estimate(inquiry: Inquiry, console: Console) -> int:
    """An exit code: 0, or 2 if a document would be rejected."""
    settings, profiles = settings_of(inquiry)
    answers = [
        answer(document, inquiry.options, settings, profiles) for document in find_all(inquiry.documents, NOWHERE)
    ]
    if inquiry.as_json:
        tell(json.dumps(shown(answers, settings), allow_nan=False))
    else:
        show(answers, settings, console)
    return REJECTED if any(found.rejection for found in answers) else ALL_ACCEPTED


# No folder is an output that is passed over.
NOWHERE = Path("/nonexistent")


def settings_of(inquiry: Inquiry) -> tuple[SplitSettings, Profiles]:
    """The settings of a stack, or of the template. Raises ParameterError, StackError, ProfileError."""
    given, profiles = engine_parameters(), OwnProfiles()
    if inquiry.stack is None:
        if inquiry.options.profile:
            profile_text(inquiry.options.profile)  # one that does not exist would silently be none
        return checked({**given, **inquiry.parameters}), profiles
    stack = deployed_stack(inquiry.stack, inquiry.endpoint)
    stored = OfStack(stack.client, stack.outputs).profiles(stack.name)
    return checked({**stack.parameters, **inquiry.parameters}), stored


def checked(parameters: Mapping[str, str]) -> SplitSettings:
    try:
        return split_settings(splitter_variables(parameters))
    except Configuration as error:
        raise ParameterError(error.message) from None


def answer(document: LocalDocument, options: RequestedOptions, settings: SplitSettings, profiles: Profiles) -> Answer:
    try:
        found = forecast(settings, profiles, document.key(options.profile), options.said(), document.path)
        return Answer(document, found, found.over)
    except DocumentRejected as rejection:
        return Answer(document, rejection=rejection)


# ── for a script ─────────────────────────────────────────────────────────────────────────────────────────────────────


def shown(answers: Sequence[Answer], settings: SplitSettings) -> dict[str, Any]:
    price = settings.spending.price
    return {
        "model": settings.spending.model,
        "region": price.region,
        "currency": price.currency,
        "input_per_million": price.input_per_million,
        "output_per_million": price.output_per_million,
        "prices_as_of": price.as_of,
        "billed": price.billed,
        "documents": [shown_document(found, price) for found in answers],
        **shown_estimate(total(answers), price),
    }


def shown_document(found: Answer, price: Price) -> dict[str, Any]:
    rejection, expected = found.rejection, found.forecast
    return {
        "document": str(found.document.path),
        "status": "rejected" if rejection else "accepted",
        "reason": rejection.reason if rejection else None,
        "message": rejection.message if rejection else None,
        "pages": expected.pages if expected else 0,
        "page_jobs": expected.pages * len(expected.by_task) if expected else 0,
        "tasks": {task: shown_estimate(of, price) for task, of in expected.by_task.items()} if expected else {},
        "warnings": list(expected.warnings) if expected else [],
        **shown_estimate(total([found]), price),
    }


def shown_estimate(of: Estimate, price: Price) -> dict[str, Any]:
    return {"likely": shown_usage(of.likely, price), "most": shown_usage(of.most, price)}


def shown_usage(usage: Usage, price: Price) -> dict[str, Any]:
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cost": price.amount(usage),
    }


def total(answers: Sequence[Answer]) -> Estimate:
    likely, most = Usage(), Usage()
    for found in answers:
        for of in found.forecast.by_task.values() if found.forecast else ():
            likely, most = likely + of.likely, most + of.most
    return Estimate(likely, most)


# ── for a person ─────────────────────────────────────────────────────────────────────────────────────────────────────


def show(answers: Sequence[Answer], settings: SplitSettings, console: Console) -> None:
    price = settings.spending.price
    console.print(table(answers, price))
    for found in answers:
        said = [f"{found.rejection.reason}: {found.rejection.message}"] if found.rejection else []
        said += [f"warning: {code}" for code in found.forecast.warnings] if found.forecast else []
        for sentence in said:
            console.print(
                printable(f"{found.document.name}: {sentence}"), highlight=False, markup=False, soft_wrap=True
            )
    whole = total(answers)
    console.print(
        f"{settings.spending.model}, {price.region}: {price.input_per_million:g} and {price.output_per_million:g} "
        f"{price.currency} for a million tokens in and out (prices of {price.as_of}).\n"
        f"likely {price.amount(whole.likely):.4f} {price.currency}, at most {price.amount(whole.most):.4f} "
        f"{price.currency}{'' if price.billed else ': the engine bills nothing'}.",
        highlight=False,
        markup=False,
        soft_wrap=True,
    )


def table(answers: Sequence[Answer], price: Price) -> Table:
    made = Table(box=box.SIMPLE, pad_edge=False)
    made.add_column("document", overflow="fold", min_width=16)
    made.add_column("task", no_wrap=True)
    for heading in ("pages", "tokens likely", "at most", f"{price.currency} likely", "at most"):
        made.add_column(heading, justify="right", no_wrap=True)
    for found in answers:
        name = escape(found.document.name)
        if found.forecast is None:
            made.add_row(name, "rejected", *[""] * 5)
            continue
        for task, of in found.forecast.by_task.items():
            tokens = [f"{usage.input_tokens + usage.output_tokens:,}" for usage in (of.likely, of.most)]
            costs = [f"{price.amount(usage):.4f}" for usage in (of.likely, of.most)]
            made.add_row(name, task, f"{found.forecast.pages:,}", *tokens, *costs)
            name = ""
    return made
