"""The flows on a real store, with people who come and go: what wiring puts together, under the test's own clock."""

import hashlib
import itertools
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from pathlib import Path
from typing import Literal, TypeVar

import pyotp
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, account_id
from mfa_gate.core.decision import Allow
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import Actor, Event
from mfa_gate.core.policy import Policy
from mfa_gate.core.sessions import is_live
from mfa_gate.core.snapshots import Openings
from mfa_gate.core.transitions import seen
from mfa_gate.flows.administration import Administration
from mfa_gate.flows.checking import session_key
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.counting import Counting
from mfa_gate.flows.proving import CodeDesk
from mfa_gate.flows.reporting import Reporting
from mfa_gate.flows.reports import Reports
from mfa_gate.flows.results import Enrolled, Opened, Started, Verified
from mfa_gate.flows.self_service import SelfService
from mfa_gate.flows.surveying import Place, Surveying
from mfa_gate.flows.visitor import Visitor
from mfa_gate.ports import Change, Policies
from mfa_gate.signing import SessionCookie
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.offices import Offices, offices_of

NOW = 1_800_000_000 - 1_800_000_000 % 30
REALM = "portal"
PUBLIC = "https://files.example.org"
SIGNING = Ed25519PrivateKey.generate()
ROLES: dict[str, Literal["admin", "help_desk"]] = {
    "root": "admin",
    "admin": "admin",
    "help": "help_desk",
    "desk": "help_desk",
}
T = TypeVar("T")


def role_of(person: Identity | Account) -> Literal["admin", "help_desk"] | None:
    """By name, or by a group of that name with an `s`."""
    by_group = [role for name, role in ROLES.items() if f"{name}s" in (person.groups or ())]
    return ROLES.get(person.subject) or next(iter(by_group), None)


def sign(message: bytes) -> tuple[str, bytes]:
    """As the gate signs checkpoints and snapshots."""
    return "k1", SIGNING.sign(message)


def is_ours(key: str, message: bytes, signature: bytes) -> bool:
    """Whether `sign` signed it."""
    try:
        SIGNING.public_key().verify(signature, message)
    except InvalidSignature:
        return False
    return key == "k1"


