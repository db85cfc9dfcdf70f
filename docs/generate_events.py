"""Writes the tables of docs/events.md from events/schemas. `--check` fails if they are stale; `make docs` writes."""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs/events.md"
BEGIN, END = "<!-- generated from events/schemas by make docs -->\n", "<!-- end of what is generated -->\n"


def described() -> str:
    schemas = [
        json.loads(path.read_text(encoding="utf-8")) for path in sorted((ROOT / "events/schemas").glob("*.json"))
    ]
    return "\n".join(section(schema) for schema in schemas)


def section(schema: dict[str, Any]) -> str:
    required = set(schema["required"])
    rows = "".join(row(name, fact, required) for name, fact in fields(schema))
    version = schema["properties"]["schema_version"]["const"]
    return (
        f"### {schema['title']}\n\n{schema['description']} Version {version}: "
        f"[{schema['$id']}.json](../events/schemas/{schema['$id']}.json)\n\n"
        f"| field | type | |\n| --- | --- | --- |\n{rows}"
    )


def fields(schema: dict[str, Any], prefix: str = "") -> list[tuple[str, dict[str, Any]]]:
    """Every field with its path; those of objects below them."""
    found: list[tuple[str, dict[str, Any]]] = []
    for name, fact in schema.get("properties", {}).items():
        found.append((f"{prefix}{name}", fact))
        found += fields(fact, f"{prefix}{name}.")
    return found


def row(name: str, fact: dict[str, Any], required: set[str]) -> str:
    optional = "" if "." in name or name in required else " (optional)"
    return f"| `{name}`{optional} | {kind(fact)} | {fact.get('description', '')} |\n"


def kind(fact: dict[str, Any]) -> str:
    if "const" in fact:
        return f"`{fact['const']}`"
    if "enum" in fact:
        return ", ".join(f"`{value}`" for value in fact["enum"])
    if "oneOf" in fact:
        return " or ".join(kind(choice) for choice in fact["oneOf"])
    named = fact.get("type", "any")
    if named == "array":
        return f"array of {kind(fact.get('items', {}))}"
    return " or ".join(named) if isinstance(named, list) else str(named)


def main() -> int:
    page = PAGE.read_text(encoding="utf-8")
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    fresh = f"{before}{BEGIN}\n{described()}\n{END}{after}"
    if "--check" not in sys.argv:
        PAGE.write_text(fresh, encoding="utf-8")
    elif fresh != page:
        sys.stderr.write("docs/events.md is stale: make docs\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
