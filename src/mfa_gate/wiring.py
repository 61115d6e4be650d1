"""The only place that chooses: from settings to store, identity sources, flows and pages; real clock, real randomness.

Nothing here decides about a request. Parts are made per process, when the first request comes.
"""

import logging
import os
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import ip_network
from typing import TYPE_CHECKING, cast

from mfa_gate.core.addresses import TrustedProxies
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import Actor
from mfa_gate.core.forwarding import Forwarding
from mfa_gate.core.headers import fold_header
from mfa_gate.core.messages import printable
from mfa_gate.core.responses import Places
from mfa_gate.door import AsgiApp, Door
from mfa_gate.flows.checking import Bearings, Checker
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.facts import FactsCache
from mfa_gate.flows.traffic import Unattributed
from mfa_gate.identity import IdentitySource, attribute, build_sources
from mfa_gate.keys import KeyRing
from mfa_gate.ports import Store
from mfa_gate.settings import Settings
from mfa_gate.signing import SessionCookie, Signer

if TYPE_CHECKING:
    from mfa_gate.stores.sealing import Sealer
    from mfa_gate.web.rendering import Renderer
    from mfa_gate.web.services import Services

log = logging.getLogger("mfa_gate")

REOPEN_SECONDS = 1.0
SESSION_COOKIE_SECONDS = 24 * 3600
"""No session lives longer, so no older cookie is worth a look."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where time and chance come from; tests bring their own clock."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = secrets.token_bytes


class _NoStore:
    """Stands where a store could not be opened: whatever is asked of it is `StoreUnavailable`."""

    store_id = ""

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __getattr__(self, name: str) -> Callable[..., object]:
        def unavailable(*_: object, **__: object) -> object:
            raise StoreUnavailable(self._reason)

        return unavailable


class PerProcess:
    """Makes the parts of one gate when a process first needs them. Raises `KeysError` if the keys cannot be used."""

    def __init__(self, settings: Settings, sources: Sources) -> None:
        self.settings = settings
        self.sources = sources
        self._keys = KeyRing.find(settings.keys.file, os.environ)
        self.current: Door | None = None
        self._provisional: Door | None = None
        self._reopen_at = 0.0
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._begin_anew)

    def door(self) -> Door:
        """This process's parts; a store that could not be opened is tried again every second."""
        with self._lock:
            if self.current is not None:
                return self.current
            if self._provisional is not None and self.sources.monotonic() < self._reopen_at:
                return self._provisional
            return self._make()

    def _begin_anew(self) -> None:
        self.current = self._provisional = None
        self._lock = threading.Lock()

    def _make(self) -> Door:
        try:
            store = open_store(self.settings, self._keys, self.sources)
        except StoreUnavailable as error:
            log.error("store: %s", printable(str(error), 1_000))  # noqa: TRY400 (the sentence says it all)
            self._reopen_at = self.sources.monotonic() + REOPEN_SECONDS
            nothing = cast("Store", _NoStore(str(error)))
            self._provisional = build_door(self.settings, self._keys, nothing, self.sources)
            return self._provisional
        self.current = build_door(self.settings, self._keys, store, self.sources)
        self._provisional = None
        return self.current


def open_store(settings: Settings, keys: KeyRing, sources: Sources) -> Store:
    """The store that the settings name. Raises `StoreUnavailable`; never creates one."""
    sealer, audit_key = _sealer(keys, sources), keys.audit[-1].secret
    if settings.store.redis:
        from mfa_gate.stores.redis import RedisStore

        return RedisStore.open(settings.store.url, sealer=sealer, audit_key=audit_key)
    from mfa_gate.stores.sqlite import SqliteStore

    return SqliteStore.open(settings.store.path, sealer=sealer, audit_key=audit_key)


def create_store(settings: Settings, keys: KeyRing, sources: Sources, actor: Actor) -> Store:
    """Make the store that the settings name, as only `init` may. Raises `StoreUnavailable` if there is one."""
    sealer, audit_key = _sealer(keys, sources), keys.audit[-1].secret
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


def _sealer(keys: KeyRing, sources: Sources) -> "Sealer":
    from mfa_gate.stores.sealing import Sealer

    return Sealer({key.id: key.secret for key in keys.seal}, keys.seal[-1].id, sources.random)


