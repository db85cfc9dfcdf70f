"""Makes the font of the text layer: layers/pagewise/pagewise/outputs/glyphless.ttf. Run it after a change; a test holds
the file against it.

No glyph draws anything: a reader sees the page's own picture. Each glyph is one contour without an area, from corner
to corner of its box, since pdfium takes no text that has no extent. Glyphs differ in their widths alone, by
tenths of an em, so that letters lie about where they stand in print.
"""

from __future__ import annotations

import io
from pathlib import Path

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib.tables._g_l_y_f import Glyph

FONT = Path(__file__).parents[1] / "pagewise/pagewise/outputs/glyphless.ttf"
EM, ASCENT, DESCENT = 1000, 800, -200
MOMENT = 3_800_000_000  # any fixed one: seconds since 1904


def glyph(width: int) -> Glyph:
    pen = TTGlyphPen(None)
    pen.moveTo((0, DESCENT))
    pen.lineTo((width, ASCENT))
    pen.closePath()
    return pen.glyph()


def built() -> bytes:
    names = [".notdef", *(f"w{width}" for width in range(100, 1100, 100))]
    font = FontBuilder(EM, isTTF=True)
    font.setupGlyphOrder(names)
    font.setupCharacterMap({})
    font.setupGlyf({name: glyph(max(100 * place, 100)) for place, name in enumerate(names)})
    font.setupHorizontalMetrics({name: (max(100 * place, 100), 0) for place, name in enumerate(names)})
    font.setupHorizontalHeader(ascent=ASCENT, descent=DESCENT)
    font.setupOS2(sTypoAscender=ASCENT, sTypoDescender=DESCENT, usWinAscent=ASCENT, usWinDescent=-DESCENT)
    font.setupNameTable({"familyName": "Pagewise Glyphless", "styleName": "Regular", "psName": "PagewiseGlyphless"})
    font.setupPost()
    font.font["head"].created = font.font["head"].modified = MOMENT
    font.font.recalcTimestamp = False
    written = io.BytesIO()
    font.save(written)
    return written.getvalue()


if __name__ == "__main__":
    FONT.write_bytes(built())
