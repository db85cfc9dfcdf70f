"""Fields and the places they were read at; the document's fields from all its pages."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pagewise.model import Group
from pagewise.outputs.fields import fields_json, grounded
from pagewise.outputs.grounding import lines_of, place_of
from pagewise.tasks import Task
from tests.outputs.making import line, page_of, recognized_lines, result

TRUTH = Path(__file__).parents[3] / "shared/corpus/ground_truth"

RECEIPT = [
    line("ACME TRADING SDN BHD", 100, 50, 500),
    line("(961394-X)", 200, 100, 200),
    line("12, JALAN TAMPOI 7/4,", 100, 150, 400),
    line("81200 JOHOR BAHRU, JOHOR", 100, 190, 450),
    line("Date:", 50, 250, 100),
    line("16/04/2018 18:10", 200, 250, 300),
    line("TOTAL DISCOUNT", 50, 400, 250),
    line("8.90", 500, 400, 100),
    line("TOTAL", 50, 450, 120),
    line("RM8.90", 500, 450, 120),
    line("CASH", 50, 500, 100),
    line("RM1,000.00", 500, 500, 180),
    line("CHANGE", 50, 550, 150),
    line("991.10", 500, 550, 120),
]


def found(name: str, value: Any) -> tuple[int, ...] | None:
    place = place_of(name, value, lines_of(RECEIPT))
    return place.lines if place else None


@pytest.mark.parametrize(
    ("name", "value", "numbers"),
    [
        ("company", "ACME TRADING SDN BHD", (1,)),
        ("company", "Acme Trading Sdn. Bhd.", (1,)),
        ("company", "ACME TRADNG SDN BHD", (1,)),
        ("address", "12, JALAN TAMPOI 7/4, 81200 JOHOR BAHRU, JOHOR", (3, 4)),
        ("date", "16/04/2018", (6,)),
        ("date", "2018-04-16", (6,)),
        ("date", "16 April 2018", (6,)),
        ("total", "8.90", (10,)),
        ("total", 8.9, (10,)),
        ("discount", "8.90", (8,)),
        ("cash", "1000", (12,)),
        ("cash", "1.000,00", (12,)),
        ("change", "991.1", (14,)),
        ("company", "SOMEONE ELSE LTD", None),
        ("date", "17/04/2018", None),
        ("total", "9.90", None),
        ("total", "8.9012", None),
        ("total", "90", None),
        ("paid", True, None),
        ("note", "", None),
        ("note", "---", None),
    ],
)
def test_a_value_is_found_where_it_was_read_or_nowhere(name: str, value: Any, numbers: tuple[int, ...] | None) -> None:
    assert found(name, value) == numbers


def test_a_field_has_the_lines_quadrilateral_and_null_without_a_match() -> None:
    page = page_of(
        1,
        recognized_lines(1, RECEIPT),
        result(
            1,
            Task.KEY_INFORMATION_EXTRACTION,
            fields={"total": "8.90", "signed_by": "nobody", "missing": "null", "note": None},
        ),
    )
    shown = fields_json("document", [page])
    assert shown["fields"]["total"]["location"] == RECEIPT[9]["location"]
    assert shown["fields"]["total"]["text"] == "RM8.90"
    assert shown["fields"]["signed_by"]["location"] is None
    assert "missing" not in shown["fields"]
    assert "note" not in shown["fields"]


def test_without_lines_nothing_has_a_place() -> None:
    (field,) = grounded(page_of(1, result(1, Task.KEY_INFORMATION_EXTRACTION, fields={"total": "8.90"})))
    assert field.place is None


def test_pages_are_merged_and_what_differs_is_listed() -> None:
    pages = [
        page_of(
            1,
            result(
                1,
                Task.KEY_INFORMATION_EXTRACTION,
                fields={"number": "A-1", "date": "2024", "items": [{"name": "a"}, {"name": "b"}]},
            ),
        ),
        page_of(
            2,
            result(
                2, Task.KEY_INFORMATION_EXTRACTION, fields={"number": "a 1", "date": "2025", "items": [{"name": "c"}]}
            ),
        ),
    ]
    shown = fields_json("document", pages)
    assert [shown["fields"][f"items[{place}].name"]["value"] for place in range(3)] == ["a", "b", "c"]
    assert shown["fields"]["number"]["conflict"] is False
    assert shown["conflicts"] == [
        {"field": "date", "values": [{"value": "2024", "page": 1}, {"value": "2025", "page": 2}]}
    ]


def test_deep_and_many_fields_end() -> None:
    deep: Any = "value"
    for _ in range(200):
        deep = {"a": deep}
    assert (
        fields_json("document", [page_of(1, result(1, Task.KEY_INFORMATION_EXTRACTION, fields={"deep": deep}))])[
            "fields"
        ]
        == {}
    )
    many = {f"field{number}": "8.90" for number in range(5000)}
    page = page_of(1, recognized_lines(1, RECEIPT * 5), result(1, Task.KEY_INFORMATION_EXTRACTION, fields=many))
    assert len(fields_json("document", [page])["fields"]) == 2000


@pytest.mark.skipif(not TRUTH.exists(), reason="the corpus is not here")
@pytest.mark.parametrize("name", ["A04_248.jpg", "A05_429.jpg"])
def test_the_fields_of_real_receipts_are_found_where_people_boxed_them(name: str) -> None:
    rows = [row for row in csv.reader((TRUTH / f"{name}.boxes.csv").read_text(encoding="utf-8").splitlines()) if row]
    lines = [{"text": ",".join(row[8:]), "location": [float(number) for number in row[:8]]} for row in rows]
    fields = json.loads((TRUTH / f"{name}.fields.json").read_text(encoding="utf-8"))
    places = {field: place_of(field, value, lines_of(lines)) for field, value in fields.items()}
    for field, place in places.items():
        assert place is not None, field
        squeezed = "".join(filter(str.isalnum, place.text.upper()))
        assert "".join(filter(str.isalnum, fields[field].upper())) in squeezed


def test_fields_of_a_call_about_several_pages_stand_where_their_lines_are() -> None:
    group = Group((1, 2, 3), holder=1)
    fields = {"Number": "A-17", "Total": "991.10", "Buyer": "Nobody Ltd"}
    answer = replace(result(1, Task.KEY_INFORMATION_EXTRACTION, fields=fields), group=group)
    pointing = [replace(result(n, Task.KEY_INFORMATION_EXTRACTION), group=group) for n in (2, 3)]
    lines = {1: "Invoice A-17", 2: "carried over", 3: "Total 991.10"}
    read = [recognized_lines(n, [line(text, 100, 100, 300)]) for n, text in lines.items()]
    pages = [page_of(n, one, extracted) for n, one, extracted in zip(lines, read, [answer, *pointing], strict=True)]
    shown = fields_json("d", [*pages, page_of(4, recognized_lines(4, [line("Nobody Ltd", 0, 0, 90)]))])["fields"]
    assert {name: (one["page"], one["text"]) for name, one in shown.items()} == {
        "Number": (1, "Invoice A-17"), "Total": (3, "Total 991.10"), "Buyer": (None, None),
    }  # fmt: skip
