"""JSON that every reader reads alike (RFC 8259, I-JSON: RFC 7493), made of the wider JSON that Python's reader takes.

| in the text | becomes |
| --- | --- |
| NaN, Infinity, -Infinity | null |
| a number that a double cannot hold as it is written: beyond 2^53, 1e999, 20 decimals | its own text |
| half a pair of surrogates; U+FFFE, U+FFFF, which SQS refuses | U+FFFD |
| a second member of the same name | a member `name (2)`, unless it says the same as the first |
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

# .NET's reader takes 64 layers by default, Jackson 1,000; a result has a few layers of its own.
MOST_LAYERS = 60
# Number.MAX_SAFE_INTEGER of JavaScript.
LARGEST_INTEGER = 2**53 - 1
# No reader agrees with another on longer ones, and Python takes quadratic time for them.
LONGEST_NUMBER = 400
UNFIT = re.compile("[\ud800-\udfff\ufffe\uffff]")
REPLACEMENT = "\N{REPLACEMENT CHARACTER}"


class TooDeep(ValueError):
    """More than MOST_LAYERS of objects and lists lie in each other."""


def parsed(text: str) -> Any:
    """The value of a text, of any depth; strings may still hold unfit characters. Raises ValueError."""
    try:
        return json.loads(
            text, parse_int=integer, parse_float=fraction, parse_constant=lambda _name: None, object_pairs_hook=members
        )
    except RecursionError:
        raise TooDeep("The text nests too deep.") from None


def loaded(text: str) -> Any:
    """The value of a text as by `parsed`, and sound. Raises ValueError."""
    return sound(parsed(text))


def given(text: str) -> Any:
    """The value of a text that a person wrote and can mend: a part that `loaded` would replace raises ValueError."""
    try:
        value = json.loads(text, parse_constant=refused)
        dumped(value).encode()  # numbers beyond every range, half a pair of surrogates
        return sound(value)
    except RecursionError:
        raise TooDeep("The text nests too deep.") from None


def refused(name: str) -> Any:
    raise ValueError(f"{name} is no JSON.")


def sound(value: Any, layers: int = MOST_LAYERS) -> Any:
    """A value that can be dumped, stored and read again anywhere. Raises TooDeep; TypeError for no JSON value."""
    match value:
        case None | bool():
            return value
        case str():
            return fit(value)
        case int():
            return value if abs(value) <= LARGEST_INTEGER else digits(value)
        case float():
            return value if math.isfinite(value) else None
    if layers == 0:
        raise TooDeep("The value nests too deep.")
    if isinstance(value, Mapping):
        return members([(fit(str(name)), sound(member, layers - 1)) for name, member in value.items()])
    if isinstance(value, list | tuple):
        return [sound(member, layers - 1) for member in value]
    raise TypeError(f"{type(value).__name__} is no JSON.")


def fit(text: str) -> str:
    """A text that UTF-8, SQS and XML can carry."""
    return UNFIT.sub(REPLACEMENT, text)


def as_text(value: Any) -> str:
    """A text as it is, any other value as its JSON; empty for null."""
    if value is None:
        return ""
    if isinstance(value, str):
        return fit(value)
    try:
        return dumped(sound(value))
    except TooDeep:
        return ""


def dumped(value: Any, indent: int | None = None) -> str:
    """The text of a value. Raises ValueError for a number outside JSON."""
    separators = (",", ":") if indent is None else None
    return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=indent, separators=separators)


def members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object that loses no member to another of the same name."""
    found = dict(pairs)
    if len(found) == len(pairs):
        return found
    found.clear()
    copies: dict[str, int] = {}
    for name, value in pairs:
        place = name
        while place in found and not same(found[place], value):
            copies[name] = copies.get(name, 1) + 1
            place = f"{name} ({copies[name]})"
        found[place] = value
    return found


def same(one: Any, other: Any) -> bool:
    try:
        return type(one) is type(other) and bool(one == other)
    except RecursionError:
        return False


def integer(literal: str) -> int | str:
    if len(literal) > LONGEST_NUMBER:
        return literal
    value = int(literal)
    return value if abs(value) <= LARGEST_INTEGER else literal


def fraction(literal: str) -> float | str:
    """The number, if a double prints the same digits; zeros at the end do not count."""
    if len(literal) > LONGEST_NUMBER:
        return literal
    value = float(literal)
    if not math.isfinite(value):
        return literal
    try:
        return value if Decimal(repr(value)) == Decimal(literal) else literal
    except InvalidOperation:
        return literal


def digits(value: int) -> str:
    """Decimal, or hexadecimal where Python refuses to write so many digits."""
    try:
        return str(value)
    except ValueError:
        return hex(value)


def nests(value: Any, layers: int) -> bool:
    """Whether no more than so many layers of objects and lists lie in each other."""
    if not isinstance(value, Mapping | list):
        return True
    inner = value.values() if isinstance(value, Mapping) else value
    return layers > 0 and all(nests(member, layers - 1) for member in inner)
