"""Numbers and amounts of money in the ways that people write them.

Two conventions: a decimal point (1,234.56) and a decimal comma (1.234,56). `1.234` is a number in both, and another one
in each. Thousands may be parted by blanks or apostrophes in either; Indian ones go by two digits (12,34,567.00).
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

# Longer texts are no single number.
LONGEST = 60


class Convention(StrEnum):
    POINT = "."
    COMMA = ","


BLANKS_AND_APOSTROPHES = " '’"
INDIAN = r"\d{1,2}(?:,\d{2})+,\d{3}"
# Blanks of other widths, dashes of other lengths, and full-width signs. Unicode's own folding (NFKC) would make 122 of
# 12².
ALIKE = str.maketrans(
    {chr(0xFEE0 + code): chr(code) for code in range(0x21, 0x7F)}
    | dict.fromkeys("\u00a0\u202f\u2009\u3000", " ")
    | dict.fromkeys("‐‑‒–—−", "-")
)
# ISO 4217, the currencies in use in 2026.
ISO_4217 = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP "
    "CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG "
    "HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA "
    "MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RMB RON "
    "RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH "
    "UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG"
)
CODES = frozenset(ISO_4217.split())
# Other spellings in the codes' place, besides every sign of Unicode's own class.
IN_WORDS = (
    "us$ hk$ nt$ s$ a$ c$ r$ rs rs. rm kr kr. fr fr. sfr sfr. zł kč ft lei лв лв. ден руб руб. р. грн тг tl kn din "
    "元 圆 円 원 圓 人民币 euro euros dollars"
)
WORDS = frozenset(IN_WORDS.split())
SIGN = re.compile(r"[-+]")
# Round amounts: 12,- and 12.--
NOTHING_BEHIND = re.compile(r"[.,]-{1,2}$")


def form_of(convention: Convention) -> re.Pattern[str]:
    other = Convention.COMMA if convention is Convention.POINT else Convention.POINT
    parted = rf"\d{{1,3}}(?P<mark>[{re.escape(other)}{BLANKS_AND_APOSTROPHES}])\d{{3}}(?:(?P=mark)\d{{3}})*"
    whole = "|".join([parted, *([INDIAN] if convention is Convention.POINT else []), r"\d+"])
    return re.compile(rf"(?P<whole>{whole})?(?:{re.escape(convention)}(?P<decimals>\d+))?")


FORMS: Mapping[Convention, re.Pattern[str]] = {convention: form_of(convention) for convention in Convention}


def is_number(value: Any) -> bool:
    return any(number(value, convention) is not None for convention in Convention)


def is_amount(value: Any) -> bool:
    return any(amount(value, convention) is not None for convention in Convention)


def number(value: Any, convention: Convention) -> Decimal | None:
    """The number in this convention; None for a value that is none."""
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        return as_it_is(value)
    return signed(plain(value), convention) if isinstance(value, str) else None


def amount(value: Any, convention: Convention) -> Decimal | None:
    """The same with its currency before or behind it; in brackets it is negative."""
    if not isinstance(value, str):
        return number(value, convention)
    text = plain(value)
    if text.startswith("(") and text.endswith(")"):
        inner = amount(text[1:-1], convention)
        return -inner if inner is not None and inner >= 0 else None
    sign = ""
    if SIGN.match(text):
        sign, text = text[0], text[1:].strip()
    bare = without_currency(text)
    if sign and SIGN.match(bare):
        return None
    return signed(sign + NOTHING_BEHIND.sub("", bare), convention)


def as_it_is(value: float | Decimal) -> Decimal | None:
    try:
        found = Decimal(str(value))
    except (InvalidOperation, ValueError):  # an int of thousands of digits
        return None
    return found if found.is_finite() else None


def plain(text: str) -> str:
    """Digits of any script, full-width signs and the several blanks and dashes as ASCII; nothing of a long text."""
    if len(text) > LONGEST:
        return ""
    return "".join(str(unicodedata.decimal(letter, letter)) for letter in text.translate(ALIKE).strip())


def signed(text: str, convention: Convention) -> Decimal | None:
    """A sign stands before the number or, as bookkeepers have it, behind."""
    sign = ""
    if SIGN.match(text):
        sign, text = text[0], text[1:].strip()
    elif text.endswith("-"):
        sign, text = "-", text[:-1].strip()
    found = FORMS[convention].fullmatch(text)
    if not found or not text:
        return None
    whole = re.sub(r"\D", "", found["whole"] or "0")
    return Decimal(f"{sign}{whole}.{found['decimals'] or '0'}")


def without_currency(text: str) -> str:
    """Text without its currency, if it has one; it stands on one side."""
    first = re.match(r"[^\d.,+\-]+", text)
    if first and is_currency(first[0]):
        return text[first.end() :].strip()
    last = re.search(r"[^\d,\-\s][^\d\-]*$", text)
    if last and is_currency(last[0]):
        return text[: last.start()].strip()
    return text


def is_currency(text: str) -> bool:
    text = text.strip()
    if text.upper() in CODES or text.lower() in WORDS:
        return True
    return len(text) == 1 and unicodedata.category(text) == "Sc"
