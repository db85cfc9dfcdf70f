"""What a path names is uploaded, each document to a place of its own."""

from __future__ import annotations

import os
from email.header import decode_header
from pathlib import Path, PurePath

import pytest

from commands.uploads import DocumentError, ascii_header, find_documents, hidden_files


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")


def test_a_file_is_one_document_under_its_own_name(tmp_path: Path) -> None:
    write(tmp_path / "a b+c #1 %.pdf")
    [document] = find_documents(tmp_path / "a b+c #1 %.pdf", tmp_path / "out")
    assert document.place == PurePath("a b+c #1 %.pdf")
    assert document.key(None) == "uploads/a b+c #1 %.pdf"
    assert document.key("invoices") == "uploads/invoices/a b+c #1 %.pdf"


def test_a_folder_is_all_its_files_but_hidden_ones_clutter_and_the_output(tmp_path: Path) -> None:
    wanted = [tmp_path / "a.pdf", tmp_path / "deep/er/b.png"]
    unwanted = [".DS_Store", ".git/c.pdf", "Thumbs.db", "__MACOSX/d.pdf", "deep/desktop.ini", "out/e.pdf"]
    write(*wanted, *[tmp_path / name for name in unwanted])
    os.mkfifo(tmp_path / "pipe.pdf")
    assert [document.path for document in find_documents(tmp_path, tmp_path / "out")] == wanted


def test_documents_of_one_name_have_different_places(tmp_path: Path) -> None:
    write(tmp_path / "a/x.pdf", tmp_path / "b/X.pdf", tmp_path / "y.pdf", tmp_path / "logs")
    places = [str(document.place) for document in find_documents(tmp_path, tmp_path / "out")]
    assert places == ["a/x.pdf", "b/X.pdf", "logs~", "y.pdf"]


def test_a_name_that_is_not_unicode_is_uploaded_under_one_that_is(tmp_path: Path) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.pdf"))
    try:
        write(path)
    except OSError:
        pytest.skip("this file system takes Unicode only")
    [document] = find_documents(path, tmp_path / "out")
    assert document.key(None) == "uploads/caf�.pdf"


def test_without_documents_it_is_said_why(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for path, reason in (("empty", "contains no documents"), ("missing", "does not exist"), ("pipe", "neither")):
        with pytest.raises(DocumentError, match=reason):
            find_documents(tmp_path / path, tmp_path / "out")


@pytest.mark.skipif(os.geteuid() == 0, reason="root can read everything")
def test_an_unreadable_document_is_named(tmp_path: Path) -> None:
    write(tmp_path / "a.pdf")
    (tmp_path / "a.pdf").chmod(0)
    with pytest.raises(DocumentError, match=r"a\.pdf cannot be read"):
        find_documents(tmp_path, tmp_path / "out")


def test_metadata_is_ascii() -> None:
    assert ascii_header("text_recognition,multi_lan") == "text_recognition,multi_lan"
    encoded = ascii_header("títulos")
    [(text, charset)] = decode_header(encoded)
    assert encoded.isascii()
    assert isinstance(text, bytes)
    assert text.decode(charset or "") == "títulos"


def test_hostile_names_stay_inside_the_output_and_say_nothing_to_a_terminal(tmp_path: Path) -> None:
    names = ["a\nb.pdf", "\x1b[2J.png", "pdf..", "x" * 250, "invoice\u202efdp.exe", "-rf", "$(touch x).pdf", "~root"]
    write(*(tmp_path / name for name in names))
    documents = find_documents(tmp_path, tmp_path / "out")
    assert len(documents) == len(names)
    for document in documents:
        place = (tmp_path / "out" / document.place).resolve()
        assert place.parent == (tmp_path / "out").resolve()
        assert document.key(None) == f"uploads/{document.path.name}"
        assert not set("\n\x1b\u202e") & set(document.name)


def test_the_longest_names_have_places_of_their_own(tmp_path: Path) -> None:
    longest = ["x" * 251 + ".pdf", "X" * 251 + ".pdf", "x" * 250 + "y.pdf"]
    write(*(tmp_path / "folder" / name for name in longest))
    documents = find_documents(tmp_path / "folder", tmp_path / "out")
    assert len({str(document.place).casefold() for document in documents}) == len(longest)
    for document in documents:
        (tmp_path / "out" / document.place).mkdir(parents=True)


def test_an_accent_written_in_two_ways_is_two_places(tmp_path: Path) -> None:
    write(tmp_path / "a/caf\u00e9.pdf", tmp_path / "b/cafe\u0301.pdf")
    places = [document.place for document in find_documents(tmp_path, tmp_path / "out")]
    assert [str(place.parent) for place in places] == ["a", "b"]


def test_hidden_documents_are_told_of_and_clutter_is_not(tmp_path: Path) -> None:
    write(*(tmp_path / name for name in ("a.pdf", ".b.pdf", "..c.PNG", "._a.pdf", ".DS_Store", ".env")))
    assert hidden_files(tmp_path) == ["..c.PNG", ".b.pdf"]
    assert hidden_files(tmp_path / "a.pdf") == []
