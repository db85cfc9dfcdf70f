"""Tables that a page break has cut."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from pagewise.outputs.blocks import DrawnCell, Table, laid_out
from pagewise.outputs.joining import FoundTable, joined_tables

HEAD = ["No.", "Description", "Quantity", "Price"]


WORDS = [
    "bolt",
    "nut",
    "washer",
    "screw",
    "bracket",
    "hinge",
    "panel",
    "cable",
    "switch",
    "lamp",
    "motor",
    "valve",
    "filter",
    "gasket",
    "bearing",
    "spring",
]


def rows_of(count: int, first: int = 1, numbered: bool = True, seed: int = 1) -> list[list[str]]:
    chance = random.Random(seed)
    return [
        [
            str(first + n) if numbered else chance.choice(WORDS),
            " ".join(chance.sample(WORDS, 2)),
            str(chance.randint(1, 99)),
            f"{chance.randint(100, 9999) / 100:.2f}",
        ]
        for n in range(count)
    ]


def made(rows: list[list[str]], head: list[str] | None = None, caption: str = "", marked: bool = False) -> Table:
    drawn = [[DrawnCell(text, header=marked) for text in head]] if head else []
    return laid_out([*drawn, *[[DrawnCell(text) for text in row] for row in rows]], caption)


COLUMNS_AT = (0.1, 0.2, 0.6, 0.8)


def first_part(table: Table, page: int = 1, last: bool | None = True, bottom: float | None = 0.93) -> FoundTable:
    return FoundTable(page, table, False, last, bottom, COLUMNS_AT)


def next_part(table: Table, page: int = 2, first: bool | None = True, at: tuple[float, ...] = COLUMNS_AT) -> FoundTable:
    return FoundTable(page, table, first, False, 0.5, at)


def split(
    count: int, at: int, numbered: bool = True, seed: int = 1
) -> tuple[list[list[str]], list[list[str]], list[list[str]]]:
    rows = rows_of(count, numbered=numbered, seed=seed)
    return rows, rows[:at], rows[at:]


def split_cases() -> list[tuple[str, list[FoundTable], list[list[str]]]]:
    cases: list[tuple[str, list[FoundTable], list[list[str]]]] = []

    def add(name: str, parts: list[FoundTable], rows: list[list[str]]) -> None:
        cases.append((name, parts, [HEAD, *rows]))

    rows, one, two = split(30, 18)
    add(
        "header repeated, marked",
        [first_part(made(one, HEAD, marked=True)), next_part(made(two, HEAD, marked=True))],
        rows,
    )
    rows, one, two = split(30, 18, numbered=False)
    add("header repeated, unmarked", [first_part(made(one, HEAD)), next_part(made(two, HEAD))], rows)
    add("no header, columns aligned", [first_part(made(one, HEAD)), next_part(made(two))], rows)
    rows, one, two = split(40, 25)
    add("numbering goes on, nothing known of places", [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two))], rows)
    add("numbering goes on, header repeated", [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two, HEAD))], rows)
    rows, one, two = split(26, 25)
    add("a single row left over", [first_part(made(one, HEAD)), next_part(made(two))], rows)
    rows, one, two = split(30, 20, numbered=False, seed=3)
    add(
        "said to be continued",
        [FoundTable(1, made(one, HEAD, "Table 3: Stock")), FoundTable(2, made(two, HEAD, "Table 3 (continued)"))],
        rows,
    )
    add("the same caption again", [first_part(made(one, HEAD, "Stock")), next_part(made(two, HEAD, "Stock"))], rows)
    rows = rows_of(60)
    add(
        "over three pages",
        [
            first_part(made(rows[:20], HEAD)),
            FoundTable(2, made(rows[20:40], HEAD), True, True, 0.95, COLUMNS_AT),
            next_part(made(rows[40:], HEAD), 3),
        ],
        rows,
    )
    rows, one, two = split(20, 12, numbered=False, seed=5)
    total = [*two, ["Total", "", "99", "1234.00"]]
    add("a total at its very end", [first_part(made(one, HEAD)), next_part(made(total, HEAD))], [*one, *total])
    rows, one, two = split(22, 11, numbered=False, seed=6)
    add(
        "a single column of difference in case",
        [first_part(made(one, HEAD)), next_part(made(two, ["NO.", "Description ", "quantity", "Price"]))],
        rows,
    )
    rows, one, two = split(24, 14, numbered=False, seed=7)
    add(
        "nothing but the header repeats (no proof that it is last)",
        [FoundTable(1, made(one, HEAD)), FoundTable(2, made(two, HEAD))],
        rows,
    )
    return cases


SPLIT = split_cases()


def test_nine_of_twelve_split_tables_come_back_whole() -> None:
    exact = [name for name, parts, rows in SPLIT if [table.table.grid() for table in joined_tables(parts)] == [rows]]
    assert len(SPLIT) == 12
    assert len(exact) >= 11, {name for name, _, _ in SPLIT} - set(exact)


def neighbours() -> list[tuple[str, FoundTable, FoundTable]]:
    cases: list[tuple[str, FoundTable, FoundTable]] = []
    for seed in range(10):
        one, two = rows_of(12, numbered=False, seed=seed), rows_of(9, numbered=False, seed=seed + 100)
        counted, again = rows_of(12, seed=seed), rows_of(9, seed=seed + 100)
        head, other = HEAD, ["Name", "Town", "Age", "Pay"]
        cases += [
            ("a caption of its own", first_part(made(one, head)), next_part(made(two, head, f"Table {seed}: More"))),
            (
                "a header of its own, marked",
                first_part(made(one, head, marked=True)),
                next_part(made(two, other, marked=True)),
            ),
            ("a header of its own", first_part(made(one, head)), next_part(made(two, other))),
            ("numbering begins anew", first_part(made(counted, head)), next_part(made(again, head))),
            (
                "a total at the first's end",
                first_part(made([*one, ["Total", "", "9", "9.99"]], head)),
                next_part(made(two, head)),
            ),
            ("text before the second", first_part(made(one, head)), next_part(made(two, head), first=False)),
            ("text after the first", first_part(made(one, head), last=False), next_part(made(two, head))),
            ("room left under the first", first_part(made(one, head), bottom=0.4), next_part(made(two, head))),
            ("a page between", first_part(made(one, head)), next_part(made(two, head), page=3)),
            (
                "one column more",
                first_part(made(one, head)),
                next_part(made([[*row, "x"] for row in two], [*head, "Note"])),
            ),
            (
                "columns elsewhere, no header",
                first_part(made(one, head)),
                next_part(made(two), at=(0.1, 0.3, 0.5, 0.8)),
            ),
            (
                "other kinds of columns",
                first_part(made(one, head)),
                next_part(made([[row[3], row[2], row[1], row[0]] for row in two])),
            ),
            ("forms without proof", FoundTable(1, made(one, head)), FoundTable(2, made(two, head))),
        ]
    return cases


def test_no_neighbours_are_joined() -> None:
    pairs = neighbours()
    assert len(pairs) >= 50
    assert [name for name, one, two in pairs if len(list(joined_tables([one, two]))) != 2] == []


@given(st.integers(2, 6), st.integers(2, 12), st.integers(1, 12), st.integers(0, 1000))
def test_joining_loses_no_row(columns: int, before: int, after: int, seed: int) -> None:
    chance = random.Random(seed)

    def words(count: int) -> list[list[str]]:
        return [[str(chance.randint(0, 9)) for _ in range(columns)] for _ in range(count)]

    one, two = made(words(before)), made(words(after))
    tables = list(joined_tables([FoundTable(1, one, True, True), FoundTable(2, two, True, True)]))
    assert sum(table.table.rows for table in tables) in {one.rows + two.rows, one.rows + two.rows - 1}
