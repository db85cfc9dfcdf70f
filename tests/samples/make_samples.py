# /// script
# requires-python = ">=3.11"
# dependencies = ["numpy==2.4.6", "pillow==13.0.0", "pillow-heif==1.8.1", "reportlab==5.0.0"]
# ///
# mypy: disable-error-code="import-untyped, import-not-found"
"""Makes the project's own sample documents in events: uv run --no-project tests/samples/make_samples.py

Places, firms and figures are invented. The typeface is Bitstream Vera, which comes with reportlab and may be embedded.
Each document has its truth beside it, <name>.expected.json: strings that recognition has to find, page by page, white
space aside; of the receipt its fields, of the table its cells with the rows and columns they span.
"""

import json
from pathlib import Path
from typing import Any

import numpy
import pillow_heif
import reportlab
from PIL import Image, ImageDraw, ImageFilter, ImageFont
from reportlab.lib import colors
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import (
    BaseDocTemplate,
    Flowable,
    Frame,
    FrameBreak,
    NextPageTemplate,
    PageBreak,
    PageTemplate,
    Paragraph,
    Spacer,
    Table,
    TableStyle,
)

EVENTS = Path(__file__).parents[2] / "events"
SAMPLES = EVENTS / "samples"
TYPEFACES = Path(reportlab.__file__).parent / "fonts"


def main() -> None:
    report(SAMPLES / "report.pdf")
    receipt(SAMPLES / "receipt.jpg")
    table(SAMPLES / "table.png")
    formats(EVENTS / "formats")


def expect(document: Path, truth: dict[str, Any]) -> None:
    text = json.dumps(truth, ensure_ascii=False, indent=2)
    document.with_suffix(".expected.json").write_text(f"{text}\n", encoding="utf-8")


# ── report.pdf: a page in one column, a page in two with a small table ──────────────────────────────────────────────

TITLE = "Ferries of the Northern Sound"
SUBTITLE = "Report on punctuality and passengers, 2025"
FIRST_PAGE = [
    (
        "1  Summary",
        [
            (
                "In 2025 the four ferries of the Northern Sound carried 412,680 passengers, 6.3 per cent more than"
                " in the year before. Of 9,124 planned crossings, 8,967 were made. Nine out of ten arrived within"
                " five minutes of the timetable; in January and February, when storms closed the outer harbour on"
                " eleven days, it was seven out of ten."
            ),
            (
                "The new vessel Aurora entered service on 14 May. She replaced the Petrel, which had served the"
                " route between Harbour Point and Lowmoor for 38 years."
            ),
        ],
    ),
    (
        "2  How punctuality is measured",
        [
            (
                "A crossing counts as punctual when the bow ramp is down no later than five minutes after the time"
                " that the timetable promises. Times are taken from the ramp's own switch, so that nobody has to"
                " write them down. Crossings that are cancelled before the passengers board are counted apart and do"
                " not enter the figures below."
            ),
        ],
    ),
    (
        "3  What we will do next",
        [
            (
                "From March 2026 the first departure from Lowmoor will leave at 05:40 instead of 05:55, to meet the"
                " morning train. Travellers will find the expected arrival of each ferry on the boards of all six"
                " piers. A second ramp at Harbour Point, planned for the autumn, will shorten loading by about four"
                " minutes."
            ),
        ],
    ),
]
LEFT_COLUMN = [
    (
        "4  Passengers",
        [
            (
                "Most passengers travel between June and August. In July alone 71,300 people crossed the Sound,"
                " twice as many as in November. Commuters make up a third of all journeys and are spread evenly over"
                " the year."
            ),
            (
                "Bicycles have doubled since 2021. The car deck now keeps a lane free for them, and groups are asked"
                " to announce themselves a day ahead."
            ),
        ],
    ),
    (
        "5  Weather",
        [
            (
                "The outer harbour closes when the wind exceeds 21 metres per second. This happened on eleven days,"
                " against four days in 2024, and accounts for 96 of the 157 crossings that were not made."
            ),
        ],
    ),
]
RIGHT_COLUMN = [
    (
        "6  The routes compared",
        ["The table shows crossings made and the share that arrived on time, for each of the four routes."],
    ),
]
ROUTES = [
    ["Route", "Crossings", "On time"],
    ["Harbour Point", "3,412", "93.1 %"],
    ["Lowmoor", "2,876", "91.4 %"],
    ["Saint Alban", "1,655", "88.0 %"],
    ["Outer Isles", "1,024", "79.2 %"],
    ["Total", "8,967", "90.0 %"],
]
RIGHT_COLUMN_END = [
    (
        "7  Costs",
        [
            (
                "A crossing cost 318.40 on average, of which fuel was 41 per cent. The Aurora burns a fifth less"
                " than the vessel she replaced."
            ),
            "Questions are welcome at the office of the Sound Ferries, 3 Quay Street, Harbour Point.",
        ],
    ),
]


