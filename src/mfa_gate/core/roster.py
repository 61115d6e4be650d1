"""What the roster says becomes of an account: (account, row, now) → the account after it, and its events.

A roster is the organization's own list of its people. It decides who is active and where mail goes; it can make nobody
an administrator, and touches no factor. Pure; where rows come from and where they lie it must not know.
"""

from functools import cached_property

import msgspec
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Listing, account_id
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.mailboxes import has_moved, moved
from mfa_gate.core.transitions import event


class RosterHead(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Which import is in force: the pointer whose move makes an import true.

    `number` rises with each move. `import_id` names the staged rows that not every account has been told of yet, and
    `rows` says how many they are; empty once all have.
    """

    number: int = 0
    import_id: str = ""
    rows: int = 0


class RosterRow(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, dict=True):
    """One person as a roster names them. `gone`: a roster named them before, and this one does not any more."""

    realm: str
    subject: str
    name: str = ""
    email: str = ""
    groups: tuple[str, ...] = ()
    active: bool = True
    gone: bool = False

    @cached_property
    def account_id(self) -> str:
        """Whose row it is."""
        return account_id(self.realm, self.subject)


Listed = tuple[Account, tuple[Event, ...]]


def listed(account: Account | None, row: RosterRow, number: int, actor: Actor, now: int) -> Listed:
    """The account once a row of import `number` is applied; unchanged and without events if that tells nothing new."""
    if account is None:
        return _made(row, number, actor, now)
    before = account.listing
    after = account
    events: list[Event] = []
    if not row.gone:
        after = _told(account, row, number, now)
        if before is None:
            events.append(event(after, "account_listed", actor, now, roster=number))
        elif changed := _changed(before, row):
            events.append(
                event(after, "listing_changed", actor, now, fields=", ".join(changed), roster=number)
            )
        if has_moved(account, after):
            events.append(event(after, "address_changed", actor, now, ("owner",), roster=number))
    active = row.active and not row.gone
    if active != account.active:
        # The next sign-in after a return asks for a code again.
        after = replace(after, active=active, epoch=account.epoch + (not active))
        events.append(event(after, "reactivated" if active else "deactivated", actor, now, roster=number))
    return after, tuple(events)


def _made(row: RosterRow, number: int, actor: Actor, now: int) -> Listed:
    account = Account(
        id=row.account_id,
        realm=row.realm,
        subject=row.subject,
        name=row.name,
        email=row.email,
        active=row.active and not row.gone,
        created_at=now,
        listing=Listing(number=number, name=row.name, email=row.email, groups=row.groups),
    )
    made = event(account, "account_listed", actor, now, roster=number)
    if account.active:
        return account, (made,)
    return account, (made, event(account, "deactivated", actor, now, roster=number))


def _told(account: Account, row: RosterRow, number: int, now: int) -> Account:
    before = account.listing
    if before is not None and not _changed(before, row):
        return account
    listing = Listing(number=number, name=row.name, email=row.email, groups=row.groups)
    told = moved(account, row.email or account.email, now)
    return replace(told, name=row.name or account.name, listing=listing)


def _changed(before: Listing, row: RosterRow) -> list[str]:
    return [name for name in ("name", "email", "groups") if getattr(before, name) != getattr(row, name)]
