"""Text that a page has of its own."""

from __future__ import annotations

from pagewise.outputs import own_text


def test_text_is_seen_in_what_looks_like_it_only() -> None:
    assert own_text.shows_text(b"BT /F1 12 Tf [(A) -20 (B)] TJ ET")
    assert own_text.shows_text(b"q BT\n<0041> Tj\nET Q")
    assert not own_text.shows_text(b"/BTx Do (BT) ET")
    assert not own_text.shows_text(b"BT ( ) Tj ET")
    assert not own_text.shows_text(b"q 1 0 0 1 0 0 cm /Im0 Do Q")
