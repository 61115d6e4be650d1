"""How acts of administration stand in the trail: who acted, why, and what was refused; it commits nothing."""

import re

from mfa_gate.core.accounts import Account
from mfa_gate.core.events import ORG, Actor, Event
from mfa_gate.core.messages import printable
from mfa_gate.flows.results import Why

SHORTEST_REASON, LONGEST_REASON = 3, 500
_ACCOUNT_ID = re.compile(r"[0-9a-f]{32}", re.ASCII)


def is_account_id(text: str) -> bool:
    """True if `text`, which comes from an address, can be an account's id: no chain of ours, nothing odd."""
    return _ACCOUNT_ID.fullmatch(text) is not None


def clean_reason(text: str) -> str | None:
    """A reason as one harmless line, or None if it has not 3 to 500 characters."""
    line = " ".join(text.split())
    return printable(line, LONGEST_REASON) if SHORTEST_REASON <= len(line) <= LONGEST_REASON else None


def shell(os_user: str) -> Actor:
    """Somebody on the server's own shell, named as the operating system names them."""
    return Actor(subject=printable(os_user), surface="shell")


def refused_act(act: str, actor: Actor, target: Account | None, why: Why, now: int) -> Event:
    """The event of an act that somebody may not do, in the organization's chain."""
    details = {"act": act, "why": why} | ({} if target is None else {"account": target.id})
    subject = "" if target is None else target.subject
    return Event(kind="act_refused", account_id=ORG, subject=subject, at=now, actor=actor, details=details)
