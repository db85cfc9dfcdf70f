"""Writes the tables of docs/events.md from events/schemas, docs/cost.md's from docs/cost.py, and DECISIONS.md's index.

`make docs` writes; `--check` fails if one is stale.
"""

import json
import re
import sys
from pathlib import Path
from typing import Any

from cost import Page, both_lanes, table

ROOT = Path(__file__).parent.parent
DECISIONS = ROOT / "DECISIONS.md"
BEGIN, END = "<!-- generated from events/schemas by make docs -->\n", "<!-- end of what is generated -->\n"
INDEX_BEGIN = "<!-- index: a new decision is added by make docs, to be moved to its subject -->\n"
INDEX_END = "<!-- end of the index -->\n"
NOT_YET = "**Not yet by subject**"
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


def index(decisions: str) -> str:
    """The index as it stands, without decisions that are gone; those that it lacks at its end."""
    stood = decisions.partition(INDEX_BEGIN)[2].partition(INDEX_END)[0].strip("\n").split("\n")
    entries = [f"- [{title}](#{anchor(title)})" for title in re.findall(r"^## (.+)$", decisions, re.MULTILINE)]
    kept = [line for line in stood if not line.startswith("- ") or line in entries]
    lacking = [entry for entry in entries if entry not in kept]
    if lacking and NOT_YET not in kept:
        kept += ["", NOT_YET, ""]
    return "\n".join([*kept, *lacking]) + "\n"


def anchor(title: str) -> str:
    """GitHub's: lower case, punctuation left out, blanks as hyphens."""
    return re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-")


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
        refreshed(ROOT / "docs/cost.md", COST_BEGIN, f"{table(Page())}\n{both_lanes(Page())}", COST_END),
        refreshed(DECISIONS, INDEX_BEGIN, index(DECISIONS.read_text(encoding="utf-8")), INDEX_END),
    ]
    return 0 if all(pages) else 1


if __name__ == "__main__":
    sys.exit(main())
