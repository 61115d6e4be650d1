"""Exports of the audit trail as files, a new one to write and one to read; it must not know what is in them."""

import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final, cast

import click

from mfa_gate.flows.export_lines import NotAnExport

_COMPRESSED: Final = b"\x1f\x8b"
LONGEST_LINE: Final = 16 * 1024 * 1024


@contextmanager
def new_file(path: Path) -> Iterator[IO[bytes]]:
    """A file that nobody had before and nobody else may read; `-` is the terminal.

    One that could not be written to its end is removed: it would be taken for the whole.
    """
    if str(path) == "-":
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    try:
        # Security: names and addresses of people are in it.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise click.ClickException(f'"{path}" cannot be made: {error.strerror}. Name a new file.') from error
    try:
        with os.fdopen(handle, "wb") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())
    except OSError as error:
        path.unlink(missing_ok=True)
        raise click.ClickException(
            f'"{path}" cannot be written: {error.strerror}. It was removed.'
        ) from error
    except BaseException:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def opened_lines(path: Path) -> Iterator[Iterator[bytes]]:
    """The lines of a file, compressed with gzip or not; `-` is what is piped in. Raises `NotAnExport`."""
    try:
        with _opened(path) as source:
            yield _lines(path, source)
    except OSError as error:
        raise NotAnExport(f'"{path}" cannot be read: {error.strerror or error}.') from error


def _opened(path: Path) -> IO[bytes]:
    if str(path) == "-":
        return sys.stdin.buffer
    with path.open("rb") as source:
        is_compressed = source.read(2) == _COMPRESSED
    return cast("IO[bytes]", gzip.open(path, "rb")) if is_compressed else path.open("rb")


def _lines(path: Path, source: IO[bytes]) -> Iterator[bytes]:
    try:
        while line := source.readline(LONGEST_LINE):
            yield line
    except (OSError, EOFError, zlib.error) as error:
        raise NotAnExport(f'"{path}" is damaged: {error}.') from error
