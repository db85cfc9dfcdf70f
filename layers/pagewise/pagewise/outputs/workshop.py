"""The process that makes outputs, one after the other, under bounds: `python -m pagewise.outputs.workshop`.

It is told by a line of JSON what to make, and tells by lines what it has made; it asks for page images as it needs
them. An output that fails says why. One that breaks a bound ends the process; assembly.py goes on after it with
another.
"""

from __future__ import annotations

import errno
import json
import os
import pickle
import resource
import signal
import sys
import traceback
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import IO, Any

from pagewise.outputs.contents import PageContents, failure_note
from pagewise.outputs.manifest import digest, ranges
from pagewise.outputs.page_blocks import PageBlocks, blocks_of, running_lines, without_running_lines
from pagewise.outputs.refusal import OutputRefused
from pagewise.outputs.wanted import WantedOutput
from pagewise.results import load_result
from pagewise.tasks import Task

BLANK = "This page is blank."
CORE_BYTES = 0


@dataclass(slots=True)
class Workshop:
    """Where things lie, and how to speak to the one who waits."""

    document: dict[str, Any]
    options: dict[str, Any]
    folder: Path
    told: IO[str]
    heard: IO[str]
    seconds: float
    number: int = 0
    image_fetched: tuple[int, Path | None] | None = None
    running: frozenset[str] | None = None

    # ── Pages ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def pages(self) -> Iterator[PageContents]:
        with (self.folder / "pages.jsonl").open(encoding="utf-8") as file:
            for line in file:
                shown = json.loads(line)
                results = [load_result(result) for result in shown["results"]]
                yield PageContents(shown["page"], {result.task: result for result in results})

    def read(self) -> Iterator[tuple[PageContents, PageBlocks]]:
        """Pages with their blocks, which are read once and kept on the disk."""
        kept = self.folder / f"blocks-{os.getpid()}.pickle"
        if not kept.exists():
            made = kept.with_suffix(".part")
            with made.open("wb") as file:
                for page in self.pages():
                    pickle.dump(blocks_of(page), file)
            made.rename(kept)
        with kept.open("rb") as file:
            for page in self.pages():
                yield page, pickle.load(file)  # noqa: S301  # our own, of this process

    def running_lines(self) -> frozenset[str]:
        if self.running is None:
            self.running = running_lines(read for _, read in self.read())
        return self.running

    # ── Talk ─────────────────────────────────────────────────────────────────────────────────────────────────────────

    def tell(self, message: dict[str, Any]) -> None:
        self.told.write(json.dumps(message, allow_nan=False) + "\n")
        self.told.flush()

    def image(self, page: int) -> Path | None:
        if self.image_fetched is None or self.image_fetched[0] != page:
            self.tell({"image": page})
            path = json.loads(self.heard.readline())["path"]
            self.image_fetched = page, Path(path) if path else None
        return self.image_fetched[1]

    def goes_on(self) -> None:
        """Gives a page's pictures the time of an output: there are as many as the document has pages."""
        signal.setitimer(signal.ITIMER_REAL, self.seconds)

    def new_file(self) -> Path:
        self.number += 1
        return self.folder / f"output-{os.getpid()}-{self.number}"

    def hand_over(
        self,
        path: Path,
        name: str,
        output: WantedOutput,
        media_type: str,
        source: Source,
        details: dict[str, Any] | None = None,
    ) -> None:
        size, sha256 = digest(path)
        file = {
            "name": name, "output": output, "media_type": media_type, "size": size, "sha256": sha256,
            "made_from": {task: ranges(pages) for task, pages in sorted(source.tasks.items())},
            "pages_missing": ranges(source.missing), "details": details or {},
        }  # fmt: skip
        self.tell({"file": file, "path": path.name})


@dataclass(slots=True)
class Source:
    """The results that went into a file."""

    tasks: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    missing: list[int] = field(default_factory=list)

    def add(self, page: PageContents, *tasks: Task) -> None:
        for task in tasks:
            self.tasks[str(task)].append(page.number)
        if not tasks and not page.blank:
            self.missing.append(page.number)


# ── Text of every kind ───────────────────────────────────────────────────────────────────────────────────────────────


