"""Signs every minute how far the trail has come, and compares what is stored about people with what the trail says.

One process at a time should run it; if two do, the store takes the checkpoint of only one. It decides nothing about a
person: what does not fit is recorded, logged, and told to the administrators.
"""

import logging
from collections.abc import Callable

from mfa_gate.core.checkpoints import (
    Checkpoint,
    Mark,
    OrgChain,
    Running,
    Signed,
    body_of,
    ends_before,
    to_sign,
)
from mfa_gate.core.errors import RecordCorrupt, StaleState, StoreUnavailable
from mfa_gate.core.events import ORG, SYSTEM, Event
from mfa_gate.core.messages import printable
from mfa_gate.flows.anchoring import AnchorKeeper, IsOurs
from mfa_gate.flows.rereading import Rereading
from mfa_gate.flows.verifying import verify_store
from mfa_gate.ports import Store

PERIOD_SECONDS = 60
EVENTS = 1_000
"""So many new events are signed before the minute is over."""
AT_ONCE = 1_000
BATCH = 50_000
"""So many events are read in one tick; a long trail that was never signed gets several checkpoints."""
SWEEP = 5_000
"""So many accounts that did not change are compared each minute, one after the other."""
JUDGED_AT_ONCE = 100
REREAD = 20_000
"""So many events that were signed are held against their checkpoints once more each minute."""
SEEN_KEPT = 20_000
ALARMS_KEPT = 1_000

log = logging.getLogger("mfa_gate")

Sign = Callable[[bytes], tuple[str, bytes]]
"""Message → (key id, signature)."""


