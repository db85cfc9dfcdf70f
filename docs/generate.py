"""Writes the tables of docs/events.md from events/schemas, and docs/cost.md's from docs/cost.py.

`make docs` writes; `--check` fails if one is stale.
"""

import json
import sys
from pathlib import Path
from typing import Any

from cost import Page, table

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- generated from events/schemas by make docs -->\n", "<!-- end of what is generated -->\n"
COST_BEGIN, COST_END = "<!-- generated from docs/cost.py by make docs -->\n", "<!-- end of the table -->\n"


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
        return ", ".join("null" if value is None else f"`{value}`" for value in fact["enum"])
    if "oneOf" in fact:
        return " or ".join(kind(choice) for choice in fact["oneOf"])
    named = fact.get("type", "any")
    if named == "array":
        return f"array of {kind(fact.get('items', {}))}"
    return " or ".join(named) if isinstance(named, list) else str(named)


def refreshed(page: Path, begin: str, content: str, end: str) -> bool:
    """Put the content between its two marks, or with `--check` only say whether it is there already."""
    text = page.read_text(encoding="utf-8")
    before, _, rest = text.partition(begin)
    fresh = f"{before}{begin}\n{content}\n{end}{rest.partition(end)[2]}"
    if "--check" not in sys.argv:
        page.write_text(fresh, encoding="utf-8")
        return True
    if fresh != text:
        sys.stderr.write(f"{page.relative_to(ROOT)} is stale: make docs\n")
    return fresh == text


def main() -> int:
    pages = [
        refreshed(ROOT / "docs/events.md", BEGIN, described(), END),
        refreshed(ROOT / "docs/cost.md", COST_BEGIN, table(Page()), COST_END),
    ]
    return 0 if all(pages) else 1


if __name__ == "__main__":
    sys.exit(main())
