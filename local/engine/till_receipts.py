"""Till receipts have no labels for well-known parts: the shop at the head, its address, the day, the lines bought.

Each value is text of the page as it was read, at a receipt's usual place; a missing one stays null.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from local.engine.recognition.page import Line

Row = Sequence[Line]

SHOP = frozenset({"shop", "store", "merchant", "shop name", "store name", "merchant name"})
ADDRESS = frozenset({"address", "shop address", "store address", "merchant address"})
ROLES = {
    "article": frozenset({"article", "item", "product", "description", "goods", "name"}),
    "quantity": frozenset({"quantity", "qty", "count", "pieces"}),
    "unit price": frozenset({"unit price", "price per unit", "single price"}),
    "price": frozenset({"price", "amount", "total", "line total", "total price"}),
}
AMOUNT = re.compile(r"(?:[€$£¥]\s?|[A-Z]{3}\s)?(-?\d{1,6}[.,]\d{2})(?:\s?[A-Z*€]{1,3})?")
UNIT_PRICE = re.compile(r"[@x×à]\s*(\d{1,6}[.,]\d{2})")
BOUGHT = re.compile(r"(?:(?P<quantity>\d{1,3})\s*[x×*]?\s+)?(?P<article>\D.*)")
# After the lines that were bought. A receipt in another language has no lines here.
SUMS = re.compile(r"(?:sub|grand\s)?\s*-?total|balance|amount due|net\b|vat\b|tax\b|sum\b|cash\b|card\b", re.IGNORECASE)
CONTACT = re.compile(r"(?:tel|phone|fax|www|http|vat|tax|e-?mail|receipt|till|date)\b", re.IGNORECASE)
DAY = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}")
HEADLINE = 1.2
"""A shop's name is so much higher than the middle line of the page."""
ADDRESS_ROWS = 3


def head(rows: Sequence[Row]) -> tuple[str | None, str | None]:
    """The shop's name and its address, from the rows above the first of another kind."""
    heights = sorted(line.box.height for row in rows for line in row)
    if not heights or len(rows[0]) != 1:
        return None, None
    name = rows[0][0]
    if name.box.height < HEADLINE * heights[len(heights) // 2] or any(letter.isdigit() for letter in name.text):
        return None, None
    below = [" ".join(line.text for line in row) for row in rows[1 : 1 + ADDRESS_ROWS]]
    address = list(
        takewhile(lambda text: not (CONTACT.match(text) or DAY.search(text) or AMOUNT.fullmatch(text)), below)
    )
    found = ", ".join(address)
    return name.text, found if any(letter.isdigit() for letter in found) else None


def lines_bought(keys: Sequence[str], rows: Sequence[Row]) -> list[dict[str, str | None]]:
    """The rows of an article and its price above the sums; none if the keys are not those of a receipt's lines."""
    roles = {key: role for key in keys for role, names in ROLES.items() if plain(key) in names}
    if not {"article", "price"} <= set(roles.values()):
        return []
    bought: list[dict[str, str | None]] = []
    for row in rows:
        if SUMS.match(row[0].text):
            break
        if found := line_bought([line.text for line in row]):
            bought.append({key: found.get(roles.get(key, "")) for key in keys})
    return bought


def line_bought(texts: Sequence[str]) -> dict[str, str | None] | None:
    price = AMOUNT.fullmatch(texts[-1].strip()) if len(texts) > 1 else None
    if price is None:
        return None
    between = [UNIT_PRICE.fullmatch(text.strip()) for text in texts[:-1]]
    said = " ".join(text for text, unit in zip(texts[:-1], between, strict=True) if unit is None)
    article = BOUGHT.fullmatch(said)
    if article is None or not any(letter.isalpha() for letter in said):
        return None
    unit = next((unit[1] for unit in between if unit), None)
    return {"article": article["article"], "quantity": article["quantity"], "unit price": unit, "price": price[1]}


def plain(key: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", key).lower().split())
