"""Writes docs/api.md from openapi.yaml. It needs PyYAML, so that `make docs` runs it in the development environment.

`--check` fails if the page is stale.
"""

import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/api.md"
CONTRACT: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text(encoding="utf-8"))
METHODS = ("get", "post", "put", "delete")
HEAD = """# The HTTP API

<!-- made of openapi.yaml by make docs -->

The contract is [openapi.yaml](../openapi.yaml), and this page is made of it. For Python there is
[a client](../clients/python).

"""


def written() -> str:
    operations = [
        (path, method, of[method]) for path, of in CONTRACT["paths"].items() for method in METHODS if method in of
    ]
    return (
        HEAD
        + CONTRACT["info"]["description"]
        + "\n## Routes\n\n"
        + "".join(tagged(tag["name"], tag["description"], operations) for tag in CONTRACT["tags"])
        + "## Operations\n\n"
        + "".join(operation(*one) for one in operations)
        + "## Refusals\n\n"
        + f"{CONTRACT['components']['responses']['Error']['description']}\n"
        + "\n## Values\n\n"
        + "".join(value(name, schema) for name, schema in CONTRACT["components"]["schemas"].items())
    ).rstrip("\n") + "\n"


def tagged(tag: str, description: str, operations: list[tuple[str, str, dict[str, Any]]]) -> str:
    rows = "".join(
        f"| [`{method.upper()} {path}`](#{one['operationId'].lower()}) | {one['summary']} |\n"
        for path, method, one in operations
        if tag in one["tags"]
    )
    return f"{description}:\n\n| route | |\n| --- | --- |\n{rows}\n"


def operation(path: str, method: str, of: dict[str, Any]) -> str:
    told = f"{of['description'].strip()}\n\n" if "description" in of else ""
    return f"### {of['operationId']}\n\n`{method.upper()} {path}`: {of['summary']}.\n\n{told}{parts(path, of)}"


def parts(path: str, of: dict[str, Any]) -> str:
    """A table of what goes in, and of what comes out."""
    declared = [resolved(one) for one in [*CONTRACT["paths"][path].get("parameters", []), *of.get("parameters", [])]]
    rows = [f"| {one['in']} | `{one['name']}` | {kind(one['schema'])} | {about(one)} |" for one in declared]
    if body := of.get("requestBody"):
        needed = set(content(body).get("required", ()))
        rows += [f"| body | {row} |" for row in members(content(body), needed)]
    for status, answer in of["responses"].items():
        if status != "default":
            schema = content(resolved(answer))
            rows += [f"| {status} | | {kind(schema)} | {about(resolved(answer))} |"]
            rows += [f"| {status} | {row} |" for row in members(schema, set(schema.get("properties", ())))]
    return "| | | | |\n| --- | --- | --- | --- |\n" + "".join(f"{row}\n" for row in rows) + "\n"


def value(name: str, schema: dict[str, Any]) -> str:
    told = f"{about(schema)}\n\n" if "description" in schema else ""
    rows = members(schema, set(schema.get("required", ())))
    table = "| | | |\n| --- | --- | --- |\n" + "".join(f"| {row} |\n" for row in rows) if rows else f"{kind(schema)}\n"
    return f"### {name}\n\n{told}{table}\n"


def members(schema: dict[str, Any], needed: set[str], prefix: str = "") -> list[str]:
    """The members of an object and, below them, those of objects that have no name of their own."""
    rows = []
    for name, member in schema.get("properties", {}).items():
        optional = "" if prefix or name in needed else " (optional)"
        rows.append(f"`{prefix}{name}`{optional} | {kind(member)} | {about(member)}")
        inner = next((one for one in member.get("oneOf", ()) if "properties" in one), member.get("items", member))
        if "$ref" not in inner:
            rows += members(inner, needed, f"{prefix}{name}{'[]' if 'items' in member else ''}.")
    return rows


def kind(schema: dict[str, Any]) -> str:
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "oneOf" in schema:
        return " or ".join(kind(one) for one in schema["oneOf"])
    if "const" in schema or "enum" in schema:
        return ", ".join(f"`{word}`" for word in schema.get("enum", [schema.get("const")]))
    if schema.get("type") == "array":
        return f"array of {kind(schema['items'])}"
    named = schema.get("type", "any")
    return " or ".join(named) if isinstance(named, list) else str(named)


def about(of: dict[str, Any]) -> str:
    """A description on one line, with the bounds that the schema sets."""
    schema = of.get("schema", of)
    bounds = [f"{name} {shown(schema[key])}" for key, name in BOUNDS.items() if key in schema]
    text = " ".join(str(of.get("description", "")).split())
    return "; ".join(filter(None, [text, ", ".join(bounds)])).replace("|", "\\|")


def shown(bound: object) -> str:
    return str(bound).lower() if isinstance(bound, bool) else f"{bound:,}"


BOUNDS = {
    "minimum": "from",
    "maximum": "to",
    "default": "default",
    "maxLength": "characters up to",
    "maxItems": "up to",
}


def content(of: dict[str, Any]) -> dict[str, Any]:
    schema: dict[str, Any] = of["content"]["application/json"]["schema"]
    return schema


def resolved(of: dict[str, Any]) -> dict[str, Any]:
    found: Any = CONTRACT
    for part in of["$ref"].removeprefix("#/").split("/") if "$ref" in of else ():
        found = found[part]
    return found if "$ref" in of else of


def main() -> int:
    fresh = written()
    if "--check" not in sys.argv:
        PAGE.write_text(fresh, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != fresh:
        sys.stderr.write("docs/api.md is stale: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
