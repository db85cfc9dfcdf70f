"""The documents that a path names, and their upload."""

import os
import threading
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from email.base64mime import header_encode
from pathlib import Path, PurePath
from typing import Any
from unicodedata import normalize

from commands.console import printable
from commands.errors import CommandError

PREFIX = "uploads"
# Operating systems' own files in folders.
CLUTTER = {"thumbs.db", "desktop.ini", "__macosx", "icon\r"}
RESERVED = {"logs"}  # of the output folder
DOCUMENT_SUFFIXES = frozenset({".pdf", ".tif", ".tiff", ".jpg", ".jpeg", ".png", ".bmp", ".webp", ".heic", ".heif"})
# Bound of an object's metadata, names and values together (S3's "user-defined metadata").
MOST_METADATA_BYTES = 2 * 1024
LONGEST_NAME = 255  # bytes, of most file systems


class DocumentError(CommandError):
    """The path names no document that can be read; the message gives the path and the reason."""


@dataclass(frozen=True)
class LocalDocument:
    path: Path
    place: PurePath  # its folder in the output folder

    @property
    def name(self) -> str:
        return printable(unicode_name(str(self.place)))

    def key(self, profile: str | None) -> str:
        return "/".join(part for part in (PREFIX, profile, unicode_name(self.path.name)) if part)


def find_documents(path: Path, output: Path) -> list[LocalDocument]:
    """The file, or all files of the folder and its folders but hidden ones, clutter, and the output itself."""
    try:
        if path.is_dir():
            files = sorted(files_in(path, output.resolve()))
            if not files:
                raise DocumentError(f"{path} contains no documents.")
            root = path
        elif path.is_file():
            files, root = [path], path.parent
        elif path.exists():
            raise DocumentError(f"{path} is neither a file nor a folder.")
        else:
            raise DocumentError(f"{path} does not exist.")
        for file in files:
            with file.open("rb"):
                pass
    except OSError as error:
        raise DocumentError(f"{error.filename or path} cannot be read: {error.strerror}.") from error
    return [LocalDocument(file, place) for file, place in zip(files, places(files, root), strict=True)]


def find_all(paths: Sequence[Path], output: Path) -> list[LocalDocument]:
    """The documents of several paths, each once. Raises DocumentError."""
    found = {document.path.absolute(): document for path in paths for document in find_documents(path, output)}
    if len(paths) == 1:
        return list(found.values())
    root = Path(os.path.commonpath([file.parent for file in found]))
    return [replace(found[file], place=place) for file, place in zip(found, places(list(found), root), strict=True)]


def files_in(folder: Path, output: Path) -> Iterator[Path]:
    def refuse(error: OSError) -> None:
        raise error

    for parent, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if wanted(name) and Path(parent, name).resolve() != output]
        for name in names:
            if wanted(name) and (file := Path(parent, name)).is_file():
                yield file


def wanted(name: str) -> bool:
    return not name.startswith(".") and name.lower() not in CLUTTER


def hidden_files(path: Path) -> list[str]:
    """The files of the folder itself that are passed over although a user may have meant them."""
    if not path.is_dir():
        return []
    return sorted(file.name for file in path.iterdir() if file.name.startswith(".") and is_document(file.name))


def is_document(name: str) -> bool:
    return not name.startswith("._") and Path(name).suffix.lower() in DOCUMENT_SUFFIXES


def places(files: list[Path], root: Path) -> Iterator[PurePath]:
    """The file's name; where files share one, their paths. macOS and Windows take no two names that differ in case, or
    in how an accent is written."""
    names = Counter(folded(file.name) for file in files)
    taken: set[str] = set(RESERVED)
    for file in files:
        wanted = PurePath(file.name) if names[folded(file.name)] == 1 else PurePath(file.relative_to(root))
        place, marks = wanted, 0
        while folded(str(place)) in taken:
            marks += 1
            place = wanted.with_name(marked(wanted.name, marks))
        taken.add(folded(str(place)))
        yield place


def folded(name: str) -> str:
    return normalize("NFC", name).casefold()


def marked(name: str, marks: int) -> str:
    return os.fsdecode(os.fsencode(name)[: LONGEST_NAME - marks] + b"~" * marks)


