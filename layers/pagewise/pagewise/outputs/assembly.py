"""The assembler: a document's stored results, its page images and the uploaded file become its outputs.

Outputs are made one after the other in a process of its own with bounds on memory and time (workshop.py): a file that
brings it down costs that one output. Results go through a file on the disk and each output reads them page by page, so
that memory does not grow with the pages. A finished output goes to the shelf at once and is deleted here. The same
results give the same bytes.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Protocol

from pagewise.model import Result
from pagewise.outputs.contents import PageContents
from pagewise.outputs.manifest import NAME, FailedOutput, JoinedTableNote, Manifest, OutputFile, ranges
from pagewise.outputs.wanted import Options, WantedOutput
from pagewise.results import dump_result

WORKSHOP = "pagewise.outputs.workshop"
PAGES = "pages.jsonl"


class Pages(Protocol):
    """A document's pages, wherever they are kept. Both may raise StorageBusy."""

    def results(self, page: int) -> Iterable[Result]:
        """The result of every task that has ended for this page; none if there are none."""

    def image(self, page: int) -> Path | None:
        """The page image as a file, kept until the next one is asked for; None if the page has none."""


class Shelf(Protocol):
    """The store of finished outputs."""

    def put(self, name: str, media_type: str, file: Path) -> None:
        """The file is deleted afterwards."""


@dataclass(frozen=True, slots=True)
class AssembledDocument:
    """`title` stands in the outputs: the file's name. `original` is the uploaded file, None if it is gone.

    The results are of the document's `run`.
    """

    document_id: str
    title: str
    pages: int
    original: Path | None = None
    password: str | None = None
    run: int = 1
    reviews: int = 0


@dataclass(frozen=True, slots=True)
class Bounds:
    """The bounds of the process that makes outputs. `seconds` are for one output, or one page of boxes. Outputs that
    are not made at the `deadline` (of time.monotonic) have failed.

    1,024 MB of a Lambda function leave this much beside the interpreter that waits for it.
    """

    memory_bytes: int = 850_000_000
    seconds: float = 240.0
    deadline: float = math.inf


OPTIONS, BOUNDS = Options(), Bounds()


@dataclass(slots=True)
class Made:
    """The files and failures so far."""

    files: list[OutputFile] = field(default_factory=list)
    failed: list[FailedOutput] = field(default_factory=list)
    joined: list[JoinedTableNote] = field(default_factory=list)


def assemble(
    document: AssembledDocument,
    pages: Pages,
    wanted: Sequence[WantedOutput],
    to: Shelf,
    options: Options = OPTIONS,
    bounds: Bounds = BOUNDS,
) -> Manifest:
    """Makes the outputs, puts each on the shelf, and the manifest last. Raises the errors of `pages` and `to`."""
    made = Made()
    with tempfile.TemporaryDirectory(prefix="pagewise-outputs-") as name:
        folder = Path(name)
        failed, blank = spool(document, pages, folder / PAGES)
        waiting = list(dict.fromkeys(wanted))
        while waiting:
            if time.monotonic() > bounds.deadline:
                made.failed += [out_of_time(output) for output in waiting]
                break
            waiting = run_workshop(document, pages, waiting, to, options, bounds, folder, made)
        manifest = Manifest(
            document.document_id,
            document.pages,
            tuple(dict.fromkeys(wanted)),
            tuple(sorted(made.files, key=lambda file: file.name)),
            tuple(made.failed),
            tuple(made.joined),
            ranges(failed),
            ranges(blank),
            document.run,
            document.reviews,
        )
        file = folder / NAME
        file.write_text(manifest.text(), encoding="utf-8")
        to.put(NAME, "application/json", file)
    return manifest


def spool(document: AssembledDocument, pages: Pages, to: Path) -> tuple[list[int], list[int]]:
    """Every page's results as a line of JSON. Returns the pages without a recognized result, and the blank ones."""
    failed, blank = [], []
    with to.open("w", encoding="utf-8") as file:
        for number in range(1, document.pages + 1):
            results = sorted(pages.results(number), key=lambda result: result.task)
            contents = PageContents(number, {result.task: result for result in results})
            if contents.blank:
                blank.append(number)
            elif not any(contents.recognized(task) for task in contents.results):
                failed.append(number)
            json.dump({"page": number, "results": [dump_result(result) for result in results]}, file, allow_nan=False)
            file.write("\n")
    return failed, blank