def report(path: Path) -> None:
    for name in ("Vera", "VeraBd"):
        pdfmetrics.registerFont(TTFont(name, TYPEFACES / f"{name}.ttf"))
    width, height = A4
    margin, gap = 62, 24
    column = (width - 2 * margin - gap) / 2
    one = Frame(margin, margin, width - 2 * margin, height - 2 * margin, 0, 0, 0, 0)
    two = [Frame(x, margin, column, height - 2 * margin, 0, 0, 0, 0) for x in (margin, margin + column + gap)]
    document = BaseDocTemplate(
        str(path),
        pagesize=A4,
        title=TITLE,
        author="Pagewise",
        invariant=True,
        pageTemplates=[PageTemplate("one", one, onPage=number_page), PageTemplate("two", two, onPage=number_page)],
    )
    title = ParagraphStyle("title", fontName="VeraBd", fontSize=22, leading=28)
    subtitle = ParagraphStyle("subtitle", fontName="Vera", fontSize=12, leading=16, textColor=colors.HexColor(0x444444))
    story: list[Flowable] = [
        Paragraph(TITLE, title),
        Paragraph(SUBTITLE, subtitle),
        Spacer(0, 20),
        *sections(FIRST_PAGE),
        NextPageTemplate("two"),
        PageBreak(),
        *sections(LEFT_COLUMN),
        FrameBreak(),
        *sections(RIGHT_COLUMN),
        routes(column),
        *sections(RIGHT_COLUMN_END),
    ]
    document.build(story)
    first = [TITLE, SUBTITLE, "412,680 passengers", "The new vessel Aurora entered service on 14 May", "05:40"]
    second = ["4 Passengers", "71,300", "21 metres per second", "318.40", "3 Quay Street"]
    cells = [cell for row in ROUTES for cell in row]
    headings = [heading.replace("  ", " ") for heading, _ in FIRST_PAGE]
    expect(
        path,
        {
            "pages": [
                {"page": 1, "contains": [*first, *headings]},
                # The left column to its end, then the right one.
                {"page": 2, "contains": [*second, *cells], "in_order": ["4 Passengers", "5 Weather", "7 Costs"]},
            ]
        },
    )


def sections(parts: list[tuple[str, list[str]]]) -> list[Flowable]:
    heading = ParagraphStyle("heading", fontName="VeraBd", fontSize=14.5, leading=19, spaceBefore=14, spaceAfter=6)
    body = ParagraphStyle("body", fontName="Vera", fontSize=11.5, leading=18, spaceAfter=9)
    flowables: list[Flowable] = []
    for title, paragraphs in parts:
        flowables += [Paragraph(title, heading), *(Paragraph(paragraph, body) for paragraph in paragraphs)]
    return flowables


def routes(width: float) -> Table:
    line = colors.HexColor(0x333333)
    style = [
        ("FONT", (0, 0), (-1, -1), "Vera", 10),
        ("FONT", (0, 0), (-1, 0), "VeraBd", 10),
        ("FONT", (0, -1), (-1, -1), "VeraBd", 10),
        ("ALIGN", (1, 0), (-1, -1), "RIGHT"),
        ("GRID", (0, 0), (-1, -1), 0.7, line),
        ("BACKGROUND", (0, 0), (-1, 0), colors.HexColor(0xE6EBF0)),
        ("TOPPADDING", (0, 0), (-1, -1), 6),
        ("BOTTOMPADDING", (0, 0), (-1, -1), 8),
    ]
    widths = [0.44 * width, 0.31 * width, 0.25 * width]
    return Table(ROUTES, widths, style=TableStyle(style), spaceBefore=4, spaceAfter=10)


def number_page(canvas: Any, document: BaseDocTemplate) -> None:
    canvas.setFont("Vera", 9)
    canvas.drawCentredString(A4[0] / 2, 36, f"Page {document.page} of 2")


# ── receipt.jpg: a till receipt on a table, photographed by hand ────────────────────────────────────────────────────

RECEIPT_LINES = [
    ("2", "Rye bread, large", "3.90", "7.80"),
    ("1", "Mountain cheese", "8.45", "8.45"),
    ("6", "Eggs, free range", "0.42", "2.52"),
    ("1", "Apple juice", "2.75", "2.75"),
    ("3", "Tomatoes, tin", "1.15", "3.45"),
    ("1", "Coffee beans", "9.80", "9.80"),
]


