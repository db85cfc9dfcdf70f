"""The formats that a field can be held against, by name, beyond JSON Schema's own.

Check digits are python-stdnum's. A number of 16 digits with one misread digit has another check digit in 9 cases
of 10; a pattern would pass it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, datetime, time
from typing import Any

from pagewise.options.amounts import LONGEST, is_amount, is_number, plain

Check = Callable[[str], bool]

DATE = r"\d{4}-\d{2}-\d{2}"
TIME = r"([01]\d|2[0-3]):[0-5]\d(:[0-5]\d(\.\d+)?)?"
ZONE = r"(Z|[+-]([01]\d|2[0-3]):[0-5]\d)?"
A_TIME = re.compile(rf"{TIME}{ZONE}", re.ASCII)
A_DATE = re.compile(DATE, re.ASCII)
A_DATE_AND_TIME = re.compile(rf"({DATE})[T ]{TIME}{ZONE}", re.ASCII)
# GB/T 2260: provinces, Taiwan, and the two special regions.
PROVINCE = re.compile(r"1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3]")
# ISO/IEC 7812 has at most 19 digits; no issuer of bank cards has fewer than 12.
CARD = re.compile(r"\d{12,19}", re.ASCII)
# The European Union's and its neighbours'; Northern Ireland's (xi) and Greece's (el) by their own prefixes.
VAT_COUNTRIES = (
    *("at", "be", "bg", "ch", "cy", "cz", "de", "dk", "ee", "el", "es", "fi", "fr", "gb", "hr", "hu", "ie", "it"),
    *("lt", "lu", "lv", "mt", "nl", "no", "pl", "pt", "ro", "se", "si", "sk"),
)
BLANKS = re.compile(r"[\s\u00ad\u200b-\u200f]+")


def is_cn_id_card(text: str) -> bool:
    """GB 11643: 18 characters with a province, a date of birth and a check character. Counties are not looked up:
    python-stdnum's list leaves out the dissolved ones, and their people keep their numbers."""
    from stdnum.cn import ric

    number = text.upper()
    if not re.fullmatch(r"\d{17}[\dX]", number, re.ASCII) or not PROVINCE.match(number):
        return False
    ric.get_birth_date(number)
    return bool(ric.calc_check_digit(number) == number[-1])


def is_bank_card(text: str) -> bool:
    from stdnum import luhn

    number = text.replace("-", "")
    return bool(CARD.fullmatch(number)) and number.strip("0") != "" and luhn.is_valid(number)


def is_iban(text: str) -> bool:
    """Its country's structure and ISO 7064's check digits. Not the banks that a country has: python-stdnum's list does
    not have the registry's own example of Belgium."""
    from stdnum import iban

    return iban.is_valid(text, check_country=False)


def is_bic(text: str) -> bool:
    from stdnum import bic

    return bic.is_valid(text)


def is_isbn(text: str) -> bool:
    from stdnum import isbn

    return isbn.is_valid(re.sub(r"^ISBN(-1[03])?:?", "", text, flags=re.IGNORECASE))


def is_vat(text: str) -> bool:
    """With its country before it; without one, of whichever country it may be: a weaker check than `vat-de`."""
    if country := of_country(text):
        return is_vat_of(country, text)
    return any(is_vat_of(country, text) for country in VAT_COUNTRIES)


def of_country(text: str) -> str | None:
    start = text[:2].lower()
    start = {"gr": "el", "xi": "gb"}.get(start, start)
    return start if start in VAT_COUNTRIES else None


def is_vat_of(country: str, text: str) -> bool:
    """With the country before it or without."""
    from stdnum.util import get_cc_module

    module = get_cc_module("gr" if country == "el" else country, "vat")
    number = re.sub(r"^XI", "GB", text.upper()) if country == "gb" else text.upper()
    return bool(module and module.is_valid(number))


def is_time(text: str) -> bool:
    return A_TIME.fullmatch(text) is not None and time.fromisoformat(text) is not None


def is_date_and_time(text: str) -> bool:
    return A_DATE_AND_TIME.fullmatch(text) is not None and datetime.fromisoformat(text) is not None


# Formats of numbers with blanks at any position.
PARTED: dict[str, Check] = {
    "cn-id-card": is_cn_id_card,
    "bank-card": is_bank_card,
    "iban": is_iban,
    "bic": is_bic,
    "vat": is_vat,
    "isbn": is_isbn,
}
WHOLE: dict[str, Check] = {"time": is_time, "date-time": is_date_and_time}
OF_ANY_TYPE: dict[str, Callable[[Any], bool]] = {"number": is_number, "currency-amount": is_amount}
OF_COUNTRY = "vat-"
# JSON Schema's formats that jsonschema checks without further packages, and that a document may hold.
OF_JSON_SCHEMA = ("date", "email")
NAMES = (*OF_JSON_SCHEMA, *WHOLE, *OF_ANY_TYPE, *PARTED)
FORMATS = (*NAMES, *(f"{OF_COUNTRY}{country}" for country in VAT_COUNTRIES))


def meets(name: str, value: Any) -> bool:
    """Whether a value is of one of these formats, but JSON Schema's own. A whole number counts as it is written; a
    value without text (a list, an object) is of no format."""
    if check := OF_ANY_TYPE.get(name):
        return check(value)
    if isinstance(value, bool) or not isinstance(value, str | int) or len(shown := as_written(value)) > LONGEST:
        return False
    text = plain(shown)
    try:
        if check := WHOLE.get(name):
            return check(text)
        text = BLANKS.sub("", text)
        if name.startswith(OF_COUNTRY):
            return is_vat_of(name.removeprefix(OF_COUNTRY), text)
        return PARTED[name](text)
    # A validator that fails on a text has not found it right. Some of python-stdnum raise KeyError or IndexError.
    except Exception:  # noqa: BLE001
        return False


def as_written(value: str | int) -> str:
    return value if isinstance(value, str) else f"{value:d}" if abs(value) < 10**LONGEST else " " * (LONGEST + 1)


def moment(value: Any) -> tuple[date, datetime | None] | None:
    """A date, and the time on it if one is given: of `date` or of `date-time`; None for any other value."""
    text = value.strip() if isinstance(value, str) else ""
    try:
        if A_DATE.fullmatch(text):
            return date.fromisoformat(text), None
        if A_DATE_AND_TIME.fullmatch(text):
            found = datetime.fromisoformat(text)
            return found.date(), found
    except ValueError:
        pass
    return None
