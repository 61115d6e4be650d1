"""The people of a test: who has two-step, with app, papers, sign-ins and sessions; on a real store in a folder.

It writes to the store as another process would, past every cache of the gate under test.
"""

import base64
import hashlib
import itertools
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyotp
from itsdangerous import TimestampSigner
from msgspec.structs import replace

from mfa_gate.core.accounts import Account, Identity, Means, account_id
from mfa_gate.core.administering import was_exempted
from mfa_gate.core.decision import Allow
from mfa_gate.core.events import SYSTEM, Actor
from mfa_gate.core.policy import DAY
from mfa_gate.core.remembered import BROWSER_ID_BYTES, TOKEN_BYTES, Held
from mfa_gate.core.transitions import seen, signed_out_everywhere
from mfa_gate.flows.assistance import Reset
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.proving import CodeDesk, open_session
from mfa_gate.flows.remembering import keep
from mfa_gate.flows.results import Done, Enrolled, Started
from mfa_gate.flows.self_service import SelfService
from mfa_gate.flows.visitor import Visitor
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Change, Store
from mfa_gate.settings import Settings
from mfa_gate.signing import Signer
from mfa_gate.stores.redis import RedisStore
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from tests.edges.holdings import (
    PATIENCE_SECONDS,
    SQLITE,
    Holding,
    RedisHolding,
    SqliteHolding,
    holding,
    settle,
    url_of,
)
from tests.offices import offices_of

NOW = 1_800_000_000 - 1_800_000_000 % 30
STORE_ID = "town"
REALM = "portal"
SECRET = "the portal's own secret, 7f1c9e0b64a84b0f"
RULES: list[dict[str, Any]] = [
    {"kind": "sign_in", "path": "/login"},
    {"kind": "sign_out", "path": "/logout"},
    {"kind": "public", "path": "/static/"},
    {"kind": "public", "path": "/public/"},
    {"kind": "public", "path": "/hook", "methods": ["GET"]},
    {"kind": "step_up", "path": "/archive/", "max_age": 300},
]
PLAIN: dict[str, Any] = {
    "public_url": "http://localhost:8000",
    "name": "Example Files",
    "keys": {"file": "keys.json"},
    "store": {"url": SQLITE},
    "identity": [{"source": "starlette_session", "secret": "env:PORTAL_SECRET", "field": "user"}],
    "admin": {"admins": ["root"], "help_desk": ["help"], "setup_code": False},
    "portal": {"rules": RULES, "sign_in_url": "/login?next={next}"},
}
"""Settings of most tests, in the shape of the file."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody who has two-step."""

    subject: str
    secret: str
    codes: tuple[str, ...]

    @property
    def id(self) -> str:
        """The account's id."""
        return account_id(REALM, self.subject)

    def code(self, now: float, steps: int = 0) -> str:
        """What the app shows at `now`, or some steps of 30 seconds later."""
        return pyotp.TOTP(self.secret).at(int(now) + 30 * steps)


