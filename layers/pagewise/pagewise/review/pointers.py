"""A value's place in a task's result, as a JSON Pointer (RFC 6901): `/fields/Items/0/Price`."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Scalar = str | int | float | bool | None
# As deep as a result schema may nest, with a list at each layer, and twice as much.
MOST_LAYERS = 24


class NoSuchPlace(ValueError):
    """The result has nothing there that could be corrected."""


def pointer(parts: Sequence[str | int]) -> str:
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def parts_of(place: str) -> list[str]:
    """Raises NoSuchPlace."""
    if not place.startswith("/"):
        raise NoSuchPlace(place)
    return [part.replace("~1", "/").replace("~0", "~") for part in place[1:].split("/")]


def scalars(value: Any, parts: tuple[str | int, ...] = ()) -> Iterator[tuple[tuple[str | int, ...], Scalar]]:
    """All values that are neither objects nor lists, null among them, in order."""
    if len(parts) > MOST_LAYERS:
        return
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from scalars(member, (*parts, str(name)))
    elif isinstance(value, list):
        for number, member in enumerate(value):
            yield from scalars(member, (*parts, number))
    else:
        yield parts, value


def found(output: Mapping[str, Any], place: str) -> Scalar:
    """The value there; None where there is none. Raises NoSuchPlace where an object or a list is."""
    here: Any = output
    for part in parts_of(place):
        if isinstance(here, Mapping):
            here = here.get(part)
        elif isinstance(here, list) and part.isdecimal() and int(part) < len(here):
            here = here[int(part)]
        else:
            return None
    if isinstance(here, Mapping | list):
        raise NoSuchPlace(place)
    value: Scalar = here
    return value


def put(output: Mapping[str, Any], place: str, value: Scalar) -> dict[str, Any]:
    """A copy with this value there: in place of another, as a further member of an object, or at the end of a list.
    Raises NoSuchPlace."""
    whole = copy.deepcopy(dict(output))
    *way, last = parts_of(place)
    here: Any = whole
    for part in way:
        here = member(here, part, place)
    if isinstance(here, dict) and not isinstance(here.get(last), dict | list):
        here[last] = value
    elif isinstance(here, list) and last.isdecimal() and int(last) <= len(here):
        number = int(last)
        if number < len(here) and isinstance(here[number], dict | list):
            raise NoSuchPlace(place)
        here[number : number + 1] = [value]
    else:
        raise NoSuchPlace(place)
    return whole


def member(here: Any, part: str, place: str) -> Any:
    """An object that is not there yet is made: a row that the machine has missed."""
    if isinstance(here, dict):
        if here.get(part) is None:
            here[part] = {}
        return here[part]
    if isinstance(here, list) and part.isdecimal() and int(part) <= len(here):
        if int(part) == len(here):
            here.append({})
        return here[int(part)]
    raise NoSuchPlace(place)
