"""The font of the text layer: a composite font of empty glyphs. A ToUnicode map gives the character of each code.

A code is the character's number where sixteen bits hold it. Characters beyond take codes of the surrogates, which stand
for no character, in their order of appearance. Widths are tenths of an em, about those of common print.
"""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Pdf

FONT = Path(__file__).with_name("glyphless.ttf")
NAME = "PagewiseGlyphless"
SURROGATES = range(0xD800, 0xE000)
ASCENT, DESCENT = 800, -200
WIDE, USUAL, LEAST = 1000, 500, 100
# Widths of common sans-serif type, to a tenth of an em.
WIDTHS = {
    **dict.fromkeys("ijlI|!.,:;'`", 300), **dict.fromkeys("frt()[]{}-/\\ ", 300), **dict.fromkeys("mMW@", 900),
    **dict.fromkeys("wABCDEGHKNOPQRSTUVXYZ&%", 700), **dict.fromkeys("—…", 1000),
}  # fmt: skip
BLOCK = 100  # entries of a CMap's section: Adobe's limit


class InvisibleFont:
    """The font of one document: it learns its characters as they are written, and is embedded at the end."""

    def __init__(self) -> None:
        self.codes: dict[str, int] = {}
        self.beyond = iter(SURROGATES)

    def code(self, character: str) -> int:
        """The code of a character; that of the replacement character where no code is left."""
        known = self.codes.get(character)
        if known is None:
            number = ord(character)
            if number > 0xFFFF:
                number = next(self.beyond, 0xFFFD)
                character = character if number != 0xFFFD else "\ufffd"
            self.codes[character] = known = number
        return known

    def encoded(self, text: str) -> str:
        """The text as a hexadecimal string of a content stream."""
        return "<" + "".join(f"{self.code(character):04X}" for character in text) + ">"

    def embed(self, pdf: Pdf, reference: pikepdf.Object) -> None:
        """Fills the dictionary that pages already refer to."""
        used = sorted((code, character) for character, code in self.codes.items())
        descendant = Dictionary(
            Type=Name.Font,
            Subtype=Name.CIDFontType2,
            BaseFont=Name("/" + NAME),
            CIDSystemInfo=Dictionary(Registry="Adobe", Ordering="Identity", Supplement=0),
            FontDescriptor=pdf.make_indirect(descriptor(pdf)),
            DW=USUAL,
            W=widths(used),
            CIDToGIDMap=pdf.make_indirect(pdf.make_stream(glyphs(used))),
        )
        reference.Type = Name.Font
        reference.Subtype = Name.Type0
        reference.BaseFont = Name("/" + NAME)
        reference.Encoding = Name("/Identity-H")
        reference.DescendantFonts = Array([pdf.make_indirect(descendant)])
        reference.ToUnicode = pdf.make_indirect(pdf.make_stream(to_unicode(used)))


def descriptor(pdf: Pdf) -> Dictionary:
    font = FONT.read_bytes()
    return Dictionary(
        Type=Name.FontDescriptor,
        FontName=Name("/" + NAME),
        Flags=4,
        FontBBox=Array([0, DESCENT, WIDE, ASCENT]),
        ItalicAngle=0,
        Ascent=ASCENT,
        Descent=DESCENT,
        CapHeight=ASCENT,
        StemV=80,
        FontFile2=pdf.make_indirect(pdf.make_stream(font, Length1=len(font))),
    )


def width(character: str) -> int:
    if known := WIDTHS.get(character):
        return known
    if unicodedata.east_asian_width(character) in "WF":
        return WIDE
    if unicodedata.combining(character) or unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return LEAST
    return 600 if character.isdigit() or character.isalpha() else USUAL


def length(text: str) -> int:
    """The width of a text, in thousandths of an em."""
    return sum(map(width, text))


def widths(used: list[tuple[int, str]]) -> Array:
    entries: list[Any] = []
    for code, character in used:
        if entries and entries[-2] + len(entries[-1]) == code:
            entries[-1].append(width(character))
        else:
            entries += [code, [width(character)]]
    return Array([Array(entry) if isinstance(entry, list) else entry for entry in entries])


def glyphs(used: list[tuple[int, str]]) -> bytes:
    """The glyph of each code: the one as wide as its character."""
    mapped = bytearray(2 * (max((code for code, _ in used), default=0) + 1))
    for code, character in used:
        mapped[2 * code : 2 * code + 2] = (width(character) // 100).to_bytes(2, "big")
    return bytes(mapped)


def to_unicode(used: list[tuple[int, str]]) -> bytes:
    lines = [
        "/CIDInit /ProcSet findresource begin", "12 dict begin", "begincmap",
        "/CIDSystemInfo << /Registry (Adobe) /Ordering (UCS) /Supplement 0 >> def",
        "/CMapName /Adobe-Identity-UCS def", "/CMapType 2 def",
        "1 begincodespacerange", "<0000> <FFFF>", "endcodespacerange",
    ]  # fmt: skip
    for start in range(0, len(used), BLOCK):
        part = used[start : start + BLOCK]
        lines.append(f"{len(part)} beginbfchar")
        lines += [f"<{code:04X}> <{character.encode('utf-16-be').hex().upper()}>" for code, character in part]
        lines.append("endbfchar")
    lines += ["endcmap", "CMapName currentdict /CMap defineresource pop", "end", "end"]
    return "\n".join(lines).encode()
