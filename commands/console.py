"""The one way to a console. Text of a file name, a document or an engine is shown there, and never obeyed."""

import os
import sys
from collections.abc import Iterable
from typing import TextIO
from unicodedata import category

from rich import console as rich_console
from rich.segment import Segment

PLAIN_WIDTH = 120
# Bidirectional overrides and isolates: https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
TURNING = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# Unicode has two line breaks of its own (Zl, Zp); halves of a surrogate pair (Cs) are in no encoding.
OBEYED = frozenset({"Cc", "Cs", "Zl", "Zp"})
SHOWN = "\ufffd"


def printable(text: str) -> str:
    """The text on one line, without characters that move the cursor, colour the screen, or turn the text round."""
    return "".join(SHOWN if obeyed(character) else character for character in text)


def obeyed(character: str) -> bool:
    return category(character) in OBEYED or character in TURNING


def printable_lines(text: str) -> str:
    """The same of a text that has lines and tabs of its own."""
    return "".join(character if character in "\n\t" else printable(character) for character in text)


class Console(rich_console.Console):
    """Rich's own control sequences pass; the text between them holds none."""

    def render(
        self, renderable: rich_console.RenderableType, options: rich_console.ConsoleOptions | None = None
    ) -> Iterable[Segment]:
        for segment in super().render(renderable, options):
            yield segment if segment.control else segment._replace(text=printable_lines(segment.text))


def console(*, to_errors: bool = False) -> Console:
    """The console of standard output, or of standard error where a script reads the other."""
    shown = sys.stderr if to_errors else sys.stdout
    return Console(file=shown, width=None if shown.isatty() else PLAIN_WIDTH)


def tell(text: object) -> None:
    write(text, sys.stdout)


def print_lines(lines: Iterable[str]) -> None:
    """Each as it comes, for a program; until it has read enough."""
    try:
        for line in lines:
            tell(line)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes once more where it ends


def complain(text: object) -> None:
    write(text, sys.stderr)


def write(text: object, stream: TextIO) -> None:
    shown = printable_lines(str(text))
    encoding = stream.encoding or "utf-8"
    print(shown.encode(encoding, "replace").decode(encoding), file=stream, flush=True)
