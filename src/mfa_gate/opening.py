"""Opens what the settings name beside the portal: store, keys, anchor and grants; it decides nothing about a request.

Only `init` makes a store. Whatever is slow to import is imported when it is first needed.
"""

from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Protocol

from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import Actor
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Store
from mfa_gate.settings import Settings

if TYPE_CHECKING:
    from mfa_gate.anchors import AnchorFile
    from mfa_gate.anchors.sending import Sender
    from mfa_gate.break_glass import GrantFile, GrantLog, LiveGrants
    from mfa_gate.flows.anchoring import AnchorKeeper
    from mfa_gate.flows.archiving import Archiving
    from mfa_gate.flows.checkpoints import Checkpointer
    from mfa_gate.flows.shortening import Shortening
    from mfa_gate.keyed import Keyed

    Keys = KeyRing | Keyed
    """A ring that stays as it is, or what follows the key file."""


class Sources(Protocol):
    """Where time and chance come from."""

    @property
    def clock(self) -> Callable[[], float]:
        """UTC seconds."""

    @property
    def machine(self) -> Callable[[], float]:
        """UTC seconds by this machine's own clock, to be held against that of the store's server."""

    @property
    def monotonic(self) -> Callable[[], float]:
        """Seconds that never go back."""

    @property
    def random(self) -> Callable[[int], bytes]:
        """N unpredictable bytes."""


def open_store(settings: Settings, keys: "Keys", sources: Sources) -> Store:
    """The store that the settings name, unless it has fallen behind its anchor. Raises `StoreUnavailable`."""
    store = open_unjudged(settings, keys, sources)
    try:
        keeper = anchor_keeper(settings, keys, store, sources)
        if keeper is not None:
            keeper.refuse_older()
    except BaseException:
        with suppress(StoreUnavailable):
            store.close()
        raise
    return store


def open_unjudged(settings: Settings, keys: "Keys", sources: Sources) -> Store:
    """The same without looking at the anchor: for whoever is about to accept a loss. Never creates one."""
    keyed = keyed_of(keys, sources)
    if settings.store.redis:
        from mfa_gate.stores.redis import RedisStore

        return RedisStore.open(settings.store.url, sealer=keyed.sealer, audit_key=keyed.audit_keys)
    from mfa_gate.stores.sqlite import SqliteStore

    return SqliteStore.open(settings.store.path, sealer=keyed.sealer, audit_key=keyed.audit_keys)


def anchor_keeper(settings: Settings, keys: "Keys", store: Store, sources: Sources) -> "AnchorKeeper | None":
    """What compares this store with its anchor; None where the settings name none."""
    from mfa_gate.flows.anchoring import AnchorKeeper

    file = anchor_file(settings)
    return (
        None if file is None else AnchorKeeper(store.stream, file, keyed_of(keys, sources).is_our_checkpoint)
    )


def anchor_file(settings: Settings) -> "AnchorFile | None":
    """Where the anchor is kept."""
    from mfa_gate.anchors import AnchorFile

    anchor = settings.anchor
    return None if anchor.path is None else AnchorFile(anchor.path, _listeners(anchor.syslog, anchor.webhook))


@cache
def _listeners(syslog: str, webhook: str) -> "tuple[Sender, ...]":
    """Who hears of each new anchor; one of each for a process."""
    if not syslog and not webhook:
        return ()
    from mfa_gate.anchors.sending import to_syslog, to_webhook

    return (*([to_syslog(syslog)] if syslog else []), *([to_webhook(webhook)] if webhook else []))


def live_grants(settings: Settings, keys: "Keys", sources: Sources) -> "LiveGrants | None":
    """Break-glass grants as the doors honor them; None where the settings leave no place for them."""
    from mfa_gate.break_glass import LiveGrants

    file = grant_file(settings)
    if file is None:
        return None
    is_ours = keyed_of(keys, sources).is_our_grant
    return LiveGrants(file, grant_log(file, settings), is_ours, settings.public_url)


def grant_file(settings: Settings) -> "GrantFile | None":
    """Where grants are kept."""
    from mfa_gate.break_glass import GrantFile

    path = settings.keys.grants_file
    return None if path is None else GrantFile(path, settings.keys.file)


def grant_log(file: "GrantFile", settings: Settings) -> "GrantLog":
    """Where is written down what was done with them."""
    from mfa_gate.break_glass import GrantLog

    return GrantLog(file.path.with_name(f"{file.path.name}.log"), settings.keys.file)


def checkpointer(settings: Settings, keys: "Keys", store: Store, sources: Sources) -> "Checkpointer":
    """The job that signs how far the trail has come; call its `tick(now)` every few seconds, in one process."""
    from mfa_gate.flows.checkpoints import Checkpointer

    keyed = keyed_of(keys, sources)
    keeper = anchor_keeper(settings, keyed, store, sources)
    return Checkpointer(store, keeper, keyed.sign_checkpoint, keyed.is_our_checkpoint)


def archiving(
    settings: Settings, keys: "Keys", store: Store, sources: Sources, older_than_days: int | None = None
) -> "Archiving | None":
    """What archives the trail; None if the settings name no folder for it."""
    audit = settings.audit
    if audit.archive is None:
        return None
    from mfa_gate.anchors.archive import ArchiveFolder
    from mfa_gate.flows.archiving import Archiving

    keyed = keyed_of(keys, sources)
    days = audit.archive_after_days if older_than_days is None else older_than_days
    folder = ArchiveFolder(audit.archive)
    return Archiving(store, folder, keyed.sign_checkpoint, keyed.is_ours, days * 24 * 3600)


def shortening(
    settings: Settings, keys: "Keys", store: Store, sources: Sources, keep_days: int | None = None
) -> "Shortening | None":
    """What lets archived events leave the store; None if the settings name no folder for them."""
    audit = settings.audit
    if audit.archive is None:
        return None
    from mfa_gate.anchors.archive import ArchiveFolder
    from mfa_gate.flows.shortening import Shortening

    return Shortening(
        store,
        ArchiveFolder(audit.archive),
        keyed_of(keys, sources).is_ours,
        (audit.keep_days if keep_days is None else keep_days) * 24 * 3600,
        anchors=anchor_file(settings),
        sinks=tuple(name for name, place in audit.sinks if place),
        notices=settings.mail.leaves,
    )


def create_store(settings: Settings, keys: "Keys", sources: Sources, actor: Actor) -> Store:
    """Make the store that the settings name, as only `init` may. Raises `StoreUnavailable` if there is one."""
    keyed = keyed_of(keys, sources)
    sealer, audit_key = keyed.sealer, keyed.audit_keys
    store_id, now = sources.random(16).hex(), int(sources.clock())
    if settings.store.redis:
        from mfa_gate.stores.redis import RedisStore

        return RedisStore.create(
            settings.store.url, sealer=sealer, audit_key=audit_key, store_id=store_id, now=now, actor=actor
        )
    from mfa_gate.stores.sqlite import SqliteStore

    return SqliteStore.create(
        settings.store.path, sealer=sealer, audit_key=audit_key, store_id=store_id, now=now, actor=actor
    )


def store_exists(settings: Settings) -> bool:
    """True if there is something where the settings name the store. Raises `StoreUnavailable` if nobody answers."""
    if settings.store.redis:
        from mfa_gate.stores.redis import RedisStore

        return RedisStore.exists(settings.store.url)
    return settings.store.path.exists()


def keyed_of(keys: "Keys", sources: Sources) -> "Keyed":
    """What is made with these keys; of a ring that stays as it is, or of one that follows the key file."""
    from mfa_gate.keyed import Keyed

    return Keyed.of(keys, sources.random)
