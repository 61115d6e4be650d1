"""The only place that chooses: from settings to store, identity sources, flows and pages; real clock, real randomness.

Nothing here decides about a request.
"""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from ipaddress import ip_network
from typing import TYPE_CHECKING

from mfa_gate.background import how_jobs_stand
from mfa_gate.core.addresses import TrustedProxies
from mfa_gate.core.clients import telling_headers
from mfa_gate.core.clocks import alarming, forbids_codes, in_words
from mfa_gate.core.errors import StoreUnavailable
from mfa_gate.core.forwarding import Forwarding
from mfa_gate.core.headers import fold_header
from mfa_gate.core.messages import GateRequest, GateResponse
from mfa_gate.core.responses import Places
from mfa_gate.door import AsgiApp, Door
from mfa_gate.flows.checking import Bearings, Checker
from mfa_gate.flows.committing import Committer
from mfa_gate.flows.facts import FactsCache
from mfa_gate.flows.timekeeping import Timekeeper
from mfa_gate.flows.traffic import Unattributed
from mfa_gate.identity import IdentitySource, attribute, build_sources
from mfa_gate.opening import keyed_of
from mfa_gate.ports import Draft, Store
from mfa_gate.settings import Settings

if TYPE_CHECKING:
    from mfa_gate.break_glass import LiveGrants
    from mfa_gate.flows.roster_desk import BadRoster, Lines
    from mfa_gate.opening import Keys
    from mfa_gate.web.rendering import Renderer
    from mfa_gate.web.services import Readiness, Services

SESSION_COOKIE_SECONDS = 24 * 3600
"""No session lives longer, so no older cookie is worth a look."""


@dataclass(frozen=True, kw_only=True)
class Sources:
    """Where time and chance come from; tests bring their own clock."""

    clock: Callable[[], float] = time.time
    machine: Callable[[], float] = time.time
    """What is held against the clock of the store's server: this machine's, also where a test brings another."""
    monotonic: Callable[[], float] = time.monotonic
    random: Callable[[int], bytes] = secrets.token_bytes


