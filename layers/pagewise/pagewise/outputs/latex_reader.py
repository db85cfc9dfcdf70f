"""document_parsing's LaTeX as blocks, by pylatexenc: headings, lists, tables, formulas, and the text between them.

A command that is not known leaves its text. Source that cannot be read as LaTeX comes as it is, verbatim: nothing that
was recognized is lost.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from typing import Any

from pylatexenc.latex2text import LatexNodes2Text
from pylatexenc.latexwalker import (
    LatexCharsNode,
    LatexCommentNode,
    LatexEnvironmentNode,
    LatexGroupNode,
    LatexMacroNode,
    LatexMathNode,
    LatexSpecialsNode,
    LatexWalker,
    LatexWalkerError,
    get_default_latex_context_db,
)
from pylatexenc.macrospec import EnvironmentSpec, MacroSpec

from pagewise.outputs.blocks import (
    Block,
    DrawnCell,
    Formula,
    Heading,
    Inline,
    Listing,
    Paragraph,
    Span,
    Style,
    Table,
    TooManyCells,
    Verbatim,
    joined,
    laid_out,
    lines_of,
    plain,
)

Nodes = Sequence[Any]

# Eight thousand tokens make 40 KB. The walker is Python: 100 KB takes it a second, 400 KB nine.
MOST_CHARACTERS = 200_000
# The walker recurses, some twenty frames to a brace.
MOST_DEPTH = 25

LEVELS = {
    "title": 1, "part": 1, "chapter": 1, "section": 2, "subsection": 3, "subsubsection": 4, "paragraph": 5,
    "subparagraph": 6,
}  # fmt: skip
STYLES = {
    "textbf": Style.BOLD, "mathbf": Style.BOLD, "textit": Style.ITALIC, "emph": Style.ITALIC, "textsl": Style.ITALIC,
    "texttt": Style.CODE,
}  # fmt: skip
LISTS = {"itemize": False, "description": False, "enumerate": True}
TABLES = frozenset({"tabular", "tabular*", "tabularx", "tabulary", "longtable", "supertabular", "tabu", "array"})
MATHS = frozenset(
    f"{name}{star}"
    for name in ("equation", "align", "gather", "multline", "eqnarray", "alignat", "flalign", "displaymath", "math")
    for star in ("", "*")
)
VERBATIMS = frozenset({"verbatim", "verbatim*", "lstlisting", "minted", "Verbatim"})
# Commands about the page's looks, and the arguments that go with them: none of it is text.
SILENT = {
    "documentclass": "[{", "usepackage": "[{", "hline": "", "toprule": "[", "midrule": "[", "bottomrule": "[",
    "cline": "{", "cmidrule": "[{", "centering": "", "maketitle": "", "noindent": "", "label": "{", "vspace": "*{",
    "hspace": "*{", "newpage": "", "clearpage": "", "pagebreak": "[", "pagestyle": "{", "thispagestyle": "{",
    "setlength": "{{", "renewcommand": "{[{", "newcommand": "{[{", "includegraphics": "[{", "raggedright": "",
    "small": "", "large": "", "Large": "", "huge": "", "footnotesize": "", "tiny": "", "normalsize": "",
    "scriptsize": "",
    "setcounter": "{{", "addtocounter": "{{", "arraystretch": "", "tableofcontents": "", "bfseries": "", "itshape": "",
    "selectfont": "", "fontsize": "{{", "rowcolor": "[{", "cellcolor": "[{", "definecolor": "{{{", "geometry": "{",
    "setmainfont": "[{", "setCJKmainfont": "[{", "hfill": "", "vfill": "", "smallskip": "", "medskip": "",
    "bigskip": "",
    "endfirsthead": "", "endhead": "", "endfoot": "", "endlastfoot": "", "indent": "", "par": "", "date": None,
    "rule": "[{{", "tabcolsep": "", "textwidth": "", "linewidth": "", "columnwidth": "", "resizebox": None,
    "tabularnewline": None, "bibliographystyle": "{", "bibliography": "{",
}  # fmt: skip
BREAKS = frozenset({"\\", "newline", "linebreak", "tabularnewline", "cr"})
ARGUMENTS = {
    "multirow": "[{[{[{", "multicolumn": "{{{", "textbf": "{", "textit": "{", "emph": "{", "texttt": "{", "textsl": "{",
    "underline": "{", "title": "{", "author": "{", "date": "{", "caption": "*[{", "footnote": "[{", "href": "{{",
    "url": "{", "textcolor": "[{{", "makecell": "[{", "shortstack": "[{", "resizebox": "{{{", "parbox": "[{{",
    "part": "*[{", "chapter": "*[{", "section": "*[{", "subsection": "*[{", "subsubsection": "*[{", "paragraph": "*[{",
    "subparagraph": "*[{", "quad": "", "qquad": "", "captionof": "{{", "caption*": "{",
}  # fmt: skip
SPECIALS = {"\n\n": "\n\n", "&": "&", "~": "\u00a0"}
# pylatexenc warns of commands with missing arguments, and quotes them: the page's fault, and its text.
logging.getLogger("pylatexenc").setLevel(logging.CRITICAL)
TEXT = LatexNodes2Text(math_mode="verbatim", keep_comments=False, strict_latex_spaces=False)


def context() -> Any:
    known = get_default_latex_context_db()
    macros = [MacroSpec(name, form) for name, form in {**SILENT, **ARGUMENTS}.items() if form is not None]
    environments = [EnvironmentSpec(name, form) for name, form in [
        ("tabular", "[{"), ("tabular*", "{[{"), ("tabularx", "{[{"), ("tabulary", "{[{"), ("longtable", "[{"),
        ("supertabular", "{"), ("tabu", "{"), ("array", "[{"), ("table", "["), ("figure", "["), ("minipage", "[{"),
        ("multicols", "{"), ("adjustbox", "{"), ("enumerate", "["), ("itemize", "["), ("description", "["),
    ]]  # fmt: skip
    known.add_context_category("pages", prepend=True, macros=macros, environments=environments)
    return known


KNOWN = context()


def blocks_of_latex(source: str) -> list[Block]:
    """In the order of the source. Raises TooManyCells."""
    body = body_of(source)
    if len(body) > MOST_CHARACTERS or deepest(body) > MOST_DEPTH:
        return [Verbatim(source)]
    try:
        nodes = LatexWalker(body, latex_context=KNOWN, tolerant_parsing=True).get_latex_nodes()[0]
        blocks = list(Reader().blocks(nodes))
    except TooManyCells:
        raise
    except (LatexWalkerError, RecursionError, ValueError, TypeError, IndexError, AttributeError, KeyError):
        # pylatexenc's tolerant mode leaves nodes half made.
        return [Verbatim(source)]
    return blocks or ([Verbatim(source)] if body.strip() and has_text(body) else [])


def body_of(source: str) -> str:
    """Between \\begin{document} and \\end{document}, with the title that may stand before; the rest is preamble."""
    begin = source.find(r"\begin{document}")
    if begin < 0:
        return re.sub(r"\\end\{document\}\s*\Z", "", source)
    preamble, body = source[:begin], source[begin + len(r"\begin{document}") :]
    body = body.split(r"\end{document}")[0]
    place = preamble.find(r"\title{")
    return (preamble[place:] + "\n\n" if place >= 0 else "") + body


def deepest(source: str) -> int:
    depth = most = 0
    for mark in re.findall(r"\\[{}]|[{}]|\\begin\b|\\end\b|\\left\b|\\right\b", source):
        if mark in ("{", r"\begin", r"\left"):
            depth += 1
        elif mark in ("}", r"\end", r"\right"):
            depth = max(0, depth - 1)
        most = max(most, depth)
    return most


def has_text(body: str) -> bool:
    return any(letter.isalnum() for letter in re.sub(r"\\[a-zA-Z]+\*?(\[[^\]]*\])?(\{[^{}]*\})*|%.*", "", body))


class Reader:
    def __init__(self) -> None:
        self.caption = ""

    def blocks(self, nodes: Nodes) -> Iterator[Block]:
        spans: list[Span] = []
        for node in nodes:
            block = list(self.block(node)) if is_block(node) else None
            if block is None:
                spans.extend(self.inline(node))
            else:
                yield from paragraphs_of(spans)
                spans = []
                yield from block
        yield from paragraphs_of(spans)

    def block(self, node: Any) -> Iterator[Block]:
        if isinstance(node, LatexMathNode):
            yield Formula(inside(node.latex_verbatim()))
        elif isinstance(node, LatexGroupNode):
            yield from self.blocks(node.nodelist)
        elif isinstance(node, LatexMacroNode):
            yield from self.macro_block(node)
        else:
            yield from self.environment(node)

    def macro_block(self, node: Any) -> Iterator[Block]:
        if node.macroname in LEVELS:
            heading = self.inlined(argument(node))
            if plain(heading):
                yield Heading(LEVELS[node.macroname], one_line(heading))
        elif node.macroname == "resizebox":
            yield from self.blocks(argument(node))
        else:  # caption, author, date
            text = self.inlined(argument(node))
            if plain(text).strip() and plain(text) != r"\today":
                yield Paragraph(text)

    def environment(self, node: Any) -> Iterator[Block]:
        name = node.environmentname
        if name in LISTS:
            yield self.listing(node)
        elif name in TABLES:
            yield from self.table(node.nodelist, "")
        elif name in MATHS:
            yield Formula(node.latex_verbatim().strip())
        elif name in VERBATIMS:
            yield Verbatim(verbatim(node))
        elif name in {"table", "table*", "longtable", "wraptable"}:
            yield from self.table_with_caption(node)
        else:
            yield from self.blocks(node.nodelist)

    def table_with_caption(self, node: Any) -> Iterator[Block]:
        captions = [part for part in node.nodelist if is_macro(part, "caption", "captionof")]
        inner = [part for part in node.nodelist if part not in captions]
        caption = " ".join(plain(self.inlined(argument(part))) for part in captions)
        blocks = list(self.blocks(inner))
        tables = [block for block in blocks if isinstance(block, Table)]
        if len(tables) != 1:
            yield from ([Paragraph((Span(caption),))] if caption else [])
            yield from blocks
            return
        for block in blocks:
            yield Table(block.rows, block.columns, block.cells, caption) if isinstance(block, Table) else block

    def listing(self, node: Any) -> Listing:
        entries: list[list[Any]] = []
        labels: list[str] = []
        for part in node.nodelist:
            if is_macro(part, "item"):
                entries.append([])
                label = part.nodeargd.argnlist[0] if part.nodeargd and part.nodeargd.argnlist else None
                labels.append(
                    plain(self.inlined(label.nodelist if isinstance(label, LatexGroupNode) else [label]))
                    if label
                    else ""
                )
            elif entries:
                entries[-1].append(part)
        return Listing(
            LISTS[node.environmentname],
            tuple(tuple(self.blocks(entry)) for entry in entries),
            tuple(labels) if any(labels) else (),
        )

    def table(self, nodes: Nodes, caption: str) -> Iterator[Table]:
        rows: list[list[list[Any]]] = [[[]]]
        for node in nodes:
            if isinstance(node, LatexSpecialsNode) and node.specials_chars == "&":
                rows[-1].append([])
            elif isinstance(node, LatexMacroNode) and node.macroname in BREAKS:
                rows.append([[]])
            elif is_macro(node, "caption"):
                caption = plain(self.inlined(argument(node)))
            else:
                rows[-1][-1].append(node)
        drawn = [[self.cell(cell) for cell in row] for row in rows]
        while drawn and not any(cell.text for cell in drawn[-1]):
            drawn.pop()
        if drawn:
            yield spanned(drawn, caption)

    def cell(self, nodes: Nodes) -> DrawnCell:
        rows = columns = 1
        content = [node for node in nodes if not (isinstance(node, LatexCharsNode) and not node.chars.strip())]
        while True:
            wrapped = next((node for node in content if is_macro(node, "multirow", "multicolumn")), None)
            if wrapped is None or len([node for node in content if not is_silent(node)]) != 1:
                break
            given = [part for part in wrapped.nodeargd.argnlist if part is not None]
            braced = [part for part in given if not (isinstance(part, LatexGroupNode) and part.delimiters[0] == "[")]
            count = number(braced[0]) if braced else 1
            if wrapped.macroname == "multirow":
                rows = max(rows, count)
            else:
                columns = max(columns, count)
            content = [braced[-1]] if len(braced) == 3 else []
            content = [
                node
                for node in (content[0].nodelist if content and isinstance(content[0], LatexGroupNode) else content)
                if not (isinstance(node, LatexCharsNode) and not node.chars.strip())
            ]
        return DrawnCell(plain_with_formulas(self.inlined(content)), rows, columns)

    def inlined(self, nodes: Nodes) -> Inline:
        return tidied([span for node in nodes if node is not None for span in self.inline(node)])

    def inline(self, node: Any, style: Style = Style.PLAIN) -> Iterator[Span]:
        if node is None or isinstance(node, LatexCommentNode):
            return
        if isinstance(node, LatexCharsNode):
            yield Span(node.chars, style)
        elif isinstance(node, LatexMathNode):
            yield Span(inside(node.latex_verbatim()), Style.FORMULA)
        elif isinstance(node, LatexGroupNode):
            for part in node.nodelist:
                yield from self.inline(part, style)
        elif isinstance(node, LatexEnvironmentNode):
            for block in self.environment(node):
                yield from (Span("\v" + line, style) for line in lines_with_formulas(block))
        elif isinstance(node, LatexSpecialsNode):
            yield Span(SPECIALS.get(node.specials_chars) or TEXT.nodelist_to_text([node]), style)
        elif isinstance(node, LatexMacroNode):
            yield from self.macro(node, style)

    def macro(self, node: Any, style: Style) -> Iterator[Span]:
        name = node.macroname
        if name in BREAKS:
            yield Span("\v", style)
        elif name in {"quad", "qquad", "hfill", ",", ";", " "}:
            yield Span(" ", style)
        elif name == "par":
            yield Span("\n\n", style)
        elif name in SILENT:
            return
        elif name == "footnote":
            yield from (Span(" (", style), *(span for part in argument(node) for span in self.inline(part)), Span(")"))
        elif name in ARGUMENTS:
            for part in argument(node):
                yield from self.inline(part, STYLES.get(name, style))
        else:
            yield from self.unknown(node, style)

    def unknown(self, node: Any, style: Style) -> Iterator[Span]:
        given = [part for part in (node.nodeargd.argnlist if node.nodeargd else None) or [] if part is not None]
        text = TEXT.nodelist_to_text([node])
        if text and "%s" not in text:
            yield Span(text, style)
            return
        for part in given:
            yield from self.inline(part, style)


def is_macro(node: Any, *names: str) -> bool:
    return isinstance(node, LatexMacroNode) and node.macroname in names


def is_silent(node: Any) -> bool:
    return isinstance(node, LatexCommentNode) or (isinstance(node, LatexMacroNode) and node.macroname in SILENT)


def is_block(node: Any) -> bool:
    if isinstance(node, LatexMathNode):
        return bool(node.displaytype == "display")
    if isinstance(node, LatexGroupNode):
        return node.delimiters[0] == "{" and any(is_block(part) for part in node.nodelist)
    if isinstance(node, LatexMacroNode):
        return node.macroname in LEVELS or node.macroname in {"caption", "author", "date", "resizebox", "captionof"}
    return isinstance(node, LatexEnvironmentNode) and node.environmentname != "math"


def argument(node: Any) -> Nodes:
    """The last argument's nodes: the one that holds the text."""
    given = [part for part in (node.nodeargd.argnlist if node.nodeargd else None) or [] if part is not None]
    if not given:
        return []
    return given[-1].nodelist if isinstance(given[-1], LatexGroupNode) else [given[-1]]