class Town:
    """A folder with keys and a store, and the people in it."""

    def __init__(self, place: Path, people: dict[str, Person] | None = None) -> None:
        self.place = place
        self.people = {} if people is None else dict(people)
        self.keys = KeyRing.load(place / "keys.json")
        self.url = url_of(place)
        self.store = self._opened()
        self.committer = Committer(self.store, lambda _: None)
        pepper = self.keys.pepper[-1].secret
        self.self_service = SelfService(
            self.store,
            self.committer,
            desk=CodeDesk(pepper=pepper, random=os.urandom),
            issuer="Example Files",
            store_id=STORE_ID,
            needs_setup_code=lambda _: False,
        )
        self.offices = offices_of(self.store, pepper, lambda _: None, committer=self.committer)

    @classmethod
    def found(cls, place: Path, now: float = NOW, url: str = SQLITE) -> "Town":
        """A new town without people."""
        settle(place, url)
        keys = KeyRing.generate(os.urandom)
        keys.write(place / "keys.json")
        made: dict[str, Any] = {
            "sealer": _sealer(keys),
            "audit_key": keys.audit[-1].secret,
            "store_id": STORE_ID,
            "now": int(now),
        }
        if url == SQLITE:
            SqliteStore.create(place / "gate.db", **made).close()
        else:
            RedisStore.create(url, timeout_seconds=PATIENCE_SECONDS, **made).close()
        return cls(place)

    def copy(self, place: Path) -> "Town":
        """The same town on a file in another folder, as it stands now."""
        self.store.close()
        shutil.copy(self.place / "keys.json", place / "keys.json")
        SqliteHolding(self.place).copy_to(place)
        return Town(place, self.people)

    def settled(self, place: Path, url: str, dumped: dict[bytes, bytes]) -> "Town":
        """The same town in another folder and database, as it stood when it was dumped."""
        shutil.copy(self.place / "keys.json", place / "keys.json")
        settle(place, url)
        RedisHolding(url).put_back(dumped)
        return Town(place, self.people)

    @property
    def holding(self) -> Holding:
        """Where the store lies."""
        return holding(self.place)

    def settings(self, **changes: Any) -> Settings:  # noqa: ANN401
        """The plain settings, with changes."""
        return Settings.from_mapping(
            PLAIN | {"store": {"url": self.url}} | changes, self.place, environ={"PORTAL_SECRET": SECRET}
        )

    def account(self, subject: str) -> Account:
        """What the store says of somebody."""
        found = self.store.account(account_id(REALM, subject))
        assert found is not None
        return found

    def events(self, subject: str) -> list[str]:
        """What is recorded of somebody, oldest first."""
        found = self.store.events(account_id=account_id(REALM, subject), kind=None, before=None, limit=500)
        return [recorded.event.kind for recorded in reversed(found)]

    def require_two_step(self, *, on: bool = True, now: float = NOW, **changes: Any) -> None:  # noqa: ANN401
        """Turn the policy on or off."""
        policy = replace(self.store.policy(), require_two_step=on, changed_at=int(now), **changes)
        self.store.commit_policy(policy, (), int(now))

    def meet(self, subject: str, now: float = NOW) -> Account:
        """Somebody is seen for the first time."""
        account, events = seen(None, Identity(source="seed", realm=REALM, subject=subject), int(now))
        return self.store.commit(Change(account=account, events=events), int(now))

    def exempt(self, subject: str, now: float = NOW) -> Account:
        """Somebody is seen, and exempt for a month."""
        met = self.meet(subject, now)
        account, events = was_exempted(met, SYSTEM, "No phone yet", int(now) + 30 * 86_400, int(now))
        return self.store.commit(Change(account=account, events=events), int(now))

    def enroll(self, subject: str, now: float = NOW) -> Person:
        """Somebody sets up two-step; the code of this step is spent by it."""
        visitor = self._visitor(subject, now)
        started = self.self_service.start_enrollment(visitor, "seed", "", int(now))
        assert isinstance(started, Started)
        code = pyotp.TOTP(started.secret).at(int(now))
        done = self.self_service.confirm_enrollment(visitor, "seed", started.challenge, code, "", int(now))
        assert isinstance(done, Enrolled)
        person = Person(subject=subject, secret=started.secret, codes=done.codes)
        self.people[subject] = person
        return person

    def session(
        self,
        subject: str,
        now: float = NOW,
        *,
        source: str = "starlette_session",
        factor: Means = "totp",
        sign_in: str | None = None,
    ) -> str:
        """The gate's cookie of a session of somebody that begins now."""
        if factor == "remembered_browser":
            self.remembered(subject, now)
        visitor = self._visitor(subject, now, source=source, sign_in=sign_in)
        opened = open_session(
            visitor,
            visitor.account,
            factor,
            session_id=os.urandom(32).hex(),
            store_id=STORE_ID,
            now=int(now),
            browser=visitor.account.remembered[-1] if factor == "remembered_browser" else None,
        )
        self.store.commit(Change(account=visitor.account, open_session=opened.session), int(now))
        return self.signer().sign(opened.cookie, int(now))

    def remembered(self, subject: str, now: float = NOW) -> str:
        """What the cookie of a browser of somebody says that is remembered now, for thirty days."""
        if not self.store.policy().remember_seconds:
            policy = replace(self.store.policy(), remember_seconds=30 * DAY)
            self.store.commit_policy(policy, (), int(now))
        visitor = self._visitor(subject, now)
        held = Held(id=os.urandom(BROWSER_ID_BYTES), token=os.urandom(TOKEN_BYTES))
        after, events, _ = keep(visitor, visitor.account, "totp", held, int(now))
        self.store.commit(Change(account=after, events=events), int(now))
        return held.text

    def signer(self) -> Signer:
        """What signs the gate's session cookie."""
        return Signer("session", [key.secret for key in self.keys.cookie])

    def reset(self, subject: str, now: float = NOW) -> None:
        """Somebody's two-step is reset from the shell."""
        done = self.offices.assistance.assist_from_shell(
            "seed", Reset(), account_id(REALM, subject), "lost the phone", int(now)
        )
        assert isinstance(done, Done), done

    def end_sessions(self, subject: str, now: float = NOW) -> None:
        """Every session of somebody is ended, one by one."""
        account = self.account(subject)
        keys = tuple(session.key for session in self.store.sessions(account.id, int(now)))
        self.store.commit(Change(account=account, end_sessions=keys), int(now))

    def sign_out_everywhere(self, subject: str, now: float = NOW) -> None:
        """Somebody's epoch rises."""
        after, events = signed_out_everywhere(self.account(subject), SYSTEM, int(now))
        self.store.commit(Change(account=after, events=events), int(now))

    def close(self) -> None:
        """Release the store's files."""
        self.store.close()

    def _opened(self) -> Store:
        sealer, audit_key = _sealer(self.keys), self.keys.audit[-1].secret
        if self.url == SQLITE:
            return SqliteStore.open(self.place / "gate.db", sealer=sealer, audit_key=audit_key)
        return RedisStore.open(self.url, sealer=sealer, audit_key=audit_key, timeout_seconds=PATIENCE_SECONDS)

    def _visitor(
        self, subject: str, now: float, *, source: str = "seed", sign_in: str | None = None
    ) -> Visitor:
        account = self.store.account(account_id(REALM, subject)) or self.meet(subject, now)
        return Visitor(
            identity=Identity(source=source, realm=REALM, subject=subject, session_id=sign_in),
            account=account,
            session=None,
            policy=self.store.policy(),
            decision=Allow(outcome=None),
            sign_in="seed",
            actor=Actor(subject=subject, realm=REALM, address="192.0.2.9", surface="web"),
            user_agent="",
        )


