"""`./pagewise assemble`: outputs of the results in the folder of `run` or `submit`; nothing is recognized again."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from commands.console import printable, tell
from commands.errors import CommandError
from commands.outputs import (
    MANIFEST,
    PAGES,
    PNG,
    RECEIPT,
    RESULTS,
    OutputError,
    inside,
    outputs_in,
    remove_outputs,
    write_json,
)
from commands.progress import outputs_told
from pagewise.model import Result
from pagewise.options.spelling import did_you_mean
from pagewise.outputs.assembly import AssembledDocument
from pagewise.outputs.assembly import assemble as make
from pagewise.outputs.wanted import Options, WantedOutput, parse_outputs
from pagewise.results import load_result

MADE, SOME_NOT_MADE = 0, 1


class NothingToAssemble(CommandError):
    """A document has no results in the output folder; the message gives the next step."""


@dataclass(frozen=True)
class AssemblyRequest:
    documents: Sequence[Path]
    outputs: str
    out: Path
    password: str | None = None
    running_lines: bool = True


@dataclass(frozen=True)
class FolderPages:
    """The results and page images of a document's folder."""

    folder: Path

    def results(self, page: int) -> list[Result]:
        files = sorted((self.folder / RESULTS).glob(f"{page:04}.*.json"))
        return [load_result(json.loads(file.read_text(encoding="utf-8"))) for file in files]

    def image(self, page: int) -> Path | None:
        path = self.folder / PAGES / f"{page:04}{PNG}"
        return path if path.is_file() else None


@dataclass(frozen=True)
class FolderShelf:
    folder: Path

    def put(self, name: str, media_type: str, file: Path) -> None:  # noqa: ARG002  a file has none
        path = inside(self.folder, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, path)


def assemble(request: AssemblyRequest) -> int:
    try:
        wanted = parse_outputs(request.outputs.split(","))
    except ValueError as unknown:
        near = did_you_mean(str(unknown), WantedOutput)
        raise CommandError(f"{unknown} is no output. There are: {', '.join(WantedOutput)}, all.{near}") from None
    if not wanted:
        raise CommandError(f"--outputs names none. There are: {', '.join(WantedOutput)}, all.")
    failed = False
    for document in request.documents:
        folder = folder_of(document, request.out)
        manifest = assembled(document, folder, wanted, request)
        for line in outputs_told(manifest):
            tell(printable(f"{folder}: {line}"))
        failed = failed or bool(manifest["failed"])
    return SOME_NOT_MADE if failed else MADE


def folder_of(document: Path, out: Path) -> Path:
    """The document's folder in OUT: of its name, or the one that was named itself."""
    for folder in (out / document.name, document):
        if (folder / RECEIPT).is_file():
            return folder
    raise NothingToAssemble(
        f"There are no results of {document} in {out}. Recognize it first (./pagewise run), or name its folder: --out."
    )


def assembled(
    document: Path, folder: Path, wanted: tuple[WantedOutput, ...], request: AssemblyRequest
) -> dict[str, Any]:
    """The folder's manifest afterwards. Outputs that it has already are made anew if they are asked for, or stay."""
    receipt = read_json(folder / RECEIPT)
    if receipt["status"] == "rejected":
        raise NothingToAssemble(f"{document} was rejected ({receipt['reason']}) and has no results.")
    described = AssembledDocument(
        receipt["document_id"],
        receipt["source"]["key"].rpartition("/")[2],
        receipt["pages"],
        original=document if document.is_file() else None,
        password=request.password,
        run=receipt["run"],
    )
    earlier = outputs_in(folder)
    try:
        remove_outputs(folder, wanted)
        make(described, FolderPages(folder), wanted, FolderShelf(folder), Options(request.running_lines))
        manifest = merged(earlier, outputs_in(folder))
        write_json(folder / MANIFEST, manifest)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written to: {error.strerror}.") from error
    return manifest


def merged(earlier: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The manifest with the other outputs of an earlier one of the same results."""
    if (earlier.get("document_id"), earlier.get("run")) != (manifest["document_id"], manifest["run"]):
        return manifest
    made = set(manifest["outputs"])
    kept = {name: [one for one in earlier[name] if one["output"] not in made] for name in ("files", "failed")}
    joined = manifest["joined_tables"] if WantedOutput.TABLES in made else earlier["joined_tables"]
    both = made.union(earlier["outputs"])
    return manifest | {
        "outputs": [output for output in WantedOutput if output in both],
        "files": sorted([*kept["files"], *manifest["files"]], key=lambda file: str(file["name"])),
        "failed": [*kept["failed"], *manifest["failed"]],
        "joined_tables": joined,
    }


def read_json(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        raise NothingToAssemble(f"{path} cannot be read. Recognize the document again.") from None
    return content