def number(node: Any) -> int:
    digits = re.sub(r"[{}\s]", "", node.latex_verbatim())
    return int(digits) if digits.isdecimal() and len(digits) < 5 else 1


def inside(formula: str) -> str:
    for begin, end in (("$$", "$$"), (r"\[", r"\]"), (r"\(", r"\)"), ("$", "$")):
        if formula.startswith(begin) and formula.endswith(end) and len(formula) >= len(begin) + len(end):
            return formula[len(begin) : -len(end)].strip()
    return formula.strip()


def verbatim(node: Any) -> str:
    source = node.latex_verbatim()
    name = re.escape(node.environmentname)
    return re.sub(rf"\A\\begin\{{{name}\}}(\[[^\]]*\])?\n?|\n?\\end\{{{name}\}}\Z", "", source)


def spanned(rows: Sequence[Sequence[DrawnCell]], caption: str) -> Table:
    """LaTeX writes an empty cell where a merged one comes down from above; HTML's rules for laying out tables, none."""
    covered: dict[int, int] = {}
    kept: list[list[DrawnCell]] = []
    for place, row in enumerate(rows):
        column, cells = 0, []
        for cell in row:
            width = min(cell.column_span, 1000)
            if covered.get(column, 0) > place and not cell.text:
                column += width
                continue
            if covered.get(column, 0) > place:  # text under a merged cell: the cell above ends here
                return laid_out([[DrawnCell(one.text) for one in line] for line in rows], caption)
            cells.append(cell)
            if cell.row_span > 1:
                covered.update(dict.fromkeys(range(column, column + width), place + cell.row_span))
            column += width
        kept.append(cells)
    return laid_out(kept, caption)


