"""A profile's validation rules: a JSON Schema (2020-12) that the fields of a page must meet.

A result that breaks a rule stays recognized; it names the field and the rule, never the page's text.

Rules must come to an end on any fields: patterns are RE2's, since their time grows with the text alone. References
could go round in circles or to the network, and are no rules here. Keywords that JSON Schema would ignore, such as a
misspelt one, are refused: an unchecked rule is worse than none.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from functools import cache, partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from pagewise.errors import Permanent
from pagewise.model import JobStatus, Problem, Result, Validation
from pagewise.options import comparisons
from pagewise.options.formats import FORMATS, NAMES, OF_JSON_SCHEMA, meets
from pagewise.options.spelling import did_you_mean
from pagewise.strict_json import nests
from pagewise.tasks import OUTPUTS, Output

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError
    from jsonschema.protocols import Validator

# Keywords by their values: a schema, a list of schemas, schemas by name, any other value.
ONE = frozenset({"additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"})
SEVERAL = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
NAMED = frozenset({"dependentSchemas", "properties"})
OTHERS = frozenset(
    {
        *("$comment", "const", "dependentRequired", "description", "enum", "exclusiveMaximum", "exclusiveMinimum"),
        *("format", "maxContains", "maximum", "maxItems", "maxLength", "maxProperties", "minContains", "minimum"),
        *("minItems", "minLength", "minProperties", "pattern", "required", "title", "type"),
    }
)
# Keywords that no JSON Schema has: checks between fields.
OWN = frozenset({comparisons.SUMS, comparisons.ORDER})
KEYWORDS = ONE | SEVERAL | NAMED | OTHERS | OWN
# false in the place of a schema: nothing else may be there.
CLOSED = frozenset({"additionalProperties", "items"})
# Layers of JSON. A result schema has three; each takes two of rules, and Python takes some hundred.
MAX_LAYERS = 32
# A table of a thousand lines may break a rule in each of them.
MOST_PROBLEMS = 100
# In the place of a name that the rules don't know: it was read off the page.
SOME_FIELD = "*"


def judged(result: Result, rules: Mapping[str, Any] | None) -> Result:
    """The result with the verdict of these rules on its fields. There is none without rules or fields, nor for a blank
    page without a call: it breaks no rule by having none of the fields."""
    unasked = result.look.blank and result.source is None
    of_fields = OUTPUTS[result.task] is Output.FIELDS
    if rules is None or result.status is not JobStatus.RECOGNIZED or not of_fields or unasked:
        return replace(result, validation=None)
    errors = validator(rules).iter_errors(filled(result.output[Output.FIELDS]))
    named = frozenset(names(rules))
    problems = (Problem(place(error.absolute_path, named), str(error.validator)) for error in errors)
    return replace(result, validation=Validation(tuple(dict.fromkeys(islice(problems, MOST_PROBLEMS)))))


def filled(fields: Any) -> Any:
    """The fields that were found. The engine answers a field that the page does not have by null or by empty text: then
    it is missing to a rule that requires it, and of no wrong form to one that does not."""
    if isinstance(fields, dict):
        return {name: filled(value) for name, value in fields.items() if value is not None and not is_blank(value)}
    return [filled(value) for value in fields] if isinstance(fields, list) else fields


def is_blank(value: Any) -> bool:
    return isinstance(value, str) and not value.strip()


def place(path: Iterable[str | int], named: frozenset[str]) -> str | None:
    """A field after those that it lies in, such as `Lines/0/Price`; None for the fields as a whole."""
    return "/".join(str(part) if isinstance(part, int) or part in named else SOME_FIELD for part in path) or None


def names(rules: Mapping[str, Any]) -> Iterator[str]:
    """The fields that the rules name."""
    for part in parts(rules):
        yield from part.get("properties", ())
        yield from part.get("required", ())
        for dependent in part.get("dependentRequired", {}).values():
            yield from dependent
        for path in comparisons.paths(part):
            yield from (path, *path.split("/"))


def check_rules(rules: Any) -> None:
    """Raise Permanent `invalid_rules` unless these are rules that can be held against any fields."""
    if not isinstance(rules, Mapping):
        raise invalid("They are no JSON object.")
    if not nests(rules, MAX_LAYERS):
        raise invalid(f"They nest more than {MAX_LAYERS} layers.")
    for part in parts(rules):
        if unknown := sorted(set(part) - KEYWORDS):
            near = did_you_mean(unknown[0], KEYWORDS)
            raise invalid(f"{unknown[0][:100]!r} is none of the keywords that are checked.{near}")
        if "format" in part and part["format"] not in FORMATS:
            near = did_you_mean(str(part["format"]), FORMATS)
            named = f"{', '.join(NAMES)}, and of a country vat-at to vat-sk"
            raise invalid(f"{str(part['format'])[:100]!r} is none of the formats: {named}.{near}")
        if fault := comparisons.fault(part):
            raise invalid(fault)
    check_form(rules)
    for part in parts(rules):
        if "pattern" in part:
            check_pattern(part["pattern"])


def parts(rules: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """These rules, and all rules in them."""
    yield rules
    for keyword, value in rules.items():
        inner: list[Any] = []
        if keyword in ONE and not (keyword in CLOSED and isinstance(value, bool)):
            inner = [value]
        elif keyword in SEVERAL and isinstance(value, list):
            inner = value
        elif keyword in NAMED and isinstance(value, Mapping):
            inner = list(value.values())
        for member in inner:
            if not isinstance(member, Mapping):
                raise invalid(f"{keyword} holds a value that is no JSON object.")
            yield from parts(member)


def check_form(rules: Mapping[str, Any]) -> None:
    """Check against JSON Schema's own schema, but for the form of patterns: that would be Python's."""
    from jsonschema import Draft202012Validator as JsonSchema

    for error in JsonSchema(JsonSchema.META_SCHEMA).iter_errors(rules):
        where = "/".join(map(str, error.absolute_path))
        raise invalid(f"{where[:100]!r} is not as JSON Schema has it.")


def check_pattern(pattern: str) -> None:
    import re2

    try:
        found(pattern, "")
    except (re2.error, UnicodeError):
        raise invalid(f"RE2, which has no lookaround and no backreferences, does not take {pattern[:100]!r}.") from None


def invalid(message: str) -> Permanent:
    return Permanent("invalid_rules", f"The validation rules cannot be used. {message}")


def validator(rules: Mapping[str, Any]) -> Validator:
    # Rules are about named fields. Where the engine made a list of them, JSON Schema would say that all are met.
    return dialect()({"type": "object", **rules}, format_checker=formats())


@cache
def dialect() -> type[Validator]:
    """JSON Schema, but patterns are RE2's, a missing field is reported at its own place, and fields can be compared."""
    from jsonschema import Draft202012Validator as JsonSchema
    from jsonschema.validators import extend

    keywords = {
        "pattern": pattern,
        "required": required,
        "dependentRequired": dependent_required,
        comparisons.SUMS: sums,
        comparisons.ORDER: order,
    }
    made: type[Validator] = extend(JsonSchema, keywords)  # type: ignore[no-untyped-call]
    return made


