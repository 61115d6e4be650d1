"""Audit events and the chain that makes a trail tamper-evident; it does not know where trails are kept.

Events of one account form one chain (organization events: the account `ORG`). Each link is
HMAC-SHA256(key, previous link ‖ canonical event), so whoever lacks the key can neither edit, insert,
reorder nor remove an event in the middle without breaking every later link.
"""

import hmac
from typing import Literal

import msgspec

ORG = "org"
"""The account id under which events of the organization (policy, settings, keys) are chained."""

EventKind = Literal[
    "store_created",
    "policy_changed",
    "account_seen",
    "profile_changed",
    "spelling_refused",
    "admin_code_made",
    "admin_code_spent",
    "enrollment_started",
    "setup_put_off",
    "factor_added",
    "factor_replaced",
    "factor_removed",
    "factor_disabled",
    "verified",
    "verified_elsewhere",
    "code_rejected",
    "account_paused",
    "tried_while_paused",
    "guessing_noticed",
    "account_locked",
    "browser_remembered",
    "browser_recognized",
    "browser_copied",
    "browser_forgotten",
    "recovery_code_used",
    "recovery_codes_made",
    "device_registered",
    "device_removed",
    "device_refused",
    "turned_off",
    "reset",
    "exemption_given",
    "exemption_ending",
    "exemption_ended",
    "signed_out",
    "signed_out_everywhere",
    "session_ended",
    "act_refused",
    "break_glass_granted",
    "break_glass_used",
    "break_glass_revoked",
    "keys_rotated",
    "key_retired",
    "store_restored",
    "tampering_noticed",
    "reminders_begun",
    "reminders_finished",
    "reminder_sent",
    "reminder_failed",
    "notice_failed",
    "roster_imported",
    "roster_settled",
    "account_listed",
    "listing_changed",
    "address_changed",
    "deactivated",
    "reactivated",
    "coverage_counted",
    "trail_exported",
    "list_exported",
    "people_exported",
    "trail_archived",
    "trail_shortened",
]

Audience = Literal["owner", "admins"]


class Actor(msgspec.Struct, frozen=True, kw_only=True):
    """Who did it: a subject of a realm, or an operating-system user at the shell; and from which address."""

    subject: str
    realm: str = ""
    address: str = ""
    surface: Literal["web", "api", "shell", "gate"] = "gate"

    @property
    def shown(self) -> str:
        """For people: a user of the machine is not somebody of the portal who happens to be named so."""
        return f"{self.subject} (shell)" if self.surface == "shell" else self.subject


SYSTEM = Actor(subject="mfa_gate")


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One audit record. `details` are plain words for people; never a code, seed, token or its hash."""

    kind: EventKind
    account_id: str
    subject: str
    at: int
    actor: Actor
    details: dict[str, str] = {}
    notify: tuple[Audience, ...] = ()


class Head(msgspec.Struct, frozen=True, kw_only=True):
    """The end of one account's chain: how many events, the last link, and the newest document version."""

    count: int = 0
    link: bytes = b""
    version: int = 0


def canonical(event: Event) -> bytes:
    """The exact bytes that are chained: JSON with sorted keys."""
    return msgspec.json.encode(event, order="sorted")


def link(key: bytes, previous: bytes, event: Event) -> bytes:
    """The next link of the chain, 32 bytes."""
    return hmac.digest(key, previous + canonical(event), "sha256")


def extend(key: bytes, head: Head, events: tuple[Event, ...], version: int) -> tuple[Head, tuple[bytes, ...]]:
    """The head after `events` are appended, and the link of each."""
    links = []
    last = head.link
    for event in events:
        last = link(key, last, event)
        links.append(last)
    return Head(count=head.count + len(events), link=last, version=version), tuple(links)
