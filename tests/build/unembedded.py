"""PDFs, written by hand, whose fonts are named but not embedded: the renderer has to bring its own."""

from dataclasses import dataclass

CELL = 72  # points: each glyph stands alone in its square, so that the picture of one can be told from the next
SIZE = 48


@dataclass(frozen=True)
class Font:
    """A font by name, the characters to show in it, and the file of the layer that has to stand in for it."""

    name: str
    stand_in: str
    text: str
    # What the PDF says for `text` in the font's own encoding (Symbol: a for α).
    codes: str = ""
    # Of fonts for Chinese, Japanese and Korean: character collection and CMap.
    collection: str = ""
    cmap: str = ""

    def __str__(self) -> str:
        return f"{self.name}-{self.cmap}" if self.cmap else self.name


LATIN = "ABRaegk258&"
CJK = "WenQuanYi"
FONTS = [
    *(
        Font(name, stand_in, LATIN)
        for name, stand_in in {
            "Helvetica": "NimbusSans-Regular",
            "Helvetica-Bold": "NimbusSans-Bold",
            "Helvetica-Oblique": "NimbusSans-Italic",
            "Helvetica-BoldOblique": "NimbusSans-BoldItalic",
            "Times-Roman": "NimbusRoman-Regular",
            "Times-Bold": "NimbusRoman-Bold",
            "Times-Italic": "NimbusRoman-Italic",
            "Times-BoldItalic": "NimbusRoman-BoldItalic",
            "Courier": "NimbusMonoPS-Regular",
            "Courier-Bold": "NimbusMonoPS-Bold",
            "Courier-Oblique": "NimbusMonoPS-Italic",
            "Courier-BoldOblique": "NimbusMonoPS-BoldItalic",
            "Arial": "NimbusSans-Regular",
            "Arial,Bold": "NimbusSans-Bold",
            "ArialMT": "NimbusSans-Regular",
            "TimesNewRoman": "NimbusRoman-Regular",
            "TimesNewRomanPS-BoldMT": "NimbusRoman-Bold",
            "CourierNew": "NimbusMonoPS-Regular",
            "ArialNarrow": "NimbusSansNarrow-Regular",
            "Palatino-Roman": "P052-Roman",
            "Bookman-Light": "URWBookman-Light",
            "NewCenturySchlbk-Roman": "C059-Roman",
            "AvantGarde-Book": "URWGothic-Book",
            "Georgia": "NimbusRoman-Regular",
            "Cambria": "NimbusRoman-Regular",
            "Calibri": "NimbusSans-Regular",
            "Verdana": "NimbusSans-Regular",
            "Consolas": "NimbusMonoPS-Regular",
            "AnUnheardOfFont": "NimbusSans-Regular",
        }.items()
    ),
    Font("Symbol", "StandardSymbolsPS", "αβπΣΩ∞", codes="abpSW\xa5"),
    Font("ZapfDingbats", "D050000L", "✓✚★❤", codes="3:H\xa4"),
    Font("STSong-Light", "wqy-microhei", "文档识别系统", collection="GB1", cmap="UniGB-UCS2-H"),
    Font("STSong-Light", "wqy-microhei", "文档识别系统", collection="GB1", cmap="GBK-EUC-H"),
    Font("MSung-Light", "wqy-microhei", "文件識別系統", collection="CNS1", cmap="UniCNS-UCS2-H"),
    Font("MSung-Light", "wqy-microhei", "文件識別系統", collection="CNS1", cmap="ETen-B5-H"),
    Font("HeiseiMin-W3", "wqy-microhei", "請求書ひらカナ", collection="Japan1", cmap="UniJIS-UCS2-H"),
    Font("HeiseiKakuGo-W5", "wqy-microhei", "請求書ひらカナ", collection="Japan1", cmap="90ms-RKSJ-H"),
    Font("HYSMyeongJo-Medium", "wqy-microhei", "한국어문서인식", collection="Korea1", cmap="UniKS-UCS2-H"),
    Font("HYGoThic-Medium", "wqy-microhei", "한국어문서인식", collection="Korea1", cmap="KSCms-UHC-H"),
]
CODECS = {"GBK-EUC-H": "gbk", "ETen-B5-H": "big5", "90ms-RKSJ-H": "shift_jis", "KSCms-UHC-H": "cp949"}


def pdf(font: Font) -> bytes:
    """One page, one row: each character of the font's text in a cell of its own."""
    if font.cmap:
        codes = [character.encode(CODECS.get(font.cmap, "utf-16-be")) for character in font.text]
    else:
        codes = [code.encode("latin-1") for code in font.codes or font.text]
    shows = (f"1 0 0 1 {number * CELL + 8} 20 Tm <{code.hex()}> Tj" for number, code in enumerate(codes))
    return document(font, f"BT /F {SIZE} Tf {' '.join(shows)} ET", CELL * len(codes), CELL)


def line(font: Font, text: str) -> bytes:
    """One page with one line of text, for OCR."""
    code = text.encode("utf-16-be") if font.cmap else text.encode("latin-1")
    return document(font, f"BT /F 24 Tf 1 0 0 1 20 30 Tm <{code.hex()}> Tj ET", 520, 80)


def document(font: Font, content: str, width: int, height: int) -> bytes:
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 {width} {height}] /Contents 4 0 R"
            " /Resources << /Font << /F 5 0 R >> >> >>"
        ),
        f"<< /Length {len(content)} >>\nstream\n{content}\nendstream",
    ]
    if font.cmap:
        objects += [
            (
                f"<< /Type /Font /Subtype /Type0 /BaseFont /{font.name}-{font.cmap} /Encoding /{font.cmap}"
                " /DescendantFonts [6 0 R] >>"
            ),
            (
                f"<< /Type /Font /Subtype /CIDFontType0 /BaseFont /{font.name} /DW 1000 /FontDescriptor 7 0 R"
                f" /CIDSystemInfo << /Registry (Adobe) /Ordering ({font.collection}) /Supplement 2 >> >>"
            ),
            (
                f"<< /Type /FontDescriptor /FontName /{font.name} /Flags 6 /FontBBox [0 -120 1000 880] /ItalicAngle 0"
                " /Ascent 880 /Descent -120 /CapHeight 880 /StemV 93 >>"
            ),
        ]
    else:
        encoding = "" if font.codes else " /Encoding /WinAnsiEncoding"
        objects.append(f"<< /Type /Font /Subtype /Type1 /BaseFont /{font.name}{encoding} >>")
    body = b"%PDF-1.4\n"
    offsets = []
    for number, text in enumerate(objects, start=1):
        offsets.append(len(body))
        body += f"{number} 0 obj\n{text}\nendobj\n".encode("ascii")
    table = "".join(f"{offset:010} 00000 n \n" for offset in offsets)
    return body + (
        f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
        f"trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    ).encode("ascii")
