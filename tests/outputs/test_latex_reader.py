"""Any LaTeX of the engine is read, soon and without a loss."""

from __future__ import annotations

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.outputs import plain_text
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import PageBlocks
from tests.outputs.test_documents import WRITERS, whole


@given(st.text(max_size=300))
def test_any_latex_is_read_and_no_letter_lost(source: str) -> None:
    blocks = blocks_of_latex(source)
    for writer in WRITERS:
        whole(writer, PageBlocks(1, tuple(blocks)))
    if not set(source) & set("\\{}$%&~^_#[]`'\"-!?<>"):
        lines = "".join("".join(plain_text.page(PageBlocks(1, tuple(blocks)))).split())
        assert lines == "".join(source.split())


@given(
    st.lists(
        st.sampled_from(
            [
                r"\begin{tabular}{l}",
                r"\end{tabular}",
                r"\item",
                "{",
                "}",
                "$",
                "&",
                r"\\",
                r"\multirow{2}{*}{",
                "x",
                r"\textbf{",
                r"\section{",
                "%",
                "\n\n",
                r"\begin{itemize}",
                r"\end{itemize}",
                r"\left",
                r"\[",
                r"\]",
            ]
        ),
        max_size=40,
    )
)
def test_broken_latex_is_never_an_error(parts: list[str]) -> None:
    page = PageBlocks(1, tuple(blocks_of_latex(" ".join(parts))))
    for writer in WRITERS:
        whole(writer, page)


@pytest.mark.parametrize(
    "source",
    ["{" * 100_000, r"\begin{tabular}{l}" * 5_000, "x" * 1_000_000, "$" * 50_000, r"\frac" * 20_000, r"\item" * 20_000],
)
def test_hostile_latex_ends_soon(source: str) -> None:
    started = time.monotonic()
    assert blocks_of_latex(source) is not None
    assert time.monotonic() - started < 20
