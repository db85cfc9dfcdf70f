"""The program in which PDFium reads a file that cannot be trusted. pdfium.py starts it behind a guard.

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
        """How many characters a page has, and of each picture the pixels across and down, and the dots per inch."""
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
        """A page's UserUnit. PDFium takes no notice of it, but keeps it in a copy, whose objects are not packed."""
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


def text_and_pictures(page: Any) -> int:
    """How many objects of text and how many pictures a page is drawn from; those in forms are not counted."""
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
