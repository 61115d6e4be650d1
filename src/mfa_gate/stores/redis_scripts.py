"""The Lua scripts of a Redis store, one file each; it must not know when they run.

A script's first line tells Redis what it may do. One that may write is refused as a whole, before anything is
written, by a replica, without memory and while the disk fails; that line needs Redis 7 or any Valkey.
"""

import hashlib
from importlib.resources import files
from typing import Final

import msgspec

_READS: Final = "#!lua flags=no-writes\n"
_WRITES: Final = "#!lua\n"
_TELLS: Final = "#!lua flags=allow-oom\n"


class Script(msgspec.Struct, frozen=True):
    """One script: its text, and the hash by which a server that knows it is told to run it."""

    name: str
    text: bytes
    sha: str


class Call(msgspec.Struct, frozen=True):
    """A script with what it is given."""

    script: Script
    keys: tuple[str, ...]
    args: tuple[str | bytes | int, ...] = ()


def _script(name: str, head: str, *parts: str) -> Script:
    folder = files("mfa_gate.stores") / "lua"
    text = head + "".join((folder / f"{part}.lua").read_text("utf-8") for part in (*parts, name))
    raw = text.encode()
    return Script(name, raw, hashlib.sha1(raw, usedforsecurity=False).hexdigest())


READ: Final = _script("read", _READS, "state")
READ_EACH: Final = _script("each", _READS, "state")
COMMIT: Final = _script("commit", _WRITES, "state")
SWAP: Final = _script("swap", _WRITES)
WALK: Final = _script("walk", _READS, "fits")
COUNTS: Final = _script("counts", _READS, "fits")
SIZES: Final = _script("sizes", _READS)
EVENTS: Final = _script("events", _READS)
HISTORY: Final = _script("history", _READS)
LINKS: Final = _script("links", _READS)
WHEN: Final = _script("when", _READS)
SNAPSHOT: Final = _script("snapshot", _READS)
TRAFFIC: Final = _script("traffic", _WRITES)
LEASE: Final = _script("lease", _WRITES)
EXPIRE: Final = _script("expire", _WRITES)
BEAT: Final = _script("beat", _TELLS)
RESERVE: Final = _script("reserve", _WRITES)
CHECKPOINT: Final = _script("checkpoint", _WRITES)
MARK: Final = _script("mark", _WRITES)
RUN: Final = _script("run", _WRITES)
JUDGED: Final = _script("judged", _READS, "state")
LET_GO: Final = _script("let_go", _WRITES)
PLACE: Final = _script("place", _WRITES)
TALLY: Final = _script("tally", _WRITES)