Errors = Iterator["ValidationError"]


def pattern(_validator: Any, wanted: str, value: Any, _rules: Any) -> Errors:
    if isinstance(value, str) and not found(wanted, value):
        yield broken("is of another form")


def required(_validator: Any, wanted: list[str], value: Any, _rules: Any) -> Errors:
    if isinstance(value, dict):
        yield from (broken("is missing", name) for name in wanted if name not in value)


def dependent_required(validator: Any, wanted: dict[str, list[str]], value: Any, rules: Any) -> Errors:
    for name, others in wanted.items():
        if isinstance(value, dict) and name in value:
            yield from required(validator, others, value, rules)


def sums(_validator: Any, wanted: list[Any], value: Any, _rules: Any) -> Errors:
    yield from (broken("is another sum", *total.split("/")) for total in comparisons.broken_sums(wanted, value))


def order(_validator: Any, wanted: list[Any], value: Any, _rules: Any) -> Errors:
    yield from (broken("is earlier", *later.split("/")) for later in comparisons.broken_order(wanted, value))


def broken(message: str, *path: str) -> ValidationError:
    from jsonschema.exceptions import ValidationError

    return ValidationError(message, path=path)


@cache
def formats() -> Any:
    from jsonschema import FormatChecker

    checker = FormatChecker(OF_JSON_SCHEMA)
    for name in FORMATS:
        if name not in OF_JSON_SCHEMA:
            checker.checkers[name] = (partial(meets, name), ())
    return checker


def found(pattern: str, text: str) -> bool:
    import re2

    options = re2.Options()
    options.log_errors = False
    # JSON can hold half a pair of surrogates, and RE2 cannot search such a text.
    readable = text.encode("utf-8", "replace").decode()
    compiled = re2.compile(pattern, options)  # type: ignore[no-untyped-call]
    return compiled.search(readable) is not None