def build_door(settings: Settings, keys: KeyRing, store: Store, sources: Sources) -> Door:
    """All parts of one process around one store."""
    identity_sources = build_sources(settings)
    cache = FactsCache(sources.monotonic)
    committer = Committer(store, cache.drop)
    session_signer = Signer("session", [key.secret for key in keys.cookie])
    places = Places(
        public_url=settings.public_url,
        mount=settings.mount,
        sign_in_url=settings.portal.sign_in_url or None,
        cors_origins=settings.portal.cors_origins,
    )
    checker = Checker(
        bearings=Bearings(
            rules=settings.portal.rules,
            public_url=settings.public_url,
            cookie_name=settings.cookie_name,
            store_id=store.store_id,
            observing=settings.mode == "observe",
            narrow_cookie=settings.portal.narrow_cookie_path,
        ),
        attribute=lambda request, now: attribute(identity_sources, request, settings.portal.credentials, now),
        read_cookie=lambda token, now: session_signer.read(token, SessionCookie, now, SESSION_COOKIE_SECONDS),
        facts=store,
        sessions=store,
        committer=committer,
        cache=cache,
        traffic=Unattributed(store, sources.monotonic),
        clock=sources.clock,
    )
    forwarding = _forwarding(settings, identity_sources)
    return Door(
        checker=checker,
        cache=cache,
        forwarding=forwarding,
        places=places,
        trusted=TrustedProxies(map(ip_network, settings.trusted_proxies)),
        clock=sources.clock,
        monotonic=sources.monotonic,
        query_matters=bool(forwarding.stranger_fields) or any(rule.methods for rule in settings.portal.rules),
        reads_remote_user=any("remote_user" in source.carriers for source in identity_sources),
        make_pages=lambda: _make_pages(
            build_services(
                settings, keys, store, sources, checker=checker, committer=committer, places=places
            )
        ),
    )


def _forwarding(settings: Settings, identity_sources: tuple[IdentitySource, ...]) -> Forwarding:
    carriers = {
        *settings.portal.credentials,
        *(name for source in identity_sources for name in source.carriers),
    }

    def of(kind: str) -> frozenset[str]:
        return frozenset(
            fold_header(name) if kind == "header" else name
            for prefix, _, name in (carrier.partition(":") for carrier in carriers)
            if prefix == kind and name
        )

    return Forwarding(
        our_cookies=(settings.cookie_name, f"{settings.cookie_name}_pending"),
        source_headers=frozenset(
            fold_header(name) for source in identity_sources for name in source.keyed_headers
        ),
        tell=settings.portal.headers,
        stranger_cookies=tuple(sorted(of("cookie"))),
        stranger_headers=of("header") | {"authorization"},
        stranger_fields=of("query"),
    )


def build_services(
    settings: Settings,
    keys: KeyRing,
    store: Store,
    sources: Sources,
    *,
    checker: Checker,
    committer: Committer,
    places: Places,
) -> "Services":
    """What the pages, the JSON API and the command line work with."""
    from mfa_gate.flows.administration import Administration
    from mfa_gate.flows.reporting import Reporting
    from mfa_gate.flows.self_service import SelfService
    from mfa_gate.web.services import Services, Signers

    pepper = keys.pepper[-1].secret
    cookie_keys = [key.secret for key in keys.cookie]
    return Services(
        checker=checker,
        self_service=SelfService(
            store,
            committer,
            pepper=pepper,
            random=sources.random,
            issuer=settings.name,
            store_id=store.store_id,
            needs_setup_code=lambda account: (
                settings.admin.setup_code and settings.is_admin(account) == "admin"
            ),
        ),
        administration=Administration(
            store,
            store,
            committer,
            store,
            pepper=pepper,
            random=sources.random,
            role_of=settings.is_admin,
            policy_changed=checker.forget_policy,
        ),
        reporting=Reporting(store, store, store, store, store),
        renderer=lambda: _make_renderer(settings),
        signers=Signers(
            session=Signer("session", cookie_keys),
            pending=Signer("pending", cookie_keys),
            csrf=Signer("csrf", cookie_keys),
        ),
        places=places,
        cookie_name=settings.cookie_name,
        secure=settings.is_https,
        name=settings.name,
        accent=settings.accent,
        logo=settings.logo,
        sign_out_path=_sign_out_path(settings),
        role_of=settings.is_admin,
        clock=sources.clock,
        random=sources.random,
        ready=lambda: _what_is_missing(store),
        observing=settings.mode == "observe",
        setup_code=settings.admin.setup_code,
    )


def _sign_out_path(settings: Settings) -> str:
    """The page on which a link signs somebody out of the portal."""
    return next(
        (
            rule.path
            for rule in settings.portal.rules
            if rule.kind == "sign_out"
            and not rule.path.endswith("/")
            and (not rule.methods or "GET" in rule.methods)
        ),
        "",
    )


def _make_renderer(settings: Settings) -> "Renderer":
    from mfa_gate.web.rendering import Renderer
    from mfa_gate.web.views import Chrome

    return Renderer(
        Chrome(
            name=settings.name,
            accent=settings.accent,
            logo_url=f"{settings.mount}/logo" if settings.logo else None,
            help_text=settings.help_text or None,
            help_url=settings.help_url or None,
            time_zone=settings.time_zone,
        )
    )


def _what_is_missing(store: Store) -> tuple[str, ...]:
    try:
        store.policy()
    except StoreUnavailable as error:
        return (str(error),)
    return ()


def _make_pages(services: "Services") -> AsgiApp:
    from mfa_gate.web.app import create_web_app

    return create_web_app(services)