def _sealer(keys: KeyRing) -> Sealer:
    return Sealer({key.id: key.secret for key in keys.seal}, keys.seal[-1].id, os.urandom)


class _Clocked(TimestampSigner):
    now = 0

    def get_timestamp(self) -> int:
        return self.now


_sign_ins = itertools.count(1)


def starlette_cookie(session: dict[str, Any], now: float = NOW, secret: str = SECRET) -> str:
    """The value of `session` as Starlette's middleware signs it at `now`; each sign-in's is another."""
    signer = _Clocked(secret)
    signer.now = int(now)
    payload = base64.b64encode(json.dumps({**session, "nr": next(_sign_ins)}).encode())
    return signer.sign(payload).decode()


def flask_cookie(session: dict[str, Any], now: float = NOW, secret: str = SECRET) -> str:
    """The value of `session` as Flask signs it at `now`."""
    signer = _Clocked(secret, salt="cookie-session", key_derivation="hmac", digest_method=hashlib.sha1)
    signer.now = int(now)
    payload = base64.urlsafe_b64encode(json.dumps({**session, "nr": next(_sign_ins)}).encode()).rstrip(b"=")
    return signer.sign(payload).decode()


PortalCookie = Callable[[dict[str, Any], float], str]


def basic(user: str, password: str = "demo") -> tuple[str, str]:
    """A Basic header."""
    return ("Authorization", "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())