def unicode_name(name: str) -> str:
    """The name as it is, but for bytes that no Unicode text has: a file system may hold them, a key cannot."""
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


@dataclass(frozen=True)
class RequestedOptions:
    """The options for all documents of a command. `schema` is JSON; `preprocessing` as in `ocr-preprocessing`."""

    tasks: str | None = None
    profile: str | None = None
    schema: str | None = None
    rotate: bool | None = None
    pages_per_call: int | None = None
    preprocessing: str | None = None
    text_layer: str | None = None
    tag: str | None = None
    prompt: str | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    dpi: int | None = None
    logprobs: bool | None = None
    password: str | None = None
    outputs: str | None = None
    review: str | None = None

    def metadata(self) -> dict[str, str]:
        """The options as object metadata, for the splitter to check. Raises DocumentError for more than S3 takes."""
        spelled = {name: ascii_header(value) for name, value in self.said().items()}
        size = sum(len(name) + len(value) for name, value in spelled.items())
        if size > MOST_METADATA_BYTES:
            raise DocumentError(
                f"The options have {size:,} bytes, and an upload's may have {MOST_METADATA_BYTES:,} in all. "
                "Put a long prompt or schema into a profile (profiles/*.json), and say --profile."
            )
        return spelled

    def said(self) -> dict[str, str]:
        """The options as the splitter reads them out of metadata."""
        said = {
            "ocr-tasks": self.tasks,
            "ocr-result-schema": self.schema,
            "ocr-enable-rotate": None if self.rotate is None else str(self.rotate).lower(),
            "ocr-pages-per-call": None if self.pages_per_call is None else str(self.pages_per_call),
            "ocr-prompt": self.prompt,
            "ocr-min-pixels": None if self.min_pixels is None else str(self.min_pixels),
            "ocr-max-pixels": None if self.max_pixels is None else str(self.max_pixels),
            "ocr-dpi": None if self.dpi is None else str(self.dpi),
            "ocr-logprobs": None if self.logprobs is None else str(self.logprobs).lower(),
            "ocr-preprocessing": self.preprocessing,
            "ocr-text-layer": self.text_layer,
            "ocr-tag": self.tag,
            "ocr-outputs": self.outputs,
            "ocr-review": self.review,
            "ocr-password": self.password,
        }
        return {name: value for name, value in said.items() if value}


NO_OPTIONS = RequestedOptions()


@dataclass(frozen=True)
class Uploaded:
    document: LocalDocument
    key: str
    version: str | None
    started: float  # by the monotonic clock


class Uploader:
    """Uploads documents in the background, so that the first is recognized while others are still on their way."""

    def __init__(self, s3: Any, bucket: str, options: RequestedOptions = NO_OPTIONS) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._profile = options.profile
        self._metadata = options.metadata()
        self._lock = threading.Lock()
        self._uploaded: list[Uploaded] = []
        self._error: Exception | None = None

    def start(self, documents: Iterable[LocalDocument]) -> None:
        threading.Thread(target=self._upload_all, args=(list(documents),), name="uploads", daemon=True).start()

    def uploaded(self) -> list[Uploaded]:
        """All that were uploaded so far. Raises the error that ended the upload."""
        with self._lock:
            if self._error:
                raise self._error
            return list(self._uploaded)

    def _upload_all(self, documents: list[LocalDocument]) -> None:
        try:
            for document in documents:
                uploaded = self._upload(document)
                with self._lock:
                    self._uploaded.append(uploaded)
        except Exception as error:  # noqa: BLE001  raised again where the run waits
            with self._lock:
                self._error = error

    def _upload(self, document: LocalDocument) -> Uploaded:
        key, started = document.key(self._profile), time.monotonic()
        with document.path.open("rb") as file:
            answer = self._s3.put_object(Bucket=self._bucket, Key=key, Body=file, Metadata=self._metadata)
        return Uploaded(document, key, answer.get("VersionId"), started)


def ascii_header(text: str) -> str:
    """S3 takes ASCII metadata only; RFC 2047 is how S3 itself shows others. A header has one line, and loses the blanks
    at its ends."""
    plain = text.isascii() and text.isprintable() and text == text.strip() and "=?" not in text
    return text if plain else header_encode(text.encode(), "utf-8")