def plain_with_formulas(inline: Inline) -> str:
    return "".join(f"${span.text}$" if span.style is Style.FORMULA else span.text for span in inline).strip()


def lines_with_formulas(block: Block) -> list[str]:
    return [f"${block.latex}$"] if isinstance(block, Formula) else list(lines_of(block))


def one_line(inline: Inline) -> Inline:
    return tuple(Span(" ".join(span.text.split("\n")), span.style) for span in inline)


def tidied(spans: Sequence[Span]) -> Inline:
    """LaTeX's white space: any amount is one space, a forced break (\\v until here) is a line's end."""
    cleaned = []
    for span in spans:
        if span.style is Style.FORMULA:
            cleaned.append(span)
            continue
        text = re.sub(r"[ \t\r\n]+", " ", span.text)
        cleaned.append(Span(text.replace("\v", "\n"), span.style))
    return tuple(
        span if span.style is Style.FORMULA else Span(re.sub(r"[ \n]*\n[ \n]*", "\n", span.text), span.style)
        for span in joined(cleaned)
    )


def paragraphs_of(spans: Sequence[Span]) -> Iterator[Block]:
    part: list[Span] = []
    for span in spans:
        if span.style is Style.FORMULA:
            part.append(span)
            continue
        pieces = re.split(r"\n[ \t]*\n\s*", span.text)
        for place, piece in enumerate(pieces):
            if place:
                yield from closed(part)
                part = []
            part.append(Span(piece, span.style))
    yield from closed(part)


def closed(part: Sequence[Span]) -> Iterator[Block]:
    inline = tidied(part)
    if plain(inline).strip():
        yield Paragraph(inline)