def receipt(path: Path) -> None:
    paper = printed_receipt()
    noise = numpy.random.default_rng(7)
    width, height = 1240, 1900
    # A wooden table: boards along the picture, darker between them.
    across = numpy.linspace(0, 1, height)[:, None]
    grain = numpy.cumsum(noise.normal(0, 1, (height, 1)), axis=0)
    grain = 14 * (grain - grain.mean()) / numpy.abs(grain).max() + 6 * numpy.sin(across * 140)
    wood = numpy.array([128, 92, 62]) + (grain + noise.normal(0, 2, (height, width)))[..., None]
    picture = Image.fromarray(wood.clip(0, 255).astype("uint8")).filter(ImageFilter.GaussianBlur(1))

    turned = paper.convert("RGBA").rotate(2.6, Image.Resampling.BICUBIC, expand=True)
    place = ((width - turned.width) // 2, (height - turned.height) // 2)
    shadow = Image.new("L", picture.size, 0)
    shadow.paste(turned.getchannel("A").point(lambda alpha: alpha * 0.55), (place[0] + 12, place[1] + 16))
    picture.paste((20, 14, 10), mask=shadow.filter(ImageFilter.GaussianBlur(14)))
    picture.paste(turned, place, turned)

    # A lamp at the upper left, so that the lower right is a third darker; then the camera's softness and noise.
    y, x = numpy.mgrid[0:height, 0:width]
    distance = numpy.hypot((x - 0.3 * width) / width, (y - 0.25 * height) / height)
    light = 1.06 - 0.4 * (distance / distance.max()) ** 1.3
    pixels = numpy.asarray(picture.filter(ImageFilter.GaussianBlur(0.7)), dtype=float)
    pixels = pixels * light[..., None] * numpy.array([1.0, 0.975, 0.92]) + noise.normal(0, 4, (height, width, 1))
    Image.fromarray(pixels.clip(0, 255).astype("uint8")).save(path, quality=78, optimize=True)
    expect(
        path,
        {
            "pages": [
                {
                    "page": 1,
                    "contains": [
                        "GREENLEAF GROCERS",
                        "17 Mill Lane, Lowmoor",
                        "Receipt 004817",
                        "2025-09-26 17:42",
                        *(name for _, name, _, _ in RECEIPT_LINES),
                        "TOTAL",
                        "34.77",
                        "2.27",
                        "Thank you",
                    ],
                }
            ],
            "fields": {
                "Shop": "Greenleaf Grocers",
                "Receipt number": "004817",
                "Date": "2025-09-26",
                "Total": "34.77",
                "VAT": "2.27",
            },
        },
    )


def printed_receipt() -> Image.Image:
    width, margin = 900, 70
    paper = Image.new("RGB", (width, 1660), (250, 249, 244))
    draw = ImageDraw.Draw(paper)
    ink = (38, 36, 40)
    regular, bold, large = (typeface(name, size) for name, size in [("Vera", 30), ("VeraBd", 30), ("VeraBd", 50)])
    total = sum(round(100 * float(amount)) for *_, amount in RECEIPT_LINES)
    tax = round(total * 7 / 107)

    def centred(y: int, text: str, font: ImageFont.FreeTypeFont = regular) -> None:
        draw.text((width / 2, y), text, fill=ink, font=font, anchor="ma")

    def pair(y: int, label: str, amount: str, font: ImageFont.FreeTypeFont = regular) -> None:
        draw.text((margin, y), label, fill=ink, font=font)
        draw.text((width - margin, y), amount, fill=ink, font=font, anchor="ra")

    def rule(y: int) -> None:
        for x in range(margin, width - margin, 18):
            draw.line((x, y, x + 9, y), fill=ink, width=3)

    centred(70, "GREENLEAF GROCERS", large)
    centred(150, "17 Mill Lane, Lowmoor")
    centred(196, "Tel. 0555 014 820")
    rule(272)
    pair(304, "Receipt 004817", "Till 2")
    pair(352, "2025-09-26  17:42", "Served by Ines")
    rule(420)
    y = 452
    for quantity, name, price, amount in RECEIPT_LINES:
        pair(y, f"{quantity}  {name}", amount)
        draw.text((width - margin - 170, y), f"@ {price}", fill=ink, font=regular, anchor="ra")
        y += 62
    rule(y + 14)
    pair(y + 48, "Subtotal", money(total - tax))
    pair(y + 100, "VAT 7 %", money(tax))
    pair(y + 160, "TOTAL EUR", money(total), large)
    rule(y + 252)
    pair(y + 284, "Paid in cash", "40.00", bold)
    pair(y + 336, "Change", money(4000 - total), bold)
    centred(y + 450, "Thank you, come again!")
    centred(y + 500, "Open Monday to Saturday, 8 to 19")
    # A bar code, and the torn edge of the roll.
    stripes = numpy.random.default_rng(4817).integers(2, 9, 60)
    x = 190
    for number, stripe in enumerate(stripes):
        if number % 2 == 0:
            draw.rectangle((x, y + 590, x + int(stripe), y + 690), fill=ink)
        x += int(stripe) + 3
    return paper


def money(cents: int) -> str:
    return f"{cents / 100:.2f}"


# ── table.png: a ruled table whose header and first column have merged cells ────────────────────────────────────────

# Text, rows and columns spanned.
CELLS: list[list[tuple[str, int, int]]] = [
    [("Region", 2, 1), ("Depot", 2, 1), ("2024", 1, 2), ("2025", 1, 2), ("Change", 2, 1)],
    [("H1", 1, 1), ("H2", 1, 1), ("H1", 1, 1), ("H2", 1, 1)],
    [("North", 2, 1), ("Lowmoor", 1, 1), *((text, 1, 1) for text in ("1,204", "1,318", "1,377", "1,452", "+12.2 %"))],
    [("Harbour Point", 1, 1), *((text, 1, 1) for text in ("2,860", "2,915", "2,804", "2,790", "-3.1 %"))],
    [("South", 2, 1), ("Saint Alban", 1, 1), *((text, 1, 1) for text in ("946", "1,003", "1,120", "1,248", "+21.5 %"))],
    [("Elmford", 1, 1), *((text, 1, 1) for text in ("1,575", "1,590", "1,612", "1,634", "+2.6 %"))],
    [("All depots", 1, 2), *((text, 1, 1) for text in ("6,585", "6,826", "6,913", "7,124", "+4.7 %"))],
]
WIDTHS = [150, 240, 140, 140, 140, 140, 160]
HEIGHT = 66


def table(path: Path) -> None:
    margin, top = 50, 140
    picture = Image.new("RGB", (2 * margin + sum(WIDTHS), top + margin + HEIGHT * len(CELLS)), "white")
    draw = ImageDraw.Draw(picture)
    regular, bold, title = (typeface(name, size) for name, size in [("Vera", 27), ("VeraBd", 27), ("VeraBd", 34)])
    draw.text((margin, 58), "Deliveries by depot, in tonnes", fill="black", font=title)
    taken: set[tuple[int, int]] = set()
    for row, cells in enumerate(CELLS):
        column = 0
        for text, rows, columns in cells:
            while (row, column) in taken:
                column += 1
            taken |= {(row + down, column + right) for down in range(rows) for right in range(columns)}
            left, upper = margin + sum(WIDTHS[:column]), top + HEIGHT * row
            right, lower = left + sum(WIDTHS[column : column + columns]), upper + HEIGHT * rows
            header = row < 2
            fill = "#dfe7ee" if header else "#f3f3ee" if row == len(CELLS) - 1 else "white"
            draw.rectangle((left, upper, right + 2, lower + 2), fill=fill, outline="#222222", width=3)
            font = bold if header or column == 0 else regular
            middle = (upper + lower) / 2
            if header:
                draw.text(((left + right) / 2, middle), text, fill="black", font=font, anchor="mm")
            elif column < 2:
                draw.text((left + 16, middle), text, fill="black", font=font, anchor="lm")
            else:
                draw.text((right - 16, middle), text, fill="black", font=font, anchor="rm")
    picture.save(path, optimize=True)
    spans = [[{"text": text, "rows": rows, "columns": columns} for text, rows, columns in row] for row in CELLS]
    texts = [text for row in CELLS for text, _, _ in row]
    expect(path, {"pages": [{"page": 1, "contains": ["Deliveries by depot, in tonnes", *texts]}], "cells": spans})


# ── formats/: the same again, small, in the other formats that an upload may have ───────────────────────────────────


def formats(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    receipt, table = Image.open(SAMPLES / "receipt.jpg"), Image.open(SAMPLES / "table.png").convert("L")
    table.convert("1", dither=Image.Dither.NONE).save(folder / "table.bmp")
    receipt.resize((620, 950), Image.Resampling.LANCZOS).save(folder / "receipt.webp", quality=60)
    pillow_heif.from_pillow(receipt.resize((620, 950), Image.Resampling.LANCZOS)).save(
        folder / "receipt.heic", quality=50
    )
    pages = [page.convert("1", dither=Image.Dither.NONE) for page in (printed_receipt().convert("L"), table)]
    pages[0].save(folder / "scan.tiff", save_all=True, append_images=pages[1:], compression="group4", dpi=(200, 200))


def typeface(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(TYPEFACES / f"{name}.ttf", size)


if __name__ == "__main__":
    main()
