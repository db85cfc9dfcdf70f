"""The whole document as text, Markdown, HTML and LaTeX."""

from __future__ import annotations

from types import ModuleType

import pytest

from pagewise.outputs import latex, markdown, plain_text, web_page
from pagewise.outputs.latex_reader import blocks_of_latex
from pagewise.outputs.page_blocks import PageBlocks
from pagewise.tasks import Task

SOURCE = r"""\documentclass{article}\usepackage{amsmath}
\title{A \& B}
\begin{document}\maketitle
\section*{One}
Some \textbf{bold} and \emph{leaning} text --- with $x^2+\frac{1}{2}$, 50\% of \$3\_a.\\
A new line [1].

Another paragraph\footnote{a note}. Caf\'e.
\begin{itemize}\item one \item two \begin{enumerate}\item inner\end{enumerate}\end{itemize}
\[ E=mc^2 \]
\begin{align}a&=b\\c&=d\end{align}
\begin{tabular}{ll}a & 1 \\ b & 2 \end{tabular}
\begin{verbatim}
 x   y
\end{verbatim}
\unknown{kept} 中文
\end{document}"""
WRITERS = (plain_text, markdown, web_page, latex)


def whole(writer: ModuleType, *pages: PageBlocks) -> str:
    parts = [writer.begin("scan <1>.pdf")]
    for page in pages:
        parts += [writer.page_start(page.number), *writer.page(page)]
    return "".join([*parts, writer.end()])


def parsed(source: str = SOURCE) -> PageBlocks:
    return PageBlocks(1, tuple(blocks_of_latex(source)), (Task.DOCUMENT_PARSING,))


@pytest.mark.parametrize("writer", WRITERS)
def test_every_word_is_in_every_form(writer: ModuleType) -> None:
    written = whole(writer, parsed())
    for word in ("bold", "leaning", "Another", "note", "Caf", "one", "inner", "kept", "中文", "x   y", "line"):
        assert word in written, word


# ── From results to blocks ───────────────────────────────────────────────────────────────────────────────────────────
