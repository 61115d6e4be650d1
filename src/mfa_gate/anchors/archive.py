"""Keeps segments of the trail as compressed files in a folder, each whole or not at all; it judges none of them."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.files import sync_folder
from mfa_gate.ports import Segment

_NAME: Final = re.compile(r"audit-(?P<store>[0-9A-Za-z_-]+)-(?P<first>\d{10,})-(?P<last>\d{10,})\.jsonl\.gz")
_LONGEST_LINE: Final = 16 * 1024 * 1024


class ArchiveFolder:
    """`ports.Archive` in one folder, which may hold other files and segments of other stores."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def segments(self, store: str) -> tuple[Segment, ...]:
        """What there is of this store, oldest first."""
        return tuple(segment for segment in self._all() if segment.store == store)

    def stores(self) -> tuple[str, ...]:
        """Of which stores there is something. Raises `StoreUnavailable`."""
        return tuple(sorted({segment.store for segment in self._all()}))

    def trouble(self) -> str | None:
        """Why nothing could be kept here now; None if it could."""
        try:
            self._all()
        except StoreUnavailable as error:
            return str(error)
        return (
            None
            if os.access(self._path, os.W_OK | os.X_OK)
            else str(self._unavailable("written", "not ours"))
        )

    def _all(self) -> list[Segment]:
        try:
            found = [_NAME.fullmatch(path.name) for path in self._path.iterdir()]
        except OSError as error:
            raise self._unavailable("read", error) from error
        return sorted(
            Segment(first=int(match["first"]), last=int(match["last"]), store=match["store"])
            for match in found
            if match
        )

    def path_of(self, segment: Segment) -> Path:
        """Where a segment is."""
        return self._path / f"audit-{segment.store}-{segment.first:010}-{segment.last:010}.jsonl.gz"

    def name(self, segment: Segment) -> str:
        """How its file is called."""
        return self.path_of(segment).name

    def digest(self, segment: Segment) -> str:
        """The SHA-256 of its file, in hex."""
        try:
            with self.path_of(segment).open("rb") as source:
                return hashlib.file_digest(source, "sha256").hexdigest()
        except OSError as error:
            raise self._unavailable("read", error) from error

    def keep(self, segment: Segment, lines: Iterator[bytes]) -> bool:
        """Write a segment under a name of its own, bring it to disk, and only then give it its name."""
        path = self.path_of(segment)
        fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
        try:
            with suppress(FileNotFoundError):
                fresh.unlink()
            handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            with os.fdopen(handle, "wb") as out:
                with gzip.GzipFile(filename="", mode="wb", fileobj=out, compresslevel=6, mtime=0) as packed:
                    packed.writelines(lines)
                out.flush()
                os.fsync(handle)
            # Never over another: it would take its place without a word.
            os.link(fresh, path)
            sync_folder(self._path)
        except FileExistsError:
            return False
        except OSError as error:
            raise self._unavailable("written", error) from error
        finally:
            with suppress(OSError):
                fresh.unlink()
        return True

    def read(self, segment: Segment) -> Iterator[bytes]:
        """The lines of a segment."""
        try:
            with gzip.open(self.path_of(segment), "rb") as source:
                while line := source.readline(_LONGEST_LINE):
                    yield line
        except (OSError, EOFError, zlib.error) as error:
            raise StoreUnavailable(
                f"{self.path_of(segment)} of the archive is damaged or gone ({error}). Put it back."
            ) from error

    def _unavailable(self, what: str, error: object) -> StoreUnavailable:
        why = getattr(error, "strerror", None) or str(error)
        return StoreUnavailable(
            f"The archive {self._path} cannot be {what} ({why}). Make the folder, writable by the gate, with room."
        )
