"""What sends reminders, put together around a store and a mail server, under the test's own clock."""

import os
import time
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from mfa_gate.core.accounts import Account, account_id
from mfa_gate.core.events import Actor, Audience, Event, EventKind
from mfa_gate.core.notices import NoticeQueue
from mfa_gate.core.policy import Status
from mfa_gate.core.reminders import ReminderRun
from mfa_gate.flows.delivering import Delivering
from mfa_gate.flows.notifying import Notifying, Recipients
from mfa_gate.flows.posting import Post
from mfa_gate.flows.reminding import Reminding
from mfa_gate.mail.letters import Letters
from mfa_gate.mail.messages import Letterhead
from mfa_gate.mail.smtp import PATIENCE, Patience, SmtpPost
from mfa_gate.ports import Change, Store
from mfa_gate.settings import Mail
from mfa_gate.stores.sealing import Sealer
from mfa_gate.stores.sqlite import SqliteStore
from mfa_gate.web.sentences import told_in_mail
from mfa_gate.web.translations import load_translations

NOW = 1_800_000_000
REALM = "portal"
ROOT = Actor(subject="root", realm=REALM, surface="web", address="192.0.2.1")
HEAD = Letterhead(portal="Example Files", sender="two-step@example.org", home="https://files.example.org/mfa")


def smtp(port: int, patience: Patience = PATIENCE) -> SmtpPost:
    """A mail server of this machine."""
    mail = Mail(smtp=f"smtp+plain://127.0.0.1:{port}", sender=HEAD.sender)
    assert mail.server is not None
    return SmtpPost(mail, mail.server, "files.example.org", patience)


def letters() -> Letters:
    translate = load_translations()["en"].gettext
    return Letters(
        HEAD,
        load_translations()["en"],
        day=lambda at, now: f"in {at - now} s",
        moment=lambda at: f"moment {at - NOW}",
        tell=lambda told: told_in_mail(told, translate),
    )


def office_store(path: Path) -> SqliteStore:
    """A new store on a file, with keys that `opened` has, too."""
    return SqliteStore.create(path, sealer=_sealer(), audit_key=b"a" * 32, store_id="office", now=NOW)


def opened(path: Path) -> SqliteStore:
    """The same store in another process."""
    return SqliteStore.open(path, sealer=_sealer(), audit_key=b"a" * 32)


def _sealer() -> Sealer:
    return Sealer({"k1": b"k" * 32}, "k1", os.urandom)


class Office:
    """One process that sends; `now` is what its clock says."""

    def __init__(
        self,
        store: Store,
        post: Post,
        *,
        domain: str = "",
        administers: Callable[[Account], bool] = lambda _: False,
    ) -> None:
        self.store = store
        self.now = NOW
        delivering = Delivering(
            store,
            store,
            writer=letters(),
            domain=domain,
            administers=administers,
            clock=lambda: self.now,
        )
        self.reminding = Reminding(
            store,
            store,
            store,
            store,
            delivering=delivering,
            post=post,
            clock=lambda: self.now,
            monotonic=time.monotonic,
        )

    def turn(self) -> None:
        self.reminding.turn(self.now)

    def begin(
        self, *subjects: str, statuses: tuple[Status, ...] = (), name: str = "r1", **fields: object
    ) -> ReminderRun:
        """A run for these people, or for all of these statuses."""
        users = tuple(account_id(REALM, subject) for subject in subjects)
        run = ReminderRun(id=name, made_at=self.now, by=ROOT, users=users, statuses=statuses)
        return self.store.save_run(replace(run, **fields))

    def run(self, name: str = "r1") -> ReminderRun:
        found = self.store.run(name)
        assert found is not None
        return found


class Teller:
    """One process that tells people what happened; `now` is what its clock says."""

    def __init__(
        self,
        store: Store,
        post: Post,
        *,
        admins: tuple[str, ...] = (),
        mailbox: str = "",
        groups: tuple[str, ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.store = store
        self.now = NOW
        ids = tuple(account_id(REALM, subject) for subject in admins)
        self.notifying = Notifying(
            store,
            writer=letters(),
            recipients=Recipients(
                admins=ids,
                mailbox=mailbox,
                groups=groups,
                is_admin=lambda account: bool(set(account.groups or ()) & set(groups)),
            ),
            post=post,
            clock=lambda: self.now,
            monotonic=monotonic,
        )

    def turn(self) -> None:
        self.notifying.turn(self.now)

    @property
    def queue(self) -> NoticeQueue:
        return self.store.notices.queue()


def happened(
    store: Store,
    subject: str,
    kind: EventKind,
    *,
    notify: tuple[Audience, ...] = ("owner",),
    at: int = NOW,
    actor: Actor | None = None,
    **details: str,
) -> None:
    """Something that was committed to somebody's account, and of which they or the administrators are told."""
    account = of(store, subject)
    by = actor or Actor(subject=subject, realm=REALM, surface="web", address="198.51.100.7")
    told = Event(
        kind=kind, account_id=account.id, subject=subject, at=at, actor=by, details=details, notify=notify
    )
    store.commit(Change(account=account, events=(told,)), at)


def require_two_step(store: Store) -> None:
    store.commit_policy(replace(store.policy(), require_two_step=True), (), NOW)


def seen(store: Store, subject: str, **fields: object) -> Account:
    """Somebody whom the portal has named, with a mail address."""
    account = Account(
        id=account_id(REALM, subject),
        realm=REALM,
        subject=subject,
        email=f"{subject}@example.org",
        first_seen_at=NOW,
    )
    account = replace(account, **fields)
    event = Event(kind="account_seen", account_id=account.id, subject=subject, at=NOW, actor=ROOT)
    return store.commit(Change(account=account, events=(event,)), NOW)


def of(store: Store, subject: str) -> Account:
    found = store.account(account_id(REALM, subject))
    assert found is not None
    return found


def told(store: Store, subject: str) -> list[tuple[str, dict[str, str]]]:
    """What the trail says of somebody's reminders, oldest first."""
    found = store.events(account_id=account_id(REALM, subject), kind=None, before=None, limit=100)
    events = [each.event for each in reversed(found)]
    return [(each.kind, each.details) for each in events if each.kind.startswith("reminder")]
