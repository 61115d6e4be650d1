"""The audit trail as a file: one JSON object a line, written and read as a stream; it must not know who reads it.

The first line names the store and its shards; then come all checkpoints, then the events shard by shard, each in the
order in which it was written. A record stands there exactly as it was chained and signed.
"""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import IO, Any, Final

from mfa_gate.core.checkpoints import Entry, Signed
from mfa_gate.core.errors import MfaGateError
from mfa_gate.flows.verifying import Trail

FORMAT: Final = 1


class NotAnExport(MfaGateError):
    """The file is not what `mfa-gate audit export` writes."""


def write(out: IO[str], store_id: str, trail: Trail, progress: Callable[[int], None]) -> int:
    """Write a whole trail; how many events it has."""
    _put(out, {"mfa_gate_export": FORMAT, "store": store_id, "shards": list(trail.shards)})
    for signed in trail.checkpoints():
        body, signature = _text(signed.body), signed.signature.hex()
        _put(out, {"checkpoint": signed.number, "body": body, "key": signed.key, "signature": signature})
    count = 0
    for shard in trail.shards:
        for entry in trail.entries(shard):
            _put(
                out,
                {
                    "shard": shard,
                    "position": entry.position,
                    "account": entry.account_id,
                    "record": _text(entry.record),
                    "link": entry.link.hex(),
                },
            )
            count += 1
            if count % 1000 == 0:
                progress(1000)
    progress(count % 1000)
    return count


class Export:
    """An exported trail in a file. Raises `NotAnExport`, also while it is read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._starts: dict[str, int] | None = None
        head = next(self._lines(), {})
        shards = head.get("shards")
        if head.get("mfa_gate_export") != FORMAT or not isinstance(shards, list):
            raise NotAnExport(
                f'"{path}" is no export of an audit trail. Write one with `mfa-gate audit export`.'
            )
        self.store_id = str(head.get("store"))
        self.trail = Trail(
            shards=tuple(map(str, shards)), checkpoints=self._checkpoints, entries=self._entries
        )

    def _checkpoints(self) -> Iterator[Signed]:
        for line in islice(self._lines(), 1, None):
            if "checkpoint" not in line:
                return
            with self._explained():
                yield Signed(
                    number=int(line["checkpoint"]),
                    body=_bytes(line["body"]),
                    key=str(line["key"]),
                    signature=bytes.fromhex(line["signature"]),
                )

    def _entries(self, shard: str) -> Iterator[Entry]:
        found = False
        for line in self._lines(self._start_of(shard)):
            if line.get("shard") != shard:
                if found:
                    return
                continue
            found = True
            with self._explained():
                yield Entry(
                    position=int(line["position"]),
                    account_id=str(line["account"]),
                    record=_bytes(line["record"]),
                    link=bytes.fromhex(line["link"]),
                )

    def _start_of(self, shard: str) -> int:
        """Where the events of a shard begin in the file; found once for all shards."""
        if self._starts is None:
            self._starts, at = {}, 0
            with self._path.open("rb") as file:
                for text in file:
                    if text.startswith(b'{"shard": "'):
                        self._starts.setdefault(text[11:].partition(b'"')[0].decode(errors="replace"), at)
                    at += len(text)
        return self._starts.get(shard, 0)

    def _lines(self, start: int = 0) -> Iterator[dict[str, Any]]:
        try:
            with self._path.open("rb") as file:
                file.seek(start)
                for text in file:
                    with self._explained():
                        line = json.loads(_text(text))
                        if not isinstance(line, dict):
                            raise TypeError
                        yield line
        except OSError as error:
            raise NotAnExport(f'"{self._path}" cannot be read: {error.strerror}.') from error

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except (ValueError, KeyError, TypeError) as error:
            raise NotAnExport(f'"{self._path}" is damaged: a line of it is not what was exported.') from error


def _put(out: IO[str], line: dict[str, object]) -> None:
    out.write(json.dumps(line, ensure_ascii=False) + "\n")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
