"""Decides which sessions and challenges of an account are alive after a change; it knows no database.

The register is sealed beside the account's document, together with the head of its chain. What it does not list is
dead, whatever rows are in the store: a session that was signed out, or a challenge that was spent, cannot be put
back by somebody who can write rows and kept an old one.
"""

from collections.abc import Container

import msgspec
from msgspec.structs import replace

from mfa_gate.core.checkpoints import FROM_THE_FIRST, Beginning
from mfa_gate.core.events import Head
from mfa_gate.core.roster import RosterHead
from mfa_gate.core.sessions import CAP as SESSION_CAP
from mfa_gate.ports import Change

CHALLENGE_CAP = 5
"""Challenges per account that may be alive at once; the oldest gives way."""


class Register(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is true of an account beside its document: the head of its chain, and what is alive, oldest first."""

    head: Head = Head()
    sessions: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    roster: RosterHead = RosterHead()
    """In the organization's register: which roster is in force."""
    begins: Beginning = FROM_THE_FIRST
    """In the organization's register: where the trail begins."""


def after_change(
    register: Register,
    change: Change,
    *,
    new_epoch: bool,
    live_sessions: Container[str],
    live_challenges: Container[str],
) -> Register:
    """The register once `change` is written; `live_…` are the rows that are there and have not expired.

    A new epoch takes everything that was opened under the old one. Order is that of opening: by time, the newest
    would be the first to give way after the clock was set back.
    """
    sessions: tuple[str, ...] = ()
    challenges: tuple[str, ...] = ()
    if not new_epoch:
        if change.end_sessions != "all":
            ended = change.end_sessions
            sessions = tuple(key for key in register.sessions if key in live_sessions and key not in ended)
        challenges = tuple(
            key for key in register.challenges if key in live_challenges and key != change.spend
        )
    if change.open_session is not None:
        sessions = _opened(sessions, change.open_session.key, SESSION_CAP)
    if change.open_challenge is not None:
        challenges = _opened(challenges, change.open_challenge.id, CHALLENGE_CAP)
    return replace(register, sessions=sessions, challenges=challenges)


def without_session(register: Register, key: str) -> Register:
    """The register once one session has ended."""
    return replace(register, sessions=tuple(each for each in register.sessions if each != key))


def _opened(keys: tuple[str, ...], key: str, cap: int) -> tuple[str, ...]:
    return (*(each for each in keys if each != key), key)[-cap:]
