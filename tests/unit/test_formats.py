"""The table of formats: for each ten values that are right and ten that are wrong, from public test vectors.

cn-id-card: GB 11643's own examples, validator.js, python-stdnum. bank-card: the test cards of Stripe, PayPal, Adyen and
UnionPay. iban: the SWIFT registry's examples. bic: banks' own. vat: VIES, python-stdnum, HMRC. isbn: Wikipedia and the
ISBN manual. The wrong ones are these with a digit misread, two exchanged or one lost, or known bad vectors.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pagewise.options.amounts import Convention, amount, number
from pagewise.options.formats import FORMATS, VAT_COUNTRIES, meets
from pagewise.options.rules import check_rules, judged
from tests.unit.test_rules import extracted, problems

RIGHT: dict[str, list[Any]] = {
    "cn-id-card": [
        *("11010519491231002X", "440524188001010014", "360426199101010071", "34052419800101001X"),
        *("235407195106112745", "210203197503102721", "520323197806058856", "110105 19491231 002x"),
        *("1101051949１２３１002X", 440524188001010014),
    ],
    "bank-card": [
        *("4242 4242 4242 4242", "4000056655665556", "5555-5555-5555-4444", "2223003122003222", "378282246310005"),
        *("6011111111111117", "30569309025904", "3566002020360505", "6200000000000005", 6212345678901232),
    ],
    "iban": [
        *("GB82 WEST 1234 5698 7654 32", "DE89370400440532013000", "FR14 2004 1010 0505 0001 3M02 606"),
        *(
            "CH93 0076 2011 6238 5295 7",
            "NL91ABNA0417164300",
            "ES9121000418450200051332",
            "IT60X0542811101000000123456",
        ),
        *("BE68 5390 0754 7034", "SA03 8000 0000 6080 1016 7519", "no93 8601 1117 947"),
    ],
    "bic": [
        *("DEUTDEFF", "DEUTDEFF500", "CHASUS33", "BNPAFRPPXXX", "ICBKCNBJ", "BKCHCNBJ", "HSBCHKHHHKH", "AGRIFRPP"),
        *("NEDSZAJJXXX", "unic itmm"),
    ],
    "vat": [
        *("DE136695976", "ATU13585627", "BE0428759497", "ESB58378431", "PL8567346215", "SE123456789701"),
        *("LU 150 274 42", "XI980780684", "136695976", "IT 00743110157"),
    ],
    "vat-gb": [
        *("GB980780684", "980780684", "GB 980 7806 84", "XI980780684", "GB 220 4302 31", "220430231"),
        *("GB802311782", "gb802311782", "GB-980-780-684", "802 3117 82"),
    ],
    "isbn": [
        *("978-0-306-40615-7", "0-306-40615-2", "9783161484100", "080442957X", "978-1-86197-876-9", "1-85798-218-5"),
        *("ISBN 978-0-471-11709-4", "ISBN-10: 0-8044-2957-x", "978 0 13 235088 4", 9780262033848),
    ],
    "date": [
        *("2024-11-14", "2000-02-29", "1999-12-31", "2026-01-01", "2024-02-29", "1949-12-31", "0001-01-01"),
        *("9999-12-31", "2025-09-26", "1880-01-01"),
    ],
    "time": [
        *("11:46", "00:00", "23:59", "08:05:09", "23:59:59", "17:42:00.5", "11:46Z", "11:46+08:00", "11:46:00-03:30"),
        "１１:４６",
    ],
    "date-time": [
        *("2024-11-14 11:46", "2024-11-14T11:46", "2024-11-14T11:46:00Z", "2024-11-14 11:46:59", "2000-02-29T00:00"),
        *("1985-04-12T23:20:50.52Z", "1996-12-19T16:39:57-08:00", "1937-01-01T12:00:27.87+00:20", "2025-09-26 17:42"),
        "2024-11-14T11:46+08:00",
    ],
    "number": [
        *("1.234,56", "1,234.56", "1234", "-12", "1 234 567,8", "1'234.50", "12,34,567.00", "0.5", "− 7,25", 12.5),
    ],
    "currency-amount": [
        *("1.234,56 €", "$1,234.56", "¥337.50", "EUR 12.00", "1 234,56 kr", "(12.50)", "-US$ 5", "12,-", "100元"),
        "CHF 1'234.50",
    ],
}
WRONG: dict[str, list[Any]] = {
    "cn-id-card": [
        *("110105194912310021", "11010519491331002X", "440524188001010015", "360426199101010070", "36042619910101007"),
        *("4107281991****5515", "990105194912310021", "11010519491231002Y", "130503670401001", True),
    ],
    "bank-card": [
        *("4242 4242 4242 4243", "4000 0566 5566 56", "5555555555554445", "378282246310006", "6011111111111171"),
        *("0000000000000000", "4242O42424242424", "42", "123456789012345678901", ["4242424242424242"]),
    ],
    "iban": [
        *("GB82 WEST 1234 5698 7654 33", "DE89370400440532013001", "FR14 2004 1010 0505 0001 3M02 60"),
        *("XX82WEST12345698765432", "NL91ABNA0417164301", "ES9121000418450200051323", "GB82WEST1234569876543"),
        *("89370400440532013000", "DE8937040044O532013000", "CH93 0076 2011 6238 5295 71"),
    ],
    "bic": [
        *(
            "DEUTDEF",
            "DEUTDEFF5",
            "DEUTDEFF5000",
            "DEU1DEFF",
            "DEUT1EFF",
            "AGRIF2PP",
            "AGRIXQPP",
            "DEUTDEFF-50",
            "DEUT",
        ),
        "1CBKCNBJ",
    ],
    "vat": [
        *("DE136695978", "ATU13585626", "BE0428759498", "ESB58378432", "PL8567346216", "SE123456789702", "LU15027443"),
        *("IT00743110158", "VAT", "12"),
    ],
    "vat-gb": [
        *("GB980780685", "DE136695976", "98078068", "GB 220 4302 32", "GB", "GB802311783", "FR61954506077", "GBGD800"),
        *("980-780-648", "980 780 68O"),
    ],
    "isbn": [
        *("978-0-306-40615-8", "0-306-40615-3", "9783161484101", "0804429570", "978-1-86197-867-9", "1-85798-218"),
        *("977-0-306-40615-7", "97803064061", "isbn", "978-0-306-4O615-7"),
    ],
    "date": [
        *("15/11/2019", "2019-11-31", "2023-02-29", "2024-13-01", "2024-00-10", "20241114", "2024-1-1", "14.11.2024"),
        *("2024-W46-4", "2024-11-14T11:46"),
    ],
    "time": [
        *("24:00", "11:60", "1146", "11.46", "9:05", "11:46 pm", "11:46:60", "11:46+25:00", "11:46:00.", "noon"),
    ],
    "date-time": [
        *("2024-11-14", "11:46", "2023-02-29 11:46", "2024-11-14 24:00", "14.11.2024 11:46", "2024-11-14  11:46"),
        *("2024-11-14T1146", "2024-11-14_11:46", "2024-11-14 11:46 Uhr", 20241114),
    ],
    "number": [
        *("1.234.56", "1,234,56", "12,34,56", "12²", "O.50", "l2", "1.2.3", "½", "12 €", "1 23 456"),
    ],
    "currency-amount": [
        *("1.234.56 €", "EUR", "12.00 EUR 3", "TAX 12.00", "$1,23.45.6", "(-12)", "--12", "12 50", "7 %", "see above"),
    ],
}


@pytest.mark.parametrize("name", RIGHT)
def test_ten_right_and_ten_wrong_values_of_each_format(name: str) -> None:
    rules = {"properties": {"Field": {"format": name}}}
    check_rules(rules)
    found = {value: not problems({"Field": value}, rules) for value in map(hashable, RIGHT[name])}
    assert found == dict.fromkeys(found, True)
    assert len(found) == 10
    wrong = {str(value): bool(problems({"Field": value}, rules)) for value in WRONG[name]}
    assert wrong == dict.fromkeys(wrong, True)
    assert len(wrong) == 10


def hashable(value: Any) -> Any:
    assert not isinstance(value, list)
    return value


def test_every_format_is_in_the_table() -> None:
    of_countries = {f"vat-{country}" for country in VAT_COUNTRIES}
    assert set(FORMATS) - of_countries - {"email"} == set(RIGHT) - of_countries == set(WRONG) - of_countries


def test_every_country_has_its_check() -> None:
    vat = {"at": "U13585627", "be": "0428759497", "de": "136695976", "es": "B58378431", "lu": "15027442"}
    vat |= {"el": "094259216", "dk": "13585628", "fi": "20774740", "fr": "61954506077", "ie": "6433435F"}
    vat |= {"nl": "004495445B01", "pt": "501964843", "ch": "CHE107787577IVA", "no": "995525828MVA", "pl": "8567346215"}
    for country, right in vat.items():
        assert meets(f"vat-{country}", right), country
        assert country == "ch" or meets("vat", f"{country.upper()}{right}"), country
    for country in VAT_COUNTRIES:
        assert not meets(f"vat-{country}", "1")


@given(
    st.sampled_from(["cn-id-card", "bank-card", "iban", "isbn"]),
    st.integers(0, 9),
    st.integers(0, 40),
    st.integers(1, 9),
)
def test_one_misread_digit_is_found(name: str, which: int, where: int, by: int) -> None:
    text = str(RIGHT[name][which]).upper().removeprefix("ISBN-10:").removeprefix("ISBN")
    places = [place for place, letter in enumerate(text) if letter.isascii() and letter.isdecimal()]
    place = places[where % len(places)]
    misread = text[:place] + str((int(text[place]) + by) % 10) + text[place + 1 :]
    assert meets(name, text)
    assert not meets(name, misread)


@given(st.sampled_from(FORMATS[2:]), st.one_of(st.text(), st.integers(), st.floats(), st.lists(st.text()), st.none()))
def test_every_value_has_an_answer(name: str, value: Any) -> None:
    assert meets(name, value) in {True, False}


@given(st.decimals(-(10**9), 10**9, places=2), st.sampled_from(["€ {}", "{} EUR", "{}", "USD {}", "{} kr."]))
def test_an_amount_is_read_as_it_was_written(value: Decimal, form: str) -> None:
    point = f"{abs(value):,.2f}"
    comma = point.translate(str.maketrans(",.", ".,"))
    sign = "-" if value < 0 else ""
    assert amount(sign + form.format(point), Convention.POINT) == value
    assert amount(sign + form.format(comma), Convention.COMMA) == value
    assert amount(form.format(point.replace(",", "\u202f")), Convention.POINT) == abs(value)
    assert number(f"{comma}-", Convention.COMMA) == -abs(value)


def test_the_documentation_asks_to_check_id_cards_and_bank_cards() -> None:
    """ "Going live": "use format validation for ID card and bank card numbers"."""
    rules = {"properties": {"ID card": {"format": "cn-id-card"}, "Bank card": {"format": "bank-card"}}}
    assert problems({"ID card": "11010519491231002X", "Bank card": "6200 0000 0000 0005"}, rules) == []
    assert problems({"ID card": "110105194912310021", "Bank card": "6200 0000 0000 0006"}, rules) == [
        ("ID card", "format"),
        ("Bank card", "format"),
    ]
    assert judged(extracted({"ID card": "110105194912310021"}), rules).output["fields"] == {
        "ID card": "110105194912310021"
    }
