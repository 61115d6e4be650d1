"""The only place that chooses: from settings to store, identity sources, flows and pages; real clock, real randomness.

Nothing here decides about a request.
"""

import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from mfa_gate.core.addresses import TrustedProxies
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.events import Actor
from mfa_gate.core.forwarding import Forwarding
from mfa_gate.core.headers import fold_header
from mfa_gate.core.messages import GateRequest, GateResponse
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

if TYPE_CHECKING:
    from mfa_gate.anchors import AnchorFile
    from mfa_gate.anchors.sending import Sender
    from mfa_gate.break_glass import GrantFile, GrantLog, LiveGrants
    from mfa_gate.flows.anchoring import AnchorKeeper
    from mfa_gate.flows.checkpoints import Checkpointer
    from mfa_gate.keyed import Keyed
    from mfa_gate.web.rendering import Renderer
    from mfa_gate.web.services import Services

    Keys = KeyRing | Keyed
    """A ring that stays as it is, or what follows the key file."""

SESSION_COOKIE_SECONDS = 24 * 3600
"""No session lives longer, so no older cookie is worth a look."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where time and chance come from; tests bring their own clock."""

    clock: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = secrets.token_bytes


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
    keyed = _keyed(keys, sources)
    if settings.store.redis:
        from mfa_gate.stores.redis import RedisStore

        return RedisStore.open(settings.store.url, sealer=keyed.sealer, audit_key=keyed.audit_keys)
    from mfa_gate.stores.sqlite import SqliteStore

    return SqliteStore.open(settings.store.path, sealer=keyed.sealer, audit_key=keyed.audit_keys)


def anchor_keeper(settings: Settings, keys: "Keys", store: Store, sources: Sources) -> "AnchorKeeper | None":
    """What compares this store with its anchor; None where the settings name none."""
    from mfa_gate.flows.anchoring import AnchorKeeper

    file = anchor_file(settings)
    return None if file is None else AnchorKeeper(store.stream, file, _keyed(keys, sources).is_our_checkpoint)


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
    is_ours = _keyed(keys, sources).is_our_grant
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

    keyed = _keyed(keys, sources)
    keeper = anchor_keeper(settings, keyed, store, sources)
    return Checkpointer(store, keeper, keyed.sign_checkpoint, keyed.is_our_checkpoint)


def create_store(settings: Settings, keys: "Keys", sources: Sources, actor: Actor) -> Store:
    """Make the store that the settings name, as only `init` may. Raises `StoreUnavailable` if there is one."""
    keyed = _keyed(keys, sources)
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


def _keyed(keys: "Keys", sources: Sources) -> "Keyed":
    from mfa_gate.keyed import Keyed

    return Keyed.of(keys, sources.random)


def build_door(
    settings: Settings, keys: "Keys", store: Store, sources: Sources, grants: "LiveGrants | None" = None
) -> Door:
    """All parts of one process around one store."""
    identity_sources = build_sources(settings)
    facts_cache = FactsCache(sources.monotonic)
    committer = Committer(store, facts_cache.drop)
    keyed = _keyed(keys, sources)
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
        read_cookie=lambda token, now: keyed.read_session(token, now, SESSION_COOKIE_SECONDS),
        facts=store,
        sessions=store,
        committer=committer,
        cache=facts_cache,
        traffic=Unattributed(store, sources.monotonic),
        clock=sources.clock,
        grants=grants,
    )
    forwarding = _forwarding(settings, identity_sources)

    @cache
    def services() -> "Services":
        return build_services(
            settings, keyed, store, sources, checker=checker, committer=committer, places=places
        )

    return Door(
        checker=checker,
        cache=facts_cache,
        forwarding=forwarding,
        places=places,
        trusted=TrustedProxies(map(ip_network, settings.trusted_proxies)),
        clock=sources.clock,
        monotonic=sources.monotonic,
        query_matters=bool(forwarding.stranger_fields) or any(rule.methods for rule in settings.portal.rules),
        reads_remote_user=any("remote_user" in source.carriers for source in identity_sources),
        make_pages=lambda: _make_pages(services()),
        in_words=lambda refused, request: _in_words(services(), refused, request),
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
    keys: "Keys",
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

    keyed = _keyed(keys, sources)
    return Services(
        checker=checker,
        self_service=SelfService(
            store,
            committer,
            pepper=keyed.peppers,
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
            pepper=keyed.peppers,
            random=sources.random,
            role_of=settings.is_admin,
            policy_changed=checker.forget_policy,
        ),
        reporting=Reporting(store, store, store, store, store),
        renderer=cache(lambda: _make_renderer(settings)),
        signers=Signers(session=keyed.session, pending=keyed.pending, csrf=keyed.csrf),
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


def _in_words(services: "Services", refused: GateResponse, request: GateRequest) -> GateResponse:
    from mfa_gate.web.callers import Call

    return Call(services=services, request=request, now=int(services.clock()), params={}).in_words(refused)
