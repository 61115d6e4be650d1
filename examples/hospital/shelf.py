"""Decides which files there are and whether another one fits; it must not know who may read them."""

import hashlib
import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from types import TracebackType
from typing import Final, Self

SEED_DIRECTORY: Final = Path(__file__).parent / "files"
KEEPER: Final = "Records office"
MEBIBYTE: Final = 1024 * 1024
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,79}")


class UploadRefused(Exception):
    """An upload that the shelf does not take; `status` is the HTTP answer that says so."""

    def __init__(self, status: HTTPStatus, text: str) -> None:
        super().__init__(text)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Document:
    """One file: its bytes and what the list says about it."""

    name: str
    keeper: str
    content: bytes
    sha256: str
    is_text: bool

    @property
    def size(self) -> int:
        """Length in bytes."""
        return len(self.content)

    @property
    def headers(self) -> dict[str, str]:
        """The HTTP headers that keep a browser from running or storing what somebody uploaded."""
        kind = "text/plain; charset=utf-8" if self.is_text else "application/octet-stream"
        place = "inline" if self.is_text else "attachment"
        return {
            "Content-Type": kind,
            "Content-Disposition": f'{place}; filename="{self.name}"',
            "X-Content-Type-Options": "nosniff",
            "Cache-Control": "no-store",
        }

    def summary(self) -> dict[str, str | int]:
        """Return the JSON form without the content."""
        return {"name": self.name, "keeper": self.keeper, "size": self.size, "sha256": self.sha256}


def document(name: str, keeper: str, content: bytes) -> Document:
    """Make a document; text is whatever decodes as UTF-8."""
    try:
        content.decode()
        is_text = True
    except UnicodeDecodeError:
        is_text = False
    digest = hashlib.sha256(content).hexdigest()
    return Document(name=name, keeper=keeper, content=content, sha256=digest, is_text=is_text)


def seeded(directory: Path = SEED_DIRECTORY) -> list[Document]:
    """Read the files that every start begins with."""
    return [document(path.name, KEEPER, path.read_bytes()) for path in sorted(directory.glob("*.txt"))]


class Shelf:
    """The portal's files in memory: fixed ones and, within limits, uploaded ones. Safe across threads."""

    def __init__(
        self,
        fixed: Iterable[Document],
        *,
        max_file_bytes: int = 32 * MEBIBYTE,
        max_total_bytes: int = 64 * MEBIBYTE,
        max_uploads: int = 200,
    ) -> None:
        self._fixed = {entry.name: entry for entry in fixed}
        self._uploaded: dict[str, Document] = {}
        self._held_bytes = 0
        self._lock = threading.Lock()
        self.max_file_bytes = max_file_bytes
        self.max_total_bytes = max_total_bytes
        self.max_uploads = max_uploads

    def documents(self) -> list[Document]:
        """Return every file, by name."""
        with self._lock:
            found = [*self._fixed.values(), *self._uploaded.values()]
        return sorted(found, key=lambda entry: entry.name)

    def find(self, name: str) -> Document | None:
        """Return one file, or None."""
        with self._lock:
            return self._fixed.get(name) or self._uploaded.get(name)

    def upload(self, name: str, keeper: str) -> "Upload":
        """Begin an upload; use it in a `with` block and write the chunks as they come in."""
        if _NAME.fullmatch(name) is None:
            text = "A file name has letters, digits, dot, dash and underscore, 80 at most."
            raise UploadRefused(HTTPStatus.BAD_REQUEST, text)
        if name in self._fixed:
            raise UploadRefused(HTTPStatus.CONFLICT, "The records office keeps this file; it is read-only.")
        return Upload(self, name, keeper)

    def reserve(self, size: int) -> None:
        """Set room aside for bytes that are coming in, so that unfinished uploads count as well."""
        with self._lock:
            if self._held_bytes + size > self.max_total_bytes:
                raise UploadRefused(HTTPStatus.INSUFFICIENT_STORAGE, "There is no room left.")
            self._held_bytes += size

    def release(self, size: int) -> None:
        """Give room back."""
        with self._lock:
            self._held_bytes -= size

    def put(self, entry: Document) -> None:
        """Keep a finished upload, whose room is reserved, in place of an older one of its name."""
        with self._lock:
            older = self._uploaded.get(entry.name)
            if older is None and len(self._uploaded) >= self.max_uploads:
                raise UploadRefused(HTTPStatus.INSUFFICIENT_STORAGE, "There are too many files.")
            self._uploaded[entry.name] = entry
            self._held_bytes -= older.size if older else 0


class Upload:
    """One upload under way; leaving its `with` block keeps the file, an exception inside drops it."""

    def __init__(self, shelf: Shelf, name: str, keeper: str) -> None:
        self._shelf = shelf
        self._name = name
        self._keeper = keeper
        self._content = bytearray()
        self.size = 0

    def __enter__(self) -> Self:
        return self

    def write(self, chunk: bytes) -> None:
        """Add bytes; raises `UploadRefused` past a limit."""
        if self.size + len(chunk) > self._shelf.max_file_bytes:
            text = f"A file has at most {self._shelf.max_file_bytes} bytes."
            raise UploadRefused(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
        self._shelf.reserve(len(chunk))
        self._content += chunk
        self.size += len(chunk)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._shelf.put(document(self._name, self._keeper, bytes(self._content)))
                self._content.clear()
        finally:
            self._shelf.release(len(self._content))