class Checkpointer:
    """One per process; not for several threads at once. `keeper` is None where there is no anchor."""

    def __init__(self, store: Store, keeper: AnchorKeeper | None, sign: Sign, is_ours: IsOurs) -> None:
        self._store = store
        self._stream = store.stream
        self._keeper = keeper
        self._sign = sign
        self._is_ours = is_ours
        self._newest: Signed | None = None
        self._signed_at = 0
        self._resumed = False
        self._running: dict[str, Running] = {}
        self._org = OrgChain(0, b"")
        self._seen: dict[str, bytes] = {}
        self._swept: str | None = None
        self._compared_at: int | None = None
        self._rereading = Rereading(store.stream, is_ours, store.store_id)
        self._alarms: dict[tuple[str, str], None] = {}

    def tick(self, now: int) -> Signed | None:
        """Do what is due; the new checkpoint, if there is one. Call it every few seconds.

        Raises `StoreUnavailable`; the next call goes on. `RolledBack` where the store is behind its anchor.
        """
        if self._keeper is not None:
            self._keeper.refuse_older()
        reached = self._stream.reached()
        if not self._resumed or _number(reached.checkpoint) != _number(self._newest):
            self._resume(reached.checkpoint, now)
        marks = tuple(running.mark for running in self._running.values())
        short = ends_before(marks, reached.positions)
        if short is not None:
            self._alarm(ORG, f"The trail was cut off: {short}.", now)
        self._read_on()
        signed = self._sign_next(reached.policy_version, now) if self._is_due(now) else None
        if self._compared_at is None or not 0 <= now - self._compared_at < PERIOD_SECONDS:
            self._compare(now)
            self._reread(now)
        if self._keeper is not None:
            self._keeper.advance(now, signed)
        return signed

    def examine(self, now: int) -> str | None:
        """Recompute everything, as `mfa-gate audit verify` does; what is wrong, if anything is. May take long."""
        broken = self._store.broken_chain()
        if broken is None:
            broken = verify_store(self._stream, self._is_ours, self._store.store_id).broken
        if broken is not None:
            self._alarm(ORG, broken, now)
        return broken

    def _resume(self, newest: Signed | None, now: int) -> None:
        """Go on from the newest checkpoint that is ours. One that is not can be written by whoever writes the store."""
        base, said = newest, None
        while base is not None:
            said = self._believed(base)
            if said is not None:
                break
            self._alarm(ORG, f"Checkpoint {base.number} is not signed with a key of this gate.", now)
            base = self._stream.checkpoint(base.number - 1)
        marks = {mark.shard: mark for mark in said.marks} if said else {}
        self._running = {
            shard: Running(marks.get(shard) or Mark(shard=shard)) for shard in self._stream.shards
        }
        self._org = OrgChain(said.org_count, said.org_link) if said else OrgChain(0, b"")
        self._signed_at = said.at if said else 0
        self._newest, self._resumed = newest, True

    def _believed(self, signed: Signed) -> Checkpoint | None:
        try:
            said = signed.read()
        except RecordCorrupt:
            return None
        return said if said.store == self._store.store_id and self._is_ours(signed) else None

    def _read_on(self) -> None:
        budget = BATCH
        for shard, running in self._running.items():
            while budget > 0:
                after = running.position if running.count else None
                entries = self._stream.entries(shard, after, AT_ONCE)
                for entry in entries:
                    running.take(entry)
                    self._org.take(entry)
                    self._seen.pop(entry.account_id, None)
                    self._seen[entry.account_id] = entry.link
                budget -= len(entries)
                if len(entries) < AT_ONCE:
                    break
        while len(self._seen) > SEEN_KEPT:
            del self._seen[next(iter(self._seen))]

    def _is_due(self, now: int) -> bool:
        fresh = sum(running.count - running.mark.count for running in self._running.values())
        return fresh > 0 and (fresh >= EVENTS or not 0 <= now - self._signed_at < PERIOD_SECONDS)

    def _sign_next(self, policy_version: int, now: int) -> Signed | None:
        newest = self._newest
        marks = tuple(running.reached() for running in self._running.values())
        checkpoint = Checkpoint(
            store=self._store.store_id,
            number=_number(newest) + 1,
            at=now,
            marks=marks,
            previous=b"" if newest is None else newest.hash,
            policy_version=policy_version,
            org_count=self._org.count,
            org_link=self._org.link,
        )
        body = body_of(checkpoint)
        key, signature = self._sign(to_sign(body))
        signed = Signed(number=checkpoint.number, body=body, key=key, signature=signature)
        self._resumed = False  # until it is certain that it stands there
        try:
            self._stream.add_checkpoint(signed)
        except StaleState:
            return None
        self._running = {mark.shard: Running(mark) for mark in marks}
        self._newest, self._signed_at, self._resumed = signed, now, True
        return signed

    def _compare(self, now: int) -> None:
        """Who changed since the last time, the organization, and some of those who did not change."""
        wanted: dict[str, bytes | None] = {ORG: None, **dict.fromkeys(self._sweep()), **self._seen}
        accounts = list(wanted)
        for begin in range(0, len(accounts), JUDGED_AT_ONCE):
            part = {account: wanted[account] for account in accounts[begin : begin + JUDGED_AT_ONCE]}
            for misfit in self._stream.misfits(part):
                self._alarm(misfit.account_id, misfit.text, now)
        self._seen.clear()
        self._compared_at = now

    def _reread(self, now: int) -> None:
        broken = self._rereading.turn(REREAD)
        if broken is not None:
            self._alarm(ORG, broken, now)

    def _sweep(self) -> list[str]:
        swept: list[str] = []
        while len(swept) < SWEEP:
            self._swept, ids = self._stream.account_ids(self._swept, SWEEP - len(swept))
            swept += ids
            if self._swept is None:
                break
        return swept

    def _alarm(self, account_id: str, text: str, now: int) -> None:
        """Say once what was found. What is in the store's own hands may not come to anybody; the log does."""
        if (account_id, text) in self._alarms:
            return
        while len(self._alarms) >= ALARMS_KEPT:
            del self._alarms[next(iter(self._alarms))]
        self._alarms[account_id, text] = None
        log.error("tampering noticed: %s", printable(text, 1_000))
        details = {"what": printable(text, 500)} | ({} if account_id == ORG else {"account": account_id})
        noticed = Event(
            kind="tampering_noticed",
            account_id=ORG,
            subject="",
            at=now,
            actor=SYSTEM,
            details=details,
            notify=("admins",),
        )
        try:
            self._store.record((noticed,), now)
        except StoreUnavailable as error:
            log.error("the alarm could not be recorded: %s", printable(str(error), 1_000))  # noqa: TRY400


def _number(signed: Signed | None) -> int:
    return 0 if signed is None else signed.number
