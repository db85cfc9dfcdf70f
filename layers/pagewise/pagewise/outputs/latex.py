"""The document as one LaTeX file, for LuaLaTeX or XeLaTeX: both read Unicode.

It is written from blocks, so that one page's broken LaTeX cannot spoil the document: a page's own source stands in its
result. Formulas pass as they are, unless they hold commands that read, write or define.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from pagewise.outputs.blocks import Block, Cell, Formula, Heading, Inline, Listing, Paragraph, Style, Table, Verbatim
from pagewise.outputs.latex_reader import MATHS, deepest
from pagewise.outputs.page_blocks import PageBlocks

SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "$": r"\$", "&": r"\&", "#": r"\#", "%": r"\%", "_": r"\_",
    "^": r"\textasciicircum{}", "~": r"\textasciitilde{}", "<": r"\textless{}", ">": r"\textgreater{}",
    "|": r"\textbar{}",
}  # fmt: skip
SECTIONS = ("section*", "section*", "subsection*", "subsubsection*", "paragraph*", "subparagraph*")
STYLES = {Style.BOLD: "textbf", Style.ITALIC: "emph", Style.CODE: "texttt"}
COMMAND = re.compile(r"\\([a-zA-Z@]+)")
FORBIDDEN = frozenset(
    [
        "input",
        "include",
        "openin",
        "openout",
        "read",
        "write",
        "immediate",
        "csname",
        "endcsname",
        "catcode",
        "def",
        "edef",
        "gdef",
        "xdef",
        "let",
        "futurelet",
        "newcommand",
        "renewcommand",
        "providecommand",
        "usepackage",
        "RequirePackage",
        "directlua",
        "latelua",
        "special",
        "loop",
        "expandafter",
        "everypar",
        "everymath",
        "aftergroup",
        "output",
        "shipout",
        "newwrite",
        "newread",
        "closein",
        "closeout",
        "lowercase",
        "uppercase",
        "scantokens",
        "documentclass",
        "InputIfFileExists",
        "includegraphics",
        "verbatiminput",
        "lstinputlisting",
        "begingroup",
        "bgroup",
        "end",
    ]
)


def begin(title: str) -> str:
    return (
        "% Compile with lualatex or xelatex. Text beyond Latin script needs a font that has it: \\setmainfont{…}.\n"
        "\\documentclass{article}\n\\usepackage{fontspec}\n\\usepackage{amsmath,amssymb}\n\\usepackage{multirow}\n"
        "\\usepackage[margin=2cm]{geometry}\n"
        f"\\title{{{escaped(title)}}}\n\\date{{}}\n\\begin{{document}}\n\\maketitle\n\n"
    )


def page_start(number: int) -> str:
    clear = "\\clearpage\n" if number > 1 else ""
    return f"{clear}% page {number}\n\\marginpar{{\\footnotesize {number}}}\n\n"


def page_note(number: int, note: str) -> str:
    return f"\\textbf{{Page {number}:}} {escaped(note)}\n\n"


def page(read: PageBlocks) -> Iterator[str]:
    for block in read.blocks:
        yield block_latex(block) + "\n\n"


def end() -> str:
    return "\\end{document}\n"


def escaped(text: str) -> str:
    return "".join(SPECIAL.get(letter, letter) for letter in text if letter >= " " or letter in "\n\t")


def block_latex(block: Block) -> str:
    match block:
        case Heading():
            return f"\\{SECTIONS[min(block.level, 6) - 1]}{{{' '.join(inline_latex(block.inline).split())}}}"
        case Paragraph():
            return broken(inline_latex(block.inline))
        case Listing():
            return listing(block)
        case Formula():
            return displayed(block.latex)
        case Verbatim():
            return "\n\n".join(f"\\texttt{{{escaped(line)}}}" for line in block.text.splitlines() if line.strip())
        case Table():
            return table_latex(block)


def broken(text: str) -> str:
    """Line breaks as forced ones; a bracket after one would be read as its argument."""
    return re.sub(r"\n(\s*\[)", r"\n{}\1", text.replace("\n", "\\\\\n")).replace("\\\\\n*", "\\\\\n{}*")


def inline_latex(inline: Inline) -> str:
    parts = []
    for span in inline:
        if span.style is Style.FORMULA:
            parts.append(f"${span.text}$" if harmless(span.text) else f"\\texttt{{{escaped(span.text)}}}")
        else:
            name = STYLES.get(span.style)
            parts.append(f"\\{name}{{{escaped(span.text)}}}" if name else escaped(span.text))
    return "".join(parts)


def harmless(formula: str) -> bool:
    """Whether it only sets type, and is closed in itself."""
    body = re.sub(r"\\(begin|end)\{[a-zA-Z]+\*?\}", "", formula)
    commands = set(COMMAND.findall(body))
    plain = re.sub(r"\\.", "", formula)
    depth = 0
    for letter in re.findall(r"[{}]", plain):
        depth += 1 if letter == "{" else -1
        if depth < 0:
            return False
    return (
        depth == 0
        and "^^" not in formula
        and "$" not in plain
        and "%" not in plain
        and not re.search(r"\n\s*\n", formula)
        and formula.strip() != ""
        and not formula.rstrip().endswith("\\")
        and not commands & FORBIDDEN
        and sorted(re.findall(r"\\begin\{(.+?)\}", formula)) == sorted(re.findall(r"\\end\{(.+?)\}", formula))
        and formula.count("\\left") == formula.count("\\right")
        and deepest(formula) < 25
    )


def displayed(formula: str) -> str:
    if not harmless(formula):
        return f"\\texttt{{{escaped(' '.join(formula.split()))}}}"
    name = re.match(r"\\begin\{(\w+\*?)\}", formula)
    return formula if name and name[1] in MATHS else f"\\[\n{formula}\n\\]"


def listing(block: Listing) -> str:
    name = "enumerate" if block.ordered else "itemize"
    entries = []
    for number, entry in enumerate(block.entries):
        label = f"[{{{escaped(block.labels[number])}}}]" if block.labels and block.labels[number] else ""
        entries.append(f"\\item{label} {{}}" + "\n\n".join(map(block_latex, entry)))
    inner = "\n".join(entries) or "\\item"
    return f"\\begin{{{name}}}\n{inner}\n\\end{{{name}}}"


def table_latex(table: Table) -> str:
    lines = [f"\\begin{{tabular}}{{|{'l|' * table.columns}}}", "\\hline"]
    under: dict[int, Cell] = {}  # column → the merged cell above that reaches here
    for number, row in enumerate(table.by_row()):
        at = {cell.column: cell for cell in row}
        cells, column = [], 0
        while column < table.columns:
            above = under.get(column)
            if cell := at.get(column):
                under.update(dict.fromkeys(range(column, column + cell.column_span), cell))
                cells.append(cell_latex(cell))
                column += cell.column_span
            elif above and above.row + above.row_span > number:
                wide = above.column_span > 1
                cells.append(f"\\multicolumn{{{above.column_span}}}{{|l|}}{{}}" if wide else "")
                column = above.column + above.column_span
            else:
                cells.append("")
                column += 1
        lines.append(" & ".join(cells) + r" \\")
        lines.append(rule(under, number, table.columns))
    caption = f"\\noindent\\textbf{{{' '.join(escaped(table.caption).split())}}}\n\n" if table.caption else ""
    return caption + "\n".join([*lines, "\\end{tabular}"])


def cell_latex(cell: Cell) -> str:
    lines = [re.sub(r"\\\$([^$]+?)\\\$", formula_again, escaped(line)) for line in cell.text.splitlines()]
    stacked = r" \\ ".join(lines)
    text = f"\\shortstack[l]{{{stacked}}}" if len(lines) > 1 else stacked
    text = f"\\textbf{{{text}}}" if cell.header and text else text
    text = f"\\multirow{{{cell.row_span}}}{{*}}{{{text}}}" if cell.row_span > 1 else text
    return f"\\multicolumn{{{cell.column_span}}}{{|l|}}{{{text}}}" if cell.column_span > 1 else text


def formula_again(match: re.Match[str]) -> str:
    """A formula between dollars in a cell's text: only one that escaping left as it was."""
    return f"${match[1]}$" if "\\" not in match[1] else match[0]


def rule(under: dict[int, Cell], row: int, columns: int) -> str:
    """Under a row: whole, or where no merged cell goes on below."""
    free = [
        column for column in range(columns) if not (cell := under.get(column)) or cell.row + cell.row_span <= row + 1
    ]
    if len(free) == columns:
        return "\\hline"
    return "".join(f"\\cline{{{column + 1}-{column + 1}}}" for column in free)
