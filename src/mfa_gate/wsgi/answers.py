"""The portal's answers on their way out: cookies of our name taken out, kept from shared caches, long ones watched."""

from collections.abc import Callable, Iterable
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING

import msgspec

from mfa_gate.core.decision import Visit
from mfa_gate.core.forwarding import sets_cookie_of
from mfa_gate.core.responses import LOOKED_AT, private
from mfa_gate.door import Door, Harmless
from mfa_gate.flows.recall import Basis
from mfa_gate.watch import PieceWatch, WatchedPieces

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse

Lines = list[tuple[str, str]]
Write = Callable[[bytes], object]
ExcInfo = tuple[type[BaseException], BaseException, TracebackType] | tuple[None, None, None] | None


class Answers:
    """What all answers of one middleware and process have in common."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._plain: Harmless[str] = Harmless(lambda name: name.lower() in LOOKED_AT)
        self.plain = self._plain.names
        """Names of headers, as portals spell them, that need no look."""

    def cleaned(self, headers: Lines, visit: Visit) -> Lines:
        """The portal's headers without cookies of our name, and kept out of shared caches on gated paths."""
        if all(name in self.plain or self._plain.learn(name) for name, _ in headers):
            return headers
        kept = tuple(
            (name.lower(), value)
            for name, value in headers
            if name.lower() != "set-cookie" or not sets_cookie_of(value, self._door.forwarding.our_cookies)
        )
        return list(kept if visit.rule.kind == "public" else private(kept))

    def watch(self, basis: Basis, begun_at: float) -> PieceWatch:
        """What looks on while a long answer goes out."""
        still = partial(self._door.checker.again, basis.visit, basis.facts)
        return PieceWatch(still, self._door.monotonic, begun_at)


class Answer(msgspec.Struct):
    """One answer. Made for every request, therefore as little as it can be."""

    start_response: "StartResponse"
    answers: Answers
    basis: Basis
    begun_at: float
    watch: PieceWatch | None = None
    """Once it is a long one."""
    write_on: Write = len
    """What the server gave for writing, once the answer has begun."""

    def start(self, status: str, headers: Lines, exc_info: ExcInfo = None) -> Write:
        """PEP 3333's `start_response` for the portal."""
        plain = self.answers.plain
        for name, _ in headers:
            if name not in plain:
                headers = self.answers.cleaned(headers, self.basis.visit)
                break
        if exc_info is None:
            write = self.start_response(status, headers)
        else:
            write = self.start_response(status, headers, exc_info)
        if not self.basis.lasting:
            return write
        self.write_on = write
        return self.write

    def write(self, piece: bytes) -> object:
        """PEP 3333's `write`, watched."""
        self.watching().look()
        return self.write_on(piece)

    def pieces(self, result: Iterable[bytes]) -> Iterable[bytes]:
        """What the portal returned; a long one ends early once its visitor would no longer pass."""
        return WatchedPieces(result, self.watching()) if self.basis.lasting else result

    def watching(self) -> PieceWatch:
        """It is a long one."""
        if self.watch is None:
            self.watch = self.answers.watch(self.basis, self.begun_at)
        return self.watch
