"""Whether a page of a PDF has text of its own, told without trusting the file: no stream is unpacked beyond a limit."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

import pikepdf
from pikepdf import Name

# A page of dense vector graphics unpacks to some 20 MB.
MOST_BYTES = 64_000_000
# Filters other than Flate are unpacked by qpdf, whole: LZW grows a thousandfold at most.
MOST_RAW_BYTES = 64_000
MOST_FORMS = 200
SHOWS = re.compile(rb"(?:[)>\]])\s*(?:Tj|TJ|'|\")(?![A-Za-z0-9])")
STRING = re.compile(rb"<([0-9A-Fa-f\s]+)>|\(((?:[^()\\]|\\.)*)\)", re.DOTALL)
TEXT_OBJECT = re.compile(rb"(?<![A-Za-z0-9])BT(?![A-Za-z0-9])(.*?)(?<![A-Za-z0-9])ET(?![A-Za-z0-9])", re.DOTALL)


class CannotTell(Exception):
    """The page's content cannot be unpacked within the limits."""


def has_own_text(page: pikepdf.Page) -> bool:
    """Whether the page shows any text, an older invisible layer too. Raises CannotTell."""
    left = MOST_BYTES
    for stream in contents(page):
        content = unpacked(stream, left)
        left -= len(content)
        if left <= 0:
            raise CannotTell
        if shows_text(content):
            return True
    return False


def shows_text(content: bytes) -> bool:
    """Whether a text object shows a string that is not blank."""
    for text_object in TEXT_OBJECT.finditer(content):
        inside = text_object[1]
        if SHOWS.search(inside):
            for digits, plain in STRING.findall(inside):
                if digits or plain.strip():
                    return True
    return False


def contents(page: pikepdf.Page) -> Iterator[pikepdf.Stream]:
    """The page's own streams, and those of the forms that it can draw."""
    given = page.obj.get(Name.Contents)
    if isinstance(given, pikepdf.Stream):
        yield given
    elif isinstance(given, pikepdf.Array):
        yield from (stream for stream in given if isinstance(stream, pikepdf.Stream))
    seen: set[tuple[int, int]] = set()
    waiting = [resources_of(page)]
    while waiting:
        resources = waiting.pop()
        forms = resources.get(Name.XObject) if isinstance(resources, pikepdf.Dictionary) else None
        for form in forms.values() if isinstance(forms, pikepdf.Dictionary) else ():
            if not isinstance(form, pikepdf.Stream) or form.get(Name.Subtype) != Name.Form or form.objgen in seen:
                continue
            seen.add(form.objgen)
            if len(seen) > MOST_FORMS:
                raise CannotTell
            yield form
            if Name.Resources in form:
                waiting.append(form[Name.Resources])


def resources_of(page: pikepdf.Page) -> pikepdf.Object | None:
    """The page's resources or those it inherits."""
    node: pikepdf.Object | None = page.obj
    for _ in range(50):
        if not isinstance(node, pikepdf.Dictionary):
            return None
        if Name.Resources in node:
            return node[Name.Resources]
        node = node.get(Name.Parent)
    return None


def unpacked(stream: pikepdf.Stream, most: int) -> bytes:
    """Raises CannotTell beyond `most` bytes, and where it is broken."""
    filters = stream.get(Name.Filter)
    names = [str(name) for name in filters] if isinstance(filters, pikepdf.Array) else [str(filters)] if filters else []
    try:
        raw = stream.read_raw_bytes()
        if all(name in {"/FlateDecode", "/Fl"} for name in names) and not stream.get(Name.DecodeParms):
            for _ in names:
                raw = inflated(raw, most)
            return raw
        if len(raw) > MOST_RAW_BYTES:
            raise CannotTell
        return stream.read_bytes()
    except (pikepdf.PdfError, zlib.error) as error:
        raise CannotTell from error


def inflated(packed: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj()
    content = inflater.decompress(packed, most)
    if inflater.unconsumed_tail:
        raise CannotTell
    return content