def build_door(
    settings: Settings, keys: "Keys", store: Store, sources: Sources, grants: "LiveGrants | None" = None
) -> Door:
    """All parts of one process around one store."""
    identity_sources = build_sources(settings)
    facts_cache = FactsCache(sources.monotonic)
    committer = Committer(store, facts_cache.drop)
    traffic = Unattributed(store, sources.monotonic)
    timekeeper = Timekeeper(store, sources.machine, sources.monotonic)
    keyed = keyed_of(keys, sources)
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
            clients=settings.clients,
            observing=settings.mode == "observe",
            narrow_cookie=settings.portal.narrow_cookie_path,
        ),
        attribute=lambda request, now: attribute(identity_sources, request, settings.portal.credentials, now),
        read_cookie=lambda token, now: keyed.read_session(token, now, SESSION_COOKIE_SECONDS),
        facts=store,
        sessions=store,
        committer=committer,
        cache=facts_cache,
        traffic=traffic,
        clock=sources.clock,
        grants=grants,
        is_token=lambda stored, token: (
            keyed.peppers.find((stored,), token.secret, token.hashed_as) is not None
        ),
    )
    forwarding = _forwarding(settings, identity_sources)

    @cache
    def services() -> "Services":
        return build_services(
            settings,
            keyed,
            store,
            sources,
            checker=checker,
            committer=committer,
            places=places,
            timekeeper=timekeeper,
        )

    return Door(
        checker=checker,
        cache=facts_cache,
        traffic=traffic,
        forwarding=forwarding,
        places=places,
        trusted=TrustedProxies(map(ip_network, settings.trusted_proxies)),
        clock=sources.clock,
        monotonic=sources.monotonic,
        timekeeper=timekeeper,
        query_matters=bool(forwarding.stranger_fields) or any(rule.methods for rule in settings.portal.rules),
        reads_remote_user=any("remote_user" in source.carriers for source in identity_sources),
        clients=settings.clients,
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
        our_cookies=tuple(f"{settings.cookie_name}{suffix}" for suffix in ("", "_pending", "_browser")),
        source_headers=frozenset(
            fold_header(name) for source in identity_sources for name in source.keyed_headers
        ),
        telling=telling_headers(settings.clients),
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
    timekeeper: Timekeeper,
) -> "Services":
    """What the pages, the JSON API and the command line work with."""
    from mfa_gate.flows.administration import Administration
    from mfa_gate.flows.assistance import Assistance
    from mfa_gate.flows.authority import Authority
    from mfa_gate.flows.devices import Devices
    from mfa_gate.flows.exporting import Exporting
    from mfa_gate.flows.impact import Impacts
    from mfa_gate.flows.importing import Importing
    from mfa_gate.flows.people_export import PeopleExport
    from mfa_gate.flows.policy_history import PolicyHistory
    from mfa_gate.flows.proving import CodeDesk
    from mfa_gate.flows.remembering import Remembering
    from mfa_gate.flows.reminders import Reminders
    from mfa_gate.flows.reporting import Reporting
    from mfa_gate.flows.roster_desk import RosterDesk
    from mfa_gate.flows.self_service import SelfService
    from mfa_gate.surveys import reports
    from mfa_gate.web.dates import zone_named
    from mfa_gate.web.services import Services, Signers

    keyed = keyed_of(keys, sources)
    desk = CodeDesk(pepper=keyed.peppers, random=sources.random, hold_clock=timekeeper.hold)
    authority = Authority(store, store, committer, desk, role_of=settings.is_admin)
    importing = Importing(store.roster, store.stream, random=sources.random, role_of=settings.is_admin)
    return Services(
        checker=checker,
        self_service=SelfService(
            store,
            committer,
            desk=desk,
            issuer=settings.name,
            store_id=store.store_id,
            # Security: of the help desk, too: with their password alone, somebody could reset whose password they have.
            needs_setup_code=lambda account: (
                settings.admin.setup_code and settings.is_admin(account) is not None
            ),
        ),
        remembering=Remembering(store, committer, random=sources.random, store_id=store.store_id),
        authority=authority,
        administration=Administration(
            authority, store, committer, store, desk, policy_changed=checker.forget_policy
        ),
        devices=Devices(committer, desk),
        assistance=Assistance(authority, store, store, committer),
        exporting=Exporting(authority, store, keyed.sign_checkpoint, keyed.is_our_checkpoint),
        reporting=Reporting(store, store, store, store, store, notices=store.notices, leases=store),
        reports=reports(settings, keyed, store),
        people_export=PeopleExport(authority, store, store),
        policy_history=PolicyHistory(store),
        impacts=Impacts(authority, store, store, store),
        reminders=Reminders(
            store,
            store,
            store,
            authority,
            random=sources.random,
            leaves=settings.mail.leaves,
        ),
        sign=keyed.sign_checkpoint,
        importing=importing,
        roster_desk=RosterDesk(
            authority,
            importing,
            store.roster,
            store,
            drafted=lambda file: _drafted(file, settings),
        ),
        renderer=cache(lambda: _make_renderer(settings)),
        signers=Signers(session=keyed.session, pending=keyed.pending, csrf=keyed.csrf, roster=keyed.roster),
        places=places,
        cookie_name=settings.cookie_name,
        secure=settings.is_https,
        name=settings.name,
        accent=settings.accent,
        logo=settings.logo,
        sign_out_path=_sign_out_path(settings),
        zone=zone_named(settings.time_zone),
        clock=sources.clock,
        random=sources.random,
        ready=lambda: _readiness(settings, store, timekeeper, int(sources.clock())),
        observing=settings.mode == "observe",
        setup_code=settings.admin.setup_code,
        time_zone=settings.time_zone,
    )


def _drafted(file: "Lines", settings: Settings) -> "Draft | BadRoster":
    from mfa_gate.roster.drafting import drafted

    return drafted(file, tuple(dict.fromkeys(source.realm for source in settings.identity)))


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


def _readiness(settings: Settings, store: Store, timekeeper: Timekeeper, now: int) -> "Readiness":
    from mfa_gate.web.services import ClockStanding, Readiness

    try:
        store.policy()
        skew = timekeeper.skew_seconds()
        return Readiness(
            jobs=how_jobs_stand(settings, store, now),
            clock=ClockStanding(skew_seconds=round(skew), refuses_codes=forbids_codes(skew)),
            wrong=(f"clock: {in_words(skew)}",) if alarming(skew) else (),
        )
    except StoreUnavailable as error:
        return Readiness(missing=(str(error),))


def _make_pages(services: "Services") -> AsgiApp:
    from mfa_gate.web.app import create_web_app

    return create_web_app(services)


def _in_words(services: "Services", refused: GateResponse, request: GateRequest) -> GateResponse:
    from mfa_gate.web.callers import Call

    return Call(services=services, request=request, now=int(services.clock()), params={}).in_words(refused)
