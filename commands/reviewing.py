"""The review page of an embedded stack: opened for a person, and served until nothing waits."""

from __future__ import annotations

import html
import os
import signal
import sys
import webbrowser
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from commands.console import Console, printable
from pagewise.review.policy import DOUBTFUL
from pagewise.strict_json import given

if TYPE_CHECKING:
    from commands.documents import DocumentProgress
    from commands.uploads import RequestedOptions
    from local.embedded_mode import EmbeddedMode

OPENER = "review.html"
DISPLAYS = ("DISPLAY", "WAYLAND_DISPLAY")


def implied(options: RequestedOptions) -> str | None:
    """The review of a run that opens the page: as it is said, or as the profile has it, or else of what is doubtful."""
    from commands.profiles import profile_text

    if options.review:
        return options.review
    profile = given(profile_text(options.profile)) if options.profile else {}
    return None if isinstance(profile, dict) and profile.get("review") else DOUBTFUL


def to_review(
    accounts: Sequence[DocumentProgress], receipts: Mapping[int, Mapping[str, Any]]
) -> list[DocumentProgress]:
    """The documents that wait for a person."""
    reviews = [(account, (receipts.get(id(account)) or {}).get("review")) for account in accounts]
    return [account for account, review in reviews if review and review["state"] == "waiting"]


def doubts(account: DocumentProgress, receipt: Mapping[str, Any]) -> str:
    """The reasons of a document that waits, each with its number."""
    reasons = receipt["review"]["reasons"]
    told = ", ".join(
        f"{reason['count']} × {reason['code']}" + (f" ({reason['detail']})" if reason["detail"] else "")
        for reason in reasons
    )
    return f"{account.document.name}: to review: {told}"


def open_page(address: str, folder: Path) -> bool:
    """Whether a browser was opened. The address has the token: it goes by a file of this user's, for other users can
    read the arguments of programs."""
    if sys.platform not in ("darwin", "win32") and not any(os.environ.get(name) for name in DISPLAYS):
        return False
    opener = (folder / OPENER).absolute()
    opener.unlink(missing_ok=True)
    opener.touch(0o600, exist_ok=False)
    opener.write_text(f'<!doctype html><meta http-equiv="refresh" content="0; url={html.escape(address)}">\n')
    return webbrowser.open(opener.as_uri())


def review_until_done(
    mode: EmbeddedMode,
    waiting: Sequence[DocumentProgress],
    write: Callable[[DocumentProgress], None],
    console: Console,
) -> None:
    """Serve the page until each document is reviewed and its outputs are made again, or until Ctrl-C."""
    if mode.stack.api is None:
        return
    left = {account.receipt["key"].split("/")[1]: account for account in waiting}
    console.print(
        f"review: {mode.stack.api.address}\n"
        f"{len(left)} to review; the page is served until nothing waits, or Ctrl-C.",
        highlight=False, markup=False, soft_wrap=True,
    )  # fmt: skip
    open_page(mode.stack.api.address, mode.stack.logs)
    try:
        while left:
            for event in mode.published.receive(wait=1):
                follow(event.name, event.detail, left, write, console)
            mode.check()
    except SystemExit as interrupted:
        if interrupted.code != 128 + signal.SIGINT:
            raise
        console.print(f"{len(left)} left without a review.", highlight=False)
    finally:
        (mode.stack.logs / OPENER).unlink(missing_ok=True)


def follow(
    name: str,
    detail: Mapping[str, Any],
    left: dict[str, DocumentProgress],
    write: Callable[[DocumentProgress], None],
    console: Console,
) -> None:
    """Events come in no order: outputs of a review may be made before it is told of."""
    account = left.get(detail.get("document", {}).get("id", ""))
    if account is None:
        return
    if name == "DocumentReviewed":
        account.receipt = dict(detail["receipt"])
        told = f"{account.document.name}: reviewed by {detail['by']}, {detail['corrections']} corrected"
        console.print(printable(told), highlight=False, markup=False)
        account.reviewed = True
    if name == "DocumentAssembled" and detail["reviews"]:
        account.assembled_review = True
    if account.reviewed and (account.assembled_review or not account.outputs):
        write(account)
        del left[detail["document"]["id"]]
