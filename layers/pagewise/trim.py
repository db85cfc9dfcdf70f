"""Removes the files of botocore's data that no client of this layer reads. A cold start would parse most of them.

    python3 trim.py FOLDER SERVICE...      FOLDER: botocore/data; the services that stay

Of 430 services the ones named stay; of their models the shapes, not the documentation and the examples; of the list of
all endpoints, theirs. A client's behaviour is unchanged: tests/build asks the endpoints of every region.
"""

import gzip
import json
import shutil
import sys
from pathlib import Path
from typing import Any


def trim(folder: Path, services: list[str]) -> None:
    for service in folder.iterdir():
        if service.is_dir() and service.name not in services:
            shutil.rmtree(service)
    for example in folder.glob("*/*/examples-1.json*"):
        example.unlink()
    prefixes = set(services)
    for path in folder.glob("*/*/service-2.json.gz"):
        model = json.loads(gzip.decompress(path.read_bytes()))
        prefixes.add(model["metadata"]["endpointPrefix"])
        write(path.with_suffix(""), undocumented(model))
        path.unlink()
    for path in folder.glob("*/*/*.json.gz"):
        write(path.with_suffix(""), json.loads(gzip.decompress(path.read_bytes())))
        path.unlink()
    endpoints = json.loads((folder / "endpoints.json").read_bytes())
    for partition in endpoints["partitions"]:
        partition["services"] = {name: of for name, of in partition["services"].items() if name in prefixes}
    write(folder / "endpoints.json", endpoints)


def undocumented(value: Any) -> Any:
    """A member of that name is a shape; only text is documentation."""
    if isinstance(value, dict):
        kept = {name: of for name, of in value.items() if not (name == "documentation" and isinstance(of, str))}
        return {name: undocumented(of) for name, of in kept.items()}
    return [undocumented(of) for of in value] if isinstance(value, list) else value


def write(path: Path, value: Any) -> None:
    """A file anew: an installer may have linked the one that is there to its cache, and to other environments."""
    path.unlink(missing_ok=True)
    path.write_text(json.dumps(value, separators=(",", ":")))


if __name__ == "__main__":
    trim(Path(sys.argv[1]), sys.argv[2:])
