"""Which jobs there are, how often each is done, and what each thread of a process does of them."""

import os
import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Final

from mfa_gate.core.errors import StaleState
from mfa_gate.flows.alarming import say_what_endangers
from mfa_gate.flows.jobs import Job, Jobs, Standing, Timing, standing
from mfa_gate.flows.settling import Settling
from mfa_gate.flows.sinking import Sink, Sinking
from mfa_gate.flows.surveying import WHOLE
from mfa_gate.mailing import deadlines, notifying, reminding
from mfa_gate.opening import Sources, archiving, checkpointer, keyed_of, shortening
from mfa_gate.ports import Leases, Store
from mfa_gate.settings import Settings, audit
from mfa_gate.surveys import counting

if TYPE_CHECKING:
    from mfa_gate.flows.checkpoints import Checkpointer
    from mfa_gate.opening import Keys

CHECKPOINTS: Final = Timing(name="checkpoints", every_seconds=5)
REPAIR: Final = Timing(name="repair", every_seconds=30)
EXPIRY: Final = Timing(name="expiry", every_seconds=600)
EXAMINATION: Final = Timing(name="examination", every_seconds=24 * 3600, first_after=600)
"""Reads everything: not while a process has just begun, and people wait for their first answers."""
HEALTH: Final = Timing(name="health", every_seconds=3600)
NOTICES: Final = Timing(name="notices", every_seconds=2)
REMINDERS: Final = Timing(name="reminders", every_seconds=2)
COUNTS: Final = Timing(name="counts", every_seconds=600, first_after=600)
ROSTER: Final = Timing(name="roster", every_seconds=5)
DEADLINES: Final = Timing(name="deadlines", every_seconds=10, first_after=60)
SYSLOG: Final = Timing(name=audit.SYSLOG, every_seconds=2)
WEBHOOK: Final = Timing(name=audit.WEBHOOK, every_seconds=2)
ARCHIVE: Final = Timing(name="audit archive", every_seconds=6 * 3600, first_after=900)
TIMETABLE: Final = (
    CHECKPOINTS,
    REPAIR,
    EXPIRY,
    EXAMINATION,
    HEALTH,
    NOTICES,
    REMINDERS,
    DEADLINES,
    ROSTER,
    COUNTS,
)


def background(settings: Settings, keys: "Keys", store: Store, sources: Sources) -> tuple[Jobs, ...]:
    """The jobs of one process: the quick ones, those that may take long, those that wait for a mail server, and each
    that waits for a place where events go.

    Each wants a thread of its own.
    """
    signer = checkpointer(settings, keys, store, sources)
    examiner = checkpointer(settings, keys, store, sources)
    quick = (
        Job(timing=CHECKPOINTS, run=signer.tick),
        Job(timing=REPAIR, run=lambda _: store.repair()),
        Job(timing=EXPIRY, run=store.expire),
        Job(timing=COUNTS, run=counting(settings, keyed_of(keys, sources), store).turn),
    )
    slow = (
        Job(timing=HEALTH, run=lambda _: say_what_endangers(store, sources.clock())),
        Job(timing=EXAMINATION, run=lambda now: _examine(examiner, store, now)),
        _roster(store, sources),
        *_archive(settings, keys, store, sources),
    )
    mail = tuple(make(settings, store, sources) for make in (_notices, _reminders, _deadlines))
    holder = _holder(sources)
    sinks = tuple((Job(timing=timing, run=run.turn),) for timing, run in sinking(settings, store))
    return tuple(Jobs(store, jobs, holder) for jobs in (quick, slow, mail, *sinks))


def _archive(settings: Settings, keys: "Keys", store: Store, sources: Sources) -> Iterator[Job]:
    copies = archiving(settings, keys, store, sources)
    lets_go = shortening(settings, keys, store, sources)
    if copies is None or lets_go is None:
        return

    def run(now: int) -> None:
        copies.turn(now)
        with suppress(StaleState):  # somebody else lets go of the same: the lease was lost
            lets_go.turn(now)

    yield Job(timing=ARCHIVE, run=run)


def _examine(examiner: "Checkpointer", store: Store, now: int) -> None:
    """Recompute the whole trail, and keep when it was whole; that it is not, the examiner says."""
    if examiner.examine(now) is None:
        store.note_run(WHOLE, now)


def timetable(settings: Settings) -> tuple[Timing, ...]:
    """Every job that some process does."""
    places = settings.audit
    chosen = ((SYSLOG, places.syslog), (WEBHOOK, places.webhook), (ARCHIVE, places.archive))
    return (*TIMETABLE, *(timing for timing, place in chosen if place))


def sinking(settings: Settings, store: Store) -> tuple[tuple[Timing, Sinking], ...]:
    """What brings events to the places that the settings name."""
    places = settings.audit
    if not places.syslog and not places.webhook:
        return ()
    from mfa_gate.anchors.sinks import ToSyslog, ToWebhook  # noqa: PLC0415 - few have any, and slow to import
    from mfa_gate.anchors.syslog import SyslogServer  # noqa: PLC0415
    from mfa_gate.anchors.webhook import Webhook  # noqa: PLC0415

    found: list[tuple[Timing, Sink]] = []
    if places.syslog:
        found.append((SYSLOG, ToSyslog(SyslogServer(places.syslog, places.syslog_ca), store.store_id)))
    if places.webhook:
        secret = b"" if places.webhook_secret is None else places.webhook_secret.reveal()
        found.append((WEBHOOK, ToWebhook(Webhook(places.webhook, secret, places.webhook_ca), store.store_id)))
    return tuple((timing, Sinking(store.stream, store, timing.name, sink)) for timing, sink in found)


def reminder_jobs(settings: Settings, store: Store, sources: Sources) -> Jobs:
    """The job that sends reminders, alone: for whoever waits for them."""
    return Jobs(store, (_reminders(settings, store, sources),), _holder(sources))


def roster_jobs(store: Store, sources: Sources) -> Jobs:
    """The job that tells every account what the roster says, alone: for whoever waits for it."""
    return Jobs(store, (_roster(store, sources),), _holder(sources))


def _roster(store: Store, sources: Sources) -> Job:
    made = Settling(store.roster, monotonic=sources.monotonic)
    return Job(timing=ROSTER, run=made.turn)


def _notices(settings: Settings, store: Store, sources: Sources) -> Job:
    made = cache(lambda: notifying(settings, store, sources))
    return _where_mail_leaves(settings, NOTICES, lambda now: made().turn(now))


def _reminders(settings: Settings, store: Store, sources: Sources) -> Job:
    made = cache(lambda: reminding(settings, store, sources))
    return Job(timing=REMINDERS, run=lambda now: made().turn(now))


def _deadlines(settings: Settings, store: Store, sources: Sources) -> Job:
    made = cache(lambda: deadlines(settings, store, sources))
    return _where_mail_leaves(settings, DEADLINES, lambda now: made().turn(now))


def _where_mail_leaves(settings: Settings, timing: Timing, run: Callable[[int], object]) -> Job:
    """Without a way for mail there is nothing to do; what is still news once there is one waits in the trail."""
    return Job(timing=timing, run=run if settings.mail.leaves else lambda _: None)


def how_jobs_stand(settings: Settings, leases: Leases, now: int) -> tuple[Standing, ...]:
    """When each job was last done. Raises `StoreUnavailable`."""
    return standing(timetable(settings), leases.last_runs(), now)


def _holder(sources: Sources) -> str:
    return f"{socket.gethostname()} {os.getpid()} {sources.random(4).hex()}"
