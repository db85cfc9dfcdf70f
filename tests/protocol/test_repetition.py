"""What is a loop and what only looks like one: honest texts and looping ones, and the table of how they are judged."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.qwen.repetition import Repetition, repetition

CORPUS = Path(__file__).parents[3] / "shared/corpus/ground_truth"


def table(rows: list[str], between: str = "\n") -> str:
    return f"<table>{between}{between.join(rows)}{between}</table>"


def row(*cells: str) -> str:
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def pretty_row(*cells: str) -> str:
    return "  <tr>\n" + "".join(f"    <td>{cell}</td>\n" for cell in cells) + "  </tr>"


HEADING = "ACME Trading Ltd\n12 Main Street\nSpringfield\nInvoice No. 2041\n\n"
HONEST = {
    "a ledger of a hundred equal amounts": "Ledger 2025\n" + "Monthly fee 25.00\n" * 100,
    "the same with a total": "Ledger 2025\n" + "Monthly service fee 25.00\n" * 100 + "Total 2,500.00",
    "the same as a table": table([row("Monthly service fee", "25.00")] * 100),
    "the same as a table of many lines": table([pretty_row("Monthly service fee", "25.00")] * 100),
    "the same as JSON": json.dumps([{"Item": "Monthly service fee", "Amount": "25.00"}] * 100, indent=2),
    "the same as LaTeX": "\\begin{tabular}{lr}\n"
    + "Monthly service fee & 25.00 \\\\ \\hline\n" * 100
    + "\\end{tabular}",
    "amounts in lines of their own": "Monthly fee\n25.00\n" * 100,
    "a column of equal amounts": "0.00\n" * 1_000,
    "a column of numbers": "\n".join(f"{number * 7 % 100}.00" for number in range(500)),
    "a table of zeros": table([row(*["0.00"] * 12)] * 60),
    "a table of empty cells": table([row("", "", "")] * 300),
    "a table of N/A": table([row("N/A", "N/A")] * 80),
    "yes, in each cell": "Yes\n" * 400,
    "a contents page": "\n".join(f"{n} Chapter {n} {'.' * 80} {n * 10}" for n in range(1, 40)),
    "dots only": "Contents\n" + "." * 3_000,
    "rules to sign on": "Signature\n" + "_ " * 2_000,
    "a form of twelve equal blocks": "Full name: ____\nDate of birth: ____\n" * 12,
    "a sign-in sheet": "Name: ________ Signature: ________\n" * 40,
    "a poem's refrain": "\n".join(f"Verse {n}\nRow, row, row your boat\nGently down the stream" for n in range(8)),
    "a bar chart's axis": "\n".join(f"{n}%" for n in range(101)) * 3,
    "a Chinese ledger": "物业管理费 25.00\n" * 100,
    "a price list": "\n".join(f"Item {n}\nEach 1.00" for n in range(200)),
    "letters drawn": "x" * 20_000,
    "many labels, 14": HEADING * 14,
}
LOOPS = {
    "twenty copies of a heading block": HEADING * 20,
    "the same with a beginning": "Page 1 of 3\n" + HEADING * 20,
    "the same with a footer": HEADING * 20 + "Page 1 of 3",
    "the same, a table": table([row("ACME Trading Ltd"), row("12 Main Street"), row("Springfield")] * 20),
    "the same in Chinese": "上海市财政局\n增值税专用发票\n开票日期\n" * 20,
    "a line, 300 times": "Introduction\n" + "and the same again\n" * 300,
    "a sentence without breaks": "The committee met on Tuesday and agreed. " * 60,
    "a table row, 500 times": table([row("Monthly service fee", "25.00")] * 500),
    "two words, 600 times": "Total amount\n" * 600,
    "a JSON object, 300 times": json.dumps([{"Item": "Monthly service fee", "Amount": "25.00"}] * 300),
}
CUT = {
    "a line": "Introduction\n" + "and the same again\n" * 300,
    "a line, cut in its midst": "Introduction\n" + "and the same again\n" * 300 + "and the sa",
    "rows": "<table>\n" + "<tr><td>Total</td><td>0.00</td></tr>\n" * 500,
    "numbers": "Table\n" + "0.00 " * 3_000,
    "a block": HEADING * 9,
}
CUT_HONEST = {
    "a long page": "\n".join(f"Line {number} of a long page" for number in range(900)),
    "a ledger that ends in equal amounts": "\n".join(f"Day {number} rent 1.00" for number in range(500))
    + "\n25.00" * 9,
    "dots": "Contents " + "." * 3_000,
}


@pytest.mark.parametrize("name", HONEST)
def test_an_honest_text_is_no_loop(name: str) -> None:
    assert repetition(HONEST[name], cut=False) is not Repetition.LOOP


@pytest.mark.parametrize("name", LOOPS)
def test_a_loop_that_ended_by_itself_is_one(name: str) -> None:
    assert repetition(LOOPS[name], cut=False) is Repetition.LOOP


@pytest.mark.parametrize("name", CUT)
def test_a_loop_that_the_output_limit_cut_is_one(name: str) -> None:
    assert repetition(CUT[name], cut=True) is Repetition.LOOP


@pytest.mark.parametrize("name", CUT_HONEST)
def test_a_text_that_the_output_limit_cut_is_only_too_long(name: str) -> None:
    assert repetition(CUT_HONEST[name], cut=True) is Repetition.NONE


@pytest.mark.skipif(not CORPUS.exists(), reason="the corpus is absent")
def test_no_ground_truth_of_the_corpus_is_a_loop_or_doubtful() -> None:
    texts = [path.read_text(encoding="utf-8", errors="replace") for path in sorted(CORPUS.rglob("*")) if path.is_file()]
    assert texts
    for text in texts:
        assert repetition(text, cut=False) is Repetition.NONE
        assert repetition(text, cut=True) is Repetition.NONE


def test_a_loop_in_the_midst_of_a_page_that_was_read_on_is_doubtful_only() -> None:
    read_on = HEADING * 16 + "\n".join(f"Line {number} says what line {number - 1} did not" for number in range(200))
    assert repetition(read_on, cut=False) is Repetition.SOME


lines = st.lists(
    st.text(st.characters(categories=("Lu", "Ll", "Nd", "Zs")), min_size=1, max_size=40), min_size=1, max_size=60
)


@given(lines)
def test_lines_of_which_each_is_new_are_never_doubtful(found: list[str]) -> None:
    text = "\n".join(f"{number} {line}" for number, line in enumerate(found))
    assert repetition(text, cut=False) is Repetition.NONE


words = st.lists(st.text("abcdefghijklmnopqrstuvwxyz", min_size=3, max_size=8), min_size=3, max_size=6, unique=True)


@given(words, words, st.integers(15, 60))
def test_any_block_of_words_that_fills_an_answer_is_a_loop(one: list[str], other: list[str], copies: int) -> None:
    assert repetition(f"{' '.join(one)}\n{' '.join(other)}!\n" * copies, cut=False) is Repetition.LOOP


def test_time_grows_with_the_text_alone() -> None:
    """Texts that make each step of the search take longest: four megabytes in a few seconds."""
    import time

    for text in ("a b" * 1_300_000, "\n" * 4_000_000, "<" * 4_000_000, "ab\n" * 1_300_000, ("x" * 499 + "y") * 8_000):
        began = time.monotonic()
        repetition(text, cut=False)
        repetition(text, cut=True)
        assert time.monotonic() - began < 20