def write_text(workshop: Workshop, output: WantedOutput) -> None:
    from pagewise.outputs import latex, markdown, plain_text, web_page

    writer, name, media_type = {
        WantedOutput.TEXT: (plain_text, "document.txt", "text/plain; charset=utf-8"),
        WantedOutput.MARKDOWN: (markdown, "document.md", "text/markdown; charset=utf-8"),
        WantedOutput.HTML: (web_page, "document.html", "text/html; charset=utf-8"),
        WantedOutput.LATEX: (latex, "document.tex", "application/x-tex"),
    }[output]
    source = Source()
    path = workshop.new_file()
    left_out = frozenset() if workshop.options["running_lines"] else workshop.running_lines()
    with path.open("w", encoding="utf-8", errors="replace") as file:
        file.write(writer.begin(workshop.document["title"]))
        for page, read in workshop.read():
            shown = read
            if output is WantedOutput.TEXT and (text := plain_blocks(page)):
                shown = text
            source.add(page, *shown.tasks)
            write_page(file, writer, page, without_running_lines(shown, left_out) if left_out else shown)
        file.write(writer.end())
    workshop.hand_over(path, name, output, media_type, source)


def plain_blocks(page: PageContents) -> PageBlocks | None:
    """The page's own text, as a task that recognizes text gave it: plain text needs no table put in its place."""
    from pagewise.outputs.blocks import paragraphs
    from pagewise.outputs.contents import TEXT_TASKS

    result = page.first_of(*TEXT_TASKS)
    text = str(result.output.get("text") or "") if result else ""
    return PageBlocks(page.number, tuple(paragraphs(text)), (result.task,)) if result and text.strip() else None


def write_page(file: IO[str], writer: ModuleType, page: PageContents, read: PageBlocks) -> None:
    file.write(writer.page_start(page.number))
    if page.blank:
        file.write(writer.page_note(page.number, BLANK))
    elif note := failure_note(page):
        file.write(writer.page_note(page.number, f"This page was not recognized ({note})"))
    for note in read.notes:
        file.write(writer.page_note(page.number, note))
    file.writelines(writer.page(read))


# ── Tables ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_tables(workshop: Workshop, output: WantedOutput) -> None:
    from pagewise.outputs.joining import JoinedTable
    from pagewise.outputs.table_files import write_csv, write_xlsx
    from pagewise.outputs.tables import tables_of

    whole = Source()
    notes: list[str] = []
    of_page: dict[int, tuple[Task, ...]] = {}

    def noted() -> Iterator[tuple[PageContents, PageBlocks]]:
        for page, read in workshop.read():
            tasks = tuple(task for task in read.tasks if task in {Task.DOCUMENT_PARSING, Task.TABLE_PARSING})
            of_page[page.number] = tasks
            whole.add(page, *tasks)
            notes.extend(read.notes)
            yield page, read

    def named() -> Iterator[tuple[str, JoinedTable]]:
        running = workshop.running_lines()
        for number, joined in enumerate(tables_of(noted(), running), 1):
            path = workshop.new_file()
            write_csv(joined.table, path)
            source = Source()
            for page in joined.pages:
                for task in of_page[page]:
                    source.tasks[str(task)].append(page)
            details = {
                "rows": joined.table.rows,
                "columns": joined.table.columns,
                "caption": bool(joined.table.caption),
            }
            workshop.hand_over(path, f"tables/{number:03d}.csv", output, "text/csv; charset=utf-8", source, details)
            if joined.why:
                workshop.tell({"joined": {"table": number, "pages": joined.pages, "why": joined.why}})
            yield f"{number:03d} page {joined.pages[0]}", joined

    path = workshop.new_file()
    count = write_xlsx(named(), path, workshop.folder)
    if not count:
        raise OutputRefused(
            "no_tables", notes[0] if notes else "No table was recognized. Ask for table_parsing or document_parsing."
        )
    media_type = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
    workshop.hand_over(path, "tables.xlsx", output, media_type, whole, {"tables": count, "notes": notes})


# ── The rest ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def write_pdf(workshop: Workshop, output: WantedOutput) -> None:
    from pagewise.outputs.searchable_pdf import write_searchable

    original = workshop.document["original"]
    path = workshop.new_file()
    layers = write_searchable(
        Path(original) if original else None,
        workshop.pages(),
        workshop.image,
        path,
        expected=workshop.document["pages"],
        password=workshop.document["password"],
    )
    source = Source(
        {str(Task.ADVANCED_RECOGNITION): layers.layered} if layers.layered else {},
        [*layers.without_lines, *layers.unreadable],
    )
    workshop.hand_over(path, "document.pdf", output, "application/pdf", source, layers.dump())


