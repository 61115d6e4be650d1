"""Chooses events of a trail for an export, so that what is left out need not be shown and the rest can be verified.

Only intervals between two checkpoints in which something fits are shown, with the hashes of what does not.
"""

from collections.abc import Callable, Iterator

import msgspec

from mfa_gate.core.checkpoints import HASH_BYTES, Entry, LeftOut, Signed, hash_of
from mfa_gate.flows.anchoring import IsOurs
from mfa_gate.flows.export_lines import HASHES_A_LINE
from mfa_gate.flows.finding import CLOCKS_DIFFER_SECONDS, Sought
from mfa_gate.flows.trails import Item, live, said_by
from mfa_gate.ports import Stream


class _Shown(msgspec.Struct, frozen=True):
    """What of an event decides whether it fits."""

    kind: str
    at: int


_shown = msgspec.json.Decoder(_Shown).decode


def chosen(stream: Stream, sought: Sought, is_ours: IsOurs) -> Iterator[Item]:
    """The items of a trail that an export with this filter consists of, in their order."""
    if sought == Sought():
        return live(stream).items()
    begin = None if sought.since is None else _begin(stream, sought.since, is_ours)
    return _choose(_until(live(stream, begin).items(), sought.until, is_ours), _fits(sought))


def _fits(sought: Sought) -> Callable[[Entry], bool]:
    if sought.fits_nothing:
        return lambda _: False
    account, kind = sought.account_id, sought.kind
    by_record = kind is not None or sought.since is not None or sought.until is not None

    def fits(entry: Entry) -> bool:
        if account is not None and entry.account_id != account:
            return False
        if not by_record:
            return True
        try:
            shown = _shown(entry.record)
        except (msgspec.MsgspecError, ValueError):
            return True  # What cannot be read any more must not vanish from what is shown.
        return (kind is None or shown.kind == kind) and sought.covers(shown.at)

    return fits


def _choose(items: Iterator[Item], fits: Callable[[Entry], bool]) -> Iterator[Item]:
    begin: Signed | None = None
    hidden = _Hidden()
    is_shown = False
    for item in items:
        if isinstance(item, Signed):
            if is_shown:
                yield from hidden.take()
                yield item
            hidden.drop()
            begin, is_shown = (None if is_shown else item), False
        elif isinstance(item, LeftOut):
            hidden.add(item.shard, item.position, item.hashes)
        elif fits(item[1]):
            if not is_shown and begin is not None:
                yield begin
            is_shown = True
            yield from hidden.take()
            yield item
        else:
            shard, entry = item
            hidden.add(shard, entry.position, hash_of(entry))


class _Hidden:
    """Hashes of what comes before the next event that is shown."""

    def __init__(self) -> None:
        self._runs: list[LeftOut] = []
        self._shard = ""
        self._position = 0
        self._hashes = bytearray()

    def add(self, shard: str, position: int, hashes: bytes) -> None:
        if shard != self._shard or len(self._hashes) >= HASHES_A_LINE * HASH_BYTES:
            self._close()
        self._shard, self._position = shard, position
        self._hashes += hashes

    def take(self) -> list[LeftOut]:
        """What was hidden, which is then forgotten."""
        self._close()
        runs, self._runs = self._runs, []
        return runs

    def drop(self) -> None:
        """Forget it."""
        self._runs.clear()
        self._hashes.clear()

    def _close(self) -> None:
        if self._hashes:
            self._runs.append(LeftOut(shard=self._shard, position=self._position, hashes=bytes(self._hashes)))
            self._hashes.clear()


def _begin(stream: Stream, since: int, is_ours: IsOurs) -> Signed | None:
    """The last checkpoint before which nothing can be meant, by halving; None: read from the first event on.

    # Security: one that is not ours may have been written so that events are passed over.
    """
    newest = stream.reached().checkpoint
    lowest, highest = max(1, stream.beginning().number), 0 if newest is None else newest.number
    found: Signed | None = None
    while lowest <= highest:
        middle = (lowest + highest) // 2
        signed = stream.checkpoint(middle)
        if signed is not None and _at(signed, is_ours) < since - CLOCKS_DIFFER_SECONDS:
            found, lowest = signed, middle + 1
        else:
            highest = middle - 1
    return found


def _until(items: Iterator[Item], until: int | None, is_ours: IsOurs) -> Iterator[Item]:
    """The same up to the first checkpoint behind which nothing can be meant."""
    for item in items:
        yield item
        if until is not None and isinstance(item, Signed):
            at = _at(item, is_ours)
            if at != _NEVER and at >= until + CLOCKS_DIFFER_SECONDS:
                return


_NEVER = 2**63


def _at(signed: Signed, is_ours: IsOurs) -> int:
    """When it was signed; never, for one that is not ours."""
    said = said_by(signed)
    return said.at if said is not None and is_ours(signed) else _NEVER
