"""Decides which path a request is about; it must not know the rules that are later matched against it."""

from typing import Literal

import msgspec


class OddPath(msgspec.Struct, frozen=True):
    """A path that two programs could read differently; the edge answers `status` and nobody is asked further."""

    reason: str
    status: Literal[400, 414] = 400


def canonical_path(path: str, raw_path: str | None, root_path: str = "") -> str | OddPath:
    """The one path that is judged and forwarded, below `root_path`, or why there is none. Not written yet: refuses."""
    del path, raw_path, root_path
    return OddPath("not written yet")
