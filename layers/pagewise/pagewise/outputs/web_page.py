"""The document as one HTML file, for any browser and any width, with no script and nothing to load.

All elements are written here from blocks, escaped. nh3 then lets no others through, and the file's own policy lets a
browser load and run nothing.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from typing import Any

import nh3

from pagewise.outputs.blocks import Block, Formula, Heading, Inline, Listing, Paragraph, Style, Table, Verbatim
from pagewise.outputs.page_blocks import PageBlocks

STYLE = """
:root{color-scheme:light dark;--line:#8886;--soft:#8882}
*{box-sizing:border-box}
body{font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif;margin:0 auto;max-width:52rem;
padding:1rem;overflow-wrap:anywhere;text-size-adjust:100%}
section{border-top:1px solid var(--line);margin-top:1.5rem;padding-top:.25rem}
.page{color:#777;font-size:.8rem;margin:.25rem 0 1rem}
.page a{color:inherit;text-decoration:none}
.note{background:var(--soft);border-left:4px solid #c60;padding:.5rem .75rem}
.wide{overflow-x:auto;margin:1rem 0}
table{border-collapse:collapse;overflow-wrap:normal}
td,th{border:1px solid var(--line);padding:.25rem .5rem;text-align:start;vertical-align:top;min-width:2rem}
th{background:var(--soft)}
caption{font-weight:600;text-align:start;padding-bottom:.25rem}
pre{overflow-x:auto;background:var(--soft);padding:.5rem}
math{font-size:1.1em}
h1{font-size:1.6rem}h2{font-size:1.3rem}h3{font-size:1.15rem}h4,h5,h6{font-size:1rem}
h1,h2,h3,h4,h5,h6{line-height:1.25;margin:1.2em 0 .4em}
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"
MATHS = frozenset(
    [
        "math",
        "mrow",
        "mi",
        "mn",
        "mo",
        "ms",
        "mtext",
        "mspace",
        "msup",
        "msub",
        "msubsup",
        "mfrac",
        "msqrt",
        "mroot",
        "mover",
        "munder",
        "munderover",
        "mtable",
        "mtr",
        "mtd",
        "mstyle",
        "mpadded",
        "mphantom",
        "menclose",
        "mmultiscripts",
        "mprescripts",
        "none",
    ]
)
TAGS = {"h1", "h2", "h3", "h4", "h5", "h6", "p", "br", "b", "i", "code", "pre", "ul", "ol", "li", "div", "span"}
TAGS |= {"table", "caption", "tbody", "tr", "td", "th", "dl", "dt", "dd"}
MATH_ATTRIBUTES = {"display", "mathvariant", "stretchy", "fence", "form", "linethickness", "columnalign", "width"}
ATTRIBUTES: dict[str, set[str]] = {
    "td": {"rowspan", "colspan"}, "th": {"rowspan", "colspan"}, "div": {"class"}, "*": {"dir"},
    **dict.fromkeys(MATHS, MATH_ATTRIBUTES),
}  # fmt: skip
# latex2mathml is Python and recurses; a formula of print has some hundred characters.
MOST_FORMULA = 3_000


def begin(title: str) -> str:
    return (
        '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>\n"
        f'<h1 dir="auto">{html.escape(title)}</h1>\n'
    )


def page_start(number: int) -> str:
    close = "</section>\n" if number > 1 else ""
    return f'{close}<section id="page-{number}">\n<p class="page"><a href="#page-{number}">Page {number}</a></p>\n'


def page_note(number: int, note: str) -> str:
    del number
    return f'<p class="note" dir="auto">{html.escape(note)}</p>\n'


def page(read: PageBlocks) -> Iterator[str]:
    for block in read.blocks:
        yield clean(block_html(block)) + "\n"


def end() -> str:
    return "</section>\n</main>\n</body>\n</html>\n"


def clean(fragment: str) -> str:
    return str(nh3.clean(fragment, tags=TAGS | MATHS, attributes=ATTRIBUTES, link_rel=None, url_schemes=set()))


def block_html(block: Block) -> str:
    match block:
        case Heading():
            # The document's own title stands above them all.
            level = min(block.level + 1, 6)
            return f'<h{level} dir="auto">{inline_html(block.inline)}</h{level}>'
        case Paragraph():
            return f'<p dir="auto">{inline_html(block.inline)}</p>'
        case Listing():
            return listing(block)
        case Formula():
            return f'<div class="wide">{formula(block.latex, "block")}</div>'
        case Verbatim():
            return f'<pre dir="auto">{html.escape(block.text)}</pre>'
        case Table():
            return table_html(block)


def inline_html(inline: Inline) -> str:
    parts = []
    for span in inline:
        text = html.escape(span.text).replace("\n", "<br>")
        name = {Style.BOLD: "b", Style.ITALIC: "i", Style.CODE: "code"}.get(span.style)
        if span.style is Style.FORMULA:
            parts.append(formula(span.text, "inline"))
        else:
            parts.append(f"<{name}>{text}</{name}>" if name else text)
    return "".join(parts)


def listing(block: Listing) -> str:
    name = "ol" if block.ordered else "ul"
    entries = []
    for number, entry in enumerate(block.entries):
        label = block.labels[number] if block.labels else ""
        inner = "".join(map(block_html, entry))
        entries.append(f"<li>{f'<b>{html.escape(label)}</b> ' if label else ''}{inner}</li>")
    return f"<{name}>{''.join(entries)}</{name}>"


def table_html(table: Table) -> str:
    caption = f'<caption dir="auto">{html.escape(table.caption)}</caption>' if table.caption else ""
    rows = []
    for row in table.by_row():
        cells = []
        for cell in row:
            name = "th" if cell.header else "td"
            spans = f' rowspan="{cell.row_span}"' if cell.row_span > 1 else ""
            spans += f' colspan="{cell.column_span}"' if cell.column_span > 1 else ""
            cells.append(f'<{name} dir="auto"{spans}>{html.escape(cell.text).replace(chr(10), "<br>")}</{name}>')
        rows.append(f"<tr>{''.join(cells)}</tr>")
    return f'<div class="wide"><table>{caption}<tbody>{"".join(rows)}</tbody></table></div>'


def formula(latex: str, display: str) -> str:
    """The formula as MathML; as its source where that cannot be made."""
    if len(latex) <= MOST_FORMULA and (mathml := converted(latex, display)):
        return mathml
    return f"<code>{html.escape(latex)}</code>"


def converted(latex: str, display: Any) -> str | None:
    from latex2mathml.converter import convert

    try:
        return str(convert(latex, display=display))
    except Exception:  # noqa: BLE001  # its parser raises a dozen kinds, and RecursionError, for unknown input
        return None