def run_workshop(
    document: AssembledDocument,
    pages: Pages,
    wanted: list[WantedOutput],
    to: Shelf,
    options: Options,
    bounds: Bounds,
    folder: Path,
    made: Made,
) -> list[WantedOutput]:
    """Outputs until all are made or one brings the process down; returns those that are left."""
    order = {
        "document": {**asdict(document), "original": str(document.original) if document.original else None},
        "wanted": [str(output) for output in wanted],
        "options": asdict(options),
        "bounds": {"memory_bytes": bounds.memory_bytes, "seconds": bounds.seconds},
        "folder": str(folder),
    }
    process = subprocess.Popen(
        [sys.executable, "-m", WORKSHOP],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # libraries quote their stumbling blocks: text of the document
        text=True,
        encoding="utf-8",
        env={"PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUTF8": "1", "PYTHONHASHSEED": "0"},
    )
    if process.stdin is None or process.stdout is None:
        raise RuntimeError("no pipes")  # never: both were asked for
    # As if its own alarm rang: the caller may be waiting for a pipe.
    left_seconds = min(bounds.deadline - time.monotonic(), threading.TIMEOUT_MAX)
    bell = threading.Timer(max(0.0, left_seconds), process.send_signal, [signal.SIGALRM])
    bell.daemon = True
    bell.start()
    try:
        say(process.stdin, order)
        left = attend(process.stdout, process.stdin, list(wanted), pages, to, folder, made)
    finally:
        bell.cancel()
        with suppress(OSError):
            process.stdin.close()
        if process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                process.wait(5)
            process.kill()
        process.stdout.close()
        code = process.wait()
    if left:
        late = time.monotonic() > bounds.deadline
        made.failed.append(out_of_time(left[0]) if late else broken_down(left[0], code, bounds))
    return left[1:]


def attend(
    heard: IO[str], answer: IO[str], left: list[WantedOutput], pages: Pages, to: Shelf, folder: Path, made: Made
) -> list[WantedOutput]:
    """Takes the workshop's files and fetches the images it asks for; returns outputs that it did not end."""
    for line in heard:
        try:
            message = json.loads(line)
        except ValueError:
            break  # cut off in the midst
        if "image" in message:
            path = pages.image(int(message["image"]))
            say(answer, {"path": str(path) if path else None})
        elif "file" in message:
            path = folder / message["path"]
            file = OutputFile(**message["file"])
            to.put(file.name, file.media_type, path)
            path.unlink(missing_ok=True)
            made.files.append(file)
        elif "joined" in message:
            one = message["joined"]
            made.joined.append(JoinedTableNote(one["table"], tuple(one["pages"]), tuple(one["why"])))
        elif "ended" in message:
            left.remove(WantedOutput(message["ended"]))
            if message.get("reason"):
                made.failed.append(
                    FailedOutput(message["ended"], message["reason"], message["message"], message.get("cause"))
                )
    return left


def say(to: IO[str], message: dict[str, Any]) -> None:
    with suppress(BrokenPipeError):
        to.write(json.dumps(message, allow_nan=False) + "\n")
        to.flush()


def out_of_time(output: WantedOutput) -> FailedOutput:
    return FailedOutput(
        output,
        "timed_out",
        f"There was no time left for the {output} output. Ask for fewer at once (./pagewise assemble), or split the "
        "document.",
    )


def broken_down(output: WantedOutput, code: int, bounds: Bounds) -> FailedOutput:
    if code in {-signal.SIGALRM, -signal.SIGXCPU}:
        return FailedOutput(
            output,
            "timed_out",
            f"The {output} output took longer than {bounds.seconds:.0f} seconds. Split the document.",
        )
    return FailedOutput(
        output,
        "too_large",
        f"The {output} output needed more memory than there is. Split the document, or export it more simply.",
    )
