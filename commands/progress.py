"""Shows how far a run is: bars on a terminal, plain lines elsewhere; and the table at its end."""

import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from rich import box
from rich.console import Group
from rich.live import Live
from rich.markup import escape
from rich.progress_bar import ProgressBar
from rich.table import Table

from commands.console import Console, printable
from commands.documents import DocumentProgress, DocumentsProgress, time_left

MOST_LINES = 12  # of documents on a terminal at the same time
PLAIN_INTERVAL = 5.0  # seconds between plain lines about one document
BAR_WIDTH = 24


class Progress(Protocol):
    def show(self, moved: Iterable[DocumentProgress]) -> None: ...
    def say(self, text: str) -> None: ...
    def __enter__(self) -> Self: ...
    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None: ...


def progress(accounts: DocumentsProgress, console: Console) -> Progress:
    return Bars(accounts, console) if console.is_terminal else PlainLines(accounts, console)


class Bars:
    def __init__(self, accounts: DocumentsProgress, console: Console) -> None:
        self._accounts = accounts
        self._console = console
        self._live = Live(get_renderable=self._render, console=console, refresh_per_second=4, transient=True)

    def show(self, moved: Iterable[DocumentProgress]) -> None:
        """Nothing to do: the bars are drawn four times a second."""

    def say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False)

    def _render(self) -> Group:
        everything = self._accounts.all
        shown = [account for account in everything if account.status == "recognizing" and account.ended is None]
        shown = shown[:MOST_LINES] or [account for account in everything if account.ended is None][:1]
        table = Table.grid(padding=(0, 2))
        for account in shown:
            table.add_row(escape(account.document.name), *cells([account]))
        if len(everything) > 1:
            ended = len(everything) - len(self._accounts.open())
            table.add_row(f"[bold]all: {ended} of {len(everything)} documents", *cells(everything))
        return Group(table)

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._live.stop()


class PlainLines:
    def __init__(self, accounts: DocumentsProgress, console: Console) -> None:
        self._accounts = accounts
        self._console = console
        self._started = time.monotonic()
        self._moved: dict[int, DocumentProgress] = {}
        self._shown: dict[int, tuple[float, str]] = {}  # the time and the status shown then

    def show(self, moved: Iterable[DocumentProgress]) -> None:
        """A new status at once, other progress every few seconds."""
        self._moved |= {id(account): account for account in moved}
        now = time.monotonic()
        for identity, account in list(self._moved.items()):
            last, status = self._shown.get(identity, (0.0, ""))
            if status != account.status or now - last >= PLAIN_INTERVAL:
                self._shown[identity] = now, account.status
                del self._moved[identity]
                self.say(f"{now - self._started:6.1f} s  {account.document.name}: {account_line(account)}")

    def say(self, text: str) -> None:
        self._console.print(printable(text), markup=False, highlight=False, soft_wrap=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        return None


def cells(accounts: list[DocumentProgress]) -> list[Any]:
    expected = sum(account.expected for account in accounts)
    done = sum(account.done for account in accounts)
    pages = sum(account.pages for account in accounts)
    pages_done = sum(account.pages_done for account in accounts)
    bar = ProgressBar(total=max(expected, 1), completed=done, width=BAR_WIDTH, pulse=not expected)
    if not expected:
        return [bar, accounts[0].status, "", ""]
    return [bar, f"pages {pages_done}/{pages}", f"tasks {done}/{expected}", left(time_left(accounts))]


def account_line(account: DocumentProgress) -> str:
    if account.ended is not None:
        return f"{account.status}, {account.reason}" if account.reason else account.status
    if not account.expected:
        return account.status
    done = f"pages {account.pages_done}/{account.pages}, tasks {account.done}/{account.expected}"
    return ", ".join(part for part in (account.status, done, left(time_left([account]))) if part)


def left(seconds: float | None) -> str:
    return "" if seconds is None else f"about {timedelta(seconds=round(seconds))} left"


def summary(accounts: Iterable[DocumentProgress], receipts: Mapping[int, Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("document", overflow="fold", min_width=16)
    table.add_column("status", no_wrap=True)
    for heading in ("pages", "jobs", "failed", "tokens", currency(receipts), "seconds"):
        table.add_column(heading, justify="right", no_wrap=True)
    for account in accounts:
        receipt = receipts.get(id(account), {})
        table.add_row(
            escape(account.document.name),
            account.status,
            str(account.pages),
            str(account.expected),
            str(account.failed),
            str(sum(receipt.get("usage", {}).values())),
            f"{receipt.get('cost', {}).get('amount', 0):.4f}",
            "" if account.ended is None else f"{account.ended - account.started:.1f}",
        )
    return table


def made_of(accounts: Iterable[DocumentProgress]) -> list[str]:
    """The outputs of each document, and why some were not made."""
    return [f"{account.document.name}: {line}" for account in accounts for line in outputs_told(account.outputs)]


def outputs_told(manifest: Mapping[str, Any]) -> Iterator[str]:
    """Files by name; of a folder, how many it has."""
    names = Counter(
        name.partition("/")[0] + "/" * ("/" in name) for name in (file["name"] for file in manifest.get("files", []))
    )
    shown = [f"{name} ({count} files)" if name.endswith("/") else name for name, count in names.items()]
    if shown:
        yield f"outputs: {', '.join(shown)}"
    for failed in manifest.get("failed", []):
        yield f"no {failed['output']} output: {failed['reason']}: {failed['message']}"


def bill(receipts: Iterable[Mapping[str, Any]]) -> str | None:
    """The service's bill, had it answered, where nothing was billed."""
    free = [receipt["cost"] for receipt in receipts if "cost" in receipt and not receipt["cost"]["billed"]]
    if not free:
        return None
    amount = sum(cost["would_cost"] for cost in free)
    of = free[0]
    return f"billed: nothing. Qwen-OCR would have cost {amount:.4f} {of['currency']} (prices of {of['prices_as_of']})."


def summary_json(documents: Iterable[DocumentProgress], receipts: Mapping[int, Mapping[str, Any]], output: Path) -> str:
    """The same for a script: one object, with each document's folder and receipt."""
    shown = [
        {
            "document": str(document.document.path),
            "folder": str(output / document.document.place),
            "status": document.status,
            "reason": document.reason or None,
            "pages": document.pages,
            "page_jobs": {"recognized": document.recognized, "failed": document.failed},
            "usage": receipts.get(id(document), {}).get("usage"),
            "cost": receipts.get(id(document), {}).get("cost"),
            "warnings": receipts.get(id(document), {}).get("warnings"),
            "outputs": [file["name"] for file in document.outputs.get("files", [])],
            "outputs_failed": document.outputs.get("failed", []),
            "review": (receipts.get(id(document), {}).get("review") or {}).get("state"),
        }
        for document in documents
    ]
    return json.dumps({"output": str(output), "documents": shown}, allow_nan=False)


def currency(receipts: Mapping[int, Mapping[str, Any]]) -> str:
    return next((receipt["cost"]["currency"] for receipt in receipts.values() if "cost" in receipt), "cost")


def reasons(accounts: Iterable[DocumentProgress]) -> list[str]:
    """The reasons of rejected documents, failed page jobs and invalid results, each once."""
    told: list[str] = []
    for account in accounts:
        if account.reason:
            told.append(f"{account.document.name}: {account.reason}")
        told += [f"{account.document.name}: warning: {code}" for code in account.warnings]
        for reason, pages in [*account.failures.items(), *account.invalid.items()]:
            told.append(f"{account.document.name}: {'1 page' if pages == 1 else f'{pages} pages'}, {reason}")
    return told
