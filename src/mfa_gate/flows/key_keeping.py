"""Decides whether a key that gave way to a newer one may go, and brings about that it may; it changes no key file."""

from collections.abc import Callable, Iterator

import msgspec

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.listing import EVERYBODY, Place
from mfa_gate.factors.peppers import is_made_with
from mfa_gate.keys import Key, Purpose
from mfa_gate.keys.rotation import Rotated
from mfa_gate.ports import Resealed, Seals, Store

ACCOUNTS_AT_ONCE = 100
SLOWEST_SECONDS = 60
"""How long a process that notices nothing may go on writing with the older key."""
COOKIE_SECONDS = 24 * 3600
"""How long a cookie lives at most."""

Progress = Callable[[int], None]


def reseal(seals: Seals, progress: Progress) -> Resealed:
    """Seal everything with the newest key. `progress` is told how many records were changed."""
    return _all(seals.reseal, progress)


def why_kept(store: Store, purpose: Purpose, key: Key, now: int, progress: Progress) -> str | None:
    """What still depends on a key that does not write; None if nothing does. `progress`: how much was looked at."""
    if key.standby:
        return None
    if now < key.stopped_at + SLOWEST_SECONDS:
        return (
            f"it gave way less than {SLOWEST_SECONDS} s ago, and a slow process may still write with it. Wait"
        )
    match purpose:
        case "seal":
            records = _all(store.seals.survey, progress).needed.get(key.id, 0)
            return f"{records} records are sealed with it. Run `mfa-gate keys reseal`" if records else None
        case "cookie":
            left = key.stopped_at + COOKIE_SECONDS - now
            return f"people are signed in by it for {_hours(left)} more. Wait" if left > 0 else None
        case "pepper":
            people = sum(_needs(account, key) for account in _everybody(store, now, progress))
            cure = "Wait until they made new ones, or reset them"
            return f"{people} people have codes that were hashed with it. {cure}" if people else None
        case "audit":
            oldest = _oldest_event(store)
            # What is archived may go back to the first event; with its key alone it is verified event by event.
            is_archived = store.stream.beginning().number > 0
            if is_archived or (oldest is not None and oldest <= key.stopped_at + SLOWEST_SECONDS):
                return (
                    "events in the trail, or its archive, are chained with it. It is kept as long as they are"
                )
            return None
        case "checkpoint" | "break_glass":
            return None


def rotated_event(actor: Actor, done: tuple[Rotated, ...], reason: str, now: int) -> Event:
    """How an exchange of keys stands in the trail."""
    details = {each.purpose: f"{each.old} gave way to {each.new}" for each in done} | {"reason": reason}
    return Event(
        kind="keys_rotated",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details=details,
        notify=("admins",),
    )


def retired_event(actor: Actor, purpose: Purpose, key_id: str, reason: str, now: int) -> Event:
    """How the end of a key stands in the trail."""
    details = {"purpose": purpose, "key": key_id, "reason": reason}
    return Event(
        kind="key_retired",
        account_id=ORG,
        subject="",
        at=now,
        actor=actor,
        details=details,
        notify=("admins",),
    )


def _all(step: Callable[[str | None, int], Resealed], progress: Progress) -> Resealed:
    changed, needed, broken = 0, dict[str, int](), list[str]()
    after: str | None = None
    while True:
        done = step(after, ACCOUNTS_AT_ONCE)
        changed += done.changed
        broken += done.broken
        for key, count in done.needed.items():
            needed[key] = needed.get(key, 0) + count
        progress(done.changed or sum(done.needed.values()))
        after = done.next
        if after is None:
            return Resealed(next=None, changed=changed, needed=needed, broken=tuple(broken))


def _everybody(store: Store, now: int, progress: Progress) -> Iterator[Account]:
    after: Place | None = None
    while True:
        page = store.people(EVERYBODY, after=after, limit=500, now=now)
        yield from (row.account for row in page.rows)
        progress(len(page.rows))
        after = page.next
        if after is None:
            return


def _needs(account: Account, key: Key) -> bool:
    hashes = () if account.recovery is None else account.recovery.hashes
    hashes = (*hashes, *(device.token_hash for device in account.devices))
    if account.setup_code is not None:
        hashes = (*hashes, account.setup_code.code_hash)
    return any(is_made_with(each, key.secret) for each in hashes)


def _oldest_event(store: Store) -> int | None:
    first = [store.stream.entries(shard, None, 1) for shard in store.stream.shards]
    return min(
        (msgspec.json.decode(each.record, type=Event).at for part in first for each in part), default=None
    )


def _hours(seconds: int) -> str:
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"
