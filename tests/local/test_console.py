"""What a console is told shows on it, and does nothing to it."""

from __future__ import annotations

import io
import re
from pathlib import Path, PurePath

import pytest
from rich.table import Table

from commands.console import Console, complain, printable, printable_lines, tell
from commands.documents import DocumentProgress
from commands.progress import PlainLines, reasons, summary
from commands.uploads import LocalDocument
from local.stack import ROOT

CONTROLS = [chr(code) for code in (*range(32), *range(0x7F, 0xA0), 0x2028, 0x2029, 0x202E, 0x2066)]
ATTACKS = ["\x1b[2J\x1b[H", "\x1b]0;title\x07", "\x9b31m", "\r\x1b[Kall went well", "\u202efdp", "half a pair \ud83d"]


def shown(attack: object, *, terminal: bool) -> str:
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=terminal, width=200, color_system=None, no_color=True)
    console.print(attack, markup=False, highlight=False, soft_wrap=True)
    return stream.getvalue()


@pytest.mark.parametrize("terminal", [True, False])
@pytest.mark.parametrize("attack", [*ATTACKS, *CONTROLS])
def test_a_console_obeys_no_text(attack: str, terminal: bool) -> None:
    table = Table("a", attack)
    table.add_row(attack, "b")
    for said in (shown(f"<{attack}>", terminal=terminal), shown(table, terminal=terminal)):
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", said)
        assert said.isascii() or said.encode()


@pytest.mark.parametrize("attack", ATTACKS)
def test_standard_output_and_error_obey_none_either(capfd: pytest.CaptureFixture[str], attack: str) -> None:
    tell(f"<{attack}>\n\tsecond line")
    complain(OSError(attack))
    captured = capfd.readouterr()
    for said in (captured.out, captured.err):
        assert set(printable_lines(said)) == set(said)
        assert said.endswith("\n")
    assert captured.out.endswith("\n\tsecond line\n")


def test_what_a_run_says_of_a_document_stays_on_its_line() -> None:
    name, said = "a\nresults: elsewhere\x1b[2J.pdf", "InvalidParameter: \x1b[31m\nrejected"
    account = DocumentProgress(LocalDocument(Path(name), PurePath(name)), reason=said, status="rejected", ended=1.0)
    stream = io.StringIO()
    console = Console(file=stream, width=200)
    with PlainLines(None, console) as lines:  # type: ignore[arg-type]
        lines.show([account])
    for line in reasons([account]):
        console.print(printable(line), highlight=False, markup=False, soft_wrap=True)
    assert len(stream.getvalue().splitlines()) == 2
    console.print(summary([account], {}))
    assert "\x1b" not in stream.getvalue()


WRITES = re.compile(r"(?<![.\w])print\(|from rich\.console import Console|sys\.std(out|err)\.write|click\.echo\(")


def test_one_module_writes_to_a_console() -> None:
    sources = [*(ROOT / "commands").rglob("*.py"), *(ROOT / "local").rglob("*.py")]
    writers = {str(path.relative_to(ROOT)) for path in sources if WRITES.search(path.read_text(encoding="utf-8"))}
    # The engine is a server of its own, and prints the address that it was given.
    assert writers == {"commands/console.py", "local/engine/__main__.py"}
