"""Writes the outcome of a document into its folder: receipt, page images, results."""

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import Any

from boto3.dynamodb.types import TypeDeserializer

from commands.errors import CommandError
from commands.uploads import LocalDocument

RECEIPT, MANIFEST = "receipt.json", "manifest.json"
PAGES, RESULTS, LOGS = "pages", "results", "logs"
# The result's field → the suffix of the file that holds it alone.
TEXT_FILES = {"text": ".txt", "html": ".html", "latex": ".tex"}
PNG = ".png"
LIST_MEMBER = re.compile(r"/[0-9]+(?=/|$)")


class OutputError(CommandError):
    """The output folder cannot be written to, or writing there would harm a document; the message says so."""


def prepare(output: Path, documents: Iterable[LocalDocument]) -> None:
    """Make the output folder and check each document's place in it, before any part is started for them."""
    try:
        output.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=output):
            pass
    except (FileExistsError, NotADirectoryError):
        raise OutputError(f"The output {output} is a file, or lies in one. Name a folder (OUT).") from None
    except OSError as error:
        raise OutputError(f"{output} cannot be written to: {error.strerror}.") from error
    check_folder(output / LOGS, ("functions",))
    for document in documents:
        folder = output / document.place
        if document.path.resolve().is_relative_to(folder.resolve()):
            raise OutputError(
                f"{document.path} lies where its own results go, {folder}. Name another output folder (OUT)."
            )
        check_folder(folder, (PAGES, RESULTS))


def check_folder(folder: Path, inner: Iterable[str]) -> None:
    """Raise OutputError where a file is in a folder's way, a folder in the receipt's, or a folder is not writable."""
    for wanted in (folder, *(folder / name for name in inner)):
        if wanted.exists() and not wanted.is_dir():
            raise OutputError(f"{wanted} is a file, and results go into a folder of this name. Name another (OUT).")
        if wanted.is_dir() and not os.access(wanted, os.W_OK | os.X_OK):
            raise OutputError(f"{wanted} cannot be written to. Name another output folder (OUT).")
    if (folder / RECEIPT).is_dir():
        raise OutputError(f"{folder / RECEIPT} is a folder, and a file of this name is written. Name another (OUT).")


class OutputFolder:
    """Reads the stack's buckets and table; `write` may run for several documents at the same time."""

    def __init__(self, outputs: Mapping[str, str], client: Callable[[str], Any]) -> None:
        self.pages_bucket = outputs["PagesBucket"]
        self._results_table = outputs["ResultsTable"]
        self._s3 = client("s3")
        self._dynamodb = client("dynamodb")

    def receipt(self, pointer: dict[str, str]) -> dict[str, Any]:
        body = self._object(pointer["bucket"], pointer["key"])
        receipt: dict[str, Any] = json.loads(body)
        return receipt

    def write_outputs(self, folder: Path, document_id: str) -> dict[str, Any]:
        """Write the document's outputs with their manifest. Returns the manifest."""
        prefix = f"documents/{document_id}/outputs"
        content = self._object(self.pages_bucket, f"{prefix}/{MANIFEST}")
        manifest: dict[str, Any] = json.loads(content)
        for file in manifest["files"]:
            path = inside(folder, file["name"])
            path.parent.mkdir(parents=True, exist_ok=True)
            self._s3.download_file(self.pages_bucket, f"{prefix}/{file['name']}", str(path))
        (folder / MANIFEST).write_bytes(content)
        return manifest

    def write(self, folder: Path, receipt: dict[str, Any]) -> Counter[str]:
        """Write all of it but the outputs. Returns the invalid fields, each with its number of pages."""
        invalid: Counter[str] = Counter()
        remove_earlier(folder)
        write_json(folder / RECEIPT, receipt)
        for key in self._page_keys(receipt["document_id"]):
            write_page(folder / PAGES, PurePosixPath(key), self._object(self.pages_bucket, key))
        for result in self._results(receipt["document_id"]):
            write_result(folder / RESULTS, result)
            invalid.update(problems(result))
        return invalid

    def _page_keys(self, document_id: str) -> Iterator[str]:
        listing = self._s3.get_paginator("list_objects_v2").paginate(
            Bucket=self.pages_bucket, Prefix=f"documents/{document_id}/pages/"
        )
        for part in listing:
            for entry in part.get("Contents", []):
                yield entry["Key"]

    def _results(self, document_id: str) -> Iterator[dict[str, Any]]:
        deserialize = TypeDeserializer().deserialize
        answers = self._dynamodb.get_paginator("query").paginate(
            TableName=self._results_table,
            KeyConditionExpression="document_id = :document AND begins_with(#record, :result)",
            ExpressionAttributeNames={"#record": "record"},
            ExpressionAttributeValues={":document": {"S": document_id}, ":result": {"S": "result#"}},
            ConsistentRead=True,
        )
        for answer in answers:
            for stored in answer["Items"]:
                record = {name: deserialize(attribute) for name, attribute in stored.items()}
                if "result" in record:
                    yield json.loads(record["result"])
                elif "result_key" in record:
                    yield json.loads(self._object(self.pages_bucket, record["result_key"]))

    def _object(self, bucket: str, key: str) -> bytes:
        body: bytes = self._s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body


