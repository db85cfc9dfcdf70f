"""From JSON to the dataclasses of answers.py: what is there must fit, what is not known is left out."""

from __future__ import annotations

import types
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from pagewise_client.errors import UnexpectedAnswer

T = TypeVar("T")
PLAIN: dict[Any, Any] = {str: str, int: int, float: (int, float), bool: bool}


class Unfit(ValueError):
    """A value is not of the kind that is wanted; the message is its place."""


def loaded(kind: type[T], value: Any) -> T:
    """Raises UnexpectedAnswer."""
    try:
        fit: T = fitted(value, kind, "")
    except Unfit as place:
        raise UnexpectedAnswer(
            f"The server's answer is not this version's: {place or 'it'} is missing or of another kind. "
            "Look whether the address is a Pagewise API's, and whether there is a newer pagewise-client."
        ) from None
    return fit


def fitted(value: Any, kind: Any, place: str) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return value
    if origin in (types.UnionType, Union):
        return of_any_kind(value, get_args(kind), place)
    if origin is tuple and isinstance(value, list):
        return tuple(fitted(one, get_args(kind)[0], f"{place}/{number}") for number, one in enumerate(value))
    if origin is Mapping and isinstance(value, dict):
        return {name: fitted(one, get_args(kind)[1], f"{place}/{name}") for name, one in value.items()}
    if is_dataclass(kind) and isinstance(value, dict):
        return member_by_member(value, kind, place)
    return plain(value, kind, place)


def of_any_kind(value: Any, kinds: tuple[Any, ...], place: str) -> Any:
    """Of the first kind that it fits: an enumeration stands before the text that a newer word of it is."""
    if value is None and type(None) in kinds:
        return None
    for kind in kinds[:-1]:
        try:
            return fitted(value, kind, place)
        except Unfit:
            continue
    return fitted(value, kinds[-1], place)


def member_by_member(value: Mapping[str, Any], kind: Any, place: str) -> Any:
    kinds = hints(kind)
    members = {}
    for member in fields(kind):
        if member.name in value:
            members[member.name] = fitted(value[member.name], kinds[member.name], f"{place}/{member.name}")
        elif is_needed(member):
            raise Unfit(f"{place}/{member.name}")
    return kind(**members)


def is_needed(member: Field[Any]) -> bool:
    return member.default is MISSING and member.default_factory is MISSING


def plain(value: Any, kind: Any, place: str) -> Any:
    if kind in PLAIN:
        if not isinstance(value, PLAIN[kind]) or (isinstance(value, bool) and kind is not bool):
            raise Unfit(place)
        return value
    if not isinstance(value, str) or not isinstance(kind, type):
        raise Unfit(place)
    try:
        if issubclass(kind, datetime):
            return kind.fromisoformat(value)
        if issubclass(kind, Enum):
            return kind(value)
    except ValueError:
        pass
    raise Unfit(place)


@cache
def hints(kind: Any) -> dict[str, Any]:
    return get_type_hints(kind)
