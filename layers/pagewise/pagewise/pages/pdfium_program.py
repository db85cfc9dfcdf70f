"""The program in which PDFium reads an untrusted file. pdfium.py starts it behind a guard.

A question is a line of JSON on standard input; its answer a line of JSON on standard output, and after it the pixels
where a drawing was asked for. It imports nothing of pagewise: it has to start in a tenth of a second.
"""

from __future__ import annotations

import ctypes
import io
import json
import os
import re
import sys
from collections.abc import Callable
from contextlib import closing, suppress
from typing import Any, BinaryIO

import pypdfium2 as pdfium
from pypdfium2 import raw

Answer = dict[str, Any]
MAX_OBJECTS = 100_000
MAX_PICTURES = 1000
MAX_DEPTH = 3  # of pictures in forms in forms
# Characters of a dense newspaper page; a page with more could not be judged in time.
MAX_CHARACTERS = 20_000
GRID = 100_000  # the page's sides, as characters are placed on it
# Render modes that show nothing: without colour, and as a path to clip by.
UNSEEN_MODES = frozenset({raw.FPDF_TEXTRENDERMODE_INVISIBLE, raw.FPDF_TEXTRENDERMODE_CLIP})
# Annotations that show no text of their own.
SILENT = frozenset({raw.FPDF_ANNOT_LINK, raw.FPDF_ANNOT_POPUP})