def write_boxes(workshop: Workshop, output: WantedOutput) -> None:
    from pagewise.outputs.boxes import boxes_of, write_png, write_svg

    made = 0
    for page in workshop.pages():
        boxes, size = boxes_of(page), page.size
        if not boxes or size is None:
            continue
        source = Source({str(Task.ADVANCED_RECOGNITION): [page.number]})
        workshop.goes_on()
        link = workshop.document["page_link"].format(page=page.number)
        path = workshop.new_file()
        write_svg(boxes, size, link, path)
        workshop.hand_over(path, f"boxes/{page.number:04d}.svg", output, "image/svg+xml", source, {"boxes": len(boxes)})
        made += 1
        if image := workshop.image(page.number):
            path = workshop.new_file()
            write_png(boxes, image, path)
            workshop.hand_over(path, f"boxes/{page.number:04d}.png", output, "image/png", source, {"boxes": len(boxes)})
    if not made:
        raise OutputRefused("no_lines", "No page has lines with places. Ask for advanced_recognition.")


def write_fields(workshop: Workshop, output: WantedOutput) -> None:
    from pagewise.outputs.fields import fields_json

    source = Source()

    def noted() -> Iterator[PageContents]:
        for page in workshop.pages():
            needed = (Task.KEY_INFORMATION_EXTRACTION, Task.ADVANCED_RECOGNITION)
            source.add(page, *(task for task in needed if page.recognized(task)))
            yield page

    shown = fields_json(workshop.document["document_id"], noted())
    if not shown["pages"]:
        raise OutputRefused(
            "no_fields",
            "No page has a field. Fields come from key_information_extraction, by a result schema that names them.",
        )
    path = workshop.new_file()
    path.write_text(json.dumps(shown, ensure_ascii=False, allow_nan=False, indent=2) + "\n", encoding="utf-8")
    details = {"fields": len(shown["fields"]), "conflicts": len(shown["conflicts"])}
    workshop.hand_over(path, "fields.json", output, "application/json", source, details)


MAKERS: dict[WantedOutput, Callable[[Workshop, WantedOutput], None]] = {
    WantedOutput.TEXT: write_text,
    WantedOutput.MARKDOWN: write_text,
    WantedOutput.HTML: write_text,
    WantedOutput.LATEX: write_text,
    WantedOutput.TABLES: write_tables,
    WantedOutput.PDF: write_pdf,
    WantedOutput.BOXES: write_boxes,
    WantedOutput.FIELDS: write_fields,
}


def make(workshop: Workshop, output: WantedOutput) -> dict[str, str]:
    """What the output ended as: nothing, or a reason with a message."""
    try:
        MAKERS[output](workshop, output)
    except OutputRefused as refused:
        return {"reason": refused.reason, "message": refused.message}
    except MemoryError:
        return {
            "reason": "too_large",
            "message": f"The {output} output needed more memory than there is. Split the document.",
        }
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EFBIG}:
            return {
                "reason": "no_space",
                "message": f"The disk is full: the {output} output is larger than it. Split the document.",
            }
        raise
    except Exception as error:  # noqa: BLE001  # whatever a library raises on a strange file costs this output, no other
        return {
            "reason": "broken",
            "message": f"The {output} output could not be made of these results. The others can; please report it.",
            "cause": place_of(error),
        }
    return {}


def place_of(error: Exception) -> str:
    """The kind of an error and its place in the code: its message could hold text of the document."""
    frames = traceback.extract_tb(error.__traceback__)
    return (
        f"{type(error).__name__} at {Path(frames[-1].filename).name}:{frames[-1].lineno}"
        if frames
        else type(error).__name__
    )


@contextmanager
def bounded(seconds: float) -> Iterator[None]:
    """SIGALRM is left as it is: it ends the process, in whatever library it is."""
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


def main() -> None:
    heard = sys.stdin
    # What libraries print is not for the one who waits.
    told = os.fdopen(os.dup(sys.stdout.fileno()), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    order = json.loads(heard.readline())
    bounds = order["bounds"]
    resource.setrlimit(resource.RLIMIT_CORE, (CORE_BYTES, CORE_BYTES))
    if sys.platform.startswith("linux"):
        resource.setrlimit(resource.RLIMIT_AS, (bounds["memory_bytes"], bounds["memory_bytes"]))
    workshop = Workshop(order["document"], order["options"], Path(order["folder"]), told, heard, bounds["seconds"])
    for name in order["wanted"]:
        output = WantedOutput(name)
        with bounded(bounds["seconds"]):
            outcome = make(workshop, output)
        workshop.tell({"ended": name, **outcome})


if __name__ == "__main__":
    main()
