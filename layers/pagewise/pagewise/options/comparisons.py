"""Rules between fields, as two keywords of our own beside JSON Schema's.

    "sums":  [{"of": ["Lines/Price", "Tip"], "equals": "Total", "tolerance": 0.01}]
    "order": [{"first": "Invoice date", "then": "Due date"}]

A path goes through objects by `/`, and through every member of a list. A missing field is no part of a sum; a missing
total, and a missing date, are compared with nothing. A field that is there and cannot be read breaks the rule.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pagewise.options.amounts import Convention, amount
from pagewise.options.formats import moment

SUMS, ORDER = "sums", "order"
# The order's two dates may be the same, unless it says "same": false.
OF_SUMS = {"of", "equals", "tolerance"}
OF_ORDER = {"first", "then", "same"}


def broken_sums(wanted: Sequence[Mapping[str, Any]], fields: Any) -> Iterator[str]:
    """The totals that differ from the sum of their parts."""
    for rule in wanted:
        parts = [value for path in rule["of"] for value in at(fields, path)]
        totals = at(fields, rule["equals"])
        tolerance = Decimal(str(rule.get("tolerance", 0)))
        if parts and totals and not any(adds_up(parts, totals, tolerance, convention) for convention in Convention):
            yield rule["equals"]


def adds_up(parts: Sequence[Any], totals: Sequence[Any], tolerance: Decimal, convention: Convention) -> bool:
    """Whether all of them are amounts in one convention and the parts come to each total, but for the tolerance."""
    found = [amount(part, convention) for part in parts]
    wanted = [amount(total, convention) for total in totals]
    if None in found or None in wanted:
        return False
    total = sum((part for part in found if part is not None), Decimal())
    return all(abs(total - one) <= tolerance for one in wanted if one is not None)


def broken_order(wanted: Sequence[Mapping[str, Any]], fields: Any) -> Iterator[str]:
    """The later dates that are earlier."""
    for rule in wanted:
        earlier, later = at(fields, rule["first"]), at(fields, rule["then"])
        if not all(follows(one, other, same=rule.get("same", True)) for one in earlier for other in later):
            yield rule["then"]


def follows(earlier: Any, later: Any, *, same: bool) -> bool:
    """Whether the dates come in this order: by their days where one of them has no time, or one of them no zone."""
    first, then = moment(earlier), moment(later)
    if first is None or then is None:
        return False
    if first[1] and then[1] and (first[1].tzinfo is None) == (then[1].tzinfo is None):
        return first[1] < then[1] or (same and first[1] == then[1])
    return first[0] < then[0] or (same and first[0] == then[0])


def at(fields: Any, path: str) -> list[Any]:
    """The values at a path; a field's own name may have a slash."""
    if isinstance(fields, list):
        return [value for member in fields for value in at(member, path)]
    if not isinstance(fields, Mapping):
        return []
    if path in fields:
        value = fields[path]
        return list(value) if isinstance(value, list) else [value]
    return [
        value for name in fields if path.startswith(f"{name}/") for value in at(fields[name], path[len(name) + 1 :])
    ]


def paths(rules: Mapping[str, Any]) -> Iterator[str]:
    """The fields that comparisons name, of rules that were checked."""
    for rule in rules.get(SUMS, ()):
        yield from (*rule["of"], rule["equals"])
    for rule in rules.get(ORDER, ()):
        yield from (rule["first"], rule["then"])


def fault(rules: Mapping[str, Any]) -> str | None:
    """The fault of the comparisons among these rules, in a sentence."""
    if SUMS in rules and not is_list(rules[SUMS], is_sum):
        return (
            'sums is a list of {"of": [fields], "equals": field, "tolerance": number}; the tolerance may be left out.'
        )
    if ORDER in rules and not is_list(rules[ORDER], is_order):
        return 'order is a list of {"first": field, "then": field, "same": true or false}; "same" may be left out.'
    return None


def is_list(value: Any, is_member: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(is_member, value))


def is_path(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def is_sum(rule: Any) -> bool:
    if not isinstance(rule, Mapping) or set(rule) - {"tolerance"} != OF_SUMS - {"tolerance"}:
        return False
    tolerance = rule.get("tolerance", 0)
    counts = isinstance(tolerance, int | float) and not isinstance(tolerance, bool) and 0 <= tolerance < 1e15
    return counts and is_list(rule["of"], is_path) and is_path(rule["equals"])


def is_order(rule: Any) -> bool:
    if not isinstance(rule, Mapping) or set(rule) - {"same"} != OF_ORDER - {"same"}:
        return False
    return is_path(rule["first"]) and is_path(rule["then"]) and isinstance(rule.get("same", True), bool)
