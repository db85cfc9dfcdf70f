"""PDFs written by hand: texts, pictures, and pages that are not there, cannot be drawn, or never end."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from types import MappingProxyType

HELVETICA = "<< /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"


def stream(content: bytes, entries: str = "") -> bytes:
    return f"<< {entries} /Length {len(content)} >>\nstream\n".encode() + content + b"\nendstream"


def page(contents: int, box: str = "0 0 200 100", more: str = "", resources: str = HELVETICA) -> bytes:
    return (
        f"<< /Type /Page /Parent 2 0 R /MediaBox [{box}] {more} /Contents {contents} 0 R /Resources {resources} >>"
    ).encode()


def pdf(objects: Sequence[bytes | None]) -> bytes:
    """A PDF of these objects, numbered from 1; None for one that is referred to and not there."""
    body = b"%PDF-1.4\n"
    table = b"0000000000 65535 f \n"
    for number, content in enumerate(objects, start=1):
        if content is None:
            table += b"0000000000 65535 f \n"
        else:
            table += f"{len(body):010} 00000 n \n".encode()
            body += f"{number} 0 obj\n".encode() + content + b"\nendobj\n"
    size = len(objects) + 1
    trailer = f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{len(body)}\n%%EOF\n"
    return body + f"xref\n0 {size}\n".encode() + table + trailer.encode()


def text_pdf(
    pages: int,
    box: str = "0 0 200 100",
    changes: Mapping[str, bytes | None] = MappingProxyType({}),
    forms: Sequence[bytes] = (),
) -> bytes:
    """Pages that say their number. Changes: `page2` is a page's object instead, `contents2` what is drawn on it."""
    kids = " ".join(f"{3 + number} 0 R" for number in range(pages))
    objects: list[bytes | None] = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        f"<< /Type /Pages /Kids [{kids}] /Count {pages} >>".encode(),
    ]
    objects += [changes.get(f"page{number}", page(2 + pages + number, box)) for number in range(1, pages + 1)]
    for number in range(1, pages + 1):
        text = f"BT /F 24 Tf 20 30 Td (Page {number}) Tj ET".encode()
        objects.append(changes.get(f"contents{number}", stream(text)))
    return pdf([*objects, *forms])


def endless_pdf(pages: int, endless: int) -> bytes:
    """Pages of which one draws a form of a hundred forms of a hundred forms …: 10^10 lines, of a few kilobytes."""
    levels = 5
    first = 3 + 2 * pages
    forms = []
    for level in range(levels):
        inner = f"<< /XObject << /X {first + level + 1} 0 R >> >>" if level < levels - 1 else "<< >>"
        entries = f"/Type /XObject /Subtype /Form /BBox [0 0 200 100] /Resources {inner}"
        drawn = b"/X Do " * 100 if level < levels - 1 else b"0 0 m 200 100 l S " * 100
        forms.append(stream(drawn, entries))
    page_object = page(2 + pages + endless, resources=f"<< /XObject << /X {first} 0 R >> >>")
    changes: dict[str, bytes | None] = {f"page{endless}": page_object, f"contents{endless}": stream(b"/X Do")}
    return text_pdf(pages, changes=changes, forms=forms)


def scan(width: int, height: int, points: str, text: str = "", more: str = "") -> bytes:
    """One page that a grey picture of this size covers, with text on it perhaps. `more` entries of the page."""
    pixels = bytes((x * y) % 251 for y in range(height) for x in range(width))
    picture = stream(
        zlib.compress(pixels),
        f"/Type /XObject /Subtype /Image /Width {width} /Height {height} /ColorSpace /DeviceGray /BitsPerComponent 8"
        " /Filter /FlateDecode",
    )
    page_width, page_height = points.split()
    draw = f"q {page_width} 0 0 {page_height} 0 0 cm /I Do Q {text}".encode()
    resources = "<< /XObject << /I 5 0 R >> /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
    return pdf(
        [
            b"<< /Type /Catalog /Pages 2 0 R >>",
            b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
            page(4, f"0 0 {points}", more, resources=resources),
            stream(draw),
            picture,
        ]
    )