def remove_earlier(folder: Path) -> None:
    """Remove an earlier run's files, and no other files of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in (PAGES, RESULTS):
        shutil.rmtree(folder / name, ignore_errors=True)
    remove_outputs(folder)
    (folder / RECEIPT).unlink(missing_ok=True)


def remove_outputs(folder: Path, of: Container[str] | None = None) -> None:
    """The files of these outputs, or of all, that the folder's own manifest names."""
    for file in outputs_in(folder).get("files", []):
        if of is not None and file["output"] not in of:
            continue
        path = inside(folder, file["name"])
        path.unlink(missing_ok=True)
        if path.parent != folder:
            with suppress(OSError):  # others lie in it
                path.parent.rmdir()
    (folder / MANIFEST).unlink(missing_ok=True)


def outputs_in(folder: Path) -> dict[str, Any]:
    """The manifest of a document's folder; empty if there is none, or it is of another program."""
    try:
        manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return manifest if isinstance(manifest, dict) and "document_id" in manifest and "files" in manifest else {}


def inside(folder: Path, name: str) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise OutputError(f"{folder / MANIFEST} names {name}, which does not lie in its folder. Delete it.")
    return path


def write_page(folder: Path, key: PurePosixPath, image: bytes) -> None:
    """`00001.jpg` becomes `0001.png`, with the same pixels."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{int(key.stem):04}{PNG}"
    if key.suffix == PNG:
        path.write_bytes(image)
        return
    from PIL import Image

    with Image.open(BytesIO(image)) as decoded:
        shown = decoded if decoded.mode in ("1", "L", "LA", "P", "RGB", "RGBA") else decoded.convert("RGB")
        shown.save(path, "PNG", compress_level=1)


def write_result(folder: Path, result: dict[str, Any]) -> None:
    folder.mkdir(exist_ok=True)
    name = f"{result['page']:04}.{result['task']}"
    write_json(folder / f"{name}.json", result)
    for field, suffix in TEXT_FILES.items():
        if isinstance(result.get(field), str):
            (folder / f"{name}{suffix}").write_text(result[field], encoding="utf-8", newline="")


def problems(result: dict[str, Any]) -> set[str]:
    """The faults of a page's fields; those of a list's members without their numbers."""
    broken = (result.get("validation") or {}).get("problems", [])
    places = ((LIST_MEMBER.sub("/…", problem["field"] or "its fields"), problem["rule"]) for problem in broken)
    return {f"{result['task']}: invalid: {field} ({rule})" for field, rule in places}


def write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")