class Reader:
    """Answers questions about one document."""

    def __init__(self) -> None:
        self.document: Any = None

    def answer(self, question: dict[str, Any], out: BinaryIO) -> None:
        asked: dict[str, Callable[[dict[str, Any]], tuple[Answer, bytes]]] = {
            "open": self.open,
            "count": self.count,
            "page": self.page,
            "contents": self.contents,
            "unit": self.unit,
            "draw": self.draw,
            "text": self.text,
        }
        try:
            answer, pixels = asked[question["ask"]](question)
        except (pdfium.PdfiumError, MemoryError, ValueError, IndexError, ctypes.ArgumentError):
            answer, pixels = {"failed": True}, b""
        out.write(json.dumps(answer, allow_nan=False).encode() + b"\n")
        out.write(pixels)
        out.flush()

    def open(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        self.document = pdfium.PdfDocument(question["path"], password=question["password"])
        # Values of form fields that bring no drawing of themselves are drawn by PDFium.
        with suppress(pdfium.PdfiumError):
            self.document.init_forms()
        return {}, b""

    def count(self, _question: dict[str, Any]) -> tuple[Answer, bytes]:
        return {"pages": len(self.document)}, b""

    def page(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        """Its box in the file's units, and its turn in degrees clockwise."""
        with closing(self.document[question["page"] - 1]) as page:
            return {"box": page.get_bbox(), "turn": page.get_rotation()}, b""

    def contents(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        """The number of a page's characters, and of each picture the pixels across and down, and the dots per inch."""
        with closing(self.document[question["page"] - 1]) as page:
            with closing(page.get_textpage()) as text:
                characters = int(text.count_chars())
            found = []
            for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=MAX_DEPTH):
                said = picture.get_metadata()
                found.append([said.width, said.height, said.horizontal_dpi, said.vertical_dpi])
                if len(found) == MAX_PICTURES:
                    break
            return {"characters": characters, "pictures": found}, b""

    def unit(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        """A page's UserUnit. PDFium ignores it, but keeps it in a copy, whose objects are not packed."""
        written = io.BytesIO()
        with closing(pdfium.PdfDocument.new()) as single:
            single.import_pages(self.document, [question["page"] - 1])
            single.save(written)
        for found in re.finditer(rb"/UserUnit\s+([0-9.]+)", written.getvalue()):
            start = written.getvalue().rfind(b" obj", 0, found.start())
            if re.search(rb"/Type\s*/Page\b", written.getvalue()[start : found.end() + 1000].split(b"endobj")[0]):
                return {"unit": float(found.group(1))}, b""
        return {"unit": 1.0}, b""

    def draw(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        """A part of the page: red, green and blue of each pixel."""
        width, height = question["width"], question["height"]
        with closing(self.document[question["page"] - 1]) as page:
            bitmap = pdfium.PdfBitmap.new_native(width, height, raw.FPDFBitmap_BGR)
            bitmap.fill_rect((255, 255, 255, 255), 0, 0, width, height)
            place = -question["left"], -question["top"], question["whole_width"], question["whole_height"], 0
            flags = raw.FPDF_ANNOT | raw.FPDF_REVERSE_BYTE_ORDER
            raw.FPDF_RenderPageBitmap(bitmap, page, *place, flags)
            if self.document.formenv:
                raw.FPDF_FFLDraw(self.document.formenv, bitmap, page, *place, flags)
            return {"objects": text_and_pictures(page)}, unpadded(bytes(bitmap.buffer), bitmap.stride, 3 * width)

    def text(self, question: dict[str, Any]) -> tuple[Answer, bytes]:
        """Every character of a page, as the page is shown, and the page's other content.

        Each is [code, left, top, right, bottom, angle, font, flags]: edges in parts of GRID from the top left, the
        angle in degrees as the page lies in the file; flags: 1 if no code is known for the glyph, 2 if it is not
        shown, 4 if it was not in the file (blanks and line breaks that PDFium adds), 8 if it is a hyphen that ends a
        line.
        """
        with closing(self.document[question["page"] - 1]) as page:
            others = what_else(page)
            with closing(page.get_textpage()) as text:
                count = raw.FPDFText_CountChars(text)
                if count > MAX_CHARACTERS:
                    return {"failed": True}, b""
                reader = Characters(page, text)
                found = [reader.character(number) for number in range(count)]
            turn = page.get_rotation()
        said = json.dumps({"characters": found, "others": others, "turn": turn}, allow_nan=False).encode()
        return {"follows": len(said)}, said


class Characters:
    """The characters of one page, with PDFium's facts about each."""

    def __init__(self, page: Any, text: Any) -> None:
        self.page = page
        self.text = text
        self.fonts: dict[int, int] = {}
        self.left, self.bottom, self.right, self.top = (ctypes.c_double() for _ in range(4))

    def character(self, number: int) -> list[int]:
        code = raw.FPDFText_GetUnicode(self.text, number)
        raw.FPDFText_GetCharBox(self.text, number, self.left, self.right, self.bottom, self.top)
        corners = [self.shown(x, y) for x in (self.left, self.right) for y in (self.bottom, self.top)]
        xs, ys = [x for x, _ in corners], [y for _, y in corners]
        angle = round(raw.FPDFText_GetCharAngle(self.text, number) * 180 / 3.141592653589793) % 360
        generated = raw.FPDFText_IsGenerated(self.text, number) == 1
        font, seen = (-1, True) if generated else self.drawn(number)
        flags = (raw.FPDFText_HasUnicodeMapError(self.text, number) == 1) | (not seen) << 1 | generated << 2
        flags |= (raw.FPDFText_IsHyphen(self.text, number) == 1) << 3
        return [code, min(xs), min(ys), max(xs), max(ys), angle, font, flags]

    def shown(self, x: ctypes.c_double, y: ctypes.c_double) -> tuple[int, int]:
        across, down = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(self.page, 0, 0, GRID, GRID, 0, x, y, across, down)
        return across.value, down.value

    def drawn(self, number: int) -> tuple[int, bool]:
        """The number of its font on this page, and whether it is drawn so that it can be seen."""
        shown = raw.FPDFText_GetTextObject(self.text, number)
        if not shown:
            return -1, False
        font = ctypes.cast(raw.FPDFTextObj_GetFont(shown), ctypes.c_void_p).value or 0
        channels = [ctypes.c_uint() for _ in range(4)]
        filled = raw.FPDFPageObj_GetFillColor(shown, *channels)
        seen = raw.FPDFTextObj_GetTextRenderMode(shown) not in UNSEEN_MODES
        return self.fonts.setdefault(font, len(self.fonts)), seen and not (filled and channels[3].value == 0)


def what_else(page: Any) -> Answer:
    """Annotations that may show text, parts of the page that pictures cover, and drawings that are no lines and boxes
    along the page's sides."""
    width, height = page.get_size()
    annotations = 0
    for number in range(min(raw.FPDFPage_GetAnnotCount(page), MAX_OBJECTS)):
        annotation = raw.FPDFPage_GetAnnot(page, number)
        annotations += raw.FPDFAnnot_GetSubtype(annotation) not in SILENT
        raw.FPDFPage_CloseAnnot(annotation)
    pictures, drawings = 0, 0
    for number, found in enumerate(page.get_objects(max_depth=MAX_DEPTH + 1)):
        if number == MAX_OBJECTS or drawings > 0:
            break
        if found.type == raw.FPDF_PAGEOBJ_IMAGE:
            pictures += 1
        elif found.type == raw.FPDF_PAGEOBJ_FORM:
            drawings += found.level >= MAX_DEPTH  # its content is not looked into
        elif found.type == raw.FPDF_PAGEOBJ_PATH:
            drawings += not is_ruled(found.raw)
    return {"annotations": annotations, "pictures": pictures, "drawings": drawings, "size": [width, height]}


MOST_SEGMENTS = 400  # of a table's rules in one path


def is_ruled(path: Any) -> bool:
    """Whether a path is lines and boxes along two directions at a right angle: letters drawn as paths have others."""
    count = raw.FPDFPath_CountSegments(path)
    if not 0 <= count <= MOST_SEGMENTS:
        return False
    before: tuple[float, float] | None = None
    x, y = ctypes.c_float(), ctypes.c_float()
    for number in range(count):
        segment = raw.FPDFPath_GetPathSegment(path, number)
        kind = raw.FPDFPathSegment_GetType(segment)
        raw.FPDFPathSegment_GetPoint(segment, x, y)
        point = (x.value, y.value)
        if kind == raw.FPDF_SEGMENT_BEZIERTO:
            return False
        if (
            kind == raw.FPDF_SEGMENT_LINETO
            and before
            and min(abs(point[0] - before[0]), abs(point[1] - before[1])) > 0.1
        ):
            return False
        before = point
    return True


def text_and_pictures(page: Any) -> int:
    """The number of a page's text objects and pictures; those in forms are not counted."""
    count = min(raw.FPDFPage_CountObjects(page), MAX_OBJECTS)
    kinds = [raw.FPDFPageObj_GetType(raw.FPDFPage_GetObject(page, number)) for number in range(count)]
    return kinds.count(raw.FPDF_PAGEOBJ_TEXT) + kinds.count(raw.FPDF_PAGEOBJ_IMAGE)


def unpadded(pixels: bytes, stride: int, length: int) -> bytes:
    if stride == length:
        return pixels
    return b"".join(pixels[start : start + length] for start in range(0, len(pixels), stride))


def use_fonts(folder: str) -> None:
    """The fonts for those that a document names and does not bring. PDFium takes their folder when it starts."""
    config = raw.FPDF_LIBRARY_CONFIG()
    folders = (ctypes.c_char_p * 2)(folder.encode(), None)
    config.version = 2
    config.m_pUserFontPaths = ctypes.cast(folders, type(config.m_pUserFontPaths))
    raw.FPDF_DestroyLibrary()
    raw.FPDF_InitLibraryWithConfig(config)


def main() -> None:
    # Nothing that PDFium's library may print can come between the answers.
    out = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    if sys.argv[3:]:
        use_fonts(sys.argv[3])
    reader = Reader()
    for line in sys.stdin.buffer:
        reader.answer(json.loads(line), out)


if __name__ == "__main__":
    main()