class House:
    """One gate without doors."""

    def __init__(self, place: Path, *, setup_code: bool = False) -> None:
        self.store = SqliteStore.create(
            place / "gate.db",
            sealer=Sealer({"k1": b"k" * 32}, "k1", os.urandom),
            audit_key=b"a" * 32,
            store_id="house",
            now=NOW,
        )
        self.changed: list[str] = []
        self.policy_changes = 0
        self._draws = itertools.count()
        committer = Committer(self.store, self.changed.append)
        self.committer = committer
        self.self_service = SelfService(
            self.store,
            committer,
            desk=CodeDesk(pepper=b"p" * 32, random=self._random),
            issuer="Example Files",
            store_id="house",
            needs_setup_code=lambda account: setup_code and role_of(account) is not None,
        )
        offices = self.offices()
        self.authority, self.administration = offices.authority, offices.administration
        self.assistance = offices.assistance
        self.reporting = Reporting(
            self.store,
            self.store,
            self.store,
            self.store,
            self.store,
            notices=self.store.notices,
            leases=self.store,
        )
        self.survey = Surveying(
            self.store,
            self.store,
            self.store,
            self.store,
            self.store,
            place=Place(
                store=self.store.store_id,
                zone=UTC,
                zone_name="UTC",
                open_now=lambda _: Openings(mode="enforce"),
            ),
        )
        self.reports = Reports(
            self.survey, self.store.snapshots, self.store, is_ours, portal="Example Files", public_url=PUBLIC
        )
        self.counting = Counting(
            self.survey, self.store.snapshots, self.store, self.store, sign=sign, is_ours=is_ours
        )

    def administer(self, policies: Policies) -> Administration:
        """Administration with these policies."""
        return self.offices(policies).administration

    def offices(self, policies: Policies | None = None) -> Offices:
        """Everything that administers."""
        return offices_of(
            self.store,
            b"p" * 32,
            role_of,
            committer=self.committer,
            policies=policies,
            random=self._random,
            policy_changed=self._policy_changed,
        )

    def _random(self, size: int) -> bytes:
        return hashlib.shake_256(str(next(self._draws)).encode()).digest(size)

    def _policy_changed(self) -> None:
        self.policy_changes += 1

    def account(self, subject: str) -> Account:
        found = self.store.account(account_id(REALM, subject))
        assert found is not None
        return found

    def visitor(
        self,
        subject: str,
        cookie: SessionCookie | None = None,
        now: int = NOW,
        *,
        sign_in: str = "s-1",
        surface: Literal["web", "api"] = "web",
    ) -> Visitor:
        """Somebody whom the portal names, with the session of `cookie` if it is live."""
        identity = Identity(source="header", realm=REALM, subject=subject, session_id=sign_in)
        account = self.store.account(account_id(REALM, subject))
        if account is None:
            fresh, events = seen(None, identity, now)
            account = self.store.commit(Change(account=fresh, events=events), now)
        policy = self.store.policy()
        session = None
        if cookie is not None:
            session = self.store.facts(cookie.account, session_key(cookie.id), now).session
        live = session is not None and is_live(session, account, identity, policy, now)
        return Visitor(
            identity=identity,
            account=account,
            session=session if live else None,
            policy=policy,
            decision=Allow(outcome=None),
            sign_in=sign_in,
            actor=Actor(subject=subject, realm=REALM, address="192.0.2.9", surface=surface),
            user_agent="Firefox",
        )

    def require_two_step(self) -> Policy:
        return self.store.commit_policy(replace(self.store.policy(), require_two_step=True), (), NOW)

    def forbid_recovery_codes(self) -> Policy:
        return self.store.commit_policy(replace(self.store.policy(), allowed_factors=("totp",)), (), NOW)

    def enroll(self, subject: str, now: int = NOW) -> "Person":
        """Two-step for somebody, from the first visit to the recovery codes."""
        visitor = self.visitor(subject, now=now)
        started = self.self_service.start_enrollment(visitor, "browser", "", now)
        assert isinstance(started, Started)
        app = pyotp.TOTP(started.secret)
        enrolled = self.self_service.confirm_enrollment(
            visitor, "browser", started.challenge, app.at(now), "", now
        )
        assert isinstance(enrolled, Enrolled)
        return Person(self, subject, app, enrolled.codes, enrolled.opened)

    @staticmethod
    def changed_to(account: Account) -> Change:
        """The commit that puts an account as it is given."""
        return Change(account=account)

    def kinds(self, subject: str | None = None) -> list[str]:
        """The kinds of the events of one person, or of all, oldest first."""
        return [event.kind for event in self.events(subject)]

    def events(self, subject: str | None = None) -> list[Event]:
        wanted = None if subject is None else account_id(REALM, subject)
        found = self.store.events(account_id=wanted, kind=None, before=None, limit=1000)
        return [recorded.event for recorded in reversed(found)]


class Person:
    """Somebody who has two-step, with their app and papers."""

    def __init__(
        self, house: House, subject: str, app: pyotp.TOTP, codes: tuple[str, ...], opened: Opened
    ) -> None:
        self.house = house
        self.subject = subject
        self.app = app
        self.codes = codes
        self.cookie = opened.cookie

    @property
    def id(self) -> str:
        return account_id(REALM, self.subject)

    @property
    def secret(self) -> bytes:
        return self.app.byte_secret()

    def at(self, now: int, *, verified: bool = True, sign_in: str = "s-1") -> Visitor:
        return self.house.visitor(self.subject, self.cookie if verified else None, now, sign_in=sign_in)

    def verify(self, now: int) -> Visitor:
        """Give a code now; the person with the session that it opens."""
        done = self.house.self_service.verify(self.at(now), "totp", self.app.at(now), now)
        assert isinstance(done, Verified)
        self.cookie = done.opened.cookie
        return self.at(now)


def wrong(app: pyotp.TOTP, now: int) -> str:
    """Six digits that fit no step near `now`."""
    near = {app.at(now + 30 * step) for step in range(-130, 131)}
    return next(f"{code:06}" for code in range(1_000_000) if f"{code:06}" not in near)


def at_once(number: int, act: Callable[[int], T]) -> list[T | StoreUnavailable]:
    """`act(0) … act(number - 1)` in as many threads, started together; a lost race five times over is an answer."""
    start = threading.Barrier(number)

    def run(index: int) -> T | StoreUnavailable:
        start.wait()
        try:
            return act(index)
        except StoreUnavailable as error:
            return error

    with ThreadPoolExecutor(number) as pool:
        return list(pool.map(run, range(number)))
